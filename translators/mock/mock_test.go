package mock

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func post(t *testing.T, url, body string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestScenarioRequestsAreValidAndNamed(t *testing.T) {
	for _, s := range Scenarios {
		if Find([]byte(s.Request)) != s {
			t.Errorf("%s: its request leads to %s", s.Name, Find([]byte(s.Request)).Name)
		}
		r := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(s.Request))
		r.Header.Set("Content-Type", "application/json")
		if err := ByName("openai/chat").Check(r, []byte(s.Request)); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}

func TestLastScenarioMarkerWins(t *testing.T) {
	for body, want := range map[string]string{
		`no marker`:                         "plain",
		`scenario:text … scenario:unicode"`: "unicode",
		`scenario:text … scenario:nothing`:  "text",
		`scenario:tools_text`:               "tools_text",
		`scenario:`:                         "plain",
	} {
		if got := Find([]byte(body)).Name; got != want {
			t.Errorf("%q: got %s, want %s", body, got, want)
		}
	}
}

func TestTextIsOnlySplitBetweenRunes(t *testing.T) {
	for n := range 9 {
		pieces := Cut(unicodeText, n)
		if strings.Join(pieces, "") != unicodeText {
			t.Fatalf("cut by %d: text was lost", n)
		}
		for _, p := range pieces {
			if p == "" || !utf8.ValidString(p) {
				t.Fatalf("cut by %d: bad piece %q", n, p)
			}
		}
	}
	var back string
	if err := json.Unmarshal([]byte(quoteASCII(unicodeText)), &back); err != nil || back != unicodeText {
		t.Errorf("escaped text says %q (error %v)", back, err)
	}
}

func TestAnswersAreDeterministic(t *testing.T) {
	server := httptest.NewServer(Handler(Options{}))
	defer server.Close()
	for _, more := range []string{"", `,"stream":true`} {
		body := `{"model":"m","messages":[{"role":"user","content":"my secret"}]` + more + `}`
		_, first := post(t, server.URL+"/v1/chat/completions", body)
		_, second := post(t, server.URL+"/v1/chat/completions", body)
		if first != second || !strings.Contains(first, "mock") {
			t.Errorf("first %s then %s", first, second)
		}
		if strings.Contains(first, "secret") {
			t.Errorf("the answer repeats the prompt: %s", first)
		}
	}
}

func TestErrorScenarios(t *testing.T) {
	server := httptest.NewServer(Handler(Options{}))
	defer server.Close()
	resp, body := post(t, server.URL+"/v1/chat/completions", Named("error_rate").Request)
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "2" || !strings.Contains(body, "Too many requests") {
		t.Errorf("got %d %v %s", resp.StatusCode, resp.Header, body)
	}
	streamed := strings.Replace(Named("error_stream").Request, `{"model"`, `{"stream":true,"model"`, 1)
	resp, body = post(t, server.URL+"/v1/chat/completions", streamed)
	if resp.StatusCode != 200 || strings.Count(body, "data: ") != 5 || !strings.Contains(body, "gave up") || strings.Contains(body, "[DONE]") {
		t.Errorf("got %d %s", resp.StatusCode, body)
	}
	if resp, _ = post(t, server.URL+"/nowhere", "{}"); resp.StatusCode != 404 {
		t.Errorf("unknown path: got %d", resp.StatusCode)
	}
}

func TestMockStreamsPauseBetweenEvents(t *testing.T) {
	server := httptest.NewServer(Handler(Options{Delay: 5 * time.Millisecond}))
	defer server.Close()
	start := time.Now()
	_, body := post(t, server.URL+"/v1/chat/completions", `{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}`)
	if n := strings.Count(body, "data: "); time.Since(start) < time.Duration(n)*5*time.Millisecond {
		t.Errorf("%d events came in %v", n, time.Since(start))
	}
}

func TestOpenAIChatRefuses(t *testing.T) {
	user := `{"role":"user","content":"x"}`
	call := `{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	for name, body := range map[string]string{
		"no model":            `{"messages":[` + user + `]}`,
		"no messages":         `{"model":"m","messages":[]}`,
		"unknown member":      `{"model":"m","messages":[` + user + `],"top_q":1}`,
		"unknown role":        `{"model":"m","messages":[{"role":"human","content":"x"}]}`,
		"null content":        `{"model":"m","messages":[{"role":"user","content":null}]}`,
		"unanswered call":     `{"model":"m","messages":[` + user + `,` + call + `]}`,
		"answer before call":  `{"model":"m","messages":[{"role":"tool","tool_call_id":"a","content":"x"}]}`,
		"talk between":        `{"model":"m","messages":[` + call + `,` + user + `]}`,
		"image in system":     `{"model":"m","messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`,
		"options unstreamed":  `{"model":"m","messages":[` + user + `],"stream_options":{"include_usage":true}}`,
		"choice of no tool":   `{"model":"m","messages":[` + user + `],"tool_choice":"auto"}`,
		"two limits":          `{"model":"m","messages":[` + user + `],"max_tokens":1,"max_completion_tokens":1}`,
		"temperature too hot": `{"model":"m","messages":[` + user + `],"temperature":2.5}`,
	} {
		r := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if err := ByName("openai/chat").Check(r, []byte(body)); err == nil {
			t.Errorf("%s: was accepted", name)
		}
	}
}

func TestAllJSONOfOpenAIFormatsIsValid(t *testing.T) {
	for _, name := range []string{"openai/chat", "openai/completions", "openai/responses", "openai/embeddings"} {
		f := ByName(name)
		for _, s := range Scenarios {
			if !json.Valid(f.Whole(s, []byte(s.Request))) {
				t.Errorf("%s %s: %s", name, s.Name, f.Whole(s, nil))
			}
			if name == "openai/embeddings" {
				continue
			}
			_, events := f.Stream(s, []byte(`{"stream":true,"stream_options":{"include_usage":true}}`))
			for _, e := range events {
				_, data, ok := bytes.Cut(e, []byte("data: "))
				if !ok || !json.Valid(data) && string(data) != "[DONE]\n\n" {
					t.Errorf("%s %s: %q", name, s.Name, e)
				}
			}
		}
	}
}

func TestEmbeddingsHaveTheRequestedSize(t *testing.T) {
	server := httptest.NewServer(Handler(Options{}))
	defer server.Close()
	_, body := post(t, server.URL+"/v1/embeddings", `{"model":"m","input":["a","bb"],"dimensions":7}`)
	var got struct {
		Data []struct{ Embedding []float64 }
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Data) != 2 || len(got.Data[1].Embedding) != 7 {
		t.Errorf("error %v, got %s", err, body)
	}
}

func TestGeminiTakesItsNamesInSnakeCase(t *testing.T) {
	in := `{"system_instruction":{},"tools":[{"function_declarations":[{"name":"f","parameters_json_schema":{"properties":{"a_b":{}}}}]}],"contents":[{"parts":[{"function_call":{"args":{"c_d":12345678901234567}}}]}]}`
	want := `{"contents":[{"parts":[{"functionCall":{"args":{"c_d":12345678901234567}}}]}],"systemInstruction":{},"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"properties":{"a_b":{}}}}]}]}`
	if got := string(inCamelCase([]byte(in))); got != want {
		t.Errorf("got %s", got)
	}
}
