package chat

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"

	"go-ai-proxy/translators/jsonedit"
)

// ErrorFrom reads a provider's error answer in any format. Every provider puts a
// text under `error.message`, `message`, `detail`, `error` or `errors`, and most
// put a type and a code next to it. If the body is not JSON, its text is the
// message.
func ErrorFrom(status int, body []byte) *Error {
	e := &Error{Status: status, Type: TypeOf(status)}
	v, err := jsonedit.Parse(body)
	if err != nil {
		e.Message = plain(body)
	} else {
		if a := v.GetArray(); len(a) > 0 { // Gemini's streams
			v = a[0]
		}
		e.read(v)
	}
	if e.Message == "" {
		e.Message = "the provider answered " + strconv.Itoa(status) + " " + http.StatusText(status)
	}
	return e
}

// FailedGeneration is the error of an answer that ended with Failed, for why.
func FailedGeneration(why string) *Error {
	if why == "" {
		why = "the provider does not say why"
	}
	e := NewError(http.StatusBadGateway, "the model's generation failed: "+why)
	e.Code = "generation_failed"
	return e
}

// FailedFor returns why the generation failed, if that of all choices did.
func (r *Response) FailedFor() (why string, failed bool) {
	for i := range r.Choices {
		if r.Choices[i].Finish != Failed {
			return "", false
		}
		why = r.Choices[i].StopText
	}
	return why, len(r.Choices) > 0
}

func (e *Error) read(v *jsonedit.Value) {
	if inner := v.Get("error"); inner != nil && inner.Type() == jsonedit.TypeObject {
		if t := str(inner, "type"); t != "" {
			e.Type = t
		}
		e.Code = cmp.Or(str(inner, "code"), str(inner, "status"))
		e.Param = str(inner, "param")
		e.Message = cmp.Or(str(inner, "message"), str(inner, "details"))
		return
	}
	if said := str(v, "OriginalMessage"); said != "" {
		e.readOriginal(v, said)
		return
	}
	e.Code = cmp.Or(str(v, "code"), str(v, "error_code"), str(v, "ErrorCode"), str(v, "__type"))
	e.Message = cmp.Or(str(v, "error"), str(v, "message"), str(v, "Message"), str(v, "detail"), str(v, "error_description"))
	if e.Message == "" {
		for _, k := range []string{"errors", "detail", "error"} {
			if list := v.GetArray(k); len(list) > 0 {
				e.Message = cmp.Or(string(list[0].GetStringBytes()), str(list[0], "message"), str(list[0], "msg"))
			}
		}
	}
}

// readOriginal takes over what SageMaker says that the container answered.
// https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html#API_runtime_InvokeEndpoint_Errors
func (e *Error) readOriginal(v *jsonedit.Value, said string) {
	status := e.Status
	if original := v.GetInt("OriginalStatusCode"); original >= 400 && original < 600 {
		status = original
	}
	*e = *ErrorFrom(status, []byte(said))
}

// str returns a string member as text. Numbers are returned too, since some codes
// are numbers.
func str(v *jsonedit.Value, key string) string {
	m := v.Get(key)
	if m == nil {
		return ""
	}
	switch m.Type() {
	case jsonedit.TypeString:
		return string(m.GetStringBytes())
	case jsonedit.TypeNumber:
		return string(m.Raw())
	}
	return ""
}

// plain returns the message for a body that is not JSON; "" for HTML pages, which
// say nothing useful.
func plain(body []byte) string {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] == '<' {
		return ""
	}
	const most = 1000
	if len(body) > most {
		body = body[:most]
	}
	return string(bytes.ToValidUTF8(body, []byte("?")))
}

// TypeOf returns the error type that OpenAI and Anthropic use for a status.
func TypeOf(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case 529:
		return "overloaded_error"
	}
	if status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}
