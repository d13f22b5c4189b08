package record

import (
	"strings"
	"testing"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

func TestRecordTellsKongWhatIsNotLogged(t *testing.T) {
	answered := Data{
		Provider: "openai", Model: "gpt-4o", ResponseModel: "gpt-4o-1", Label: Label{Operation: "chat"}, Outcome: Completed,
		Options: &target.Options{MaxTokens: new(5), Temperature: new(0.5)}, Usage: chat.Usage{Prompt: 7, Completion: 3}, Finish: "stop",
		Tried: []Tried{{Provider: "openai", Model: "gpt-4o", Host: "api.openai.com", Port: 443, Status: 200, Outcome: "ok"}},
	}
	failed := Data{Outcome: Failed, Message: "no AWS region", Provider: "bedrock"}
	logged := failed
	logged.Logging = config.Logging{Statistics: true}
	for name, c := range map[string]struct {
		data   Data
		traced bool
		want   string // the member kong, "" where there is none
	}{
		"nothing":              {answered, false, ""},
		"a span":               {answered, true, `{"span":{"gen_ai.operation.name":"chat","gen_ai.provider.name":"openai","gen_ai.request.model":"gpt-4o","gen_ai.request.max_tokens":5,"gen_ai.request.temperature":0.5,"gen_ai.response.model":"gpt-4o-1","gen_ai.response.finish_reasons":["stop"],"gen_ai.usage.input_tokens":7,"gen_ai.usage.output_tokens":3,"server.address":"api.openai.com","server.port":443},"events":[{"gen_ai.provider.name":"openai","gen_ai.request.model":"gpt-4o","server.address":"api.openai.com","http.response.status_code":200,"outcome":"ok"}]}`},
		"a failure":            {failed, false, `{"error":"no AWS region"}`},
		"a traced failure":     {failed, true, `{"error":"no AWS region","span":{"gen_ai.provider.name":"bedrock","error.type":"failed"},"events":[]}`},
		"a failure in meta":    {logged, false, ""},
		"a failure in a trace": {logged, true, `{"span":{"gen_ai.provider.name":"bedrock","error.type":"failed"},"events":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(c.data)
			r.data.Outcome = c.data.Outcome
			got := string(r.AppendForKong([]byte("id "), c.traced))
			want := "id " + string(r.Append(nil))
			if c.want != "" {
				want = "id " + `{"kong":` + c.want + "}"
				if own := string(r.Append(nil)); own != "" {
					want = "id " + strings.TrimSuffix(own, "}") + `,"kong":` + c.want + "}"
				}
			}
			if got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestPeerIsWhoWasTriedLast(t *testing.T) {
	one := Tried{Host: "one", Port: 80, Path: "/a", IP: "10.0.0.1"}
	for name, c := range map[string]struct {
		tried []Tried
		want  string
	}{
		"nobody":            {nil, ""},
		"the last":          {[]Tried{{Host: "zero"}, one}, "one 80 10.0.0.1 /a "},
		"no answer":         {[]Tried{{Host: "one", Port: 443, Path: "/v1%20x"}}, "one 443 - /v1%20x "},
		"no path":           {[]Tried{{Host: "one", Port: 443}}, "one 443 - / "},
		"a path too long":   {[]Tried{{Host: "one", Path: "/" + strings.Repeat("x", maxPeer)}}, ""},
		"a line in a name":  {[]Tried{{Host: "one\r\nX-A: 1", Path: "/"}}, ""},
		"a space in a name": {[]Tried{{Host: "o ne", Path: "/"}}, ""},
	} {
		r := New(Data{Tried: c.tried})
		if got := string(r.AppendPeer([]byte(">"))); got != ">"+c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
