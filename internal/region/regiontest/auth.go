package regiontest

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// timestampWindow is how far a request's time may be from the region's.
const timestampWindow = 300 * time.Second

// key is an API key: the consumer's secret is always empty.
type key struct {
	consumer, token, secret string
	admin                   bool
}

func parseKey(s string, admin bool) (key, error) {
	parts := strings.Split(s, ":")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return key{}, fmt.Errorf("API key: not consumer:token:secret")
	}
	return key{parts[0], parts[1], parts[2], admin}, nil
}

// needed are the parameters without which the region does not even try.
var needed = []string{
	"oauth_consumer_key", "oauth_token", "oauth_signature", "oauth_signature_method",
	"oauth_timestamp", "oauth_nonce",
}

// oauthHeader parses an Authorization header; the values stay as they were sent.
func oauthHeader(header string) (map[string]string, bool) {
	rest, ok := strings.CutPrefix(header, "OAuth ")
	params := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		if name, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok {
			params[name] = strings.Trim(value, `"`)
		}
	}
	for _, name := range needed {
		if _, has := params[name]; !has {
			return nil, false
		}
	}
	return params, ok
}

// authenticate returns the key that a request is signed with, in the order of
// checks and with the texts of piston's OAuth server. now is the region's time.
func (r *Region) authenticate(req *http.Request, now time.Time) (key, *reply) {
	sent, ok := oauthHeader(req.Header.Get("Authorization"))
	if !ok {
		return key{}, text(http.StatusUnauthorized, "Forbidden")
	}
	params := map[string]string{}
	for name, value := range sent {
		plain, err := url.PathUnescape(value)
		if err != nil {
			plain = value
		}
		params[name] = plain
	}
	if v, has := params["oauth_version"]; has && v != "1.0" {
		return key{}, unauthorized("OAuth version " + v + " not supported.")
	}
	k, refused := r.findKey(params["oauth_consumer_key"], params["oauth_token"])
	if refused != nil {
		return key{}, refused
	}
	if refused := r.checkTime(params["oauth_timestamp"], now); refused != nil {
		return key{}, refused
	}
	// The database has them for good, also where the signature is wrong.
	nonce := k.token + " " + params["oauth_nonce"]
	if r.nonces[nonce] {
		return key{}, unauthorized("Nonce already used: " + params["oauth_nonce"])
	}
	r.nonces[nonce] = true
	if m := params["oauth_signature_method"]; m != "PLAINTEXT" {
		return key{}, unauthorized("Signature method " + m +
			" not supported try one of the following: HMAC-SHA1, PLAINTEXT")
	}
	if !strings.EqualFold(sent["oauth_signature"], "%26"+url.QueryEscape(k.secret)) ||
		params["oauth_signature"] != "&"+k.secret {
		// The real one tells what it had expected: the secret.
		return key{}, unauthorized("Invalid signature. Expected signature base string: &" + k.secret)
	}
	return k, nil
}

func (r *Region) findKey(consumer, token string) (key, *reply) {
	known := false
	for _, k := range r.keys {
		known = known || k.consumer == consumer
		if k.consumer == consumer && k.token == token {
			return k, nil
		}
	}
	if known {
		return key{}, unauthorized("Invalid access token: " + token)
	}
	return key{}, unauthorized("Invalid consumer.")
}

func (r *Region) checkTime(stamp string, now time.Time) *reply {
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil && r.behaves.atLeast(3, 8, 0) {
		return text(http.StatusBadRequest, "Bad Request: Invalid timestamp.")
	}
	if err != nil {
		return crash("invalid literal for int() with base 10: " + quote(stamp))
	}
	if lapsed := now.Sub(time.Unix(seconds, 0)).Abs(); lapsed.Truncate(time.Second) > timestampWindow {
		return unauthorized(fmt.Sprintf("Expired timestamp: given %d and now %d has a greater difference than threshold %d",
			seconds, now.Unix(), int(timestampWindow.Seconds())))
	}
	return nil
}

// unauthorized is the reply to a signed request that does not hold.
func unauthorized(message string) *reply {
	if message == "Invalid consumer." {
		message = "Authorization Error: Invalid API key."
	} else {
		message = "Authorization Error: " + quote(message)
	}
	p := &reply{status: http.StatusUnauthorized, kind: "text/html; charset=utf-8", body: []byte(message)}
	return p.with("WWW-Authenticate", `OAuth realm="OAuth"`)
}

// quote writes a string as Python shows it.
func quote(s string) string {
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		return `"` + s + `"`
	}
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
