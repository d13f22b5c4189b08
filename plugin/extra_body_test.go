package plugin

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

// extraAttempt is an attempt at a model whose configuration has the options o.
func extraAttempt(o *target.Options, stream bool) *attempt {
	e := newEndpoint(&config.Target{Model: config.Model{Name: "real", Alias: "alias"}}, nil, nil, wire.Timeouts{})
	return &attempt{request: &request{stream: stream}, endpoint: e, target: &target.Target{Model: "real", Options: o}}
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
		got, err := ownExtra(extraAttempt(&target.Options{}, c.stream), []byte(c.extra))
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
		a := extraAttempt(&target.Options{}, false)
		a.pieces = [][]byte{[]byte(`{}`)}
		if err := mergeExtraBody(a, []byte(extra)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", extra, err)
		}
	}
	for _, extra := range []string{"", "null"} {
		a := extraAttempt(&target.Options{}, false)
		a.pieces = [][]byte{[]byte(`{"y":1}`)}
		if err := mergeExtraBody(a, []byte(extra)); err != nil || string(a.pieces[0]) != `{"y":1}` {
			t.Errorf("%q: %s, %v", extra, a.pieces, err)
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
			if got, err := ownExtra(extraAttempt(&c.options, false), []byte(object)); err != nil || string(got) != want {
				t.Errorf("%s with %v: %s, %v", object, c.pinned, got, err)
			}
		}
	}
}

// In the body it holds in the object and in those in it; deeper are the tools'
// schemas and the like.
func TestConfiguredOptionWinsInNestedObjects(t *testing.T) {
	limit := 7
	a := extraAttempt(&target.Options{MaxTokens: &limit}, false)
	for extra, want := range map[string]string{
		`{"max_tokens":9,"a":1}`:                 `{"a":1}`,
		`{"a":{"max_tokens":9,"b":1},"c":2}`:     `{"a":{"b":1},"c":2}`,
		`{"a":{"b":{"max_tokens":9}}}`:           `{"a":{"b":{"max_tokens":9}}}`,
		`{"a":[{"max_tokens":9}]}`:               `{"a":[{"max_tokens":9}]}`,
		`{"a":"max_tokens","temperature": 1.50}`: `{"a":"max_tokens","temperature": 1.50}`,
	} {
		if got, err := ownExtra(a, []byte(extra)); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, want %s", extra, got, err, want)
		}
	}
	own := unpinnedExtra(a, []chat.Member{
		{Name: "max_tokens", Value: []byte(`9`)},
		{Name: "generationConfig", Value: []byte(`{"maxOutputTokens":9,"x":{"maxOutputTokens":9}}`)},
		{Name: "seed", Value: []byte(`1`)},
	})
	if got := fmt.Sprintf("%s", own); got != `[{generationConfig {"x":{"maxOutputTokens":9}}} {seed 1}]` {
		t.Errorf("members %s", got)
	}
}

// Ten times the members take about ten times as long; the machine is busy with
// other things.
func TestExtraBodyIsMergedInLinearTime(t *testing.T) {
	took := func(n int) time.Duration {
		var b strings.Builder
		b.WriteString(`{"x":1`)
		for i := range n { // names that are all one, and none the same
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
		least := time.Hour
		for range 5 {
			began := time.Now()
			a := extraAttempt(&target.Options{}, false)
			a.pieces = [][]byte{[]byte(`{}`)}
			if err := mergeExtraBody(a, []byte(b.String())); err != nil || string(a.pieces[0]) != `{"x":1}` {
				t.Fatalf("%.80s, %v", a.pieces, err)
			}
			least = min(least, time.Since(began))
		}
		return least
	}
	small, large := took(800), took(8000)
	if large > 15*max(small, 10*time.Millisecond) { // the square was 490 ms
		t.Errorf("800 members took %v, 8000 took %v", small, large)
	}
}
