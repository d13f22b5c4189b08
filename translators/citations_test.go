package translators

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/cohere"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/target"
)

// cited is an answer "Né 1916." of which the page stands for "1916.", as providers
// write it: whole, and as the events of a stream.
var cited = map[string]struct {
	upstream chat.Upstream
	whole    string
	stream   string
}{
	"anthropic": {anthropic.Messages,
		`{"content":[{"type":"text","text":"Né "},{"type":"text","text":"1916.","citations":[{"type":"web_search_result_location","url":"https://example.org/a","title":"A","encrypted_index":"e","cited_text":"in 1916"}]}],"stop_reason":"end_turn"}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}
{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Né "}}
{"type":"content_block_stop","index":0}
{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"","citations":[]}}
{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://example.org/a","title":"A","encrypted_index":"e","cited_text":"in 1916"}}}
{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"1916."}}
{"type":"content_block_stop","index":1}
{"type":"message_delta","delta":{"stop_reason":"end_turn"}}
{"type":"message_stop"}`},
	"openai": {openai.Upstream{},
		`{"choices":[{"index":0,"message":{"content":"Né 1916.","annotations":[{"type":"url_citation","url_citation":{"start_index":3,"end_index":8,"url":"https://example.org/a","title":"A"}}]},"finish_reason":"stop"}]}`,
		`{"choices":[{"index":0,"delta":{"content":"Né 1916."}}]}
{"choices":[{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":{"start_index":3,"end_index":8,"url":"https://example.org/a","title":"A"}}]}}]}
{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
[DONE]`},
	"bedrock": {bedrock.Converse,
		`{"output":{"message":{"role":"assistant","content":[{"text":"Né "},{"citationsContent":{"content":[{"text":"1916."}],"citations":[{"title":"A","sourceContent":[{"text":"in 1916"}],"location":{"web":{"url":"https://example.org/a","domain":"example.org"}}}]}}]}},"stopReason":"end_turn"}`,
		`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"Né "}}
contentBlockStop {"contentBlockIndex":0}
contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"1916."}}
contentBlockDelta {"contentBlockIndex":1,"delta":{"citation":{"title":"A","sourceContent":[{"text":"in 1916"}],"location":{"web":{"url":"https://example.org/a","domain":"example.org"}}}}}
contentBlockStop {"contentBlockIndex":1}
messageStop {"stopReason":"end_turn"}`},
	"cohere": {cohere.Chat,
		`{"id":"1","message":{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Né 1916."}],"citations":[{"start":3,"end":8,"text":"1916.","content_index":1,"type":"TEXT_CONTENT","sources":[{"type":"document","id":"doc:0","document":{"id":"doc:0","title":"A","url":"https://example.org/a","snippet":"in 1916"}}]}]},"finish_reason":"COMPLETE"}`,
		`{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":"hm"}}}}
{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}
{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"Né 1916."}}}}
{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":3,"end":8,"text":"1916.","content_index":1,"sources":[{"type":"document","id":"doc:0","document":{"id":"doc:0","title":"A","url":"https://example.org/a","snippet":"in 1916"}}]}}}}
{"type":"citation-end","index":0}
{"type":"content-end","index":1}
{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}`},
	"cohere, version 1": {cohere.Chat,
		`{"generation_id":"1","text":"Né 1916.","finish_reason":"COMPLETE","citations":[{"start":3,"end":8,"text":"1916.","document_ids":["d"]}],"documents":[{"id":"d","title":"A","url":"https://example.org/a"}]}`,
		`{"event_type":"text-generation","text":"Né 1916."}
{"event_type":"citation-generation","citations":[{"start":3,"end":8,"text":"1916.","document_ids":["d"]}]}
{"event_type":"stream-end","finish_reason":"COMPLETE","response":{"text":"Né 1916.","citations":[{"start":3,"end":8,"text":"1916.","document_ids":["d"]}],"documents":[{"id":"d","title":"A","url":"https://example.org/a"}]}}`},
	"gemini": {gemini.Generate,
		`{"candidates":[{"content":{"role":"model","parts":[{"text":"hm","thought":true},{"text":"Né 1916."}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://example.org/a","title":"A"}}],"groundingSupports":[{"segment":{"partIndex":1,"startIndex":4,"endIndex":9},"groundingChunkIndices":[0]}]}}]}`,
		`{"candidates":[{"content":{"role":"model","parts":[{"text":"Né "}]}}]}
{"candidates":[{"content":{"role":"model","parts":[{"text":"1916."}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://example.org/a","title":"A"}}],"groundingSupports":[{"segment":{"startIndex":4,"endIndex":9},"groundingChunkIndices":[0]}]}}]}`},
}

