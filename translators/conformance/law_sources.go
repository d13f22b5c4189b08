package conformance

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/provider"
)

// The law of sources: the client is told which page stands for which words of an answer,
// in its own format, whole and streamed alike; and the answer comes back as history to
// every provider without the page's tokens that only its maker can read.

// sourced are answers "Né 1916." of which a page stands for "1916.", as the formats that
// name sources write them: whole, and as the events of a stream. An event that begins with
// a word is called that.
var sourced = map[provider.Format]struct {
	whole  string
	stream []string
}{
	provider.OpenAIChat: {
		`{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Né 1916.","annotations":[` + chatSource + `]},"finish_reason":"stop"}],"usage":` + chatUsage + `}`,
		[]string{chatChunk(`{"role":"assistant","content":"Né "}`, "null"), chatChunk(`{"content":"1916."}`, "null"), chatChunk(`{"annotations":[`+chatSource+`]}`, "null"), chatChunk(`{}`, `"stop"`), `[DONE]`},
	},
	provider.OpenAIResponses: {
		`{"id":"r","object":"response","status":"completed","model":"m","output":[` + sourcedItem + `],"usage":` + responsesUsage + `}`,
		[]string{
			`response.created {"type":"response.created","response":{"id":"r","object":"response","status":"in_progress","model":"m","output":[]}}`,
			`response.output_item.added {"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"msg_1","status":"in_progress","role":"assistant","content":[]}}`,
			`response.content_part.added {"type":"response.content_part.added","item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}`,
			`response.output_text.delta {"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"Né 1916."}`,
			`response.output_text.annotation.added {"type":"response.output_text.annotation.added","item_id":"msg_1","output_index":0,"content_index":0,"annotation_index":0,"annotation":` + responsesSource + `}`,
			`response.output_text.done {"type":"response.output_text.done","item_id":"msg_1","output_index":0,"content_index":0,"text":"Né 1916."}`,
			`response.output_item.done {"type":"response.output_item.done","output_index":0,"item":` + sourcedItem + `}`,
			`response.completed {"type":"response.completed","response":{"id":"r","object":"response","status":"completed","model":"m","output":[` + sourcedItem + `],"usage":` + responsesUsage + `}}`,
		},
	},
	provider.AnthropicMessages: {
		`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Né "},{"type":"text","text":"1916.","citations":[` + anthropicSource + `]}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}`,
		[]string{
			`message_start {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}`,
			`content_block_start {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
			`content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Né "}}`,
			`content_block_stop {"type":"content_block_stop","index":0}`,
			`content_block_start {"type":"content_block_start","index":1,"content_block":{"type":"text","text":"","citations":[]}}`,
			`content_block_delta {"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":` + anthropicSource + `}}`,
			`content_block_delta {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"1916."}}`,
			`content_block_stop {"type":"content_block_stop","index":1}`,
			`message_delta {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}`,
			`message_stop {"type":"message_stop"}`,
		},
	},
	provider.BedrockConverse: {
		`{"output":{"message":{"role":"assistant","content":[{"text":"Né "},{"citationsContent":{"content":[{"text":"1916."}],"citations":[` + bedrockSource + `]}}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}`,
		[]string{
			`messageStart {"role":"assistant"}`,
			`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"Né "}}`, `contentBlockStop {"contentBlockIndex":0}`,
			`contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"1916."}}`, `contentBlockDelta {"contentBlockIndex":1,"delta":{"citation":` + bedrockSource + `}}`,
			`contentBlockStop {"contentBlockIndex":1}`, `messageStop {"stopReason":"end_turn"}`, `metadata {"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}`,
		},
	},
	provider.GeminiGenerate: {
		`{"candidates":[{"content":{"role":"model","parts":[{"text":"Né 1916."}]},"finishReason":"STOP","groundingMetadata":` + geminiSource + `}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}`,
		[]string{`{"candidates":[{"content":{"role":"model","parts":[{"text":"Né "}]}}]}`,
			`{"candidates":[{"content":{"role":"model","parts":[{"text":"1916."}]},"finishReason":"STOP","groundingMetadata":` + geminiSource + `}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}`},
	},
	provider.CohereChatV2: {
		`{"id":"1","message":{"role":"assistant","content":[{"type":"text","text":"Né 1916."}],"citations":[` + cohereSource + `]},"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":1,"output_tokens":2}}}`,
		[]string{`{"type":"message-start","id":"1","delta":{"message":{"role":"assistant"}}}`, `{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`,
			`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Né 1916."}}}}`, `{"type":"citation-start","index":0,"delta":{"message":{"citations":` + cohereSource + `}}}`,
			`{"type":"citation-end","index":0}`, `{"type":"content-end","index":0}`, `{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":1,"output_tokens":2}}}}`},
	},
}

