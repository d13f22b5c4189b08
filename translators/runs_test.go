package translators

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

const (
	claudeRuns = `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"news"}},` +
		`{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"https://x.test","title":"X","encrypted_content":"sealed-page"}]},` +
		`{"type":"server_tool_use","id":"srvtoolu_2","name":"bash_code_execution","input":{"command":"ls"}},` +
		`{"type":"bash_code_execution_tool_result","tool_use_id":"srvtoolu_2","content":{"type":"bash_code_execution_result","stdout":"a.txt","stderr":"","return_code":0,"content":[]}},` +
		`{"type":"mcp_tool_use","id":"mcptoolu_3","name":"look","server_name":"docs","input":{"q":1}},` +
		`{"type":"mcp_tool_result","tool_use_id":"mcptoolu_3","is_error":false,"content":[{"type":"text","text":"page one"}]}`
	novaRuns = `{"toolUse":{"toolUseId":"tooluse_1","name":"nova_grounding","type":"server_tool_use","input":{"query":"news"}}},` +
		`{"toolResult":{"toolUseId":"tooluse_1","status":"success","type":"nova_grounding_result","content":[{"text":"[HIDDEN]"}]}},` +
		`{"toolUse":{"toolUseId":"tooluse_2","name":"nova_code_interpreter","type":"server_tool_use","input":{"snippet":"ls"}}},` +
		`{"toolResult":{"toolUseId":"tooluse_2","status":"success","type":"nova_code_interpreter_result","content":[{"text":"{\"stdOut\":\"a.txt\",\"stdErr\":\"\",\"exitCode\":0,\"isError\":false}"}]}}`
	groqRuns = `{"index":0,"type":"search","arguments":"{\"query\":\"news\"}","output":"Title: X","search_results":{"results":[{"title":"X","url":"https://x.test","content":"c","score":0.9}]}},` +
		`{"index":1,"type":"python","arguments":"{\"code\":\"ls\"}","output":"a.txt","code_results":[{"text":"a.txt"}]}`
	geminiRuns = `{"toolCall":{"toolType":"GOOGLE_SEARCH_WEB","id":"a","args":{"queries":["news"]}},"thoughtSignature":"sig-a"},{"toolResponse":{"toolType":"GOOGLE_SEARCH_WEB","id":"a","response":{"search_suggestions":"x"}},"thoughtSignature":"sig-b"},{"executableCode":{"language":"PYTHON","code":"ls"},"thoughtSignature":"sig"},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"a.txt"}}`
	openaiRuns = `{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"news","sources":[{"type":"url","url":"https://x.test"}]}},` +
		`{"type":"code_interpreter_call","id":"ci_2","status":"completed","container_id":"cntr_1","code":"print(1)","outputs":[{"type":"logs","logs":"a.txt"}]},` +
		`{"type":"mcp_call","id":"mcp_3","status":"completed","server_label":"docs","name":"look","arguments":"{\"q\":1}","output":"page one","error":null}`
)

// hosting are providers that run tools, what they run of a search, code and the tool of a
// server, and an answer of theirs, whole.
var hosting = map[string]struct {
	model, runs, has string
	op               func(p *provider.Provider) *provider.Operation
	whole            string
}{
	"anthropic": {"claude-sonnet-4-5", claudeRuns, "search code server", ofChat,
		`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[` + claudeRuns + `,{"type":"text","text":"Done."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`},
	"gemini": {"gemini-3-flash", geminiRuns, "search code", ofChat, ofGemini},
	"bedrock": {"us.amazon.nova-2-lite-v1:0", novaRuns, "search code", ofChat,
		`{"output":{"message":{"role":"assistant","content":[` + novaRuns + `,{"text":"Done."}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2}}`},
	"groq": {"openai/gpt-oss-120b", "", "search code", ofChat, // which takes none back
		`{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Done.","executed_tools":[` + groqRuns + `]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`},
	"openai": {"gpt-5", openaiRuns, "search code server", func(p *provider.Provider) *provider.Operation { return p.Operations[route.Chat].Instead.Operation },
		`{"id":"resp_1","object":"response","status":"completed","output":[` + openaiRuns + `,{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"Done.","annotations":[]}]}],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}`},
}

func ofChat(p *provider.Provider) *provider.Operation { return p.Operations[route.Chat] }

var ofGemini = `{"responseId":"r","candidates":[{"index":0,"content":{"role":"model","parts":[` + geminiRuns + `,{"text":"Done."}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2}}`

