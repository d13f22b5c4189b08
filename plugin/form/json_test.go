package form

import (
	"errors"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

func TestFormsBecomeEquivalentJSON(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"fields":         {formOf("model=m", "prompt=12", "n=2", "stream=true", `extra_body={"a":1}`, "size=1x1"), `{"model":"m","prompt":"12","n":2,"stream":true,"extra_body":{"a":1},"size":"1x1"}`},
		"pictures":       {formOf("image[]@=\x89PNG\r\n\x1a\n", "image[]@=GIF89a"), `{"images":[{"image_url":"data:image/png;base64,iVBORw0KGgo="},{"image_url":"data:image/gif;base64,R0lGODlh"}]}`},
		"another file":   {formOf("file@=abc"), `{"file":{"image_url":"data:audio/mpeg;base64,YWJj"}}`},
		"a quoted field": {raw("Content-Disposition: form-data; name=\"a\\\"b\"\r\n\r\nx"), `{"a\"b":"x"}`},
		"a quoted file":  {raw("Content-Disposition: form-data; name=\"a\\\"b\"; filename=\"f\"\r\nContent-Type: audio/mpeg\r\n\r\nabc"), `{"a\"b":{"image_url":"data:audio/mpeg;base64,YWJj"}}`},
	} {
		if got, err := AsJSON(strings.NewReader(c.in), formType); err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, c.want)
		}
	}
}

func TestURLEncodedFormsBecomeJSON(t *testing.T) {
	for in, want := range map[string]string{
		"prompt=a+%22cat%22": `{"prompt":"a \"cat\""}`,
		"stream=true":        `{"stream":true}`,
		"stream=1":           `{"stream":"1"}`,
		"n=2&n=3":            `{"n":"2"}`,
		"a%22b=x":            `{"a\"b":"x"}`,
		"":                   `{}`,
	} {
		if got, err := ValuesAsJSON([]byte(in)); err != nil || string(got) != want {
			t.Errorf("%s: %s %v", in, got, err)
		}
	}
	got, err := ValuesAsJSON([]byte("model=m&stream=false&prompt=x"))
	if err != nil || jsonedit.Valid(got) != nil || len(got) != len(`{"model":"m","stream":false,"prompt":"x"}`) {
		t.Errorf("%s %v", got, err)
	}
	var e *chat.Error
	if _, err := ValuesAsJSON([]byte("a=%zz")); !errors.As(err, &e) || e.Status != 400 {
		t.Error(err)
	}
}
