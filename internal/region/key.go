package region

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	gomaasapi "github.com/juju/gomaasapi/v2"
)

// key is an API key's parts; all empty without one.
type key struct {
	consumer, token, secret string
}

// parseKey takes an API key apart. Its errors never show the key.
func parseKey(text string) (key, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return key{}, nil
	}
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return key{}, fmt.Errorf("the API key must have three parts with colons between, consumer:token:secret, and has %d; `sudo maas apikey --username NAME` on the region prints it, and the page of the user's preferences shows it", len(parts))
	}
	for i, what := range []string{"consumer", "token", "secret"} {
		if parts[i] == "" {
			return key{}, fmt.Errorf("the API key's part %d, the %s, is empty", i+1, what)
		}
		if strings.ContainsFunc(parts[i], func(r rune) bool { return r <= ' ' || r > '~' }) {
			return key{}, fmt.Errorf("the API key's part %d, the %s, holds a space or another character that no key has", i+1, what)
		}
	}
	return key{consumer: parts[0], token: parts[1], secret: parts[2]}, nil
}

// errNoKey is the error of a call that needs a key.
var errNoKey = errors.New("this needs an API key of the region (api_key, or MAAS_API_KEY)")

// signer signs requests as MAAS wants it: OAuth 1.0 PLAINTEXT, a fresh nonce
// and time for each request.
func (k key) signer() (gomaasapi.OAuthSigner, error) {
	if k == (key{}) {
		return unsigned{}, nil
	}
	return gomaasapi.NewPlainTestOAuthSigner(&gomaasapi.OAuthToken{
		ConsumerKey: k.consumer, TokenKey: k.token, TokenSecret: k.secret,
	}, "MAAS API")
}

// unsigned leaves requests anonymous.
type unsigned struct{}

func (unsigned) OAuthSign(*http.Request) error { return nil }

// redact takes the key out of a text that came from elsewhere: a proxy's error
// page may show the headers it was sent.
func (k key) redact(text string) string {
	for _, part := range []string{k.secret, k.token, k.consumer} {
		if part != "" {
			text = strings.ReplaceAll(text, part, "***")
		}
	}
	return text
}
