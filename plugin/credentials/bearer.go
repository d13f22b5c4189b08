package credentials

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/net/http/httpguts"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// bearer authenticates by an OAuth access token. It caches the complete value of the
// Authorization header.
type bearer struct{ token *cache[[]string] }

func (b *bearer) apply(ctx context.Context, _ *target.Target, out *Outgoing) error {
	value, err := b.token.get(ctx)
	if err != nil {
		return err
	}
	out.Header["Authorization"] = value
	return nil
}

func (b *bearer) warm(*target.Target) { b.token.warm() }

// authorization returns the header's value for an access token.
func authorization(token string) ([]string, error) {
	if token == "" || !httpguts.ValidHeaderFieldValue(token) {
		return nil, errors.New("the answer has no usable access_token")
	}
	return []string{"Bearer " + token}, nil
}

// maxTokenAnswer is the largest answer of a token endpoint, in bytes.
const maxTokenAnswer = 64 << 10

// fetchToken requests a token and reads the fields of RFC 6749 §5.1. Errors contain
// the host, the status and the error code, but never a body or a URL.
func fetchToken(hc *http.Client, req *http.Request) ([]string, time.Time, error) {
	asked := time.Now()
	resp, err := hc.Do(req)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("token endpoint %s: %s", req.URL.Host, cause(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenAnswer))
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("token endpoint %s: %s", req.URL.Host, cause(err))
	}
	if resp.StatusCode != http.StatusOK {
		return nil, time.Time{}, tokenRefused(req.URL.Host, resp.StatusCode, body)
	}
	v, err := jsonedit.Parse(body)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("token endpoint %s: the answer is not JSON", req.URL.Host)
	}
	value, err := authorization(string(v.GetStringBytes("access_token")))
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("token endpoint %s: %w", req.URL.Host, err)
	}
	// The lifetime in seconds is preferred, since it does not depend on our clock.
	if life, ok := seconds(v.Get("expires_in")); ok {
		return value, asked.Add(time.Duration(life) * time.Second), nil
	}
	if at, ok := seconds(v.Get("expires_on")); ok { // App Service has only this
		return value, time.Unix(at, 0), nil
	}
	return nil, time.Time{}, fmt.Errorf("token endpoint %s: the answer says no expiry", req.URL.Host)
}

// tokenRefused returns the error for an answer other than 200. It contains the error
// code (RFC 6749 §5.2) if it looks like one, but not the description, since an
// endpoint may quote the request in it.
func tokenRefused(host string, status int, body []byte) error {
	code := ""
	if v, err := jsonedit.Parse(body); err == nil {
		code = string(v.GetStringBytes("error"))
	}
	if !isErrorCode(code) {
		return fmt.Errorf("token endpoint %s: status %d", host, status)
	}
	return fmt.Errorf("token endpoint %s: status %d, %s", host, status, code)
}

// isErrorCode accepts words such as invalid_client, which secrets do not look like.
func isErrorCode(s string) bool {
	if len(s) == 0 || len(s) > 40 {
		return false
	}
	for _, c := range []byte(s) {
		if c != '_' && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// maxSeconds keeps a time.Duration from overflowing; as a time it is in 2106.
const maxSeconds = 1 << 32

// seconds reads a JSON number or a string of digits: Azure's metadata service
// sends strings.
func seconds(v *jsonedit.Value) (int64, bool) {
	if v == nil {
		return 0, false
	}
	if v.Type() == jsonedit.TypeString {
		n, err := strconv.ParseInt(string(v.GetStringBytes()), 10, 64)
		return min(n, maxSeconds), err == nil && n > 0
	}
	n := v.GetFloat64()
	return int64(min(n, maxSeconds)), n >= 1
}

// cause returns the text of a transport error without its URL, whose query may be
// confidential.
func cause(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err.Error()
}

// endpoint checks a configured URL of an endpoint that gets credentials.
func endpoint(field, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%s: expected an http or https URL", field)
	}
	if u.User != nil {
		return nil, fmt.Errorf("%s: a user name or password in a URL is not supported", field)
	}
	return u, nil
}

// direct is the client for sources that are not given one.
var direct = &http.Client{Transport: &http.Transport{
	Proxy:           proxyUnlessMetadata,
	DialContext:     (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
	IdleConnTimeout: 25 * time.Second,
	MaxIdleConns:    16,
}}

// proxyUnlessMetadata does not use the proxy for metadata services, since it would
// get the proxy machine's identity.
func proxyUnlessMetadata(r *http.Request) (*url.URL, error) {
	host := r.URL.Hostname()
	if ip := net.ParseIP(host); ip != nil && ip.IsLinkLocalUnicast() || host == "metadata.google.internal" {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}

// withoutRedirects returns a client with hc's transport that does not follow
// redirects, so that no other host gets a secret.
func withoutRedirects(hc *http.Client) *http.Client {
	if hc == nil {
		hc = direct
	}
	c := *hc
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}
