package conformance

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/openai"
)

// codexRequest is a turn as Codex asks for it: a custom tool with its grammar, a
// namespace, a shell, tools that only OpenAI runs; and a history with calls of them,
// with thoughts that only OpenAI can read, and with a search of OpenAI's.
const codexRequest = `{"model":"mock-model-1","instructions":"You are a coding agent.","store":false,"include":["reasoning.encrypted_content"],
 "prompt_cache_key":"k","client_metadata":{"session":"s"},"tool_choice":"auto","parallel_tool_calls":false,"reasoning":{"effort":"medium","summary":"auto"},
 "tools":[
  {"type":"function","name":"exec","description":"Runs a command.","strict":false,"parameters":{"type":"object","properties":{"cmd":{"type":"string"}},"required":["cmd"]}},
  {"type":"custom","name":"apply_it","description":"Edits files.","format":{"type":"grammar","syntax":"lark","definition":"start: /.+/s"}},
  {"type":"namespace","name":"mcp__docs__","description":"Documents.","tools":[{"type":"function","name":"search","description":"Searches.","parameters":{"type":"object","properties":{"q":{"type":"string"}}}}]},
  {"type":"local_shell"},{"type":"web_search","external_web_access":false},{"type":"image_generation","output_format":"png"}],
 "input":[
  {"type":"message","role":"developer","content":[{"type":"input_text","text":"Stay in the sandbox."}]},
  {"type":"message","role":"user","content":[{"type":"input_text","text":"Fix the typo, please."}]},
  {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"I look first."}],"encrypted_content":"gAAAAABsealed"},
  {"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"typos"}},
  {"type":"custom_tool_call","id":"ctc_1","call_id":"call_Custom1","name":"apply_it","input":"*** Begin \"Patch\""},
  {"type":"custom_tool_call_output","call_id":"call_Custom1","output":"Patched."},
  {"type":"local_shell_call","id":"lsh_1","call_id":"call_Shell2","status":"completed","action":{"type":"exec","command":["cat","README.md"],"env":{}}},
  {"type":"function_call_output","call_id":"call_Shell2","output":"typo fixed"},
  {"type":"function_call","id":"fc_1","call_id":"call_Docs3","name":"search","namespace":"mcp__docs__","arguments":"{\"q\":\"style\"}"},
  {"type":"function_call_output","call_id":"call_Docs3","output":[{"type":"input_text","text":"No style guide."}]},
  {"type":"message","role":"user","content":[{"type":"input_text","text":"And the next one?"}]}]}`

// codexCalls are a model's calls, one in each turn, and the items that Codex gets.
var codexCalls = []struct{ name, arguments, item string }{
	{"apply_it", `{"input":"*** Begin Patch\n+\"é\" \\ 😀\n*** End Patch"}`, `{"type":"custom_tool_call","name":"apply_it","input":"*** Begin Patch\n+\"é\" \\ 😀\n*** End Patch"}`},
	{"mcp__docs__search", `{"q":"x"}`, `{"type":"function_call","namespace":"mcp__docs__","name":"search","arguments":"{\"q\":\"x\"}"}`},
	{"local_shell", `{"command":["ls","-l"]}`, `{"type":"local_shell_call","action":{"type":"exec","command":["ls","-l"],"env":{}}}`},
}

// codex is Codex at this provider: what it sends is accepted, and the calls come back
// as the items that it knows, whole and streamed, however the stream is cut.
func (r *run) codex(t *testing.T) {
	if r.op.Chat == nil || r.lacks("tools") || r.lacks("tool_result") {
		t.Skip("has no tools")
	}
	req, err := openai.Responses.ParseRequest([]byte(codexRequest))
	if err != nil {
		t.Fatal(err)
	}
	m := r.meta()
	m.Tools = req.ClientTools()
	for _, stream := range []bool{false, true} {
		upstream := r.codexBody(t, req, stream)
		for _, call := range codexCalls {
			s := &mock.Scenario{Name: "tools", Pieces: 3, Answer: chat.Response{
				ID: "mock-codex", Model: mock.Model, Created: 1700000000, Usage: chat.Usage{Prompt: 9, Completion: 4, Total: 13},
				Choices: []chat.Choice{{Finish: chat.ToolCalls, Parts: []chat.Part{{Kind: chat.ToolCall, ID: "call_Answer9", Name: call.name, Arguments: jsonedit.Plain(call.arguments)}}}},
			}}
			if stream {
				if !r.op.NoStream {
					r.codexStream(t, s, upstream, call.item, m)
				}
				continue
			}
			resp, err := r.op.Chat.ParseResponse(&r.target, r.mock.Whole(s, upstream))
			if err != nil {
				t.Fatal(err)
			}
			resp.Meta = m
			answer, err := openai.Responses.AppendResponse(nil, resp)
			if err != nil {
				t.Fatal(err)
			}
			sameItem(t, answer, call.item)
		}
	}
}

