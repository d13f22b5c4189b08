package chat

import "testing"

func TestWholeAnswersAreTakenForOneAndEventsAreNot(t *testing.T) {
	for data, want := range map[string]bool{
		`{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`: true,
		`{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn"}`:                    true,
		`{"id":"r","object":"response","status":"completed","output":[]}`:                                                                    true,
		`{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn"}`:                                      true,
		`{"id":"c","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"hi"}]}}`:                       true,

		`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hi"}}]}`:              false,
		`{"choices":[{"index":0,"delta":{"content":"hi"},"message":{"role":"assistant","content":"hi"}}]}`: false,
		`{"choices":[]}`: false,
		`{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[]}}`: false,
		`{"type":"response.completed","response":{"object":"response","output":[]}}`:                     false,
		`{"type":"message-start","delta":{"message":{"role":"assistant"}}}`:                              false,
		`{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}`:                                    false,
		`{"message":{"role":"assistant","content":"hi"},"done":false}`:                                   false,
		`{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}]}`:                   false,
		`{"role":"assistant"}`: false, `[DONE]`: false, `{"choices":[{"message":`: false, ``: false,
	} {
		if IsWhole([]byte(data)) != want {
			t.Errorf("%s: want %t", data, want)
		}
	}
}
