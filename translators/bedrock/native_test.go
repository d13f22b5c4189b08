package bedrock

import (
	"testing"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
)

// What is not a chunk with an event of Anthropic's yields nothing, and no panic.
func FuzzUnwrap(f *testing.F) {
	f.Add("chunk", []byte(`{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"ab"}`), false)
	f.Add("chunk", []byte(`{"bytes":"eyJ0eXBlIjoi\\/cGluZyJ9"}`), false)
	f.Add("throttlingException", []byte(`{"message":"slow"}`), true)
	f.Add("other", []byte(`{}`), false)
	f.Fuzz(func(t *testing.T, kind string, data []byte, exception bool) {
		defer workload.Linear(t, len(kind)+len(data))()
		name, event := unwrap(nil, frame.Event{Type: []byte(kind), Data: data, Exception: exception})
		if event == nil && name != nil {
			t.Errorf("%q has a type and no data", data)
		}
	})
}

func TestUnwrapExtractsTheEventFromAChunk(t *testing.T) {
	name, event := unwrap(nil, frame.Event{Type: []byte("chunk"), Data: []byte(`{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"ab"}`)})
	if string(name) != "ping" || string(event) != `{"type":"ping"}` {
		t.Errorf("%s %s", name, event)
	}
}

// Bedrock's own copy of Claude's schema lags behind its models.
func TestClaudesOutputIsWhatTheTableHas(t *testing.T) {
	all := anthropic.Output{Schema: true, Strict: true, Effort: true}
	for id, want := range map[string]anthropic.Output{
		"us.anthropic.claude-sonnet-4-6":                              all,
		"us.anthropic.claude-opus-4-7":                                {Effort: true},
		"us.anthropic.claude-opus-5-5":                                {Effort: true},
		"anthropic.claude-opus-4-5-20251101-v1:0":                     {Schema: true, Strict: true},
		"anthropic.claude-3-5-haiku-20241022-v1:0":                    {},
		"arn:aws:bedrock:us-east-1:1:application-inference-profile/x": all,
	} {
		if got := outputOf(id); got != want {
			t.Errorf("%s: %+v, want %+v", id, got, want)
		}
	}
}
