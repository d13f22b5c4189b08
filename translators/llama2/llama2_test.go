package llama2

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/target"
)

var endpoint = &target.Target{Provider: "llama2", Route: "llm/v1/chat", Model: "llama2", Options: &target.Options{Llama2Format: "raw"}}

// inputs is the prompt for an OpenAI request.
func inputs(t *testing.T, dialect chat.Dialect, format chat.Upstream, body string) (string, error) {
	t.Helper()
	req, err := chat.ParseRequest(dialect, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	out, err := format.AppendRequest(nil, endpoint, req)
	if err != nil {
		return "", err
	}
	var q struct{ Inputs string }
	if err := json.Unmarshal(out, &q); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return q.Inputs, nil
}

// say is a message of OpenAI's.
func say(role, text string) string { return `{"role":"` + role + `","content":"` + text + `"}` }

func TestConversationsFollowTheTemplate(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages []string
		want     string
	}{
		{"a question", []string{say("user", "A?")}, "<s>[INST] A? [/INST]"},
		{"with a system message", []string{say("system", "S."), say("user", "A?")}, "<s>[INST] <<SYS>> S. <</SYS>> A? [/INST]"},
		{"several rounds", []string{say("system", "S."), say("user", "A?"), say("assistant", "a."), say("user", "B?"), say("assistant", "b."), say("user", "C?")},
			"<s>[INST] <<SYS>> S. <</SYS>> A? [/INST] a. </s> <s>[INST] B? [/INST] b. </s> <s>[INST] C? [/INST]"},
		{"a system message in the place of an answer", []string{say("system", "S."), say("user", "A?"), say("system", "a."), say("user", "B?")},
			"<s>[INST] <<SYS>> S. <</SYS>> A? [/INST] a. </s> <s>[INST] B? [/INST]"},
		{"several messages of one side", []string{say("system", "S."), say("developer", "T."), say("user", "A?"), say("user", "B?"), say("assistant", "a."), say("assistant", "b."), say("user", "C?")},
			"<s>[INST] <<SYS>> S.\n\nT. <</SYS>> A?\n\nB? [/INST] a.\n\nb. </s> <s>[INST] C? [/INST]"},
		{"text in parts, and a thought", []string{`{"role":"user","content":[{"type":"text","text":"A"},{"type":"text","text":"B"}]}`, `{"role":"assistant","content":"a.","reasoning_content":"Hm."}`, say("user", "C?")},
			"<s>[INST] A\nB [/INST] a. </s> <s>[INST] C? [/INST]"},
		{"no question", []string{say("system", "S.")}, "<s>[INST] <<SYS>> S. <</SYS>> [/INST]"},
		{"an answer first", []string{say("assistant", "a."), say("user", "A?")}, "<s>[INST] [/INST] a. </s> <s>[INST] A? [/INST]"},
	} {
		got, err := inputs(t, openai.Chat, Chat, `{"messages":[`+strings.Join(c.messages, ",")+`]}`)
		if err != nil || got != c.want {
			t.Errorf("%s:\n got %q, %v\nwant %q", c.name, got, err, c.want)
		}
	}
}

const kongFixtures = "../../../shared/spec/data/kong-oss-fixtures/llama2/raw"

func TestKongsPrompts(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(kongFixtures, name))
		if err != nil {
			t.Skipf("Kong's fixtures are not here: %v", err)
		}
		return string(b)
	}
	got, err := inputs(t, openai.Chat, Chat, read("requests/good-chat.json"))
	if want := "<s>[INST] <<SYS>> You are a video game knowledgebase. <</SYS>> What is Missingno.? [/INST]" +
		" Missingno. is a weird character from a popular game. </s> <s>[INST] Why is it popular? [/INST]"; err != nil || got != want {
		t.Errorf("chat: got %q, %v", got, err)
	}
	got, err = inputs(t, openai.Completions, Complete, read("requests/good-completions.json"))
	if want := "<s> [INST] <<SYS>> You are a helpful assistant. <<SYS>> What is Missingno.? [/INST]"; err != nil || got != want {
		t.Errorf("completions: got %q, %v", got, err)
	}
	resp, err := Chat.ParseResponse(endpoint, []byte(read("responses/good.json")))
	if err != nil || resp.Choices[0].Parts[0].Text.String() != "Is a well known font." {
		t.Errorf("answer: got %+v, %v", resp, err)
	}
	for _, name := range []string{"responses/bad_request.json", "responses/unauthorized.json"} {
		if _, err := Chat.ParseResponse(endpoint, []byte(read(name))); err == nil {
			t.Errorf("%s was taken for an answer", name)
		}
	}
}

