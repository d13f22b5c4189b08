package bedrock

import (
	"bytes"
	"slices"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// formatTool is the tool through which a model without structured outputs gives an
// answer in the requested form. The client gets the call's arguments as text.
const formatTool = "response_format_json"

// formatByTool says whether the asked form needs that tool. Models that cannot be
// made to call it are asked in words.
func (q *query) formatByTool() bool {
	return q.ResponseFormat.Type == "json_schema" && !q.model.schema && q.forces && !q.model.unnamed
}

// appendToolConfig writes the tools and which of them must be called.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html
func (q *query) appendToolConfig(dst []byte) ([]byte, error) {
	if own := q.native("toolConfig"); own != nil {
		return jsonedit.AppendRaw(dst, "toolConfig", own), nil
	}
	called := chat.CalledTools(q.turns)
	offered := q.ToolChoice.Mode != "none" && len(q.Tools) > 0
	tools := []byte{'['}
	switch {
	case offered, len(q.Tools) > 0 && len(called) > 0:
		tools = q.appendTools(tools)
	default:
		// A history with calls is refused without toolConfig, even if the client no
		// longer offers tools.
		for _, name := range called {
			tools = appendToolSpec(tools, name, jsonedit.Text{}, chat.Raw(`{"type":"object"}`), false)
		}
	}
	if q.formatByTool() {
		tools = appendToolSpec(tools, formatTool, jsonedit.Plain("Gives the answer. Call it once, as the last step."), q.inputSchema(q.settings.schema), false)
	}
	if len(tools) == 1 {
		return dst, nil
	}
	dst = append(jsonedit.AppendName(dst, "toolConfig"), '{')
	dst = jsonedit.AppendRaw(dst, "tools", append(tools, ']'))
	return append(q.appendToolChoice(dst, offered), '}'), nil
}

// hosts says whether Converse has a hosted tool: one that Bedrock runs for the model, or
// what its own clients may declare beside functions.
func hosts(t *target.Target, _ *chat.Request, tool *chat.Tool) bool {
	return isOwn(tool) || modelOf(t.Model).runs(t, tool.Hosted)
}

// isOwn says whether a tool is written as Converse writes its own.
func isOwn(tool *chat.Tool) bool {
	ms, err := jsonedit.Object(tool.Native, nil)
	return err == nil && len(ms) == 1 && slices.Contains([]string{"toolSpec", "systemTool", "cachePoint"}, string(ms[0].Key))
}

// appendTools writes the client's tools. Strict ones came with structured outputs;
// of Claude's, a part of JSON Schema is enforced, and not too much of it.
func (q *query) appendTools(dst []byte) []byte {
	var enforced []chat.Raw
	if q.model.claude && q.model.strict {
		enforced = anthropic.StrictTools(q.Request)
	}
	// A tool is chosen by its name, or else by offering no other.
	alone := q.ToolChoice.Mode == "function" && q.forces && q.model.choice == anyChoice
	for i := range q.Tools {
		t := q.Tools[i]
		if alone && t.Name != q.ToolChoice.Name {
			continue
		}
		strict := t.Strict != nil && *t.Strict && q.model.strict
		if q.model.claude {
			if strict = enforced != nil && enforced[i] != nil; strict {
				t.Parameters = enforced[i]
			}
		}
		dst = q.appendTool(dst, &t, strict)
	}
	return dst
}

func (q *query) appendTool(dst []byte, t *chat.Tool, strict bool) []byte {
	switch tool := systemToolOf(t.Hosted); {
	case t.Hosted != "" && isOwn(t):
		return append(jsonedit.AppendComma(dst), t.Native...)
	case tool != nil:
		return append(jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"systemTool":{`...), "name", tool.name), "}}"...)
	case t.Hosted != "": // which Offer has left out
		return dst
	}
	dst = appendToolSpec(dst, t.Name, t.Description, q.inputSchema(t.Parameters), strict)
	if q.model.nova {
		return dst
	}
	return q.appendCachePoint(dst, t.CacheControl)
}

func appendToolSpec(dst []byte, name string, description jsonedit.Text, schema []byte, strict bool) []byte {
	dst = jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"toolSpec":{`...), "name", name)
	if !description.Blank() {
		dst = description.AppendMember(dst, "description")
	}
	dst = append(jsonedit.AppendRaw(append(jsonedit.AppendName(dst, "inputSchema"), '{'), "json", schema), '}')
	if strict {
		dst = jsonedit.AppendRaw(dst, "strict", "true")
	}
	return append(dst, "}}"...)
}

// inputSchema is a schema that says it is an object's, as Converse demands and
// OpenAI does not. Nova takes three members at its top level and no other:
// https://docs.aws.amazon.com/nova/latest/userguide/tool-use-definition.html
func (q *query) inputSchema(schema chat.Raw) []byte {
	schema = bytes.TrimSpace(schema)
	if q.model.nova { // which takes no definitions: they stand at the top
		schema, _ = chat.Inlined(schema)
	}
	ms, err := jsonedit.Object(schema, nil)
	if err != nil {
		return []byte(`{"type":"object","properties":{}}`)
	}
	var edits []jsonedit.Edit
	if jsonedit.Find(ms, "type") == nil {
		edits = append(edits, jsonedit.Edit{Key: "type", Value: []byte(`"object"`)})
	}
	if q.model.nova {
		for _, m := range ms {
			if name := string(m.Key); name != "type" && name != "properties" && name != "required" {
				edits = append(edits, jsonedit.Edit{Key: name})
			}
		}
	}
	if len(edits) == 0 {
		return schema
	}
	return jsonedit.Join(nil, jsonedit.Splice(nil, schema, ms, edits))
}

// appendToolChoice writes toolChoice. Converse has no "none".
func (q *query) appendToolChoice(dst []byte, offered bool) []byte {
	switch {
	case q.formatByTool() && offered: // a call of a tool, or the answer
		return append(jsonedit.AppendName(dst, "toolChoice"), `{"any":{}}`...)
	case q.formatByTool():
		return appendChosen(dst, q.model, formatTool)
	case !offered, q.model.choice == noChoice:
		return dst
	case !willing(q.Request, q.forces) && q.ToolChoice.Mode != "": // see appendSystem
		return append(jsonedit.AppendName(dst, "toolChoice"), `{"auto":{}}`...)
	}
	switch q.ToolChoice.Mode {
	case "auto":
		dst = append(jsonedit.AppendName(dst, "toolChoice"), `{"auto":{}}`...)
	case "required":
		dst = append(jsonedit.AppendName(dst, "toolChoice"), `{"any":{}}`...)
	case "function":
		dst = appendChosen(dst, q.model, q.ToolChoice.Name)
	}
	return dst
}

// appendChosen writes that a tool must be called: by its name, or that one must be,
// where no other is offered.
func appendChosen(dst []byte, m *model, name string) []byte {
	if m.choice != allChoice {
		return append(jsonedit.AppendName(dst, "toolChoice"), `{"any":{}}`...)
	}
	return append(jsonedit.AppendText(append(jsonedit.AppendName(dst, "toolChoice"), `{"tool":{`...), "name", name), "}}"...)
}
