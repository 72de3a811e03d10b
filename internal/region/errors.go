package region

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// StatusError is a reply that is not the one wanted.
type StatusError struct {
	// Method and Path are the request's.
	Method, Path string
	// Status is the reply's code.
	Status int
	// Words are what the region said, in one line, without the key.
	Words string
	// Meaning says what that means and what to do; may be empty.
	Meaning string

	retryAfter time.Duration // 0 if the reply had none
}

// Error shows the region's words and what they mean.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s %s: the region answers %d", e.Method, e.Path, e.Status)
	if e.Words != "" {
		text += fmt.Sprintf(": %q", e.Words)
	}
	if e.Meaning != "" {
		text += " — " + e.Meaning
	}
	return text
}

// longestWords is how much of a reply an error shows.
const longestWords = 400

// words makes one line of a reply: MAAS sends validation errors as a JSON
// object of lists, all else as text, and nginx sends HTML.
func words(body []byte) string {
	var fields map[string][]string
	if json.Unmarshal(body, &fields) == nil {
		var lines []string
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			lines = append(lines, name+": "+strings.Join(fields[name], " "))
		}
		return clip(strings.Join(lines, "; "))
	}
	text := string(body)
	if strings.Contains(strings.ToLower(text[:min(len(text), 200)]), "<html") {
		text = between(text, "<title>", "</title>")
	}
	return clip(strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "))
}

func clip(text string) string {
	if len(text) <= longestWords {
		return text
	}
	return strings.ToValidUTF8(text[:longestWords], "") + "…"
}

func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// statusError makes an error of a reply.
func (c *Client) statusError(request *http.Request, reply *http.Response, body []byte) *StatusError {
	text := c.key.redact(string(body)) // before words cuts it, perhaps in a key
	if reply.StatusCode == http.StatusUnauthorized {
		// MAAS tells a wrong signature which one it expected: the right secret.
		text, _, _ = strings.Cut(text, "Expected")
	}
	e := &StatusError{
		Method: request.Method, Path: request.URL.Path, Status: reply.StatusCode,
		Words:      words([]byte(text)),
		retryAfter: retryAfter(reply.Header.Get("Retry-After")),
	}
	e.Meaning = meaning(e, reply.Header)
	return e
}

// meaning is what a refusal means for the person who reads it. The texts that
// it looks for are the same in MAAS 3.4 to 3.8.
func meaning(e *StatusError, header http.Header) string {
	said := func(text string) bool { return strings.Contains(strings.ToLower(e.Words), text) }
	switch {
	case e.Status >= 300 && e.Status < 400:
		return "it sends us elsewhere, to " + place(header.Get("Location")) + "; set the region's URL to where it sends us, for a redirected upload would lose its content"
	case e.Status == http.StatusUnauthorized && (said("timestamp") || clockOff(header) != 0):
		return "the request's time stamp is not accepted: " + clockAdvice(header)
	case e.Status == http.StatusUnauthorized:
		return "the API key is not one of this region, or was revoked; make a new one with `maas apikey` or in the user's preferences"
	case e.Status == http.StatusForbidden:
		return "the key's user may not do this; uploads need the key of an administrator"
	case e.Status == http.StatusRequestEntityTooLarge:
		return "a server in front of the region refuses requests of this size; lower the chunk size (MAAS's own nginx takes up to 10 MiB)"
	case said("no space left") || e.Status == http.StatusInsufficientStorage:
		return "the region's disk is full; remove images, or give it more room, then run the upload again"
	case said("different size"):
		return "the region has a file with the same checksum and another size: the checksum given does not belong to this image"
	case said("reserved name"):
		return "choose another name: MAAS keeps those of its own systems and of all images that it can download"
	case said("given sha256"):
		return "what the region has differs from the image that was sent"
	case e.Status == http.StatusInternalServerError && e.Method == http.MethodPost:
		return "MAAS answers so to parameters that it cannot cope with: check name, architecture, filetype and base image, then the region's log"
	case e.Status == http.StatusNotFound && strings.HasSuffix(e.Path, "/version/"):
		return "there is no MAAS API at this URL: it must be like http://maas.example:5240/MAAS"
	case e.Status == http.StatusNotFound:
		return "it is not there any more: somebody deleted it meanwhile"
	case e.Status == http.StatusProxyAuthRequired:
		return "the proxy wants a user name and a password in HTTP_PROXY or HTTPS_PROXY"
	}
	return ""
}

// place is a redirect's target without what might be secret in it.
func place(location string) string {
	location, _, _ = strings.Cut(location, "?")
	if _, rest, found := strings.Cut(location, "@"); found {
		location = "***@" + rest
	}
	return or(clip(location), "no place that it names")
}

// clockOff is by how much this machine's clock is ahead of the region's; 0 for
// less than the five minutes that OAuth allows.
func clockOff(header http.Header) time.Duration {
	theirs, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0
	}
	off := time.Since(theirs).Round(time.Second)
	if off.Abs() < 5*time.Minute {
		return 0
	}
	return off
}

func clockAdvice(header http.Header) string {
	switch off := clockOff(header); {
	case off > 0:
		return fmt.Sprintf("this machine's clock is %s ahead of the region's; set it", off)
	case off < 0:
		return fmt.Sprintf("this machine's clock is %s behind the region's; set it", -off)
	}
	return "compare this machine's clock with the region's"
}
