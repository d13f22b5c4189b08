package chat

import (
	"cmp"

	"go-ai-proxy/translators/jsonedit"
)

// ErrorInside returns the error that the body of a 200, or an event of a stream, is; nil
// for an answer. Gateways have sent their 200 before the model's server fails, so that
// they can only say it there:
//
//	{"error":{"message":"…","code":502}}   also beside choices (OpenRouter), or a text
//	{"choices":[{"error":{…}}]}            OpenRouter, in a whole answer
//	{"object":"error","message":"…"}       vLLM; {"code":"…","message":"…"} DashScope
//	{"detail":"…"}                         FastAPI
//	{"object":"response","model":"","status":"failed","error":{…}}   DashScope's limit of requests
//	{"base_resp":{"status_code":1002,"status_msg":"…"}}   MiniMax, beside choices: null
//
// https://openrouter.ai/docs/api-reference/errors-and-debugging
// https://help.aliyun.com/zh/model-studio/error-code
// https://platform.qianwenai.com/docs/api-reference/chat/openai-responses
// https://platform.minimax.io/docs/api-reference/errorcode
func ErrorInside(body []byte) *Error {
	var space [16]jsonedit.Member
	members, ok := jsonedit.Outline(body, space[:0])
	if !ok {
		return nil
	}
	if string(jsonedit.Find(members, "object")) == `"response"` && string(jsonedit.Find(members, "model")) != `""` {
		return nil // one that failed says so by its status
	}
	if tells(jsonedit.Find(members, "error")) {
		return insideOf(body)
	}
	choices := jsonedit.Find(members, "choices")
	var several [8][]byte
	list := jsonedit.Elements(choices, several[:0])
	for _, c := range list {
		if tells(jsonedit.Get(c, "error")) {
			return insideOf(c)
		}
	}
	if result := jsonedit.Find(members, "base_resp"); result != nil && len(list) == 0 {
		return refusedBy(result)
	}
	if choices != nil {
		return nil
	}
	for _, name := range [...]string{"message", "detail"} {
		if text := jsonedit.Find(members, name); jsonedit.IsString(text) && string(text) != `""` {
			return insideOf(body)
		}
	}
	return nil
}

// tells says whether the value of a member "error" tells of one: some servers have it in
// every answer.
func tells(value []byte) bool {
	switch string(value) {
	case "", "null", "false", `""`, "{}", "[]":
		return false
	}
	return true
}

// insideOf reads an error that came with status 200. Its code is the status that would
// have been answered, if it can be one.
func insideOf(body []byte) *Error {
	e := &Error{}
	if v, err := jsonedit.Parse(body); err == nil {
		e.read(v)
	}
	e.Message = cmp.Or(e.Message, noMessage)
	if status, ok := Number(e.Code).Int(); ok && status >= 400 && status < 600 {
		e.Status, e.Type = status, cmp.Or(e.Type, TypeOf(status))
	}
	return e
}

// refusedBy reads MiniMax's base_resp; its status_code is 0 where all is well.
func refusedBy(result []byte) *Error {
	code := string(jsonedit.Get(result, "status_code"))
	if code == "" || code == "0" {
		return nil
	}
	text, _ := jsonedit.String(jsonedit.Get(result, "status_msg"))
	return &Error{Code: code, Message: cmp.Or(text, noMessage)}
}

const noMessage = "the provider sent an error without a message"
