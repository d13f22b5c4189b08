package openai

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// A custom tool takes free text, perhaps of a grammar, and no JSON. Elsewhere it is a
// function with one string; a call of it is written as the client knows it.
//
//	https://platform.openai.com/docs/guides/function-calling#custom-tools
//	https://platform.openai.com/docs/api-reference/chat/create (tools: custom)

// inputSchema is the schema of a function that takes free text.
const inputSchema = `{"type":"object","properties":{"input":{"type":"string","description":"The input of the tool, as it is."}},"required":["input"],"additionalProperties":false}`

// customFunction is the function for a custom tool, which o describes. Its description
// ends with the grammar. Native is the tool as the Responses API has it.
func customFunction(o *jsonedit.Value) (chat.Tool, error) {
	var declared chat.Tool
	if err := setDeclared(&declared, o); err != nil {
		return declared, err
	}
	if declared.Name == "" {
		return declared, refuse("name", "is missing")
	}
	tool := chat.Tool{Name: declared.Name, Description: declared.Description, Parameters: chat.Raw(inputSchema)}
	native := jsonedit.AppendText([]byte(`{"type":"custom"`), "name", declared.Name)
	native = declared.Description.AppendOptional(native, "description")
	if f := o.Get("format"); string(f.GetStringBytes("type")) == "grammar" {
		grammar := f
		if inner := f.Get("grammar"); inner != nil { // chat/completions has an object around it
			grammar = inner
		}
		syntax, definition := grammar.GetStringBytes("syntax"), grammar.GetStringBytes("definition")
		tool.Description = jsonedit.Plain(strings.TrimSpace(fmt.Sprintf("%s\n\nThe input must follow this %s grammar:\n\n%s", declared.Description.String(), syntax, definition)))
		native = jsonedit.AppendText(append(native, `,"format":{"type":"grammar"`...), "syntax", syntax)
		native = append(jsonedit.AppendText(native, "definition", definition), '}')
	}
	tool.Native = append(native, '}')
	return tool, nil
}

// isCustom reports whether a tool is a custom one that its maker's API is offered under
// the same name.
func isCustom(t *chat.Tool) bool {
	return t.Client.Kind == customTool && t.Native != nil && (t.Client.Name == "" || t.Client.Name == t.Name)
}

// asFunctions returns r with functions for custom tools: r itself, or a copy.
func asFunctions(r *chat.Request) *chat.Request {
	if !slices.ContainsFunc(r.Tools, func(t chat.Tool) bool { return isCustom(&t) }) {
		return r
	}
	plain := *r
	plain.Tools = slices.Clone(r.Tools)
	for i := range plain.Tools {
		if t := &plain.Tools[i]; isCustom(t) {
			t.Native = nil
		}
	}
	return &plain
}

// customNames are the names of the custom tools that r offers, which the maker's API is
// offered as they are; nil for none.
func customNames(r *chat.Request) map[string]bool {
	var names map[string]bool
	for i := range r.Tools {
		if t := &r.Tools[i]; isCustom(t) {
			if names == nil {
				names = map[string]bool{}
			}
			names[t.Name] = true
		}
	}
	return names
}

// inputArguments are the arguments of the function for a custom tool's input.
func inputArguments(input jsonedit.Text) jsonedit.Text {
	return jsonedit.Plain(string(append(input.AppendMember([]byte{'{'}, "input"), '}')))
}

// inputOf is the input of a custom tool in the arguments of its function.
func inputOf(arguments jsonedit.Text) []byte {
	var inner innerText
	return inner.end(inner.append(nil, arguments.AppendDecoded(nil)))
}

// hasFunctions reports whether a body of chat/completions has functions or function_call,
// or calls and results of them in the history.
func hasFunctions(ms []jsonedit.Member) bool {
	if jsonedit.Find(ms, "functions") != nil || jsonedit.Find(ms, "function_call") != nil {
		return true
	}
	messages := jsonedit.Find(ms, "messages")
	if !jsonedit.Contains(messages, `"function_call"`) && !hasRole(messages, `"function"`) {
		return false
	}
	for _, m := range jsonedit.Elements(messages, nil) {
		if call := jsonedit.Lookup(m, "function_call"); jsonedit.IsObject(call) || string(jsonedit.Lookup(m, "role")) == `"function"` {
			return true
		}
	}
	return false
}

// hasRole reports whether a message may have the role, which is in quotes: it looks at
// the bytes only.
func hasRole(messages []byte, role string) bool {
	for rest := messages; ; {
		i := bytes.Index(rest, []byte(role))
		if i < 0 {
			return false
		}
		before, colon := bytes.CutSuffix(bytes.TrimRight(rest[:i], " \t\r\n"), []byte{':'})
		if colon && bytes.HasSuffix(bytes.TrimRight(before, " \t\r\n"), []byte(`"role"`)) {
			return true
		}
		rest = rest[i+len(role):]
	}
}

// hasCustomTools reports whether a body of chat/completions has custom tools, or calls
// of them in the history.
func hasCustomTools(ms []jsonedit.Member) bool {
	custom := func(list []byte) bool {
		for _, e := range jsonedit.Elements(list, nil) {
			if string(jsonedit.Lookup(e, "type")) == `"custom"` && jsonedit.Lookup(e, "custom") != nil {
				return true
			}
		}
		return false
	}
	if tools := jsonedit.Find(ms, "tools"); jsonedit.Contains(tools, `"custom"`) && custom(tools) {
		return true
	}
	messages := jsonedit.Find(ms, "messages")
	if !jsonedit.Contains(messages, `"custom"`) {
		return false
	}
	for _, m := range jsonedit.Elements(messages, nil) {
		if calls := jsonedit.Lookup(m, "tool_calls"); jsonedit.IsArray(calls) && custom(calls) {
			return true
		}
	}
	return false
}

// isCustomCall reports whether a call in an answer is of a custom tool; a nil meta, in a
// request, has none.
func isCustomCall(meta *chat.Meta, name string) bool {
	return meta != nil && meta.Tools[name].Kind == customTool
}

// customCalls are the calls of custom tools in one choice of a stream, in their order.
type customCalls []customCall

type customCall struct {
	index int
	inner innerText
}

// begin begins the call of a custom tool, and returns its input so far.
func (c *choice) begin(index int, arguments []byte) []byte {
	c.custom = append(c.custom, customCall{index: index})
	return c.custom[len(c.custom)-1].inner.append(nil, arguments)
}

// input returns what a piece of a call's arguments adds to its input, and whether the
// call is of a custom tool.
func (c customCalls) input(index int, piece []byte) ([]byte, bool) {
	for i := len(c) - 1; i >= 0; i-- {
		if c[i].index == index {
			return c[i].inner.append(nil, piece), true
		}
	}
	return nil, false
}

// appendCustomInput writes more of a custom tool's input, after the call's index.
func appendCustomInput(dst, input []byte) []byte {
	return append(jsonedit.AppendBytes(append(dst, `,"custom":{"input":`...), input), "}}]"...)
}

// endCustom writes chunks with the rest of the inputs, where the end of the arguments
// adds something.
func (e *encoder) endCustom(dst []byte, choice int, c *choice) []byte {
	for i := range c.custom {
		rest := c.custom[i].inner.end(nil)
		if len(rest) == 0 {
			continue
		}
		dst = strconv.AppendInt(append(e.begin(dst, choice), `{"tool_calls":[{"index":`...), int64(c.custom[i].index), 10)
		dst = e.finish(append(appendCustomInput(dst, rest), '}'), "")
	}
	c.custom = nil
	return dst
}
