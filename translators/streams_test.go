package translators

import (
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// What is translated as a whole cannot stream, and says so: a client that asks
// for a stream is refused before the provider is asked.
func TestOperationsThatCannotStreamSaySo(t *testing.T) {
	for _, name := range Names() {
		variants := []*provider.Provider{Lookup(name)}
		if v := variants[0].Variant; v != nil {
			for _, o := range []target.Options{{}, {Llama2Format: "raw"}, {Llama2Format: "ollama"}, {MistralFormat: "ollama"}, {Gemini: target.Gemini{APIEndpoint: "x", ProjectID: "p", LocationID: "l"}}} {
				variants = append(variants, v(&target.Target{Provider: name, Model: "m", Options: &o}))
			}
		}
		for _, p := range variants {
			for route, op := range p.Operations {
				if (op.Body != nil || op.Resource != nil) && !op.NoStream {
					t.Errorf("%s %s: is translated whole and may be streamed", name, route)
				}
				if op.Chat == nil {
					continue
				}
				_, err := op.Chat.NewStream(&plainTarget).Next(frame.Event{})
				if (err != nil) != op.NoStream {
					t.Errorf("%s %s: NoStream is %v, its stream says %v", name, route, op.NoStream, err)
				}
			}
		}
	}
}

// Each answer of a session counts for itself: the session's usage is the sum.
func TestUsageOfRealtimeSessionsIsSummed(t *testing.T) {
	for name, c := range map[string]struct {
		meter    chat.Meter
		messages []string
		want     chat.Usage
	}{
		"openai": {openai.RealtimeMeter, []string{
			`{"type":"session.created","session":{"model":"gpt-realtime"}}`,
			`{"type":"response.output_audio.delta","delta":"aaaa"}`,
			`{"type":"response.done","response":{"usage":{"total_tokens":30,"input_tokens":20,"output_tokens":10,"input_token_details":{"text_tokens":5,"audio_tokens":15,"cached_tokens":4},"output_token_details":{"text_tokens":2,"audio_tokens":8}}}}`,
			`{"type":"response.done","response":{"status":"cancelled","usage":null}}`,
			`{"type":"response.done","response":{"usage":{"total_tokens":3,"input_tokens":2,"output_tokens":1,"input_token_details":{"text_tokens":2},"output_token_details":{"text_tokens":1}}}}`,
			`{"type":"conversation.item.created","item":{"content":[{"text":"{\"usage\":{\"input_tokens\":9}} response.done"}]}}`,
		}, chat.Usage{Prompt: 22, Completion: 11, PromptText: 7, PromptAudio: 15, Cached: 4, CompletionText: 3, CompletionAudio: 8, Calls: 2, Largest: 20}},
		"gemini": {gemini.LiveMeter, []string{
			`{"setupComplete":{}}`,
			`{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm","data":"aaaa"}}]}}}`,
			`{"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":20,"responseTokenCount":10,"thoughtsTokenCount":3,"totalTokenCount":33,"responseTokensDetails":[{"modality":"AUDIO","tokenCount":10}]}}`,
			`{"usageMetadata":{"promptTokenCount":2,"responseTokenCount":1,"totalTokenCount":3,"responseTokensDetails":[{"modality":"TEXT","tokenCount":1}]}}`,
			`{"usageMetadata":`,
		}, chat.Usage{Prompt: 22, Completion: 14, Reasoning: 3, CompletionAudio: 10, CompletionText: 1, Calls: 2, Largest: 20}},
	} {
		var seen chat.Seen
		for i, m := range c.messages {
			c.meter.Event(frame.Event{Data: []byte(m)}, &seen)
			if got, want := seen.Content, i > 0; got != want {
				t.Errorf("%s: content after message %d: %v", name, i, got)
			}
			if got, want := seen.HasUsage, i > 1; got != want {
				t.Errorf("%s: usage after message %d: %v", name, i, got)
			}
		}
		if seen.Usage != c.want {
			t.Errorf("%s: got %+v, want %+v", name, seen.Usage, c.want)
		}
	}
}
