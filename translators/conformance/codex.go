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

// codexSettings are those of a turn as Codex asks for it: a custom tool with its
// grammar, a namespace, a shell, and tools that only OpenAI runs.
const codexSettings = `{"model":"mock-model-1","instructions":"You are a coding agent.","store":false,"include":["reasoning.encrypted_content"],
 "prompt_cache_key":"k","client_metadata":{"session":"s"},"tool_choice":"auto","parallel_tool_calls":false,"reasoning":{"effort":"medium","summary":"auto"},
 "tools":[
  {"type":"function","name":"exec","description":"Runs a command.","strict":false,"parameters":{"type":"object","properties":{"cmd":{"type":"string"}},"required":["cmd"]}},
  {"type":"custom","name":"apply_it","description":"Edits files.","format":{"type":"grammar","syntax":"lark","definition":"start: /.+/s"}},
  {"type":"namespace","name":"mcp__docs__","description":"Documents.","tools":[{"type":"function","name":"search","description":"Searches.","parameters":{"type":"object","properties":{"q":{"type":"string"}}}}]},
  {"type":"local_shell"},{"type":"web_search","external_web_access":false},{"type":"image_generation","output_format":"png"}]}`

// codexHistory is a conversation that began with OpenAI: with calls of all those tools,
// a thought that only OpenAI can read, and a search of OpenAI's.
const codexHistory = `[
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
  {"type":"message","role":"user","content":[{"type":"input_text","text":"And the next one?"}]}]`

// codexTurns are a model's calls, one in each turn, the items that Codex gets of them,
// and the type of the item with which it answers.
var codexTurns = []struct{ name, arguments, item, output string }{
	{"apply_it", `{"input":"*** Begin Patch\n+\"é\" \\ 😀\n*** End Patch"}`, `{"type":"custom_tool_call","name":"apply_it","input":"*** Begin Patch\n+\"é\" \\ 😀\n*** End Patch"}`, "custom_tool_call_output"},
	{"mcp__docs__search", `{"q":"x"}`, `{"type":"function_call","namespace":"mcp__docs__","name":"search","arguments":"{\"q\":\"x\"}"}`, "function_call_output"},
	{"local_shell", `{"command":["ls","-l"]}`, `{"type":"local_shell_call","action":{"type":"exec","command":["ls","-l"],"env":{}}}`, "function_call_output"},
	{"exec", `{"cmd":"make"}`, `{"type":"function_call","name":"exec","arguments":"{\"cmd\":\"make\"}"}`, "function_call_output"},
}

// The thought of a turn is one that the mock has signed: it takes no other back.
const codexThought, codexSignature = "I need the weather.", "c2lnbmF0dXJlLW9mLXRoaW5raW5nLXRvb2xz"

// checkCodex plays Codex with the provider: in each of several turns what it sends is
// accepted and complete, and the call comes back as the item that it knows, whole and
// streamed, however the stream is cut. Then the turn's items are part of the history.
func checkCodex(t *testing.T, r *run) {
	input := jsonedit.Elements([]byte(codexHistory), nil)
	told := []string{"coding agent", "sandbox", "Fix the typo", "apply_it", "start: /.+/s", "Begin", "Patched.", "README.md", "typo fixed", "mcp__docs__search", "No style guide.", "And the next one?"}
	for i, turn := range codexTurns {
		c := codex{run: r, input: input, told: told, id: "call_Turn" + string(rune('1'+i))}
		c.ask(t)
		items := c.answer(t, turn.name, turn.arguments)
		if t.Failed() {
			return
		}
		sameItem(t, items, turn.item)
		result := "result of " + turn.name
		output := jsonedit.AppendText([]byte(`{"type":"`+turn.output+`","call_id":`+string(callID(t, items))), "output", result)
		input, told = append(append(input, items...), append(output, '}')), append(told, result)
		if c.thinks && !r.lacks(Signatures) && !r.lacks(Thinking) {
			told = append(told, codexSignature)
		}
	}
}

// codex is one turn.
type codex struct {
	*run
	input  [][]byte // the items so far
	told   []string // what the provider must hear
	id     string   // of the turn's call
	meta   chat.Meta
	thinks bool // the provider's answers have thoughts that are signed
	whole  []byte
	stream []byte
}

// ask makes the provider's bodies of the turn, whole and streamed, which must have all
// that was said, and be taken.
func (c *codex) ask(t *testing.T) {
	t.Helper()
	body := jsonedit.With([]byte(codexSettings), "input", append(append([]byte{'['}, bytes.Join(c.input, []byte{','})...), ']'))
	parsed, err := chat.ParseRequest(openai.Responses, body)
	if err != nil {
		t.Fatal(err)
	}
	c.meta = c.run.meta()
	c.meta.Tools = parsed.ClientTools()
	c.thinks = !c.same() && !c.lacks("thinking_tools")
	for _, stream := range []bool{false, !c.op.NoStream} {
		req := *parsed
		req.Model, req.Stream = c.target.Model, stream
		if _, err := c.op.Offer(&c.target, &req); err != nil {
			t.Fatal(err)
		}
		upstream, err := c.op.AppendRequest(nil, &c.target, &req)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.mock.Check(c.httpRequest(t, upstream, stream), upstream); err != nil {
			t.Fatalf("the provider refuses Codex' request: %v\n%s", err, clip(upstream))
		}
		texts := textsOf(t, upstream)
		for _, want := range c.told {
			if !strings.Contains(texts, want) {
				t.Errorf("%q did not reach the provider: %s", want, clip(upstream))
			}
		}
		if strings.Contains(texts, "gAAAA") {
			t.Errorf("OpenAI's sealed thought reached the provider: %s", clip(upstream))
		}
		if stream {
			c.stream = upstream
		} else {
			c.whole = upstream
		}
	}
}

