package translators

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// demanding are requests that ask for all that a row can forbid, by the client's format.
var demanding = map[string]struct {
	dialect chat.Dialect
	body    string
}{
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
	rows := 0
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
			for on, op := range serving.Operations {
				if op.Chat == nil {
					continue
				}
				for i := range op.Edit.Models {
					rows++
					to := &target.Target{Provider: p.Name, Route: on, Model: exampleOf(&op.Edit.Models[i]), Options: &k.Options}
					if op.Edit.Models.Of(to.Model) != &op.Edit.Models[i] {
						t.Errorf("%s: %s is hidden by a row before its own", p.Name, to.Model)
					}
					checkRow(t, op, to, &op.Edit.Models[i])
				}
			}
		}
	}
	if rows < 50 {
		t.Errorf("only %d rows were tried", rows)
	}
}

// exampleOf is a name that the row is for.
func exampleOf(row *provider.Family) string {
	if row.Prefix == "" {
		return "a-model-to-come"
	}
	return strings.TrimSuffix(row.Prefix, "-")
}

func checkRow(t *testing.T, op *provider.Operation, to *target.Target, row *provider.Family) {
	t.Helper()
	if !strings.HasPrefix(row.Document, "https://") {
		t.Errorf("%s, %s: the row names no document", to.Provider, to.Model)
	}
	for name, c := range demanding {
		r, err := c.dialect.ParseRequest([]byte(c.body))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r.Model = to.Model
		ops := []*provider.Operation{op}
		if in := op.Instead; in != nil && in.Request(to, r) {
			ops = append(ops, in.Operation)
		}
		if row.OnlyResponses {
			ops = ops[1:]
		}
		for _, op := range ops {
			body, err := op.AppendRequest(nil, to, r)
			if err != nil {
				t.Errorf("%s, %s from %s: %v", to.Provider, to.Model, name, err)
				continue
			}
			var sent map[string]json.RawMessage
			if err := json.Unmarshal(body, &sent); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			for _, wrong := range forbidden(row, sent) {
				t.Errorf("%s, %s from %s: %s is sent: %s", to.Provider, to.Model, name, wrong, body)
			}
		}
	}
}

// forbidden names what of a body the row forbids.
func forbidden(row *provider.Family, sent map[string]json.RawMessage) (wrong []string) {
	for _, name := range row.Refuses {
		if sent[name] != nil {
			wrong = append(wrong, name)
		}
	}
	if row.Limit != "" && sent["max_tokens"] != nil {
		wrong = append(wrong, "max_tokens")
	}
	if think := sent["think"]; think != nil && len(row.Efforts) == 0 {
		wrong = append(wrong, "think")
	}
	effort := sent["reasoning_effort"]
	if r := sent["reasoning"]; r != nil { // in Responses, where functions go with any effort
		effort = jsonedit.Lookup(r, "effort")
	} else if row.QuietTools && sent["tools"] != nil && string(effort) != `"none"` {
		wrong = append(wrong, "tools beside an effort")
	}
	if effort != nil && !slices.Contains(row.Efforts, strings.Trim(string(effort), `"`)) {
		wrong = append(wrong, "reasoning_effort "+string(effort))
	}
	if row.NoSchema && strings.Contains(string(sent["response_format"]), "schema") {
		wrong = append(wrong, "a schema")
	}
	if row.Thinking == nil && sent["thinking"] != nil || sent["thinking"] != nil && sent["temperature"] != nil {
		wrong = append(wrong, "thinking")
	}
	return wrong
}
