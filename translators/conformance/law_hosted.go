package conformance

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/provider"
)

// The law of hosted tools: a tool that the client's provider would run itself is mapped
// to what the target has, or left out by its name, and refused by its name where the
// client forces it or asks for nothing else. What such tools left in the history is text
// or nothing to a target of another format.

// hostedTools are those of a client's format, in its words.
var hostedTools = map[provider.Format][]struct {
	name  string // as it is left out or refused
	tool  string
	force string // the choice that forces it, "" where the format has none
}{
	provider.OpenAIResponses: {
		{"web_search", `{"type":"web_search"}`, `{"type":"web_search"}`},
		{"code_interpreter", `{"type":"code_interpreter","container":{"type":"auto"}}`, `{"type":"code_interpreter"}`},
		{"image_generation", `{"type":"image_generation"}`, `{"type":"image_generation"}`},
		{"file_search", `{"type":"file_search","vector_store_ids":["vs_1"]}`, `{"type":"file_search"}`},
	},
	provider.AnthropicMessages: {
		{"web_search", `{"type":"web_search_20250305","name":"web_search"}`, `{"type":"tool","name":"web_search"}`},
		{"web_fetch", `{"type":"web_fetch_20250910","name":"web_fetch"}`, `{"type":"tool","name":"web_fetch"}`},
		{"code_execution", `{"type":"code_execution_20250825","name":"code_execution"}`, `{"type":"tool","name":"code_execution"}`},
	},
	provider.GeminiGenerate: {
		{"googleSearch", `{"googleSearch":{}}`, ""},
		{"urlContext", `{"urlContext":{}}`, ""},
		{"codeExecution", `{"codeExecution":{}}`, ""},
	},
	provider.BedrockConverse: {
		{"nova_grounding", `{"systemTool":{"name":"nova_grounding"}}`, `{"tool":{"name":"nova_grounding"}}`},
	},
}

// hostedHistory is an answer in which such tools ran, and what no other format may have of
// it.
var hostedHistory = map[provider.Format]struct{ kept, never []string }{
	provider.OpenAIResponses: {[]string{
		`{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"oslo"}}`,
		`{"type":"code_interpreter_call","id":"ci_1","status":"completed","container_id":"cntr_1","code":"1+1","outputs":null}`,
		`{"type":"file_search_call","id":"fs_1","status":"completed","queries":["oslo"],"results":null}`,
		`{"type":"image_generation_call","id":"ig_1","status":"completed","result":"iVBORw0KGgo="}`,
		`{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"It was searched.","annotations":[{"type":"url_citation","start_index":0,"end_index":2,"url":"https://example.org/a","title":"A"}]}]}`,
	}, []string{`"web_search_call"`, `"code_interpreter_call"`, `"file_search_call"`, `"image_generation_call"`, `"url_citation"`}},
	provider.AnthropicMessages: {[]string{
		`{"role":"assistant","content":[{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"oslo"}},` +
			`{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"https://example.org/a","title":"A","encrypted_content":"c2VhbGVkIHBhZ2U=","page_age":null}]},` +
			`{"type":"text","text":"It was searched.","citations":[{"type":"web_search_result_location","url":"https://example.org/a","title":"A","encrypted_index":"c2VhbGVkIGluZGV4","cited_text":"It"}]}]}`,
	}, []string{`"server_tool_use"`, `srvtoolu_1`, `"web_search_tool_result"`, `c2VhbGVk`}},
	provider.GeminiGenerate: {[]string{
		`{"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":"print(1)"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}},{"text":"It was searched."}]}`,
	}, []string{`"executableCode"`, `"codeExecutionResult"`}},
}