// answer has the model call a tool, and returns the items that Codex gets.
func (c *codex) answer(t *testing.T, name, arguments string) [][]byte {
	t.Helper()
	parts := []chat.Part{{Kind: chat.ToolCall, ID: c.id, Name: name, Arguments: jsonedit.Plain(arguments)}}
	if c.thinks {
		parts = append([]chat.Part{{Kind: chat.Thinking, Text: jsonedit.Plain(codexThought), Signature: codexSignature}}, parts...)
	}
	s := &mock.Scenario{Name: "tools", Pieces: 3, Answer: chat.Response{
		ID: "mock-codex", Model: mock.Model, Created: 1700000000, Usage: chat.Usage{Prompt: 9, Completion: 4, Total: 13},
		Choices: []chat.Choice{{Finish: chat.ToolCalls, Parts: parts}},
	}}
	resp, err := c.op.Chat.ParseResponse(&c.target, c.mock.Whole(s, c.whole))
	if err != nil {
		t.Fatal(err)
	}
	resp.Meta = c.meta
	answer, err := openai.Responses.AppendResponse(nil, resp)
	if err != nil {
		t.Fatal(err)
	}
	items := jsonedit.Elements(jsonedit.Lookup(answer, "output"), nil)
	if c.stream != nil {
		streamed := c.streamed(t, s)
		if got, want := withoutIDs(t, streamed), withoutIDs(t, items); !reflect.DeepEqual(got, want) {
			t.Errorf("the stream has %v, the whole answer %v", got, want)
		}
	}
	return items
}

// streamed returns the items of the stream, which is cut at every byte.
func (c *codex) streamed(t *testing.T, s *mock.Scenario) [][]byte {
	t.Helper()
	kind, provided := c.streamOf(t, s, c.stream)
	translate := func(stream io.Reader) []byte {
		out, err := Translate(kind, stream, c.op.Chat.NewStream(&c.target), openai.Responses.NewEncoder(c.meta))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	client := translate(bytes.NewReader(provided))
	if got := translate(iotest.OneByteReader(bytes.NewReader(provided))); !bytes.Equal(got, client) {
		t.Errorf("split law: byte by byte Codex gets other bytes: %s", firstDifference(got, client))
	}
	said, done := map[string]string{}, [][]byte(nil)
	for _, ev := range Events(t, frame.SSE, client) {
		var e struct {
			Type, Delta string
			ItemID      string `json:"item_id"`
			Input       *string
			Item        json.RawMessage
			Response    struct{ Output []json.RawMessage }
		}
		must(t, json.Unmarshal(ev.Data, &e))
		said[e.ItemID] += e.Delta
		switch {
		case e.Input != nil && *e.Input != said[e.ItemID]:
			t.Errorf("the pieces of the input are %q, the whole is %q", said[e.ItemID], *e.Input)
		case e.Type == "response.output_item.done": // which Codex reads
			done = append(done, e.Item)
		case e.Type == "response.completed":
			if len(e.Response.Output) != len(done) {
				t.Errorf("%d items were done, and the response has %d", len(done), len(e.Response.Output))
			}
			return done
		}
	}
	t.Fatalf("no response.completed in %s", clip(client))
	return nil
}

// withoutIDs returns items without what the relay makes anew for each answer.
func withoutIDs(t *testing.T, items [][]byte) (list []map[string]any) {
	t.Helper()
	for _, item := range items {
		var o map[string]any
		must(t, json.Unmarshal(item, &o))
		for _, name := range []string{"id", "call_id", "status"} {
			delete(o, name)
		}
		list = append(list, o)
	}
	return list
}

// callID is the id of the call among items, as JSON.
func callID(t *testing.T, items [][]byte) []byte {
	t.Helper()
	id := jsonedit.Lookup(items[len(items)-1], "call_id")
	if len(id) < 3 || len(jsonedit.Lookup(items[len(items)-1], "id")) < 3 {
		t.Fatalf("the call has no ids: %s", items[len(items)-1])
	}
	return id
}

// sameItem compares the call among items, which is the last, with what is expected;
// another space in the arguments does not count.
func sameItem(t *testing.T, items [][]byte, want string) {
	t.Helper()
	if len(items) == 0 {
		t.Fatalf("got nothing, want %s", want)
	}
	got, item := withoutIDs(t, items[len(items)-1:])[0], withoutIDs(t, [][]byte{[]byte(want)})[0]
	for _, o := range []map[string]any{got, item} {
		if text, ok := o["arguments"].(string); ok {
			o["arguments"] = decodeNumbers(t, []byte(text))
		}
	}
	if !reflect.DeepEqual(got, item) {
		t.Errorf("got %v, want %s", got, want)
	}
}