// told is how a client of each dialect gets the source.
var told = map[string]struct {
	dialect       chat.Dialect
	whole, stream string
}{
	"chat": {openai.Chat,
		`"annotations":[{"type":"url_citation","url_citation":{"start_index":3,"end_index":8,"url":"https://example.org/a","title":"A"}}]`,
		`{"annotations":[{"type":"url_citation","url_citation":{"start_index":3,"end_index":8,"url":"https://example.org/a","title":"A"}}]}`},
	"responses": {openai.Responses,
		`"annotations":[{"type":"url_citation","start_index":3,"end_index":8,"url":"https://example.org/a","title":"A"}]`,
		`"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","start_index":3,"end_index":8,"url":"https://example.org/a","title":"A"}}`},
	"anthropic": {anthropic.Dialect,
		`"citations":[{"type":"web_search_result_location","url":"https://example.org/a","title":"A","cited_text":"`,
		`"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://example.org/a","title":"A","cited_text":"`},
	"bedrock": {bedrock.Dialect,
		`"location":{"web":{"url":"https://example.org/a","domain":"example.org"}}}]}}]`,
		`"delta":{"citation":{"title":"A",`},
	"gemini": {gemini.Dialect,
		`"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://example.org/a","title":"A"}}],"groundingSupports":[{"segment":{`,
		`"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://example.org/a","title":"A"}}],"groundingSupports":[{"segment":{"startIndex":4,"endIndex":9},"groundingChunkIndices":[0]}]}`},
}

func TestSourcesOfAnAnswerReachEveryClient(t *testing.T) {
	for provider, p := range cited {
		for client, c := range told {
			t.Run(provider+" to "+client, func(t *testing.T) {
				r, err := p.upstream.ParseResponse(&plainTarget, []byte(p.whole))
				if err != nil {
					t.Fatal(err)
				}
				answer, err := c.dialect.AppendResponse(nil, r)
				if err != nil || !strings.Contains(string(answer), c.whole) {
					t.Errorf("%v: the whole answer has no %s\n%s", err, c.whole, answer)
				}
				stream, encoder := p.upstream.NewStream(&plainTarget), c.dialect.NewEncoder(chat.Meta{})
				var events []byte
				for line := range strings.Lines(p.stream) {
					name, data, _ := strings.Cut(strings.TrimSpace(line), "{")
					if name != "[DONE]" {
						name, data = strings.TrimSpace(name), "{"+data
					} else {
						name, data = "", name
					}
					deltas, err := stream.Next(frame.Event{Type: []byte(name), Data: []byte(data)})
					if err != nil {
						t.Fatal(err)
					}
					for i := range deltas {
						events = encoder.Append(events, &deltas[i])
					}
				}
				events = encoder.Append(events, &chat.Delta{Kind: chat.End})
				if !strings.Contains(string(events), c.stream) {
					t.Errorf("the stream has no %s\n%s", c.stream, events)
				}
			})
		}
	}
}

func TestListsOfSourcesBesideTheAnswerAreToldOnce(t *testing.T) {
	const list = `,"citations":["https://example.org/a"],"search_results":[{"title":"A","url":"https://example.org/a"}]}`
	stream, encoder := openai.Upstream{}.NewStream(&plainTarget), anthropic.Dialect.NewEncoder(chat.Meta{})
	var events []byte
	for _, data := range []string{`{"choices":[{"index":0,"delta":{"role":"assistant"}}]` + list, `{"choices":[{"index":0,"delta":{"content":"a[1]"}}]` + list, "[DONE]"} {
		deltas, err := stream.Next(frame.Event{Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range deltas {
			events = encoder.Append(events, &deltas[i])
		}
	}
	text, cited := strings.Index(string(events), "a[1]"), strings.Index(string(events), "citations_delta")
	if text < 0 || cited < text || strings.Count(string(events), `"url":"https://example.org/a","title":"A"`) != 1 {
		t.Errorf("%s", events)
	}
}

// A document of which Claude is to cite keeps that wherever Claude is asked; other models
// of Bedrock refuse it.
func TestDocumentsToBeCitedKeepTheirContext(t *testing.T) {
	const claude, nova = "anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-pro-v1:0"
	const asked = `{"max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hi"},"title":"T","context":"C","citations":{"enabled":true}},{"type":"text","text":"?"}]}]}`
	const chunks = `{"max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},"citations":{"enabled":false}},{"type":"text","text":"?"}]}]}`
	const converse = `{"messages":[{"role":"user","content":[{"document":{"format":"txt","name":"T","source":{"text":"hi"},"context":"C","citations":{"enabled":true}}},{"text":"?"}]}]}`
	for name, c := range map[string]struct {
		dialect     chat.Dialect
		upstream    chat.Upstream
		model, body string
		want        string
	}{
		"Anthropic's to Claude of Bedrock": {anthropic.Dialect, bedrock.Converse, claude, asked,
			`{"document":{"format":"txt","name":"T","source":{"bytes":"aGk="},"context":"C","citations":{"enabled":true}}}`},
		"Anthropic's to Nova": {anthropic.Dialect, bedrock.Converse, nova, asked,
			`{"document":{"format":"txt","name":"T","source":{"bytes":"aGk="},"context":"C"}}`},
		"Anthropic's in pieces": {anthropic.Dialect, bedrock.Converse, claude, chunks,
			`{"document":{"format":"txt","name":"document","source":{"bytes":"YQpi"}}}`},
		"Bedrock's to Anthropic": {bedrock.Dialect, anthropic.Messages, "claude-sonnet-4-5", converse,
			`"title":"T.txt","context":"C","citations":{"enabled":true}}`},
	} {
		r, err := chat.ParseRequest(c.dialect, []byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		to := target.Target{Model: c.model, Route: "llm/v1/chat", Options: &target.Options{}}
		body, err := c.upstream.AppendRequest(nil, &to, r)
		if err != nil || !strings.Contains(string(body), c.want) {
			t.Errorf("%s: %v: no %s in\n%s", name, err, c.want, body)
		}
	}
}
