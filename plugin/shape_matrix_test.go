package plugin

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// shaped is a client whose target speaks its format.
type shaped struct {
	name, format, route, provider, model string
	whole, stream                        string // path, query
	body                                 string
	dialect                              chat.Dialect
	reads                                chat.Upstream
	framing                              frame.Kind // of its streams
	wrapped                              bool       // the provider wraps its events in frames
}

var shapedClients = []shaped{
	{name: "chat", format: "openai", route: chatRoute, provider: "openai", model: "gpt-4o", whole: "/chat/completions", body: `{"messages":[{"role":"user","content":"x"}]`, dialect: openai.Chat, reads: openai.ChatAt("/", provider.Edit{}).Chat},
	{name: "responses", format: "openai", route: "llm/v1/responses", provider: "openai", model: "gpt-4o", whole: "/responses", body: `{"input":"x"`, dialect: openai.Responses, reads: openai.ResponsesAt("/", "openai").Chat},
	{name: "anthropic", format: "anthropic", route: chatRoute, provider: "anthropic", model: "claude-x", whole: "/v1/messages", body: `{"max_tokens":9,"messages":[{"role":"user","content":"x"}]`, dialect: anthropic.Dialect, reads: anthropic.Messages},
	{name: "anthropic at bedrock", format: "anthropic", route: chatRoute, provider: "bedrock", model: "anthropic.claude-x-v1:0", whole: "/v1/messages", body: `{"max_tokens":9,"messages":[{"role":"user","content":"x"}]`,
		dialect: anthropic.Dialect, reads: anthropic.Messages, wrapped: true},
	{name: "gemini", format: "gemini", route: chatRoute, provider: "gemini", model: "g", whole: "/v1beta/models/g:generateContent", stream: "/v1beta/models/g:streamGenerateContent?alt=sse", body: `{"contents":[{"role":"user","parts":[{"text":"x"}]}]`,
		dialect: gemini.Dialect, reads: gemini.Generate},
	{name: "gemini, an array", format: "gemini", route: chatRoute, provider: "gemini", model: "g", whole: "/v1beta/models/g:generateContent", stream: "/v1beta/models/g:streamGenerateContent", body: `{"contents":[{"role":"user","parts":[{"text":"x"}]}]`,
		dialect: gemini.ArrayDialect, reads: gemini.Generate, framing: frame.Array},
	{name: "converse", format: "bedrock", route: chatRoute, provider: "bedrock", model: "m", whole: "/model/m/converse", stream: "/model/m/converse-stream", body: `{"messages":[{"role":"user","content":[{"text":"x"}]}]`,
		dialect: bedrock.Dialect, reads: bedrock.Converse, framing: frame.EventStream},
}

var shapedAnswer = chat.Response{ID: "r1", Model: "m", Created: 1700000000, Usage: chat.Usage{Prompt: 5, Completion: 2, Total: 7}, Choices: []chat.Choice{{Finish: chat.ToolCalls, Parts: []chat.Part{
	{Kind: chat.Text, Text: jsonedit.Plain("hello")},
	{Kind: chat.ToolCall, ID: "call_1", Name: "look", Arguments: jsonedit.Plain(`{"q":1}`)},
}}}}

// shapes are the answer in the client's format, in each shape that servers send.
func (c *shaped) shapes(t *testing.T) map[string]string {
	meta := chat.Meta{ID: "r1", Created: 1700000000, Model: "m"}
	answer := shapedAnswer
	answer.Meta = meta
	whole, err := c.dialect.AppendResponse(nil, &answer)
	if err != nil {
		t.Fatal(err)
	}
	encoder := c.dialect.NewEncoder(meta)
	var stream []byte
	for _, d := range shapedAnswer.Deltas() {
		stream = encoder.Append(stream, &d)
	}
	var events, frames, list []byte
	r := frame.New(c.framing, strings.NewReader(string(stream)), 0)
	defer r.Release()
	for {
		ev, err := r.Next()
		if err != nil {
			break
		}
		if len(ev.Data) == 0 {
			continue
		}
		events = frame.AppendSSE(events, ev.Type, ev.Data)
		headers, data := []frame.Header{{Name: ":message-type", Value: "event"}, {Name: ":event-type", Value: string(ev.Type)}}, ev.Data
		if c.wrapped {
			headers[1].Value, data = "chunk", []byte(`{"bytes":"`+base64.StdEncoding.EncodeToString(ev.Data)+`"}`)
		}
		frames = frame.AppendEventStream(frames, headers, data)
		list = append(append(list, ','), ev.Data...)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, whole, "", "  "); err != nil {
		t.Fatal(err)
	}
	shapes := map[string]string{"whole": string(whole), "whole, indented": indented.String(), "whole as an event": string(frame.AppendSSE(nil, nil, whole)),
		"whole as an event, indented": string(frame.AppendSSE(nil, nil, indented.Bytes())), "whole with a mark": "\ufeff" + string(whole), "events": string(events), "events with a mark": "\ufeff" + string(events)}
	if c.provider == "bedrock" {
		shapes["frames"] = string(frames)
	}
	if c.provider == "gemini" {
		shapes["list"] = "[" + string(list[1:]) + "]"
	}
	return shapes
}