const (
	chatSource      = `{"type":"url_citation","url_citation":{"start_index":3,"end_index":8,"url":"https://example.org/a","title":"A"}}`
	chatUsage       = `{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}`
	responsesSource = `{"type":"url_citation","start_index":3,"end_index":8,"url":"https://example.org/a","title":"A"}`
	responsesUsage  = `{"input_tokens":1,"output_tokens":2,"total_tokens":3}`
	sourcedItem     = `{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Né 1916.","annotations":[` + responsesSource + `]}]}`
	anthropicSource = `{"type":"web_search_result_location","url":"https://example.org/a","title":"A","encrypted_index":"` + sealedIndex + `","cited_text":"in 1916"}`
	sealedIndex     = "c2VhbGVkIGluZGV4"
	bedrockSource   = `{"title":"A","sourceContent":[{"text":"in 1916"}],"location":{"web":{"url":"https://example.org/a","domain":"example.org"}}}`
	geminiSource    = `{"groundingChunks":[{"web":{"uri":"https://example.org/a","title":"A"}}],"groundingSupports":[{"segment":{"startIndex":4,"endIndex":9},"groundingChunkIndices":[0]}]}`
	cohereSource    = `{"start":3,"end":8,"text":"1916.","content_index":0,"type":"TEXT_CONTENT","sources":[{"type":"document","id":"doc:0","document":{"id":"doc:0","title":"A","url":"https://example.org/a","snippet":"in 1916"}}]}`
)

func chatChunk(delta, finish string) string {
	return `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]}`
}

func checkSources(t *testing.T, p *pair, others []*pair) {
	history := p.client.says("When was he born?")
	u, err := p.ask(t, p.client.request(history, &asked{model: p.target.Model}), false)
	if err != nil {
		t.Fatal(err)
	}
	said, ok := sourced[u.op.Format]
	if !p.had(t, Sources, ok) || u.same {
		return
	}
	resp, err := u.op.Chat.ParseResponse(u.target, []byte(said.whole))
	if err != nil {
		t.Fatal(err)
	}
	resp.Meta = u.meta
	body, err := u.api.Dialect.AppendResponse(nil, resp)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := u.client.whole(body)
	if err != nil {
		t.Fatal(err)
	}
	checkSource(t, "whole", whole)
	if !u.op.NoStream && u.op.Parts == "" {
		contentType, events := framed(u.op.Format, said.stream)
		streamed := u.streamed(t, contentType, events)
		checkSource(t, "streamed", streamed)
		whole = streamed
	}
	history = append(append(history, whole.kept...), p.client.says("And she?")...)
	for _, q := range others {
		back, err := q.ask(t, q.client.request(history, &asked{model: q.target.Model}), false)
		if err != nil {
			t.Fatalf("the history is refused at %s: %v", q.player.Name, err)
		}
		back.noMarks(t)
		back.wants(t, "1916.", "And she?")
		if bytes.Contains(back.upstream, []byte(sealedIndex)) && !u.same {
			t.Errorf("the token of a page reached %s: %s", q.player.Name, clip(back.upstream))
		}
	}
}

// framed returns the events of a stream as the format frames them.
func framed(format provider.Format, list []string) (contentType string, events [][]byte) {
	contentType = "text/event-stream"
	for _, e := range list {
		name, data, found := strings.Cut(e, " {")
		if data = "{" + data; !found || strings.ContainsAny(name, `{"`) {
			name, data = "", e
		}
		if format == provider.BedrockConverse {
			contentType = "application/vnd.amazon.eventstream"
			events = append(events, frame.AppendEventStream(nil, []frame.Header{
				{Name: ":event-type", Value: name}, {Name: ":content-type", Value: "application/json"}, {Name: ":message-type", Value: "event"},
			}, []byte(data)))
			continue
		}
		events = append(events, frame.AppendSSE(nil, []byte(name), []byte(data)))
	}
	return contentType, events
}

// checkSource checks what the client is told of the page: that it stands for the last
// five characters, or in a format that cites blocks for the block that ends in them.
func checkSource(t *testing.T, how string, a *told) {
	t.Helper()
	equal(t, how+": text", a.text(chat.Text), "Né 1916.")
	var found []string
	for _, p := range a.of(chat.Text) {
		for _, c := range p.cites {
			words := []rune(p.text)
			if c.End > 0 { // it says where
				equal(t, how+": characters", c.End-c.Start, 5)
				words = words[min(c.Start, len(words)):min(c.End, len(words))]
			}
			found = append(found, fmt.Sprint(c.URL, " ", c.Title, " ", string(words)))
		}
	}
	if len(found) != 1 || !strings.HasPrefix(found[0], "https://example.org/a A ") || !strings.HasSuffix(found[0], "1916.") {
		t.Errorf("%s: the client is told of %q", how, found)
	}
}
