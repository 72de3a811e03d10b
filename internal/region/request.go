package region

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/canonical/gomaasclient/client"
	gomaasapi "github.com/juju/gomaasapi/v2"
)

// longestReply bounds what is read of a reply; a list of thousands of boot
// resources stays below.
const longestReply = 16 << 20

// exchange sends a request and reads its reply, which is an error unless its
// status is 2xx. It goes to the transport itself and not through http.Client,
// which would follow a 301 by turning a PUT or POST into a GET.
func (c *Client) exchange(request *http.Request, timeout time.Duration) ([]byte, error) {
	parent := request.Context()
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	reply, body, err := c.roundTrip(request.WithContext(ctx)) //nolint:bodyclose // it has been read and closed
	switch {
	case err == nil:
	case parent.Err() != nil:
		return nil, context.Cause(parent)
	case ctx.Err() != nil:
		return nil, &wireError{fmt.Errorf("%s %s: no answer within %s", request.Method, request.URL.Path, timeout)}
	default:
		return nil, &wireError{fmt.Errorf("%s %s: %w", request.Method, request.URL.Path, err)}
	}
	if reply.StatusCode < 200 || reply.StatusCode > 299 {
		return nil, c.statusError(request, reply, body)
	}
	return body, nil
}

// wireError is a fault on the way to the region or back.
type wireError struct{ err error }

func (e *wireError) Error() string { return e.err.Error() }
func (e *wireError) Unwrap() error { return e.err }

func (c *Client) roundTrip(request *http.Request) (*http.Response, []byte, error) {
	if request.Body == nil {
		// net/http sends a GET again by itself when a kept connection ends
		// under it, and MAAS refuses a signature that it has seen. A body that
		// cannot be had twice prevents that, even an empty one.
		request.Body = io.NopCloser(io.MultiReader())
	}
	reply, err := c.conn.RoundTrip(request)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(reply.Body, longestReply+1))
	err = errors.Join(err, reply.Body.Close())
	if err != nil {
		return nil, nil, fmt.Errorf("read reply: %w", err)
	}
	if len(body) > longestReply {
		return nil, nil, fmt.Errorf("read reply: it is longer than %d MiB", longestReply>>20)
	}
	return reply, body, nil
}

// request makes a signed request for a path below the API's root.
func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	if c.key == (key{}) {
		return nil, fmt.Errorf("%s %s: %w", method, path, errNoKey)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.api.JoinPath(path).String(), body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "packer-plugin-maas")
	return request, c.signer.OAuthSign(request)
}

// getJSON reads a path below the API's root.
func (c *Client) getJSON(ctx context.Context, path string, into any) error {
	request, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	body, err := c.exchange(request, c.timeout)
	if err != nil {
		return err
	}
	return c.decode(request, body, into)
}

// postForm sends a form to a path below the API's root.
func (c *Client) postForm(ctx context.Context, path string, form url.Values, into any) error {
	request, err := c.request(ctx, http.MethodPost, path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	body, err := c.exchange(request, c.timeout)
	if err != nil {
		return err
	}
	return c.decode(request, body, into)
}

func (c *Client) decode(request *http.Request, body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s %s: the reply is not what MAAS sends (is this URL a MAAS region?): %w", request.Method, request.URL.Path, err)
	}
	return nil
}

// maas is gomaasclient, made to heed ctx, to keep the connection, and to leave
// retries to us: it sleeps on Retry-After without regard for any context.
func (c *Client) maas(ctx context.Context) client.APIClient {
	api := gomaasapi.Client{
		APIURL: c.api, Signer: c.signer,
		HTTPClient: &http.Client{Transport: bound{ctx: ctx, c: c}},
	}
	return client.APIClient{AuthClient: api, MAASObject: gomaasapi.NewMAAS(api)}
}

// bound is a transport for the requests of one call.
type bound struct {
	ctx context.Context //nolint:containedctx // gomaasclient has no other way in
	c   *Client
}

// RoundTrip sends a request of gomaasclient. Refusals become errors here, so
// that they are the same wherever they come from.
func (b bound) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(b.ctx)
	request.Close = false
	request.Header.Set("User-Agent", "packer-plugin-maas")
	body, err := b.c.exchange(request, b.c.timeout)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Request: request, Body: io.NopCloser(bytes.NewReader(body)),
	}, nil
}

// plain undoes the wrapping of an error that came through gomaasclient, which
// repeats method and URL.
func plain(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// retryAfter reads the header Retry-After: seconds, or a date.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(strings.TrimSpace(header)); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