// codexBody is the provider's body for a request of Codex, which must have all that
// was said, and be taken.
func (r *run) codexBody(t *testing.T, parsed *chat.Request, stream bool) []byte {
	t.Helper()
	req := *parsed.Owned(r.op.Own(&r.target))
	req.Model, req.Stream = r.target.Model, stream && !r.op.NoStream
	if _, err := r.op.Offer(&r.target, &req); err != nil {
		t.Fatal(err)
	}
	upstream, err := r.op.Chat.AppendRequest(nil, &r.target, &req)
	if err != nil {
		t.Fatal(err)
	}
	hr := r.httpRequest(t, upstream, req.Stream)
	if err := r.mock.Check(hr, upstream); err != nil {
		t.Fatalf("the provider refuses Codex' request: %v\n%s", err, clip(upstream))
	}
	texts := textsOf(t, upstream)
	for _, want := range []string{"coding agent", "sandbox", "Fix the typo", "apply_it", "start: /.+/s", "Begin", "Patched.", "README.md", "typo fixed", "mcp__docs__search", "No style guide.", "And the next one?"} {
		if !strings.Contains(texts, want) {
			t.Errorf("%q did not reach the provider: %s", want, clip(upstream))
		}
	}
	if strings.Contains(texts, "gAAAA") {
		t.Errorf("OpenAI's sealed thoughts reached another provider: %s", clip(upstream))
	}
	return upstream
}

func (r *run) codexStream(t *testing.T, s *mock.Scenario, upstream []byte, item string, m chat.Meta) {
	t.Helper()
	kind, provided := r.streamOf(t, s, upstream)
	translate := func(stream io.Reader) []byte {
		out, err := Translate(kind, stream, r.op.Chat.NewStream(&r.target), openai.Responses.NewEncoder(m))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	client := translate(bytes.NewReader(provided))
	if got := translate(iotest.OneByteReader(bytes.NewReader(provided))); !bytes.Equal(got, client) {
		t.Errorf("split law: byte by byte Codex gets other bytes: %s", firstDifference(got, client))
	}
	said := map[string]string{}
	var last []byte
	for _, ev := range Events(t, frame.SSE, client) {
		var e struct {
			Type, Delta string
			ItemID      string `json:"item_id"`
			Input       *string
			Response    json.RawMessage
		}
		must(t, json.Unmarshal(ev.Data, &e))
		said[e.ItemID] += e.Delta
		if e.Input != nil && *e.Input != said[e.ItemID] {
			t.Errorf("the pieces of the input are %q, the whole is %q", said[e.ItemID], *e.Input)
		}
		if e.Type == "response.completed" {
			last = e.Response
		}
	}
	if last == nil {
		t.Fatalf("no response.completed in %s", clip(client))
	}
	sameItem(t, last, item)
}

// sameItem compares the only item of a response with what is expected; ids and status
// are not compared, but a call id must be there.
func sameItem(t *testing.T, response []byte, want string) {
	t.Helper()
	var got struct{ Output []map[string]any }
	must(t, json.Unmarshal(response, &got))
	var item map[string]any
	must(t, json.Unmarshal([]byte(want), &item))
	if len(got.Output) != 1 || got.Output[0]["call_id"] == "" || got.Output[0]["id"] == "" {
		t.Fatalf("got %s, want one item %s", clip(response), want)
	}
	for _, name := range []string{"id", "call_id", "status"} {
		delete(got.Output[0], name)
	}
	if text, ok := item["arguments"].(string); ok { // another space between is no other argument
		var a, b any
		gotText, _ := got.Output[0]["arguments"].(string)
		if json.Unmarshal([]byte(text), &a) == nil && json.Unmarshal([]byte(gotText), &b) == nil && reflect.DeepEqual(a, b) {
			item["arguments"] = gotText
		}
	}
	if !reflect.DeepEqual(got.Output[0], item) {
		t.Errorf("got %v, want %s", got.Output[0], want)
	}
}
