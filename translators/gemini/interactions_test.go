package gemini

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

const interactionUsage = `"usage":{"total_input_tokens":20,"total_cached_tokens":8,"total_output_tokens":5,"total_thought_tokens":30,"total_tool_use_tokens":2,"total_tokens":57}`

func TestUsageOfInteractionsIsCountedWholeAndStreamed(t *testing.T) {
	whole := map[string]string{
		"outputs": `{"id":"v1_a","model":"gemini-3-pro","status":"completed","outputs":[{"type":"thought","signature":"x"},{"type":"text","text":"Hello"}],` + interactionUsage + `}`,
		"steps":   `{"id":"v1_a","model":"gemini-3-pro","status":"completed","steps":[{"type":"model_output","content":[{"type":"text","text":"Hello"}]}],` + interactionUsage + `}`,
	}
	for name, body := range whole {
		var seen chat.Seen
		interactionsMeter{}.Whole([]byte(body), &seen)
		wantInteraction(t, name, &seen)
	}
	for name, events := range map[string][]string{
		"contents": {
			`{"event_type":"interaction.start","interaction":{"id":"v1_a","model":"gemini-3-pro","status":"in_progress"}}`,
			`{"event_type":"content.delta","index":0,"delta":{"type":"thought_summary","content":{"text":"hm"}}}`,
			`{"event_type":"content.delta","index":1,"delta":{"type":"text","text":"Hello"}}`,
			`{"event_type":"interaction.complete","interaction":{"id":"v1_a","status":"completed",` + interactionUsage + `}}`,
		},
		"steps": {
			`{"event_type":"interaction.created","interaction":{"id":"v1_a","model":"gemini-3-pro"}}`,
			`{"event_type":"step.delta","index":0,"delta":{"type":"text","text":"Hello"}}`,
			`{"event_type":"interaction.completed","interaction":{"id":"v1_a","status":"completed",` + interactionUsage + `}}`,
			`[DONE]`,
		},
	} {
		var seen chat.Seen
		for i, data := range events {
			interactionsMeter{}.Event(frame.Event{Data: []byte(data)}, &seen)
			if last := strings.Contains(data, "interaction.complete") || data == "[DONE]"; seen.Ended != last {
				t.Errorf("%s: ended %t after event %d", name, seen.Ended, i)
			}
		}
		wantInteraction(t, name+", streamed", &seen)
	}
}

func wantInteraction(t *testing.T, name string, seen *chat.Seen) {
	t.Helper()
	want := chat.Usage{Prompt: 22, Cached: 8, Completion: 35, Reasoning: 30, Total: 57}
	if seen.Usage != want || !seen.HasUsage || seen.Model != "gemini-3-pro" || seen.Finish != chat.Stop || seen.Stored != "v1_a" || !seen.Content || seen.TextLen < 5 {
		t.Errorf("%s: %+v", name, seen)
	}
}

// What Google runs itself is content, too: once a client has seen it, no other target may
// answer.
func TestRunsOfInteractionsAreContent(t *testing.T) {
	for _, event := range []string{
		`{"event_type":"content.delta","index":0,"delta":{"type":"code_execution_call","id":"c","arguments":{"language":"python","code":"print(1)"}}}`,
		`{"event_type":"step.delta","index":0,"delta":{"type":"code_execution_result","call_id":"c","result":"1","is_error":false}}`,
		`{"event_type":"content.delta","index":0,"delta":{"type":"google_search_call","id":"s","arguments":{"queries":["news"]}}}`,
	} {
		var seen chat.Seen
		if (interactionsMeter{}).Event(frame.Event{Data: []byte(event)}, &seen); !seen.Content {
			t.Errorf("%s is no content", event)
		}
	}
	var seen chat.Seen
	interactionsMeter{}.Whole([]byte(`{"id":"v1_c","status":"completed","outputs":[{"type":"code_execution_call","id":"c","arguments":{"code":"print(1)"}}]}`), &seen)
	if !seen.Content || seen.TextLen != len("print(1)") {
		t.Errorf("%+v", seen)
	}
}

func TestErrorsOfInteractionsAreSeen(t *testing.T) {
	var seen chat.Seen
	interactionsMeter{}.Event(frame.Event{Data: []byte(`{"event_type":"error","error":{"message":"no quota","code":"resource_exhausted"}}`)}, &seen)
	if seen.Err == nil || seen.Err.Message != "no quota" {
		t.Errorf("%+v", seen.Err)
	}
	seen = chat.Seen{}
	interactionsMeter{}.Whole([]byte(`{"id":"v1_b","status":"requires_action","outputs":[{"type":"function_call","name":"f","arguments":{}}]}`), &seen)
	interactionsMeter{}.Event(frame.Event{Data: []byte(`{`)}, &seen)
	if seen.Finish != chat.ToolCalls || !seen.Content || seen.HasUsage {
		t.Errorf("%+v", seen)
	}
}

func TestInteractionsAreOfThePublicAPI(t *testing.T) {
	op := public.Find(provider.GeminiInteractions, "")
	path, err := op.Path(&target.Target{Options: &target.Options{}}, true)
	if err != nil || path != "/v1beta/interactions" || vertexGoogle.Find(provider.GeminiInteractions, "") != nil {
		t.Errorf("%s (%v)", path, err)
	}
}