func TestParameters(t *testing.T) {
	for in, want := range map[string]string{
		``: `{"stream":false}`,
		`,"max_tokens":256,"temperature":0.5,"top_p":1e-1,"top_k":4,"seed":7,"stop":"x","stream":false`: `{"max_new_tokens":256,"top_p":1e-1,"top_k":4,"temperature":0.5,"stream":false}`,
	} {
		req, err := chat.ParseRequest(openai.Completions, []byte(`{"prompt":"\"A\"?"`+in+`}`))
		if err != nil {
			t.Fatal(err)
		}
		out, err := Complete.AppendRequest([]byte("x"), endpoint, req)
		if body := `x{"inputs":"<s> [INST] <<SYS>> You are a helpful assistant. <<SYS>> \"A\"? [/INST]","parameters":` + want + `}`; err != nil || string(out) != body {
			t.Errorf("%s: got %s, %v", in, out, err)
		}
	}
}

func TestFieldsUnsupportedByRawPromptsAreRefusedByName(t *testing.T) {
	question := `"messages":[` + say("user", "A?") + `]`
	for in, want := range map[string]string{
		`{` + question + `,"stream":true}`:                                                                                                                 "stream: the raw format cannot stream; llama2_format ollama or openai can",
		`{` + question + `,"tools":[{"type":"function","function":{"name":"f"}}]}`:                                                                         "tools: the raw format knows no tools or functions; llama2_format ollama or openai can",
		`{` + question + `,"response_format":{"type":"json_object"}}`:                                                                                      "response_format: the raw format has text only; llama2_format ollama or openai can",
		`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}`:                                  "messages[0].content[0]: the raw format takes text only",
		`{"messages":[` + say("user", "A?") + `,{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":""}}]}]}`: "messages[1]: the raw format knows no tools",
		`{"messages":[{"role":"tool","tool_call_id":"1","content":"x"}]}`:                                                                                  "messages[0]: the raw format knows no tools",
	} {
		_, err := inputs(t, openai.Chat, Chat, in)
		var refused *chat.RequestError
		if !errors.As(err, &refused) || err.Error() != want {
			t.Errorf("%s: got %v", in, err)
		}
	}
	if _, err := inputs(t, openai.Chat, Chat, `{`+question+`,"response_format":{"type":"text"}}`); err != nil {
		t.Errorf("text: %v", err)
	}
}

func TestAnswers(t *testing.T) {
	for body, want := range map[string]string{
		`{"data":[{"generated_text":"<s>[INST] A? [/INST] a. </s> <s>[INST] B? [/INST]\n\n b. \n"}]}`: "b.",
		`{"data":[{"generated_text":" only the answer "}]}`:                                           "only the answer",
		`{"data":[{"generated_text":"[INST] A? [/INST] "}]}`:                                          "",
	} {
		resp, err := Chat.ParseResponse(endpoint, []byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		got := ""
		for _, p := range resp.Choices[0].Parts {
			got += p.Text.String()
		}
		if got != want || resp.Choices[0].Finish != "" || !resp.NoUsage {
			t.Errorf("%s: got %+v", body, resp)
		}
	}
	for body, want := range map[string]string{
		`no JSON`:                            "failed to decode llama2 response",
		`{}`:                                 "cannot parse response from llama2 endpoint",
		`{"data":{}}`:                        "cannot parse response from llama2 endpoint",
		`{"data":[{},{}]}`:                   "cannot parse response from llama2 endpoint",
		`{"data":[]}`:                        "response data is empty from llama2 endpoint",
		`{"data":[{}]}`:                      "response did not contain a system reply",
		`{"data":[{"generated_text":null}]}`: "response did not contain a system reply",
		`{"data":["x"]}`:                     "response did not contain a system reply",
	} {
		_, err := Chat.ParseResponse(endpoint, []byte(body))
		var bad *chat.ResponseError
		if !errors.As(err, &bad) || err.Error() != want {
			t.Errorf("%s: got %v", body, err)
		}
	}
	if _, err := Chat.NewStream(endpoint).Next(frame.Event{Data: []byte("{}")}); err == nil {
		t.Error("a stream was read")
	}
}

func FuzzRaw(f *testing.F) {
	f.Add([]byte(`{"messages":[` + say("system", "S.") + `,` + say("user", "A?") + `]}`))
	f.Add([]byte(`{"data":[{"generated_text":"[INST] A? [/INST] a."}]}`))
	f.Add([]byte(`{"prompt":"A?"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		for dialect, format := range map[chat.Dialect]chat.Upstream{openai.Chat: Chat, openai.Completions: Complete} {
			req, err := chat.ParseRequest(dialect, body)
			if err != nil {
				continue
			}
			if out, err := format.AppendRequest(nil, endpoint, req); err == nil && !json.Valid(out) {
				t.Errorf("%q became %q", body, out)
			}
		}
		resp, err := Chat.ParseResponse(endpoint, body)
		if err != nil {
			return
		}
		if out, err := openai.Chat.AppendResponse(nil, resp); err != nil || !json.Valid(out) {
			t.Errorf("%q became %q, %v", body, out, err)
		}
	})
}
