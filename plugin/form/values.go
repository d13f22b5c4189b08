package form

import (
	"net/http"
	"net/url"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// ValuesAsJSON returns a urlencoded form as a JSON object of strings; only stream
// is a boolean. The first of duplicate fields wins.
func ValuesAsJSON(body []byte) ([]byte, error) {
	fields, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, chat.NewError(http.StatusBadRequest, "request body is not a valid form: "+err.Error())
	}
	dst := []byte{'{'}
	for name, values := range fields {
		dst = jsonedit.AppendKey(dst, name)
		if name == "stream" && (values[0] == "true" || values[0] == "false") {
			dst = append(dst, values[0]...)
			continue
		}
		dst = jsonedit.AppendString(dst, values[0])
	}
	return append(dst, '}'), nil
}