// newBlocks are answers with a block of a kind that is not known yet, and its name.
var newBlocks = map[provider.Format][2]string{
	provider.OpenAIChat:        {"new_tool_result", `{"role":"assistant","content":[{"type":"new_tool_result","page":"sealed"},{"type":"text","text":"It was found."}]}`},
	provider.AnthropicMessages: {"new_tool_result", `{"role":"assistant","content":[{"type":"new_tool_result","page":"sealed"},{"type":"text","text":"It was found."}]}`},
	provider.GeminiGenerate:    {"newToolResult", `{"role":"model","parts":[{"newToolResult":{"page":"sealed"}},{"text":"It was found."}]}`},
	provider.BedrockConverse:   {"newToolResult", `{"role":"assistant","content":[{"newToolResult":{"page":"sealed"}},{"text":"It was found."}]}`},
}

// checkNewBlocks holds that such a block ends no conversation, and is left out by its name.
func (p *pair) checkNewBlocks(t *testing.T, history []json.RawMessage) {
	block, ok := newBlocks[p.api.Format]
	if !ok {
		return
	}
	history = append(append(history[:len(history):len(history)], json.RawMessage(block[1])), p.client.says("And the other?")...)
	u, err := p.ask(t, p.client.request(history, &asked{model: p.target.Model}), false)
	if err != nil {
		t.Fatalf("a new kind of block in the history is refused: %v", err)
	}
	u.wants(t, "It was found.", "And the other?")
	if !slices.Contains(u.left, block[0]) || bytes.Contains(u.upstream, []byte("sealed")) {
		t.Errorf("a new kind of block is not left out by name: %v, %s", u.left, clip(u.upstream))
	}
}

func checkHosted(t *testing.T, p *pair) {
	if p.same {
		return // the client's own words are forwarded
	}
	history := p.client.says("Look at both cities.")
	p.checkNewBlocks(t, history)
	for _, h := range hostedTools[p.api.Format] {
		t.Run(h.name, func(t *testing.T) {
			p.checkOffered(t, history, h.tool, h.name, nil, !p.lacks(Calls))
			p.checkOffered(t, history, h.tool, h.name, nil, false)
			if h.force != "" {
				p.checkOffered(t, history, h.tool, h.name, json.RawMessage(h.force), !p.lacks(Calls))
			}
		})
	}
	ran, ok := hostedHistory[p.api.Format]
	if !ok {
		return
	}
	for _, item := range ran.kept {
		history = append(history, json.RawMessage(item))
	}
	history = append(history, p.client.says("And the other?")...)
	u, err := p.ask(t, p.client.request(history, &asked{model: p.target.Model}), false)
	if err != nil {
		t.Fatalf("what hosted tools left in the history is refused: %v", err)
	}
	u.wants(t, "It was searched.", "And the other?")
	for _, no := range ran.never {
		if bytes.Contains(u.upstream, []byte(no)) {
			t.Errorf("%s of a hosted tool reached another format: %s", no, clip(u.upstream))
		}
	}
}

// checkOffered offers a hosted tool, alone or beside functions, and perhaps forces it.
func (p *pair) checkOffered(t *testing.T, history []json.RawMessage, tool, name string, force json.RawMessage, functions bool) {
	t.Helper()
	offer := asked{model: p.target.Model, tools: functions, hosted: []json.RawMessage{json.RawMessage(tool)}, force: force}
	u, err := p.ask(t, p.client.request(history, &offer), false)
	switch {
	case err != nil && functions && force == nil:
		t.Errorf("is refused beside functions: %v", err)
	case err != nil:
		if message := err.Error(); !strings.Contains(message, "tools") && !strings.Contains(message, name) {
			t.Errorf("the refusal names no tool: %v", err)
		}
		return
	case slices.Contains(u.left, name) && (force != nil || !functions):
		t.Error("is left out, where the client asks for nothing else")
	case slices.Contains(u.left, name):
		return
	}
	offer.hosted, offer.force = nil, nil
	if without, err := p.ask(t, p.client.request(history, &offer), false); err == nil && bytes.Equal(without.upstream, u.upstream) {
		t.Errorf("is neither mapped nor named as left out: %v", u.left)
	}
}
