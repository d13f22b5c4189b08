package translators

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// demanding are requests that ask for all that a row can forbid, by the client's format.
var demanding = map[string]struct {
	dialect chat.Dialect
	body    string
}{
	"chat, with marks": {openai.Chat, `{"messages":[{"role":"system","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}]},
		{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"call_1","content":[{"type":"text","text":"r","cache_control":{"type":"ephemeral"}}]}],"max_tokens":9000,"top_k":3,"reasoning_effort":"high",
		"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object","properties":{},"additionalProperties":false}},"cache_control":{"type":"ephemeral"}}],"tool_choice":{"type":"function","function":{"name":"f"}}}`},
	"chat, forced": {openai.Chat, `{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"so far"}],"temperature":0.5,"top_p":0.97,"top_k":3,"stop":["x"],
		"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object"}}},{"type":"function","function":{"name":"g"}}],"tool_choice":"required"}`},
	"chat, a form alone":     {openai.Chat, `{"messages":[{"role":"user","content":"hi"}],"reasoning_effort":"minimal","response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"type":"object","properties":{"n":{"type":"integer","minimum":1}}}}}}`},
	"chat, a form and tools": {openai.Chat, `{"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"json_object"}}`},
	"chat, thinking":         {openai.Chat, `{"messages":[{"role":"user","content":"hi"}],"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2048},"temperature":0.5,"top_k":3,"output_config":{"effort":"max"}}`},
	"chat, adaptive":         {openai.Chat, `{"messages":[{"role":"user","content":"hi"}],"max_tokens":9000,"thinking":{"type":"adaptive"},"temperature":0.5,"reasoning_effort":"xhigh"}`},
	"chat": {openai.Chat, `{"messages":[{"role":"user","content":"hi"}],"max_tokens":9000,"reasoning_effort":"max","temperature":0.5,"top_p":0.5,"stop":["x"],
		"presence_penalty":0.5,"frequency_penalty":0.5,"logprobs":true,"top_logprobs":2,"logit_bias":{"5":1},
		"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"}}}}`},
	"responses": {openai.Responses, `{"input":"hi","max_output_tokens":9000,"reasoning":{"effort":"xhigh"},"temperature":0.5,"top_p":0.5,
		"tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],"text":{"format":{"type":"json_schema","name":"s","schema":{"type":"object"}}}}`},
	"anthropic": {anthropic.Dialect, `{"messages":[{"role":"user","content":"hi"}],"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2048},"temperature":1,"top_p":0.96,"stop_sequences":["x"],
		"tools":[{"name":"f","input_schema":{"type":"object"}}],"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`},
	"anthropic, off": {anthropic.Dialect, `{"messages":[{"role":"user","content":"hi"}],"max_tokens":9000,"thinking":{"type":"disabled"},"temperature":1}`},
	"gemini": {gemini.Dialect, `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}],
		"generationConfig":{"maxOutputTokens":9000,"temperature":0.5,"topP":0.5,"stopSequences":["x"],"presencePenalty":0.5,"frequencyPenalty":0.5,"thinkingConfig":{"thinkingBudget":2048}}}`},
	"bedrock": {bedrock.Dialect, `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":9000,"temperature":0.5,"topP":0.5,"stopSequences":["x"]},
		"additionalModelRequestFields":{"reasoning_effort":"high"},"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}}]}}`},
}

// TestNothingThatTheModelsRowForbidsIsSent is a law: it holds for every row of every
// provider's table and the clients of every format.
func TestNothingThatTheModelsRowForbidsIsSent(t *testing.T) {
	rows := map[string]int{}
	for _, p := range Providers {
		kinds := p.Kinds
		if len(kinds) == 0 {
			kinds = []provider.Kind{{}}
		}
		for _, k := range kinds {
			serving := p
			if p.Variant != nil {
				serving = p.Variant(&target.Target{Provider: p.Name, Model: k.Model, Options: &k.Options})
			}
			if op := serving.Operations[route.Chat]; op != nil && op.Chat != nil {
				for i, row := range op.Table() {
					rows[p.Name]++
					to := &target.Target{Provider: p.Name, Route: route.Chat, Model: row.Example, Options: &k.Options}
					var family *provider.Family
					if op.Models == nil {
						family = op.Edit.Models.Of(to.Model)
						if i < len(op.Edit.Models) && family != &op.Edit.Models[i] { // the rows behind are of hosted tools
							t.Errorf("%s: %s is hidden by a row before its own", p.Name, to.Model)
						}
					}
					checkRow(t, op, to, &row, family)
				}
			}
		}
	}
	for _, name := range []string{"openai", "azure", "anthropic", "bedrock", "gemini", "mistral", "ollama", "xai", "deepseek", "databricks", "cerebras", "dashscope"} {
		if rows[name] < 2 {
			t.Errorf("%s: only %d rows were tried", name, rows[name])
		}
	}
}

