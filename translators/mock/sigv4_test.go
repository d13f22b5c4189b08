package mock

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The keys of AWS's examples.
const (
	exampleKey    = "AKIDEXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// example is a request of AWS's test suite of signatures, as a server has it.
type example struct {
	method, host, uri, body string
	header                  http.Header
	scope, signed           string
	signature               string
}

func (e *example) request() *http.Request {
	h := http.Header{"X-Amz-Date": {"20150830T123600Z"}, "Authorization": {"AWS4-HMAC-SHA256 Credential=" + exampleKey + "/20150830/us-east-1/" + e.scope +
		"/aws4_request, SignedHeaders=" + e.signed + ", Signature=" + e.signature}}
	for name, values := range e.header {
		h[name] = values
	}
	return &http.Request{Method: e.method, Host: e.host, RequestURI: e.uri, Header: h, ContentLength: int64(len(e.body))}
}

var exampleTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html
// and the published test suite, whose signatures these are.
var awsExamples = map[string]example{
	"vanilla": {method: "GET", host: "example.amazonaws.com", uri: "/", scope: "service", signed: "host;x-amz-date",
		signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	"query out of order": {method: "GET", host: "example.amazonaws.com", uri: "/?Param2=value2&Param1=value1", scope: "service", signed: "host;x-amz-date",
		signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	"path beyond ASCII": {method: "GET", host: "example.amazonaws.com", uri: "/ሴ", scope: "service", signed: "host;x-amz-date",
		signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	"blanks in values": {method: "GET", host: "example.amazonaws.com", uri: "/", scope: "service", signed: "host;my-header1;my-header2;x-amz-date",
		header:    http.Header{"My-Header1": {" value1"}, "My-Header2": {` "a   b   c"`}},
		signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	"a form": {method: "POST", host: "example.amazonaws.com", uri: "/", body: "Param1=value1", scope: "service", signed: "content-type;host;x-amz-date",
		header:    http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	"ListUsers": {method: "GET", host: "iam.amazonaws.com", uri: "/?Action=ListUsers&Version=2010-05-08", scope: "iam", signed: "content-type;host;x-amz-date",
		header:    http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}},
		signature: "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
}

func TestSignaturesOfTheAWSSDKVerify(t *testing.T) {
	for name, e := range awsExamples {
		r := e.request()
		s, err := ReadSigV4(r.Header)
		if err == nil {
			err = s.Verify(r, []byte(e.body), exampleSecret, exampleTime)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWrongSignaturesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *http.Request)
		body   string
		secret string
		after  time.Duration
		want   string
	}{
		"another secret":      {secret: "another", want: "does not match the signature you provided"},
		"another body":        {body: "Param1=value2", want: "does not match the signature you provided"},
		"another method":      {change: func(r *http.Request) { r.Method = "PUT" }, want: "does not match the signature you provided"},
		"another host":        {change: func(r *http.Request) { r.Host = "example.com" }, want: "does not match the signature you provided"},
		"another path":        {change: func(r *http.Request) { r.RequestURI = "/a" }, want: "does not match the signature you provided"},
		"another query":       {change: func(r *http.Request) { r.RequestURI = "/?a" }, want: "does not match the signature you provided"},
		"a broken query":      {change: func(r *http.Request) { r.RequestURI = "/?a=%zz" }, want: "query: "},
		"another type":        {change: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, want: "does not match the signature you provided"},
		"the hash of another": {change: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "00") }, want: "'x-amz-content-sha256' must be a 'SignedHeader'"},
		"a token, unsigned":   {change: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "t") }, want: "'x-amz-security-token' must be a 'SignedHeader'"},
		"no date":             {change: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, want: "X-Amz-Date"},
		"a date of no form":   {change: func(r *http.Request) { r.Header.Set("X-Amz-Date", "yesterday") }, want: "IncompleteSignatureException"},
		"another day":         {change: func(r *http.Request) { r.Header.Set("X-Amz-Date", "20150831T000000Z") }, after: 11*time.Hour + 24*time.Minute, want: "Credential scope"},
		"too late":            {after: skew + time.Second, want: "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"},
		"too early":           {after: -skew - time.Second, want: "Signature not yet current"},
		"no signature":        {change: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, want: "must be signed"},
		"names out of order": {change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "content-type;host", "host;content-type", 1))
		}, want: "not sorted"},
	} {
		e := awsExamples["a form"]
		r, body, secret := e.request(), e.body, exampleSecret
		if c.change != nil {
			c.change(r)
		}
		if c.body != "" {
			body = c.body
		}
		if c.secret != "" {
			secret = c.secret
		}
		s, err := ReadSigV4(r.Header)
		if err == nil {
			err = s.Verify(r, []byte(body), secret, exampleTime.Add(c.after))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The mock knows Amazon's answer to a wrong signature: its type stands in a header.
func TestMockWithKeysRequiresValidSignatures(t *testing.T) {
	ask := func(o Options, key, token string) (*http.Response, string) {
		r := httptest.NewRequest("POST", "/model/m/converse", strings.NewReader(`{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Amz-Date", time.Now().UTC().Format(awsTime))
		names := "content-type;host;x-amz-date"
		if token != "" {
			r.Header.Set("X-Amz-Security-Token", token)
			names += ";x-amz-security-token"
		}
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/"+time.Now().UTC().Format("20060102")+"/us-east-1/bedrock/aws4_request, SignedHeaders="+names+", Signature="+strings.Repeat("0", 64))
		w := httptest.NewRecorder()
		Handler(o).ServeHTTP(w, r)
		return w.Result(), w.Body.String()
	}
	known := Options{AWSKeys: map[string]string{exampleKey: exampleSecret, "ASIAEXAMPLE": exampleSecret}}
	for _, c := range []struct {
		name       string
		options    Options
		key, token string
		status     int
		kind       string
	}{
		{"no keys are known", Options{}, exampleKey, "", 200, ""},
		{"a wrong signature", known, exampleKey, "", 403, "InvalidSignatureException"},
		{"another key", known, "AKIDOTHER", "", 403, "UnrecognizedClientException"},
		{"a temporary key without its token", known, "ASIAEXAMPLE", "", 403, "UnrecognizedClientException"},
		{"a temporary key", known, "ASIAEXAMPLE", "token", 403, "InvalidSignatureException"},
	} {
		resp, text := ask(c.options, c.key, c.token)
		if resp.StatusCode != c.status || resp.Header.Get("X-Amzn-ErrorType") != c.kind {
			t.Errorf("%s: %d %v %s", c.name, resp.StatusCode, resp.Header, text)
		}
		var said struct{ Message string }
		if err := json.Unmarshal([]byte(text), &said); err != nil || c.status == 403 && said.Message == "" {
			t.Errorf("%s: %v %s", c.name, err, text)
		}
		if c.kind == "InvalidSignatureException" && !strings.HasPrefix(said.Message, "The request signature we calculated does not match the signature you provided.") {
			t.Errorf("%s: %s", c.name, said.Message)
		}
	}
	var refused *SignatureError
	if err := known.verify(httptest.NewRequest("GET", "/", nil), nil); errors.As(err, &refused) {
		t.Errorf("a request that is not signed: %v", err)
	}
}
