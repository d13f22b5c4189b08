package translators

import (
	"bytes"
	"strings"
	"testing"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/target"
)

// Gemini signs its calls. Formats whose calls have no signature carry it before them.
func TestSignatureOfACallGoesThroughClientsWhoseCallsHaveNone(t *testing.T) {
	const signed = `{"candidates":[{"content":{"role":"model","parts":[` +
		`{"functionCall":{"name":"look","args":{"city":"Paris"}},"thoughtSignature":"c2lnbmVk"},{"functionCall":{"name":"look","args":{"city":"Rome"}}}` +
		`]},"finishReason":"STOP"}],"responseId":"r1","modelVersion":"gemini-3-pro"}`
	to := &target.Target{Model: "gemini-3-pro", Options: &target.Options{}}
	meta := chat.Meta{ID: "1", Model: to.Model, Origin: origin.Google}
	for _, c := range []struct {
		name    string
		dialect chat.Dialect
		history string // with the blocks of the answer
		blocks  func(answer []byte) []byte
	}{
		{"anthropic", anthropic.Dialect, `{"max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":BLOCKS}]}`,
			func(answer []byte) []byte { return jsonedit.Lookup(answer, "content") }},
		{"bedrock", bedrock.Dialect, `{"messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":BLOCKS}]}`,
			func(answer []byte) []byte { return jsonedit.Lookup(answer, "output", "message", "content") }},
	} {
		resp, err := gemini.Generate.ParseResponse(to, []byte(signed))
		if err != nil {
			t.Fatal(err)
		}
		resp.Meta = meta
		answer, err := c.dialect.AppendResponse(nil, resp)
		if err != nil {
			t.Fatal(err)
		}
		history := strings.Replace(c.history, "BLOCKS", string(c.blocks(answer)), 1)
		for model, want := range map[string]bool{"gemini-3-pro": true, "claude-sonnet-4-5": false} {
			req, err := chat.ParseRequest(c.dialect, []byte(history))
			if err != nil {
				t.Fatal(err)
			}
			req.Model = model
			var sent []byte
			if want {
				sent, err = gemini.Generate.AppendRequest(nil, to, req)
			} else {
				claude := &target.Target{Model: model, Options: &target.Options{}}
				sent, err = Lookup("anthropic").Operations["llm/v1/chat"].AppendRequest(nil, claude, req)
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(sent, []byte("c2lnbmVk")); n != map[bool]int{true: 1}[want] || bytes.Contains(sent, []byte("redacted")) {
				t.Errorf("%s: %s is sent %s", c.name, model, sent)
			}
			if want && !bytes.Contains(sent, []byte(`"args":{"city":"Paris"}},"thoughtSignature":"c2lnbmVk"}`)) {
				t.Errorf("%s: the signature is not that of its call: %s", c.name, sent)
			}
		}
		checkStreamed(t, c.name, c.dialect, signed, c.blocks(answer))
	}
}

// checkStreamed checks that the stream of an answer has the token of the whole one, in a
// block before the call's.
func checkStreamed(t *testing.T, name string, d chat.Dialect, event string, blocks []byte) {
	t.Helper()
	token := jsonedit.Lookup(jsonedit.Elements(blocks, nil)[0], "data")
	if token == nil {
		token = jsonedit.Lookup(jsonedit.Elements(blocks, nil)[0], "reasoningContent", "redactedContent")
	}
	to := &target.Target{Model: "gemini-3-pro", Options: &target.Options{}}
	from, enc := gemini.Generate.NewStream(to), d.NewEncoder(chat.Meta{ID: "1", Model: to.Model, Origin: origin.Google})
	deltas, err := from.Next(frame.Event{Data: []byte(event)})
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for i := range deltas {
		out = enc.Append(out, &deltas[i])
	}
	at, call := bytes.Index(out, token), bytes.Index(out, []byte("look"))
	if len(token) == 0 || at < 0 || call < at || bytes.Count(out, token) != 1 {
		t.Errorf("%s: token %s of the whole answer, streamed: %q", name, token, out)
	}
}
