package bedrock

import (
	"bytes"
	"encoding/json"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/openai"
)

// Whatever a client of OpenAI's format says becomes JSON, or a refusal.
func FuzzRequest(f *testing.F) {
	for _, s := range mock.Scenarios {
		f.Add([]byte(s.Request), sonnet)
	}
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"file","file":{"filename":"é\u0000","file_data":"aGk="}}]}],"bedrock":{"inferenceConfig":{}}}`), nova)
	f.Fuzz(func(t *testing.T, body []byte, model string) {
		defer workload.Linear(t, len(body)+len(model))()
		req, err := chat.ParseRequest(openai.Chat, body)
		if err != nil {
			return
		}
		out, err := Converse.AppendRequest(nil, chatTarget(model), req)
		if err == nil && !json.Valid(out) {
			t.Errorf("%s becomes %s", body, out)
		}
	})
}

// Whatever Bedrock answers becomes a client's JSON, or an error.
func FuzzAnswer(f *testing.F) {
	for _, s := range mock.Scenarios {
		f.Add(mock.ByName("bedrock/converse").Whole(s, nil))
	}
	f.Add([]byte(`{"output":{"message":{"content":[{"text":"a"},{"toolUse":{"input":{"a":nan}}}]}},"trace":{"a":1-2,"b":"\u0001\u007f"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		var seen chat.Seen
		Meter.Whole(body, &seen)
		r, err := Converse.ParseResponse(chatTarget(sonnet), body)
		if err != nil {
			return
		}
		r.Meta = answerMeta
		for _, d := range []chat.Dialect{openai.Chat, Dialect} {
			if out, err := d.AppendResponse(nil, r); err == nil && !json.Valid(out) {
				t.Errorf("%s becomes %s", body, out)
			}
		}
	})
}

// Whatever events come, what a client gets is framed well, and it is JSON.
func FuzzStream(f *testing.F) {
	for _, s := range mock.Scenarios {
		_, events := mock.ByName("bedrock/converse").Stream(s, nil)
		for _, e := range conformance.Events(f, frame.EventStream, bytes.Join(events, nil)) {
			f.Add(string(e.Type), e.Data, []byte(`{"contentBlockIndex":0}`), false)
		}
	}
	f.Add("contentBlockStart", []byte(`{"start":{"toolUse":{}}}`), []byte(`{"delta":{"toolUse":{"input":"x"}}}`), true)
	f.Add("chunk", []byte(`{"bytes":"e30="}`), []byte(`{}`), true)
	f.Fuzz(func(t *testing.T, typ string, first, second []byte, exception bool) {
		defer workload.Linear(t, len(typ)+len(first)+len(second))()
		from, to := Converse.NewStream(chatTarget(sonnet)), Dialect.NewEncoder(answerMeta)
		var seen chat.Seen
		var out []byte
		for _, e := range []frame.Event{
			{Type: []byte(typ), Data: first}, {Type: []byte("contentBlockDelta"), Data: second}, {Type: []byte("contentBlockStop"), Data: second},
			{Type: []byte("metadata"), Data: first}, {Type: []byte(typ), Data: second, Exception: exception},
		} {
			Meter.Event(e, &seen)
			deltas, err := from.Next(e)
			if err != nil {
				break
			}
			for i := range deltas {
				out = to.Append(out, &deltas[i])
			}
		}
		for _, e := range conformance.Events(t, frame.EventStream, out) {
			if !json.Valid(e.Data) {
				t.Errorf("%s: %s", e.Type, e.Data)
			}
		}
	})
}

// Whatever a client of Converse says becomes a request that OpenAI and Bedrock
// can be told, or a refusal.
func FuzzDialect(f *testing.F) {
	for _, s := range mock.Scenarios {
		if req, err := chat.ParseRequest(openai.Chat, []byte(s.Request)); err == nil {
			if body, err := Converse.AppendRequest(nil, chatTarget(sonnet), req); err == nil {
				f.Add(body)
			}
		}
	}
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"searchResult":{"a":1}},{"cachePoint":{}}]}],"system":[{"cachePoint":{}},{"text":"a"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		req, err := chat.ParseRequest(Dialect, body)
		if err != nil {
			return
		}
		for _, u := range []chat.Upstream{Converse, openai.Upstream{}} {
			if out, err := u.AppendRequest(nil, chatTarget(sonnet), req); err == nil && !json.Valid(out) {
				t.Errorf("%s becomes %s", body, out)
			}
		}
	})
}
