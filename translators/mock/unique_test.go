package mock

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func mocked(t *testing.T, path, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	Handler(Options{Unique: true}).ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestToolScenariosEndAfterTheResults(t *testing.T) {
	for _, body := range []string{
		`{"messages":[{"role":"user","content":"scenario:tools"},{"role":"tool","tool_call_id":"a","content":"1"}]}`,
		`{"messages":[{"role":"user","content":"scenario:thinking_tools"},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}]}`,
		`{"contents":[{"parts":[{"text":"scenario:tools"}]},{"parts":[{"functionResponse":{"name":"x"}}]}]}`,
		`{"input":[{"role":"user","content":"scenario:tools"},{"type":"function_call_output","call_id":"a"}]}`,
	} {
		if s := Find([]byte(body)); s != Ended {
			t.Errorf("%s for %s", s.Name, body)
		}
	}
	if s := Find([]byte(`{"messages":[{"role":"tool","tool_call_id":"a"},{"role":"user","content":"scenario:tools"}]}`)); s.Name != "tools" {
		t.Errorf("a new question is answered with %s", s.Name)
	}
}

func TestAnswersToTwoRequestsHaveTheirOwnIDs(t *testing.T) {
	ask := func(user string) string {
		_, body := mocked(t, "/v1/chat/completions", `{"model":"m","user":"`+user+`","messages":[{"role":"user","content":"scenario:tools"}]`+weatherTools+`}`)
		return body
	}
	a, again, b := ask("a"), ask("a"), ask("b")
	if a != again {
		t.Errorf("the same request got\n%s\nand\n%s", a, again)
	}
	for _, id := range []string{`"chatcmpl-mock-tools-`, `"call_Paris7Xk2`} {
		at := func(body string) string {
			_, rest, _ := strings.Cut(body, id)
			value, _, _ := strings.Cut(rest, `"`)
			return value
		}
		if at(a) == "" || at(a) == at(b) {
			t.Errorf("%s: %q and %q", id, at(a), at(b))
		}
	}
}

func TestMockTakesCodexsMetadata(t *testing.T) {
	if code, body := mocked(t, "/v1/responses", `{"model":"m","input":"hi","client_metadata":{"x":"y"}}`); code != 200 {
		t.Errorf("%d %s", code, body)
	}
}

func TestMockInvokesClaudeOnBedrock(t *testing.T) {
	const good = `{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"scenario:text"}]}`
	const path = "/model/anthropic.claude-sonnet-4-5-v1%3A0/"
	if code, body := mocked(t, path+"invoke", good); code != 200 || !strings.Contains(body, `"type":"message"`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := mocked(t, path+"invoke-with-response-stream", good); code != 200 || !strings.Contains(body, `{"bytes":"eyJ0eXBlIjoi`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := mocked(t, path+"invoke", strings.Replace(good, "{", `{"model":"x",`, 1)); code != 400 {
		t.Errorf("a model in the body: %d %s", code, body)
	}
}