// streamed are the events of a whole answer of a provider. One that begins with a word is
// called that.
func streamed(name, whole string) (events []string) {
	switch name {
	case "bedrock":
		return novaStream(whole)
	case "groq":
		for _, run := range jsonedit.Elements([]byte("["+groqRuns+"]"), nil) {
			begun := run
			for _, name := range []string{"output", "search_results", "code_results"} {
				begun = jsonedit.With(begun, name, nil)
			}
			for _, one := range [][]byte{begun, run} {
				events = append(events, fmt.Sprintf(`{"id":"c","choices":[{"index":0,"delta":{"executed_tools":[%s]}}]}`, one))
			}
		}
		return append(events, `{"id":"c","choices":[{"index":0,"delta":{"content":"Done."}}]}`, `{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, `[DONE]`)
	case "gemini":
		for _, p := range jsonedit.Elements(jsonedit.Lookup(jsonedit.Elements(jsonedit.Lookup([]byte(whole), "candidates"), nil)[0], "content", "parts"), nil) {
			events = append(events, `{"responseId":"r","candidates":[{"index":0,"content":{"role":"model","parts":[`+string(p)+`]}}]}`)
		}
		return append(events, `{"responseId":"r","candidates":[{"index":0,"finishReason":"STOP"}]}`)
	case "openai":
		for i, item := range jsonedit.Elements(jsonedit.Lookup([]byte(whole), "output"), nil) {
			events = append(events, fmt.Sprintf(`{"type":"response.output_item.done","output_index":%d,"item":%s}`, i, item))
		}
		return append(events, `{"type":"response.completed","response":`+whole+`}`)
	}
	events = append(events, `{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":1}}}`)
	for i, b := range jsonedit.Elements(jsonedit.Lookup([]byte(whole), "content"), nil) {
		input := jsonedit.Lookup(b, "input")
		if input != nil {
			b = jsonedit.With(b, "input", []byte("{}"))
		}
		events = append(events, fmt.Sprintf(`{"type":"content_block_start","index":%d,"content_block":%s}`, i, b))
		if input != nil {
			events = append(events, fmt.Sprintf(`{"type":"content_block_delta","index":%d,"delta":%s}`, i, append(jsonedit.AppendText([]byte(`{"type":"input_json_delta"`), "partial_json", string(input)), '}')))
		}
		events = append(events, fmt.Sprintf(`{"type":"content_block_stop","index":%d}`, i))
	}
	return append(events, `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}`, `{"type":"message_stop"}`)
}

// novaStream are the events of a whole answer of Converse.
func novaStream(whole string) (events []string) {
	events = append(events, `messageStart {"role":"assistant"}`)
	for i, b := range jsonedit.Elements(jsonedit.Lookup([]byte(whole), "output", "message", "content"), nil) {
		at := fmt.Sprintf(`{"contentBlockIndex":%d`, i)
		delta := append([]byte(`{"text":`), jsonedit.Lookup(b, "text")...)
		for _, c := range [][2]string{{"toolUse", "input"}, {"toolResult", "content"}} {
			block := jsonedit.Lookup(b, c[0])
			if block == nil {
				continue
			}
			said := jsonedit.Lookup(block, c[1])
			delta = append([]byte(`{"toolResult":`), said...)
			if c[1] == "input" {
				delta = append(jsonedit.AppendText([]byte(`{"toolUse":{`), "input", string(said)), '}')
			}
			events = append(events, fmt.Sprintf(`contentBlockStart %s,"start":{"%s":%s}}`, at, c[0], jsonedit.With(block, c[1], nil)))
		}
		events = append(events, fmt.Sprintf(`contentBlockDelta %s,"delta":%s}}`, at, delta), `contentBlockStop `+at+`}`)
	}
	return append(events, `messageStop {"stopReason":"end_turn"}`, `metadata {"usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2}}`)
}

// toClient is an answer as a client gets it: the items or blocks, of the whole or out of
// the stream.
func toClient(t *testing.T, op *provider.Operation, to *target.Target, dialect chat.Dialect, name, whole string, inPieces bool) (list, all []byte) {
	t.Helper()
	meta := chat.Meta{ID: "9", Model: "m", Origin: op.Own(to)}
	if !inPieces {
		resp, err := op.Chat.ParseResponse(to, []byte(whole))
		if err != nil {
			t.Fatal(err)
		}
		resp.Meta = meta
		if all, err = dialect.AppendResponse(nil, resp); err != nil {
			t.Fatal(err)
		}
		return answered(dialect, all), all
	}
	s, e := op.Chat.NewStream(to), dialect.NewEncoder(meta)
	for _, ev := range streamed(name, whole) {
		kind, data, named := strings.Cut(ev, " {")
		if data = "{" + data; !named || strings.HasPrefix(ev, "{") {
			kind, data = "", ev
		}
		deltas, err := s.Next(frame.Event{Type: []byte(kind), Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range deltas {
			all = e.Append(all, &deltas[i])
		}
	}
	if name == "gemini" { // whose streams have no last event
		all = e.Append(all, &chat.Delta{Kind: chat.End})
	}
	switch dialect {
	case gemini.Dialect:
		return partsOf(t, all), all
	case bedrock.Dialect:
		return blocksOf(t, all), all
	}
	list = []byte{'['}
	for line := range strings.SplitSeq(string(all), "\n") {
		data := []byte(strings.TrimPrefix(line, "data: "))
		if len(data) == len(line) {
			continue
		}
		if jsonedit.Valid(data) != nil {
			t.Fatalf("an event is no JSON: %s", line)
		}
		switch kind, _ := jsonedit.String(jsonedit.Lookup(data, "type")); kind {
		case "response.completed":
			return jsonedit.Lookup(data, "response", "output"), all
		case "content_block_start":
			list = append(jsonedit.AppendComma(list), jsonedit.Lookup(data, "content_block")...)
		case "content_block_delta":
			if input, ok := jsonedit.String(jsonedit.Lookup(data, "delta", "partial_json")); ok {
				list = []byte(strings.TrimSuffix(string(list), `{}}`) + input + "}")
			} else if text := jsonedit.Lookup(data, "delta", "text"); text != nil {
				list = []byte(strings.TrimSuffix(string(list), `""}`) + string(text) + "}")
			}
		}
	}
	return append(list, ']'), all
}

// answered are the items, blocks or parts of a whole answer.
func answered(dialect chat.Dialect, whole []byte) []byte {
	switch dialect {
	case anthropic.Dialect:
		return jsonedit.Lookup(whole, "content")
	case gemini.Dialect:
		return jsonedit.Lookup(jsonedit.Elements(jsonedit.Lookup(whole, "candidates"), nil)[0], "content", "parts")
	case bedrock.Dialect:
		return jsonedit.Lookup(whole, "output", "message", "content")
	}
	return jsonedit.Lookup(whole, "output")
}

// partsOf are the parts of a stream in Gemini's format.
func partsOf(t *testing.T, stream []byte) []byte {
	t.Helper()
	list := []byte{'['}
	for line := range strings.SplitSeq(string(stream), "\n") {
		data, found := strings.CutPrefix(line, "data: ")
		if !found {
			continue
		}
		if jsonedit.Valid([]byte(data)) != nil {
			t.Fatalf("an event is no JSON: %s", line)
		}
		for _, c := range jsonedit.Elements(jsonedit.Lookup([]byte(data), "candidates"), nil) {
			for _, p := range jsonedit.Elements(jsonedit.Lookup(c, "content", "parts"), nil) {
				list = append(jsonedit.AppendComma(list), p...)
			}
		}
	}
	return append(list, ']')
}

// blocksOf are the blocks of a stream in Converse's format.
func blocksOf(t *testing.T, stream []byte) []byte {
	t.Helper()
	var blocks [][]byte
	events := frame.New(frame.EventStream, bytes.NewReader(stream), 0)
	for ev, err := events.Next(); err == nil; ev, err = events.Next() {
		i, _ := strconv.Atoi(string(jsonedit.Lookup(ev.Data, "contentBlockIndex")))
		switch string(ev.Type) {
		case "contentBlockStart":
			blocks = append(blocks, bytes.Clone(jsonedit.Lookup(ev.Data, "start")))
		case "contentBlockDelta":
			if i == len(blocks) {
				blocks = append(blocks, bytes.Clone(jsonedit.Lookup(ev.Data, "delta")))
				continue
			}
			delta := jsonedit.Lookup(ev.Data, "delta")
			if input, ok := jsonedit.String(jsonedit.Lookup(delta, "toolUse", "input")); ok {
				blocks[i] = jsonedit.With(blocks[i], "toolUse", jsonedit.With(jsonedit.Lookup(blocks[i], "toolUse"), "input", []byte(input)))
			} else if pieces := jsonedit.Lookup(delta, "toolResult"); pieces != nil {
				blocks[i] = jsonedit.With(blocks[i], "toolResult", jsonedit.With(jsonedit.Lookup(blocks[i], "toolResult"), "content", pieces))
			}
		}
	}
	return append(append([]byte{'['}, bytes.Join(blocks, []byte{','})...), ']')
}

func TestRunsOfHostedToolsReachClientsAndGoBackToTheirMaker(t *testing.T) {
	for name, c := range hosting {
		p := Lookup(name)
		op, to := c.op(p), &target.Target{Provider: name, Model: c.model, Route: route.Chat, Options: &target.Options{}}
		for client, d := range runClients {
			for _, inPieces := range []bool{false, true} {
				if client == name { // whose format is not translated
					continue
				}
				about := fmt.Sprintf("%s to %s, streamed %v", name, client, inPieces)
				list, all := toClient(t, op, to, d.dialect, name, c.whole, inPieces)
				for kind, words := range d.sees {
					for _, want := range words {
						if strings.Contains(c.has, kind) && !strings.Contains(string(list)+string(all), want) {
							t.Errorf("%s: %s is not in %s", about, want, all)
						}
					}
				}
				if client == "responses" && inPieces {
					checkRunEvents(t, about, string(all), c.has)
				}
				said := strings.TrimSuffix(strings.TrimPrefix(string(list), "["), "]")
				if client == "responses" {
					said += ","
				}
				history, err := chat.ParseRequest(d.dialect, fmt.Appendf(nil, d.ask, said))
				if err != nil {
					t.Fatalf("%s: %v", about, err)
				}
				checkReturned(t, about, op, to, history, c.runs, d.sees)
			}
		}
	}
}

// runClients are the formats of clients with their words for a search, code, and the tool
// of a server, and a request in which an answer stands.
var runClients = map[string]struct {
	dialect chat.Dialect
	ask     string
	sees    map[string][]string
}{
	"responses": {openai.Responses, `{"input":[{"role":"user","content":"go"},%s{"role":"user","content":"and?"}]}`, map[string][]string{
		"search": {`"type":"web_search_call","status":"completed","action":{"type":"search","query":"news"`},
		"code":   {`"type":"code_interpreter_call","status":"completed"`, `"outputs":[{"type":"logs","logs":"a.txt"}]`},
		"server": {`"type":"mcp_call","status":"completed","server_label":"docs","name":"look","arguments":"{\"q\":1}","output":"page one","error":null`},
	}},
	"anthropic": {anthropic.Dialect, `{"max_tokens":9,"messages":[{"role":"user","content":"go"},{"role":"assistant","content":[%s]},{"role":"user","content":"and?"}]}`, map[string][]string{
		"search": {`"name":"web_search","input":{"query":"news"}`},
		"code":   {`"type":"code_execution_tool_result"`, `"stdout":"a.txt"`},
		"server": {`"name":"look","server_name":"docs","input":{"q":1}`, `"is_error":false,"content":[{"type":"text","text":"page one"}]`},
	}},
	"gemini": {gemini.Dialect, `{"contents":[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[%s]},{"role":"user","parts":[{"text":"and?"}]}]}`, map[string][]string{
		"search": {`"groundingMetadata":{"webSearchQueries":["news"]`},
		"code":   {`{"executableCode":{"language":"PYTHON","code":"`, `{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"a.txt"}`},
	}},
	"bedrock": {bedrock.Dialect, `{"messages":[{"role":"user","content":[{"text":"go"}]},{"role":"assistant","content":[%s]},{"role":"user","content":[{"text":"and?"}]}]}`, map[string][]string{
		"search": {`"name":"nova_grounding","type":"server_tool_use"`, `"type":"nova_grounding_result"`},
		"code":   {`"name":"nova_code_interpreter","type":"server_tool_use"`, `"stdOut":"a.txt"`},
	}},
}

// checkReturned sends a history to who made the runs in it, and to others.
func checkReturned(t *testing.T, about string, op *provider.Operation, to *target.Target, history *chat.Request, runs string, sees map[string][]string) {
	t.Helper()
	asked := *history
	asked.Tools = []chat.Tool{chat.HostedTool("code_execution", "", nil)}
	own, err := op.AppendRequest(nil, to, &asked)
	if err != nil {
		t.Fatalf("%s: %v", about, err)
	}
	for _, run := range jsonedit.Elements([]byte("["+runs+"]"), nil) {
		if string(jsonedit.Lookup(run, "type")) == `"web_search_call"` {
			run = jsonedit.With(run, "id", nil)
		}
		if sees["server"] == nil && strings.Contains(string(run), `"mcp_`) {
			continue // the client's format has no such tool
		}
		if strings.Count(string(own), string(run)) != 1 {
			t.Errorf("%s: %s did not go back to its maker: %s", about, run, own)
		}
	}
	for _, other := range []string{"mistral", "gemini", "openai", "anthropic"} {
		if other == to.Provider {
			continue
		}
		to := &target.Target{Provider: other, Model: "m", Route: route.Chat, Options: &target.Options{}}
		body, err := Lookup(other).Operations[route.Chat].AppendRequest(nil, to, history)
		if err != nil {
			t.Errorf("%s, then to %s: %v", about, other, err)
			continue
		}
		for _, not := range []string{"server_tool_use", "_tool_result\"", "sealed-page", "ws_1", "redacted", origin.Prefix, "hosted:"} {
			if strings.Contains(string(body), not) {
				t.Errorf("%s, then to %s: %s was sent: %s", about, other, not, body)
			}
		}
		for _, want := range []string{"Done.", "page one", "a.txt"} { // the words of the runs
			if want == "page one" && (sees["server"] == nil || !strings.Contains(runs, want)) {
				continue
			}
			if !strings.Contains(string(body), want) {
				t.Errorf("%s, then to %s: %s was not sent: %s", about, other, want, body)
			}
		}
	}
}

// checkRunEvents holds that the events of runs come in the API's order.
func checkRunEvents(t *testing.T, about, stream, has string) {
	t.Helper()
	at := 0
	for i, name := range []string{
		"output_item.added", "web_search_call.in_progress", "web_search_call.searching", "web_search_call.completed", "output_item.done",
		"output_item.added", "code_interpreter_call.in_progress", "code_interpreter_call_code.delta", "code_interpreter_call_code.done", "code_interpreter_call.interpreting", "code_interpreter_call.completed", "output_item.done",
		"output_item.added", "mcp_call.in_progress", "mcp_call_arguments.delta", "mcp_call_arguments.done", "mcp_call.completed", "output_item.done", "output_text.delta", "completed",
	} {
		if i < 5 && !strings.Contains(has, "search") || i >= 12 && i < 18 && !strings.Contains(has, "server") {
			continue
		}
		i := strings.Index(stream[at:], "event: response."+name+"\n")
		if i < 0 {
			t.Errorf("%s: response.%s does not come where it belongs: %s", about, name, stream)
			return
		}
		at += i
	}
}

// A search that another provider made is not sent to Claude by its own clients.
func TestClaudeIsNotSentTheSearchesOfOthers(t *testing.T) {
	c := hosting["openai"]
	op, to := c.op(Lookup("openai")), &target.Target{Provider: "openai", Model: c.model, Route: route.Chat, Options: &target.Options{}}
	list, _ := toClient(t, op, to, anthropic.Dialect, "openai", c.whole, false)
	body := []byte(`{"messages":[{"role":"user","content":"go"},{"role":"assistant","content":` + string(list) + `},{"role":"user","content":"and?"}]}`)
	got := string(anthropic.OwnThinking(nil, &target.Target{}, body))
	if want := `{"messages":[{"role":"user","content":"go"},{"role":"assistant","content":[{"type":"text","text":"Done."}]},{"role":"user","content":"and?"}]}`; got != want {
		t.Errorf("got %s", got)
	}
	own := `{"messages":[{"role":"assistant","content":[` + claudeRuns + `]}]}`
	if got := string(anthropic.OwnThinking(nil, &target.Target{}, []byte(own))); got != own {
		t.Errorf("of its own runs is left %s", got)
	}
}

// A client of Converse's format sends what others ran back with the conversation: Bedrock
// gets nothing of it, and redacted reasoning is what SDKs can decode.
func TestBedrockIsNotSentTheRunsOfOthers(t *testing.T) {
	for _, name := range []string{"openai", "anthropic"} {
		c := hosting[name]
		op, to := c.op(Lookup(name)), &target.Target{Provider: name, Model: c.model, Route: route.Chat, Options: &target.Options{}}
		list, _ := toClient(t, op, to, bedrock.Dialect, name, c.whole, false)
		for _, b := range jsonedit.Elements(list, nil) {
			if data, ok := jsonedit.String(jsonedit.Lookup(b, "reasoningContent", "redactedContent")); ok {
				if _, err := base64.StdEncoding.DecodeString(data); err != nil {
					t.Errorf("%s: %v in %s", name, err, b)
				}
			}
		}
		body := `{"messages":[{"role":"assistant","content":` + string(list) + `}]}`
		for _, model := range []string{"us.amazon.nova-2-lite-v1:0", "anthropic.claude-sonnet-4-5"} {
			got := Lookup("bedrock").Operations[route.Chat].Edit.Request(nil, &target.Target{Model: model}, []byte(body))
			if want := `{"messages":[{"role":"assistant","content":[{"text":"Done."}]}]}`; string(got) != want {
				t.Errorf("%s, then %s is sent %s", name, model, got)
			}
		}
	}
}

// What others ran is words to Google, whose parts they are not.
func TestGoogleIsToldOfTheRunsOfOthers(t *testing.T) {
	c := hosting["openai"]
	op, to := c.op(Lookup("openai")), &target.Target{Provider: "openai", Model: c.model, Route: route.Chat, Options: &target.Options{}}
	list, _ := toClient(t, op, to, gemini.Dialect, "openai", c.whole, false)
	body := `{"contents":[{"role":"model","parts":` + string(list) + `}]}`
	got := Lookup("gemini").Native[provider.GeminiGenerate]
	if got == nil {
		got = Lookup("gemini").Operations[route.Chat]
	}
	sent := string(got.Edit.Request(nil, &target.Target{Model: "gemini-3-flash", Options: &target.Options{}}, []byte(body)))
	if want := `{"contents":[{"role":"model","parts":[{"text":"` + "```\\nprint(1)\\n```" + `"},{"text":"a.txt"},{"text":"Done."}]}]}`; sent != want {
		t.Errorf("is sent %s", sent)
	}
}

// What Google searched for comes with the last words of a stream, and is told behind them.
func TestSearchesOfGoogleAreTold(t *testing.T) {
	op, to := Lookup("gemini").Operations[route.Chat], &target.Target{Provider: "gemini", Model: "gemini-3-flash", Route: route.Chat, Options: &target.Options{}}
	const parts = `{"candidates":[{"content":{"parts":[{"text":"Done."}]}`
	const metadata = `"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["news"],"groundingChunks":[{"web":{"uri":"https://x.test","title":"X"}}],"groundingSupports":[{"segment":{"startIndex":0,"endIndex":5},"groundingChunkIndices":[0]}]}}]}`
	for name, c := range map[string]struct {
		dialect chat.Dialect
		want    []string
	}{
		"responses": {openai.Responses, []string{`"annotations":[{"type":"url_citation"`, `"type":"web_search_call","status":"completed","action":{"type":"search","query":"news","sources":[{"type":"url","url":"https://x.test"}]}`}},
		"anthropic": {anthropic.Dialect, []string{`Done.`, `"type":"server_tool_use"`, `"name":"web_search","input":{"query":"news"}`, `"type":"web_search_tool_result"`, `"type":"web_search_result","url":"https://x.test","title":"X"`}},
	} {
		list, _ := toClient(t, op, to, c.dialect, "gemini", parts+","+metadata, false)
		var stream []byte
		e, s := c.dialect.NewEncoder(chat.Meta{ID: "9", Model: "m", Origin: op.Own(to)}), op.Chat.NewStream(to)
		for _, ev := range []string{parts + "}]}", `{"candidates":[{` + metadata} {
			deltas, err := s.Next(frame.Event{Data: []byte(ev)})
			if err != nil {
				t.Fatal(err)
			}
			for i := range deltas {
				stream = e.Append(stream, &deltas[i])
			}
		}
		stream = e.Append(stream, &chat.Delta{Kind: chat.End})
		for how, got := range map[string]string{"whole": string(list), "streamed": string(stream[max(0, strings.LastIndex(string(stream), "response.completed")):])} {
			for _, want := range c.want {
				i := strings.Index(got, want)
				if i < 0 && !(how == "streamed" && name == "anthropic" && strings.Contains(want, `"input"`)) { // which comes in pieces
					t.Errorf("%s, %s: %s is not where it belongs in %s", name, how, want, got)
				}
				got = got[max(i, 0):]
			}
		}
	}
}
