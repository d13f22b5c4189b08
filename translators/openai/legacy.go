package openai

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// A client that offers `functions`, which tools replaced, reads their calls in
// message.function_call, one for each answer, and not in tool_calls.
// https://platform.openai.com/docs/api-reference/chat/object

// legacyFunction is the Kind of such a function.
const legacyFunction = "function_call"

// parseFunctions reads functions. The format has no place for a second call.
func parseFunctions(req *chat.Request, v *jsonedit.Value) error {
	err := parseTools(req, v, func(req *chat.Request, v *jsonedit.Value) error { return parseFunction(req, chat.Tool{}, v) })
	for i := range req.Tools {
		req.Tools[i].Client = chat.ClientTool{Kind: legacyFunction}
	}
	if req.ParallelTools == nil && len(req.Tools) > 0 {
		req.ParallelTools = new(bool)
	}
	return err
}

// isLegacy says whether the request of an answer offered functions.
func isLegacy(meta *chat.Meta) bool {
	for _, t := range meta.Tools {
		return t.Kind == legacyFunction // all are, or none
	}
	return false
}

// legacyFinish is the finish reason of an answer to such a client.
func legacyFinish(reason chat.FinishReason) chat.FinishReason {
	if reason == chat.ToolCalls {
		return legacyFunction
	}
	return reason
}

// appendFunctionCall writes the first call as function_call, if there is one.
func appendFunctionCall(dst []byte, c *chat.Choice, meta *chat.Meta) []byte {
	for i := range c.Parts {
		if p := &c.Parts[i]; p.Kind == chat.ToolCall {
			dst = jsonedit.AppendText(append(jsonedit.AppendName(dst, "function_call"), '{'), "name", chat.ToolName(meta, p.Name))
			return append(p.Arguments.AppendMember(dst, "arguments"), '}')
		}
	}
	return dst
}

// appendFunctionDelta writes a delta with a call's beginning or more of its arguments.
func appendFunctionDelta(dst []byte, d *chat.Delta, meta *chat.Meta) []byte {
	dst = append(dst, `{"function_call":{`...)
	if d.Kind == chat.ToolStart {
		dst = jsonedit.AppendText(dst, "name", chat.ToolName(meta, d.Name))
	}
	return append(jsonedit.AppendText(dst, "arguments", d.Text), '}')
}
