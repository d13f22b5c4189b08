package openai

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// ReadUsage reads a usage object in either of OpenAI's namings: that of chat
// (prompt_tokens …) and that of Responses, images and transcriptions
// (input_tokens …). Counters are totals: what the object names replaces what
// u had. It returns false, and leaves u alone, for what is no object. value must
// be valid, as a Member's is.
//
// https://platform.openai.com/docs/api-reference/chat/object
// https://platform.openai.com/docs/api-reference/responses/object
func ReadUsage(value []byte, u *chat.Usage) bool {
	if !jsonedit.IsObject(value) {
		return false
	}
	var space [24]jsonedit.Member
	members := jsonedit.Members(value, space[:0])
	u.Total = 0
	for i := range members {
		m := &members[i]
		switch string(m.Key) {
		case "prompt_tokens", "input_tokens":
			setInt(&u.Prompt, m.Value)
		case "completion_tokens", "output_tokens":
			setInt(&u.Completion, m.Value)
		case "total_tokens":
			setInt(&u.Total, m.Value)
		case "prompt_cache_hit_tokens": // DeepSeek, https://api-docs.deepseek.com/guides/kv_cache
			setInt(&u.Cached, m.Value)
		case "prompt_tokens_details", "input_tokens_details", "input_token_details":
			readPromptDetails(m.Value, u)
		case "completion_tokens_details", "output_tokens_details", "output_token_details":
			readCompletionDetails(m.Value, u)
		}
	}
	// xAI does not count reasoning in completion_tokens, but in the total.
	// https://docs.x.ai/docs/guides/reasoning
	if u.Reasoning > 0 && u.Total == u.Prompt+u.Completion+u.Reasoning {
		u.Completion += u.Reasoning
	}
	return true
}

func readPromptDetails(value []byte, u *chat.Usage) {
	var space [12]jsonedit.Member
	members := jsonedit.Members(value, space[:0])
	for i := range members {
		m := &members[i]
		switch string(m.Key) {
		case "cached_tokens":
			setInt(&u.Cached, m.Value)
		case "cache_write_tokens":
			setInt(&u.CacheWrite, m.Value)
		case "audio_tokens":
			setInt(&u.PromptAudio, m.Value)
		case "image_tokens":
			setInt(&u.PromptImage, m.Value)
		case "text_tokens":
			setInt(&u.PromptText, m.Value)
		}
	}
}

func readCompletionDetails(value []byte, u *chat.Usage) {
	var space [12]jsonedit.Member
	members := jsonedit.Members(value, space[:0])
	for i := range members {
		m := &members[i]
		switch string(m.Key) {
		case "reasoning_tokens":
			setInt(&u.Reasoning, m.Value)
		case "audio_tokens":
			setInt(&u.CompletionAudio, m.Value)
		case "image_tokens":
			setInt(&u.CompletionImage, m.Value)
		case "text_tokens":
			setInt(&u.CompletionText, m.Value)
		case "accepted_prediction_tokens":
			setInt(&u.AcceptedPrediction, m.Value)
		case "rejected_prediction_tokens":
			setInt(&u.RejectedPrediction, m.Value)
		}
	}
}

// setInt leaves *to alone where there is no count: null, or less than nothing.
func setInt(to *int, value []byte) {
	if n, ok := jsonedit.Int(value); ok && n >= 0 {
		*to = n
	}
}
