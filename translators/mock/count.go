package mock

import (
	"net/http"
	"strconv"
	"strings"

	"go-ai-proxy/translators/jsonedit"
)

// counters are the calls that count the tokens of a prompt: the end of the path, the
// member of the body without which there is nothing to count, and the answer before and
// after the number.
//
//	https://platform.claude.com/docs/en/api/messages-count-tokens
//	https://ai.google.dev/api/tokens
//	https://platform.openai.com/docs/api-reference/responses
//	https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html
var counters = []struct{ path, member, before, after string }{
	{"/messages/count_tokens", "messages", `{"input_tokens":`, `}`},
	{":countTokens", "", `{"totalTokens":`, `}`},
	{"/responses/input_tokens", "input", `{"object":"response.input_tokens","input_tokens":`, `}`},
	{"/count-tokens", "input", `{"inputTokens":`, `}`},
}

// count answers a call that counts, and says whether r is one. A mock counts four bytes
// of the body as a token.
func count(w http.ResponseWriter, r *http.Request, body []byte) bool {
	for _, c := range counters {
		if !strings.HasSuffix(r.URL.Path, c.path) {
			continue
		}
		switch {
		case r.Method != http.MethodPost:
			writeJSON(w, http.StatusMethodNotAllowed, []byte(`{"error":{"message":"method: want POST"}}`))
		case jsonedit.Valid(body) != nil, c.member != "" && jsonedit.Lookup(body, c.member) == nil:
			writeJSON(w, http.StatusBadRequest, []byte(`{"error":{"message":"`+c.member+`: is missing"}}`))
		default:
			writeJSON(w, http.StatusOK, []byte(c.before+strconv.Itoa(len(body)/4+1)+c.after))
		}
		return true
	}
	return false
}
