package mock

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// refuses holds a format to refuse each body, for a reason that holds a word,
// and to take the good one.
func refuses(t *testing.T, format, path, good string, bad map[string]string) {
	t.Helper()
	check := func(body string) error {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if f := Lookup(r); f == nil || f.Name() != format {
			t.Fatalf("%s is not served by %s", path, format)
		}
		return ByName(format).Check(r, []byte(body))
	}
	if err := check(good); err != nil {
		t.Errorf("%s: %v", good, err)
	}
	for body, word := range bad {
		if err := check(body); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got %v, want something with %q", body, err, word)
		}
	}
}

func TestCohereRefuses(t *testing.T) {
	const user = `{"role":"user","content":"x"}`
	const call = `{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	refuses(t, "cohere/chat-v2", "/v2/chat", `{"model":"m","messages":[`+user+`,`+call+`,{"role":"tool","tool_call_id":"a","content":"1"}]}`, map[string]string{
		`{"messages":[` + user + `]}`:                                                   "model",
		`{"model":"m","messages":[]}`:                                                   "at least one",
		`{"model":"m","messages":[` + user + `],"top_p":1}`:                             "unknown field",
		`{"model":"m","messages":[` + user + `],"p":1}`:                                 "p must be",
		`{"model":"m","messages":[` + user + `],"tool_choice":"REQUIRED"}`:              "needs tools",
		`{"model":"m","messages":[` + user + `],"tool_choice":"auto"}`:                  "tool_choice",
		`{"model":"m","messages":[` + user + `],"thinking":{"type":"on"}}`:              "thinking.type",
		`{"model":"m","messages":[` + call + `,` + user + `]}`:                          "no results",
		`{"model":"m","messages":[` + call + `]}`:                                       "no results",
		`{"model":"m","messages":[{"role":"tool","tool_call_id":"a","content":"1"}]}`:   "no call",
		`{"model":"m","messages":[{"role":"assistant"}]}`:                               "non-empty",
		`{"model":"m","messages":[{"role":"developer","content":"x"}]}`:                 "no role",
		`{"model":"m","messages":[{"role":"system","content":[{"type":"image_url"}]}]}`: "may not stand here",
	})
	refuses(t, "cohere/chat-v1", "/v1/chat", `{"message":"x","chat_history":[{"role":"USER","message":"y"}],"p":1}`, map[string]string{
		`{"message":""}`:                "at least 1 token",
		`{"message":"x","messages":[]}`: "unknown field",
		`{"message":"x","chat_history":[{"role":"user","message":"y"}]}`:                                "role",
		`{"message":"x","chat_history":[{"role":"TOOL","message":"y"}]}`:                                "tool_results",
		`{"message":"","tool_results":[{"call":{"name":"f","parameters":{}},"outputs":[{}]}]}`:          "need tools",
		`{"message":"x","tools":[{"name":"get-weather","description":""}]}`:                             "tools[0]",
		`{"message":"x","tools":[{"name":"f","description":"","parameters":{"type":"object"}}]}`:        "unknown field",
		`{"message":"x","chat_history":[{"role":"CHATBOT","message":"y","tool_calls":[{"name":"f"}]}]}`: "parameters",
	})
	refuses(t, "cohere/generate", "/v1/generate", `{"prompt":"x","end_sequences":["y"]}`, map[string]string{`{"prompt":""}`: "prompt", `{"prompt":"x","n":1}`: "unknown field", `{"prompt":"x","num_generations":9}`: "num_generations"})
	refuses(t, "cohere/embed", "/v2/embed", `{"model":"m","input_type":"image","images":["data:image/png;base64,AA"]}`, map[string]string{
		`{"model":"m","texts":["x"]}`: "input_type", `{"model":"m","input_type":"image","texts":["x"]}`: "image", `{"model":"m","input_type":"query","texts":["x"]}`: "input_type",
	})
	refuses(t, "cohere/rerank", "/v2/rerank", `{"model":"m","query":"q","documents":["a","b"],"top_n":1}`, map[string]string{`{"model":"m","query":"q"}`: "required"})
}

func TestTextGenerationRefuses(t *testing.T) {
	for _, path := range []string{"/generate", "/generate_stream", "/hf-inference/models/a/b"} {
		refuses(t, "huggingface/generate", path, `{"inputs":"x","parameters":{"temperature":0.1,"details":true}}`, map[string]string{
			`{"prompt":"x"}`: "unknown field",
			`{"inputs":""}`:  "empty",
			`{"inputs":"x","parameters":{"temperature":0}}`: "strictly positive",
			`{"inputs":"x","parameters":{"top_p":1}}`:       "top_p",
			`{"inputs":"x","parameters":{"max_tokens":1}}`:  "unknown field",
		})
	}
	refuses(t, "huggingface/feature-extraction", "/hf-inference/models/a/b/pipeline/feature-extraction", `{"inputs":["x"]}`, map[string]string{`{"inputs":7}`: "string"})
}
