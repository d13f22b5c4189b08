package mock

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SigV4 is the signature in the headers of a signed request.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
type SigV4 struct {
	AccessKey, Region, Service string
	SessionToken               string // of temporary credentials

	day, date string // 20060102, 20060102T150405Z
	names     string // of the signed headers, with semicolons between
	signature string
}

// skew is how far the signer's clock may be from AWS's, either way.
const skew = 5 * time.Minute

const awsTime = "20060102T150405Z"

var authorizationV4 = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$`)

// ReadSigV4 parses the signature in h. The error describes what is malformed. Verify
// checks the signature itself, for which the secret is needed.
func ReadSigV4(h http.Header) (*SigV4, error) {
	m := authorizationV4.FindStringSubmatch(h.Get("Authorization"))
	if m == nil {
		return nil, errors.New("the request must be signed with AWS Signature Version 4")
	}
	s := &SigV4{
		AccessKey: m[1], Region: m[3], Service: m[4], SessionToken: h.Get("X-Amz-Security-Token"),
		day: m[2], date: h.Get("X-Amz-Date"), names: m[5], signature: m[6],
	}
	if s.date == "" {
		return nil, errors.New("X-Amz-Date: header is required")
	}
	signed := strings.Split(s.names, ";")
	if !slices.IsSorted(signed) {
		return nil, fmt.Errorf("SignedHeaders is not sorted: %s", s.names)
	}
	must := []string{"host", "x-amz-date"}
	for name := range h {
		if name = strings.ToLower(name); name == "content-type" || strings.HasPrefix(name, "x-amz-") {
			must = append(must, name)
		}
	}
	for _, name := range must {
		if !slices.Contains(signed, name) {
			return nil, fmt.Errorf("'%s' must be a 'SignedHeader' in the AWS Authorization", name)
		}
	}
	return s, nil
}

// SignatureError is a refusal by the signature check of all AWS services.
type SignatureError struct {
	Type    string // of the exception, in X-Amzn-ErrorType
	Message string
}

func (e *SignatureError) Error() string { return e.Type + ": " + e.Message }

func invalidSignature(format string, args ...any) *SignatureError {
	return &SignatureError{Type: "InvalidSignatureException", Message: fmt.Sprintf(format, args...)}
}

// Verify computes the signature of r, a request as a server has received it,
// with the secret of s's access key and compares. body is r's body and now the
// server's time. An error is a *SignatureError.
func (s *SigV4) Verify(r *http.Request, body []byte, secret string, now time.Time) error {
	at, err := time.Parse(awsTime, s.date)
	if err != nil {
		return &SignatureError{Type: "IncompleteSignatureException", Message: "Date must be in ISO-8601 'basic format'. Got '" + s.date + "'."}
	}
	clock := now.UTC().Format(awsTime)
	switch {
	case at.Before(now.Add(-skew)):
		return invalidSignature("Signature expired: %s is now earlier than %s (%s - 5 min.)", s.date, now.Add(-skew).UTC().Format(awsTime), clock)
	case at.After(now.Add(skew)):
		return invalidSignature("Signature not yet current: %s is still later than %s (%s + 5 min.)", s.date, now.Add(skew).UTC().Format(awsTime), clock)
	case !strings.HasPrefix(s.date, s.day):
		return invalidSignature("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s'", s.day, s.date[:8])
	}
	payload := hexSHA256(body)
	if told := r.Header.Get("X-Amz-Content-Sha256"); told != "" && told != payload {
		return invalidSignature("The value passed in x-amz-content-sha256 does not match the payload")
	}
	canonical, err := s.canonical(r, payload)
	if err != nil {
		return invalidSignature("%v", err)
	}
	scope := s.day + "/" + s.Region + "/" + s.Service + "/aws4_request"
	text := "AWS4-HMAC-SHA256\n" + s.date + "\n" + scope + "\n" + hexSHA256([]byte(canonical))
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.day, s.Region, s.Service, "aws4_request", text} {
		key = hmacSHA256(key, part)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(key)), []byte(s.signature)) {
		return invalidSignature("The request signature we calculated does not match the signature you provided. "+
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\n"+
			"The Canonical String for this request should have been\n'%s'\n\nThe String-to-Sign should have been\n'%s'\n", canonical, text)
	}
	return nil
}

// canonical is the canonical request. The path is escaped once more than it
// was sent, as for every service but S3.
func (s *SigV4) canonical(r *http.Request, payload string) (string, error) {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	segments := strings.Split(cmp.Or(path, "/"), "/")
	for i := range segments {
		segments[i] = awsEscape(segments[i])
	}
	parameters, err := canonicalQuery(query)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n" + strings.Join(segments, "/") + "\n" + parameters + "\n")
	for name := range strings.SplitSeq(s.names, ";") {
		values := slices.Clone(r.Header.Values(name))
		switch {
		case name == "host": // net/http removes these two from the headers
			values = []string{r.Host}
		case name == "content-length" && len(values) == 0:
			values = []string{strconv.FormatInt(r.ContentLength, 10)}
		}
		for i := range values {
			values[i] = strings.Join(strings.Fields(values[i]), " ")
		}
		b.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	b.WriteString("\n" + s.names + "\n" + payload)
	return b.String(), nil
}

// canonicalQuery sorts by name, then by value, both escaped.
func canonicalQuery(query string) (string, error) {
	var pairs [][2]string
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		var escaped [2]string
		name, value, _ := strings.Cut(pair, "=")
		for i, raw := range []string{name, value} {
			plain, err := url.PathUnescape(raw) // a plus is not a space here
			if err != nil {
				return "", fmt.Errorf("query: %w", err)
			}
			escaped[i] = awsEscape(plain)
		}
		pairs = append(pairs, escaped)
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	all := make([]string, len(pairs))
	for i, p := range pairs {
		all[i] = p[0] + "=" + p[1]
	}
	return strings.Join(all, "&"), nil
}

// awsEscape is UriEncode of the description: all but unreserved characters.
func awsEscape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func hmacSHA256(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

// verify checks a signed request with the known keys. A request without a signature is
// refused by the format's Check.
func (o *Options) verify(r *http.Request, body []byte) error {
	s, err := ReadSigV4(r.Header)
	if err != nil || len(o.AWSKeys) == 0 {
		return nil
	}
	secret, known := o.AWSKeys[s.AccessKey]
	// Keys whose id begins with ASIA are temporary: a session token belongs to them.
	if !known || strings.HasPrefix(s.AccessKey, "ASIA") && s.SessionToken == "" {
		return &SignatureError{Type: "UnrecognizedClientException", Message: "The security token included in the request is invalid."}
	}
	return s.Verify(r, body, secret, time.Now())
}
