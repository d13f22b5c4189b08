package standalone

import (
	"net/http"
	"strings"
	"testing"
)

func TestSecretsInURLsAreNotLogged(t *testing.T) {
	own := secretsOf([]target{{auth: map[string]any{"param_name": "My-Token", "header_name": "X-Mine"}}})
	for _, c := range []struct {
		name    string
		secrets *secrets
		query   string
		want    string
	}{
		{"nothing", usual, "", ""},
		{"no secret", usual, "a=1&b=&c", "a=1&b=&c"},
		{"alone", usual, "key=canary", "key=REDACTED"},
		{"first", usual, "key=canary&a=1", "key=REDACTED&a=1"},
		{"last", usual, "a=1&api_key=canary", "a=1&api_key=REDACTED"},
		{"twice", usual, "key=canary&key=canary", "key=REDACTED&key=REDACTED"},
		{"without a value", usual, "key", "key=REDACTED"},
		{"with = in it", usual, "key=canary=canary==", "key=REDACTED"},
		{"in capitals", usual, "API-Key=canary", "API-Key=REDACTED"},
		{"with an escaped name", usual, "%6Bey=canary", "%6Bey=REDACTED"},
		{"with a broken escape beside it", usual, "a=%zz&key=%zzcanary", "a=%zz&key=REDACTED"},
		{"behind a semicolon", usual, "a=1;key=canary&b=2", "a=1;key=REDACTED&b=2"},
		{"of a signed URL", usual, "sig=canary&X-Amz-Signature=canary&X-Goog-Signature=canary", "sig=REDACTED&X-Amz-Signature=REDACTED&X-Goog-Signature=REDACTED"},
		{"of a login", usual, "client_secret=canary&refresh_token=canary&token=canary&password=canary", "client_secret=REDACTED&refresh_token=REDACTED&token=REDACTED&password=REDACTED"},
		{"that only begins alike", usual, "keyword=a&monkey=b", "keyword=a&monkey=b"},
		{"of the configuration", own, "my-token=canary&key=canary", "my-token=REDACTED&key=REDACTED"},
		{"of another configuration", usual, "my-token=a", "my-token=a"},
	} {
		if got := c.secrets.query(c.query); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for name := range secretParams {
		if got := own.query(name + "=canary"); got != name+"=REDACTED" {
			t.Errorf("%s", got)
		}
	}
	for _, name := range []string{"x-mine", "authorization", "x-goog-api-key"} {
		if !own.headers[name] {
			t.Errorf("%s is shown", name)
		}
	}
	if usual.headers["x-mine"] {
		t.Error("one configuration's header is secret for all")
	}
}

func TestSecretsInHeadersAreNotLogged(t *testing.T) {
	header := http.Header{
		"Referer": {"https://a.example/chat?key=canary&x=1"}, "Location": {"/next?x=1&token=canary", "/plain?"}, "Set-Cookie": {"session=canary"},
		"Authorization": {"Bearer canary"}, "X-Question": {"what?"}, "Cookie": {"a=canary"},
	}
	b, _ := appendHeaders(nil, header, usual, "", -1)
	for _, want := range []string{`"referer":"https://a.example/chat?key=REDACTED&x=1"`, `"location":["/next?x=1&token=REDACTED","/plain?"]`,
		`"set-cookie":"REDACTED"`, `"authorization":"REDACTED"`, `"x-question":"what?"`, `"cookie":"REDACTED"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
	if strings.Contains(string(b), "canary") {
		t.Errorf("a secret is in %s", b)
	}
}
