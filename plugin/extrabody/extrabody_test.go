package extrabody

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// rules are those of a model called real, or alias, whose configuration has the options o.
func rules(o *target.Options, stream bool) *Rules {
	return &Rules{Options: o, Stream: stream, Model: func(name string) error {
		if name == "" || name == "real" || name == "alias" {
			return nil
		}
		return chat.NewError(400, "cannot use own model - must be: real")
	}}
}

// The configuration's model, and whether there is a stream, are not for
// extra_body to say, however they are written.
func TestExtraBodyCannotSetModelOrStream(t *testing.T) {
	for _, c := range []struct {
		stream             bool
		extra, want, field string // field of the refusal
	}{
		{false, `{"model":"real","x":1}`, `{"x":1}`, ""},
		{false, `{"modelId":"real","x":1}`, `{"x":1}`, ""},
		{false, `{"model_id":"alias","x":1}`, `{"x":1}`, ""},
		{false, `{"MODEL":"real"}`, `{}`, ""},
		{false, `{"model":null}`, `{}`, ""},
		{false, `{"model":"evil"}`, "", "model"},
		{false, `{"modelId":"evil"}`, "", "model"},
		{false, `{"ModelID":"evil"}`, "", "model"},
		{false, `{"x":{"modelId":"inner"}}`, `{"x":{"modelId":"inner"}}`, ""}, // of something else
		{false, `{"stream":false}`, `{}`, ""},
		{true, `{"stream":true}`, `{}`, ""},
		{false, `{"stream":true}`, "", "stream"},
		{true, `{"stream":false}`, "", "stream"},
		{true, `{"stream_options":{"include_usage":false},"streamOptions":1,"x":1}`, `{"x":1}`, ""},
	} {
		got, err := allowed([]byte(c.extra), rules(&target.Options{}, c.stream))
		if c.want == "" {
			if refused, ok := errors.AsType[*chat.Error](err); !ok || refused.Status != 400 || !strings.Contains(refused.Message, c.field) {
				t.Errorf("%s: %s, %v", c.extra, got, err)
			}
			continue
		}
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.extra, got, err, c.want)
		}
	}
	for extra, want := range map[string]string{`[1]`: "must be an object", `"x"`: "must be an object", `{"x"`: ""} {
		if _, err := Merge([][]byte{[]byte(`{}`)}, []byte(extra), rules(&target.Options{}, false)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", extra, err)
		}
	}
	for _, extra := range []string{"", "null"} {
		got, err := Merge([][]byte{[]byte(`{"y":1}`)}, []byte(extra), rules(&target.Options{}, false))
		if err != nil || string(got[0]) != `{"y":1}` {
			t.Errorf("%q: %s, %v", extra, got, err)
		}
	}
}

// Each option that is configured, zero as well, holds under every name that a
// format has for it, and no other.
func TestConfiguredOptionWinsUnderEachOfItsNames(t *testing.T) {
	none, warm := 0, 0.0
	limits := []string{"max_tokens", "maxTokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens", "max_new_tokens", "max_tokens_to_sample", "num_predict"}
	samples := []string{"top_p", "topP", "p"}
	ranks := []string{"top_k", "topK", "k"}
	all := append(append(append([]string{"temperature", "x"}, limits...), samples...), ranks...)
	for _, c := range []struct {
		options target.Options
		pinned  []string
	}{
		{target.Options{}, nil},
		{target.Options{MaxTokens: &none}, limits},
		{target.Options{Temperature: &warm}, []string{"temperature"}},
		{target.Options{TopP: &warm}, samples},
		{target.Options{TopK: &none}, ranks},
	} {
		for _, name := range all {
			held := false
			for _, one := range c.pinned {
				held = held || one == name
			}
			object := fmt.Sprintf(`{%q:1}`, name)
			want := object
			if held {
				want = `{}`
			}
			if got, err := allowed([]byte(object), rules(&c.options, false)); err != nil || string(got) != want {
				t.Errorf("%s with %v: %s, %v", object, c.pinned, got, err)
			}
		}
	}
}

// In the body it holds in the object and in those in it; deeper are the tools'
// schemas and the like.
func TestConfiguredOptionWinsInNestedObjects(t *testing.T) {
	limit := 7
	options := &target.Options{MaxTokens: &limit}
	for extra, want := range map[string]string{
		`{"max_tokens":9,"a":1}`:                 `{"a":1}`,
		`{"a":{"max_tokens":9,"b":1},"c":2}`:     `{"a":{"b":1},"c":2}`,
		`{"a":{"b":{"max_tokens":9}}}`:           `{"a":{"b":{"max_tokens":9}}}`,
		`{"a":[{"max_tokens":9}]}`:               `{"a":[{"max_tokens":9}]}`,
		`{"a":"max_tokens","temperature": 1.50}`: `{"a":"max_tokens","temperature": 1.50}`,
	} {
		if got, err := allowed([]byte(extra), rules(options, false)); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, want %s", extra, got, err, want)
		}
	}
	own := Own([]chat.Member{
		{Name: "max_tokens", Value: []byte(`9`)},
		{Name: "generationConfig", Value: []byte(`{"maxOutputTokens":9,"x":{"maxOutputTokens":9}}`)},
		{Name: "seed", Value: []byte(`1`)},
	}, options)
	if got := fmt.Sprintf("%s", own); got != `[{generationConfig {"x":{"maxOutputTokens":9}}} {seed 1}]` {
		t.Errorf("members %s", got)
	}
}

// What a client sends in extra_body, and in members of a provider's own, costs
// no more than the rest of its body.
func TestExtraMembersAreMergedInLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("times say nothing here")
	}
	n, f := 5, 0.5
	r := rules(&target.Options{MaxTokens: &n, Temperature: &f, TopP: &f, TopK: &n}, false)
	growth.Check(t, func(extra []byte) {
		_, _ = Merge([][]byte{[]byte(`{"model":"m","generationConfig":{"a":1},"options":{"b":2}}`)}, extra, r)
		_, _ = Merge([][]byte{extra}, extra, r) // and where the provider's body has as many
		members, err := jsonedit.Object(extra, nil)
		if err != nil {
			return
		}
		var own []chat.Member
		for _, m := range members {
			own = append(own, chat.Member{Name: string(m.Key), Value: m.Value})
		}
		Own(own, r.Options)
	}, []byte(`{"generationConfig":{"maxOutputTokens":5,"thinking":{"temperature":1}},"options":{"num_predict":7,"stop":["a"]},"model":"m","x":"y"}`))
}

// Names that are all the model's, and none the same.
func TestManySpellingsOfTheModelAreReadInLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("times say nothing here")
	}
	growth.Linear(t, "extra_body", func(n int) func() {
		var b strings.Builder
		b.WriteString(`{"x":1`)
		for i := range 800 * n {
			b.WriteString(`,"`)
			for bit, c := range "modelid" {
				if i>>bit&1 == 1 {
					c += 'A' - 'a'
				}
				b.WriteString(strings.Repeat("_", i>>(6+bit)&min(bit, 1)) + string(c))
			}
			b.WriteString(`":"real"`)
		}
		b.WriteString(`}`)
		return func() {
			got, err := Merge([][]byte{[]byte(`{}`)}, []byte(b.String()), rules(&target.Options{}, false))
			if err != nil || string(got[0]) != `{"x":1}` {
				t.Fatalf("%.80s, %v", got, err)
			}
		}
	})
}