// check reads what the client got as its SDK does.
func (c *shaped) check(out *taken, stream bool) error {
	body, label := out.body.Bytes(), out.header.Get("Content-Type")
	kind, _ := frame.KindOf(label, frame.Lines)
	if out.status != 200 {
		return fmt.Errorf("%d %s", out.status, body)
	}
	var resp *chat.Response
	var err error
	if stream {
		if kind != c.framing || strings.HasPrefix(string(body), "\ufeff") {
			return fmt.Errorf("labelled %q: %q", label, body)
		}
		if c.framing == frame.Array && body[0] != '[' {
			return fmt.Errorf("no array: %s", body)
		}
		r := frame.New(c.framing, strings.NewReader(string(body)), 0)
		defer r.Release()
		resp, err = chat.Gather(r, c.reads.NewStream(&target.Target{}))
	} else {
		if kind != frame.Array || body[0] != '{' {
			return fmt.Errorf("labelled %q: %q", label, body)
		}
		resp, err = c.reads.ParseResponse(&target.Target{}, body)
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, body)
	}
	text, calls := "", 0
	for _, p := range resp.Choices[0].Parts {
		if p.Kind == chat.Text {
			text += p.Text.String()
		}
		if p.Kind == chat.ToolCall && p.Name == "look" && strings.Join(strings.Fields(p.Arguments.String()), "") == `{"q":1}` {
			calls++
		}
	}
	if text != "hello" || calls != 1 || resp.Choices[0].Finish != chat.ToolCalls {
		return fmt.Errorf("says %q, calls %d, ends with %s: %s", text, calls, resp.Choices[0].Finish, body)
	}
	return nil
}

func TestAnswerIsWhatTheClientAskedForWhateverItsShapeAndLabel(t *testing.T) {
	for _, c := range shapedClients {
		t.Run(c.name, func(t *testing.T) {
			var label, answer string
			s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = []string{label}
				_, _ = w.Write([]byte(answer))
			}))
			inst := s.instance(confOf(c.format, c.route, c.provider, c.model, ""))
			for shape, answered := range c.shapes(t) {
				for _, label = range []string{"application/json", "text/event-stream", "text/plain", "application/octet-stream", "application/vnd.amazon.eventstream", ""} {
					answer = answered
					for _, stream := range []bool{false, true} {
						if c.wrapped && shape == "frames" && !stream {
							continue // InvokeModel sends none
						}
						path, body := c.whole, c.body+"}"
						if stream && c.stream != "" {
							path = c.stream
						} else if stream {
							body = c.body + `,"stream":true}`
						}
						path, query, _ := strings.Cut(path, "?")
						out, _ := s.post(inst, path, query, []byte(body))
						if err := c.check(out, stream); err != nil {
							t.Errorf("%s, labelled %q, stream %t: %v", shape, label, stream, err)
						}
					}
				}
			}
		})
	}
}

func TestErrorInAListIsAnErrorToGeminisClients(t *testing.T) {
	const list = `[{"error":{"code":503,"message":"no capacity","status":"UNAVAILABLE"}}]`
	for _, answer := range []string{"data: " + list + "\n\n", list} {
		for _, label := range []string{"text/event-stream", "application/json"} {
			s := newStage(t, says(200, label, answer))
			for _, at := range []string{":generateContent", ":streamGenerateContent", ":streamGenerateContent?alt=sse"} {
				path, query, _ := strings.Cut("/v1beta/models/g"+at, "?")
				out, rec := s.post(s.instance(confOf("gemini", chatRoute, "gemini", "g", "")), path, query, []byte(`{"contents":[{"role":"user","parts":[{"text":"x"}]}]}`))
				if out.status != 503 || !strings.Contains(out.body.String(), "no capacity") || rec.Data().Outcome == "completed" {
					t.Errorf("%s, %s, %s: %d %s", at, label, answer, out.status, out.body.String())
				}
			}
		}
	}
	const first = `data: {"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]}}]}` + "\n\n"
	s := newStage(t, says(200, "text/event-stream", first+"data: "+list+"\n\n"))
	out, _ := s.post(s.instance(confOf("gemini", chatRoute, "gemini", "g", "")), "/v1beta/models/g:streamGenerateContent", "alt=sse", []byte(`{"contents":[{"role":"user","parts":[{"text":"x"}]}]}`))
	if body := out.body.String(); out.status != 200 || !strings.Contains(body, "hello") || !strings.Contains(body, `data: {"error":{`) || strings.Count(body, "no capacity") != 1 {
		t.Errorf("after content: %d %s", out.status, body)
	}
}
