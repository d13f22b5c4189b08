package openai

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// codexTools are tools as Codex and the Agents SDK offer them.
const codexTools = `[
 {"type":"function","name":"exec","parameters":{"type":"object"}},
 {"type":"custom","name":"apply_it","description":"edit files","format":{"type":"grammar","syntax":"lark","definition":"start: /.+/s"}},
 {"type":"namespace","name":"mcp__docs__","description":"docs","tools":[{"type":"function","name":"search","parameters":{"type":"object"}},{"type":"custom","name":"write"}]},
 {"type":"local_shell"},{"type":"shell","environment":{"type":"local"}},{"type":"apply_patch"},
 {"type":"tool_search","execution":"client","description":"find tools","parameters":{"type":"object","properties":{"query":{"type":"string"}}}},
 {"type":"computer"},
 {"type":"web_search","filters":{"allowed_domains":["a.org"]}},{"type":"image_generation"},{"type":"shell","environment":{"type":"container_auto"}}]`

func TestToolsOfTheClientAreFunctions(t *testing.T) {
	req, err := chat.ParseRequest(Responses, []byte(`{"input":"x","tools":`+codexTools+`}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]chat.ClientTool{
		"exec": {}, "apply_it": {Kind: "custom", Name: "apply_it"}, "mcp__docs__search": {Namespace: "mcp__docs__", Name: "search"},
		"mcp__docs__write": {Kind: "custom", Namespace: "mcp__docs__", Name: "write"}, "local_shell": {Kind: "local_shell", Name: "local_shell"},
		"shell": {Kind: "shell", Name: "shell"}, "apply_patch": {Kind: "apply_patch", Name: "apply_patch"},
		"tool_search": {Kind: "tool_search", Name: "tool_search"}, "computer": {Kind: "computer", Name: "computer"},
	}
	hosted := []string{}
	for _, tool := range req.Tools {
		if tool.Hosted != "" {
			hosted = append(hosted, tool.Name)
			continue
		}
		if own, ok := want[tool.Name]; !ok || own != tool.Client {
			t.Errorf("%s: got %+v, want %+v", tool.Name, tool.Client, own)
		}
		if !json.Valid(tool.Parameters) {
			t.Errorf("%s: its schema is %s", tool.Name, tool.Parameters)
		}
		delete(want, tool.Name)
	}
	if len(want) > 0 || !reflect.DeepEqual(hosted, []string{"web_search", "image_generation", "shell"}) {
		t.Errorf("missing %v, hosted %v", want, hosted)
	}
	if d := req.Tools[1].Description.String(); !strings.Contains(d, "edit files") || !strings.Contains(d, "lark") || !strings.Contains(d, "start: /.+/s") {
		t.Errorf("the description is %q", d)
	}
	if s := req.Hosts(chat.WebSearch).Search; !reflect.DeepEqual(s.Allowed, []string{"a.org"}) {
		t.Errorf("search %+v", s)
	}
}

func TestNamesOfFunctionsFitAndDiffer(t *testing.T) {
	tools := newToolbox(&chat.Request{})
	long := strings.Repeat("n", 60)
	seen := map[string]bool{}
	for _, pair := range [][2]string{{"", "a"}, {"n", "a"}, {"n__", "a"}, {"", "n__a"}, {long, "first"}, {long, "second"}, {"", "é"}, {"", "è"}} {
		name := tools.name(pair[0], pair[1])
		if len(name) > 64 || seen[name] || strings.ContainsAny(name, "éè. ") {
			t.Errorf("%v is called %q", pair, name)
		}
		if again := tools.name(pair[0], pair[1]); again != name {
			t.Errorf("%v is called %q, then %q", pair, name, again)
		}
		seen[name] = true
	}
}

// calls are calls as models make them, and the items that the client gets.
var toolCalls = []struct{ name, arguments, item string }{
	{"exec", `{"cmd":"ls"}`, `{"type":"function_call","name":"exec","arguments":"{\"cmd\":\"ls\"}"}`},
	{"apply_it", `{"input":"*** Begin\n+\"é\" \\ 😀"}`, `{"type":"custom_tool_call","name":"apply_it","input":"*** Begin\n+\"é\" \\ 😀"}`},
	{"mcp__docs__search", `{"q":1.0}`, `{"type":"function_call","name":"search","namespace":"mcp__docs__","arguments":"{\"q\":1.0}"}`},
	{"mcp__docs__write", `{"input":"w"}`, `{"type":"custom_tool_call","name":"write","namespace":"mcp__docs__","input":"w"}`},
	{"local_shell", `{"command":["ls","-l"],"timeout_ms":10}`, `{"type":"local_shell_call","action":{"type":"exec","command":["ls","-l"],"timeout_ms":10,"env":{}}}`},
	{"shell", `{"commands":["ls"]}`, `{"type":"shell_call","action":{"commands":["ls"]}}`},
	{"apply_patch", `{"type":"create_file","path":"a","diff":"+x"}`, `{"type":"apply_patch_call","operation":{"type":"create_file","path":"a","diff":"+x"}}`},
	{"tool_search", `{"query":"mail"}`, `{"type":"tool_search_call","execution":"client","arguments":{"query":"mail"}}`},
	{"computer", `{"actions":[{"type":"click","x":1,"y":2,"button":"left"}]}`, `{"type":"computer_call","pending_safety_checks":[],"actions":[{"type":"click","x":1,"y":2,"button":"left"}]}`},
}

func TestCallsComeBackAsTheItemsOfTheirToolsAndGoOnAsTheyWere(t *testing.T) {
	asked, err := chat.ParseRequest(Responses, []byte(`{"input":"x","tools":`+codexTools+`}`))
	if err != nil {
		t.Fatal(err)
	}
	m := meta
	m.Tools = asked.ClientTools()
	var parts []chat.Part
	for i, c := range toolCalls {
		parts = append(parts, chat.Part{Kind: chat.ToolCall, ID: "call_" + string(rune('a'+i)), Name: c.name, Arguments: jsonedit.Plain(c.arguments)})
	}
	whole, err := Responses.AppendResponse(nil, &chat.Response{Choices: []chat.Choice{{Parts: parts, Finish: chat.ToolCalls}}, Meta: m})
	if err != nil {
		t.Fatal(err)
	}
	e := Responses.NewEncoder(m)
	var stream []byte
	deltas := deltasOf(parts, chat.ToolCalls, nil)
	for i := range deltas[1:] { // the id is the relay's, as in the whole answer
		stream = e.Append(stream, &deltas[1+i])
	}
	last := streamed(t, stream)
	response, _ := json.Marshal(last["response"])
	var got, of struct{ Output []map[string]any }
	_, _ = json.Unmarshal(whole, &got), json.Unmarshal(response, &of)
	if !reflect.DeepEqual(got, of) {
		t.Errorf("whole %s\nstreamed %s", whole, response)
	}
	for i, item := range got.Output {
		want := map[string]any{"id": item["id"], "status": "completed", "call_id": "call_" + string(rune('a'+i))}
		if err := json.Unmarshal([]byte(toolCalls[i].item), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(item, want) {
			t.Errorf("%s: got %v\nwant %v", toolCalls[i].name, item, want)
		}
	}
	if !strings.Contains(string(stream), "event: response.custom_tool_call_input.delta") || !strings.Contains(string(stream), "event: response.custom_tool_call_input.done") {
		t.Errorf("no events of a custom tool in %s", stream)
	}

	next, _ := json.Marshal(map[string]any{"input": got.Output, "tools": json.RawMessage(codexTools)})
	req, err := chat.ParseRequest(Responses, next)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range req.Messages[0].Parts {
		if c := toolCalls[i]; p.Name != c.name || p.ID != parts[i].ID || !jsontest.Equal(t, []byte(p.Arguments.String()), []byte(c.arguments)) {
			t.Errorf("%s goes on as %s %s %s", c.name, p.ID, p.Name, p.Arguments.String())
		}
	}
}

func TestArgumentsThatAreNoObjectStillMakeAnItem(t *testing.T) {
	for kind, want := range map[string]string{
		localShell: `,"action":{"type":"exec","command":[],"env":{}}`, applyPatch: `,"operation":{"type":"update_file","path":"","diff":""}`, computerTool: `,"actions":[],"pending_safety_checks":[]`,
	} {
		for _, arguments := range []string{"", "[]", `{"x`, `"text"`} {
			if got := string(formOfKind(kind).appendMember([]byte("x"), []byte(arguments))); got != "x"+want {
				t.Errorf("%s of %q: %s", kind, arguments, got)
			}
		}
	}
}

func TestAllItemsOfAHistoryAreRead(t *testing.T) {
	body := `{"tools":` + codexTools + `,"input":[{"role":"user","content":"go"},
	 {"type":"additional_tools","role":"developer","tools":[{"type":"function","name":"later"}]},
	 {"type":"web_search_call","id":"ws","status":"completed","action":{"type":"search","query":"news"}},
	 {"type":"custom_tool_call","call_id":"c1","name":"apply_it","input":"a \"b\""},{"type":"custom_tool_call_output","call_id":"c1","output":"Done!"},
	 {"type":"local_shell_call","id":"lsh_1","call_id":"c2","status":"completed","action":{"type":"exec","command":["ls"],"env":{}}},{"type":"local_shell_call_output","id":"lsh_1","output":"a.txt"},
	 {"type":"shell_call","call_id":"c3","action":{"commands":["ls"]}},{"type":"shell_call_output","call_id":"c3","output":[{"stdout":"b.txt","stderr":"","outcome":{"type":"exit","exit_code":0}}]},
	 {"type":"apply_patch_call","call_id":"c4","status":"completed","operation":{"type":"delete_file","path":"p"}},{"type":"apply_patch_call_output","call_id":"c4","status":"failed"},
	 {"type":"computer_call","id":"cu","call_id":"c5","actions":[{"type":"screenshot"}],"pending_safety_checks":[],"status":"completed"},{"type":"computer_call_output","call_id":"c5","output":{"type":"computer_screenshot","image_url":"data:image/png;base64,AA=="}},
	 {"type":"tool_search_call","call_id":"c6","execution":"client","arguments":{"query":"mail"}},{"type":"tool_search_output","call_id":"c6","execution":"client","tools":[{"type":"namespace","name":"mail","tools":[{"type":"function","name":"send","defer_loading":true}]}]},
	 {"type":"tool_search_call","execution":"server","arguments":{"paths":["x"]}},{"type":"tool_search_output","execution":"server","tools":[{"type":"function","name":"deferred"}]},
	 {"type":"function_call","call_id":"c7","name":"send","namespace":"mail","arguments":"{}"},{"type":"function_call_output","call_id":"c7","output":[{"type":"input_text","text":"sent"}]},
	 {"type":"mcp_call","id":"m","name":"roll","server_label":"dice","arguments":"{}","output":"4"},
	 {"type":"reasoning","id":"rs","summary":[],"encrypted_content":"gAAAA"},
	 {"role":"user","content":"and now?"}]}`
	req, err := chat.ParseRequest(Responses, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	out, err := Upstream{}.AppendRequest(nil, &target.Target{Model: "m", Options: &target.Options{}}, req)
	if err != nil {
		t.Fatal(err)
	}
	sent := string(out)
	for _, want := range []string{`"name":"later"`, `"arguments":"{\"input\":\"a \\\"b\\\"\"}"`, `"tool_call_id":"c1","content":"Done!"`, `"arguments":"{\"command\":[\"ls\"]}"`,
		`"tool_call_id":"c2","content":"a.txt"`, `b.txt`, `"tool_call_id":"c4","content":"failed"`, `"url":"data:image/png;base64,AA=="`, `"name":"mail__send"`,
		`"content":"These tools can be called from now on: mail__send"`, `"name":"deferred"`, `"tool_call_id":"c7","content":"sent"`, `roll`} {
		if !strings.Contains(sent, want) {
			t.Errorf("%s is missing in %s", want, sent)
		}
	}
	for _, not := range []string{"gAAAA", "news"} {
		if strings.Contains(sent, not) {
			t.Errorf("%s was sent: %s", not, sent)
		}
	}
	results := 0
	for _, m := range req.Messages {
		if m.Role == chat.ToolRole {
			results++
		}
	}
	if results != 7 {
		t.Errorf("%d results", results)
	}
}

func TestChoicesNameToolsAsTheClientKnowsThem(t *testing.T) {
	for choice, want := range map[string]chat.ToolChoice{
		`"required"`:                                                    {Mode: "required"},
		`{"type":"function","name":"exec"}`:                             {Mode: "function", Name: "exec"},
		`{"type":"custom","name":"apply_it"}`:                           {Mode: "function", Name: "apply_it"},
		`{"type":"apply_patch"}`:                                        {Mode: "function", Name: "apply_patch"},
		`{"type":"image_generation"}`:                                   {Mode: "function", Name: "image_generation"},
		`{"type":"function","name":"search","namespace":"mcp__docs__"}`: {Mode: "function", Name: "mcp__docs__search"},
	} {
		req, err := chat.ParseRequest(Responses, []byte(`{"input":"x","tools":`+codexTools+`,"tool_choice":`+choice+`}`))
		if err != nil || req.ToolChoice != want {
			t.Errorf("%s: %v %+v", choice, err, req)
		}
	}
	req, err := chat.ParseRequest(Responses, []byte(`{"input":"x","tools":`+codexTools+`,"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"custom","name":"apply_it"},{"type":"namespace","name":"mcp__docs__"},{"type":"shell"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range req.Tools {
		names = append(names, tool.Name)
	}
	if want := []string{"apply_it", "mcp__docs__search", "mcp__docs__write", "shell", "shell"}; !reflect.DeepEqual(names, want) || req.ToolChoice.Mode != "auto" {
		t.Errorf("allowed %v, %+v", names, req.ToolChoice)
	}
}