func checkRow(t *testing.T, op *provider.Operation, to *target.Target, row *provider.Facts, family *provider.Family) {
	t.Helper()
	if !strings.HasPrefix(row.Document, "https://") {
		t.Errorf("%s, %s: the row names no document", to.Provider, to.Model)
	}
	for name, c := range demanding {
		r, err := chat.ParseRequest(c.dialect, []byte(c.body))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r.Model = to.Model
		ops := []*provider.Operation{op}
		if in := op.Instead; in != nil && in.Request(to, r) {
			ops = append(ops, in.Operation)
		}
		if family != nil && family.OnlyResponses {
			ops = ops[1:]
		}
		for _, op := range ops {
			body, err := op.AppendRequest(nil, to, r)
			if refused := new(chat.RequestError); errors.As(err, &refused) && slices.ContainsFunc(refusable[refused.Field], func(m string) bool { return slices.Contains(row.Without, m) }) {
				continue // by its name, which is as good
			}
			if err != nil {
				t.Errorf("%s, %s from %s: %v", to.Provider, to.Model, name, err)
				continue
			}
			var sent any
			if err := json.Unmarshal(body, &sent); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			wrong := forbidden(row, sent)
			if family != nil {
				wrong = append(wrong, forbiddenByFamily(family, body)...)
			}
			for _, wrong := range wrong {
				t.Errorf("%s, %s from %s: %s is sent: %s", to.Provider, to.Model, name, wrong, body)
			}
		}
	}
}

// refusable are the fields that a request may be refused for, and the member that the
// row then does not have.
var refusable = map[string][]string{"tools": {"tools"}, "": {"system", "systemInstruction"}}

// forbidden names what of a body the row forbids.
func forbidden(row *provider.Facts, sent any) (wrong []string) {
	for _, path := range row.Without {
		if len(at(sent, path)) > 0 {
			wrong = append(wrong, path)
		}
	}
	for _, pair := range row.Apart {
		if len(at(sent, pair[0])) > 0 && len(at(sent, pair[1])) > 0 {
			wrong = append(wrong, pair[0]+" beside "+pair[1])
		}
	}
	for _, path := range row.EffortAt {
		for _, effort := range at(sent, path) {
			if level, _ := effort.(string); !slices.Contains(row.Efforts, level) {
				wrong = append(wrong, path+" "+level)
			}
		}
	}
	return wrong
}

// at returns the values at a dotted path; "*" is any element or member.
func at(v any, path string) (found []any) {
	name, rest, more := strings.Cut(path, ".")
	var next []any
	switch v := v.(type) {
	case []any:
		if name == "*" {
			next = v
		}
	case map[string]any:
		if one, ok := v[name]; ok {
			next = []any{one}
		} else if name == "*" {
			next = slices.Collect(maps.Values(v))
		}
	}
	if !more {
		return next
	}
	for _, one := range next {
		found = append(found, at(one, rest)...)
	}
	return found
}

// forbiddenByFamily names what of a body in OpenAI's format the row forbids beside its
// members.
func forbiddenByFamily(row *provider.Family, body []byte) (wrong []string) {
	var sent map[string]json.RawMessage
	if json.Unmarshal(body, &sent) != nil {
		return []string{"no object"}
	}
	if row.Limit != "" && sent["max_tokens"] != nil {
		wrong = append(wrong, "max_tokens")
	}
	if think := sent["think"]; think != nil && len(row.Efforts) == 0 {
		wrong = append(wrong, "think")
	}
	if row.QuietTools && slices.Contains(row.Efforts, "none") && sent["messages"] != nil && sent["tools"] != nil &&
		string(sent["reasoning_effort"]) != `"none"` && (row.Default != "none" || sent["reasoning_effort"] != nil) {
		wrong = append(wrong, "tools beside an effort")
	}
	if row.NoSchema && strings.Contains(string(sent["response_format"]), "schema") {
		wrong = append(wrong, "a schema")
	}
	off := strings.Contains(string(sent["thinking"]), `"disabled"`) // leaves the temperature free
	if sent["thinking"] != nil && (row.Thinking == nil || sent["temperature"] != nil && !off) {
		wrong = append(wrong, "thinking")
	}
	return wrong
}
