package bedrock

import (
	"testing"

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
