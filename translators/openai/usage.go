package openai

import (
	"bytes"
	"math"
	"strconv"

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
	u.Total = 0
	for m := jsonedit.Walk(value); m.Next(); {
		switch string(m.Key) {
		case "prompt_tokens", "input_tokens":
			chat.CounterIn(&u.Prompt, m.Value)
		case "completion_tokens", "output_tokens":
			chat.CounterIn(&u.Completion, m.Value)
		case "total_tokens":
			chat.CounterIn(&u.Total, m.Value)
		case "prompt_cache_hit_tokens": // DeepSeek, https://api-docs.deepseek.com/guides/kv_cache
			chat.CounterIn(&u.Cached, m.Value)
		case "cache_read_input_tokens": // Databricks, which has Claude's: its query-reason-models page
			chat.CounterIn(&u.Cached, m.Value)
		case "cached_tokens", "num_cached_tokens":
			// Kimi, https://platform.moonshot.ai/docs/api/chat; Mistral, https://docs.mistral.ai/api
			chat.CounterIn(&u.Cached, m.Value)
		case "cache_creation_input_tokens":
			chat.CounterIn(&u.CacheWrite, m.Value)
		case "seconds": // https://platform.openai.com/docs/api-reference/audio/json-object
			setSeconds(&u.Milliseconds, m.Value)
		case "cost":
			u.Cost = costIn(m.Value)
		case "num_search_queries": // https://docs.perplexity.ai/api-reference/chat-completions-post
			chat.CounterIn(&u.SearchUnits, m.Value)
		case "server_tool_use", "server_tool_use_details": // Claude's, at gateways with OpenAI's API
			readCounters(m.Value, counter{"web_search_requests", &u.SearchUnits})
		case "prompt_tokens_details", "input_tokens_details", "input_token_details":
			// https://www.alibabacloud.com/help/en/model-studio/context-cache
			if parts := jsonedit.Get(m.Value, "cache_creation"); readCounters(parts,
				counter{"ephemeral_5m_input_tokens", &u.CacheWrite5m}, counter{"ephemeral_1h_input_tokens", &u.CacheWrite1h}) {
				u.CacheWrite = u.CacheWrite5m + u.CacheWrite1h
			}
			readCounters(m.Value, counter{"cached_tokens", &u.Cached}, counter{"cache_write_tokens", &u.CacheWrite},
				counter{"cache_creation_input_tokens", &u.CacheWrite}, counter{"cache_creation_tokens", &u.CacheWrite},
				counter{"audio_tokens", &u.PromptAudio}, counter{"image_tokens", &u.PromptImage}, counter{"text_tokens", &u.PromptText})
		case "completion_tokens_details", "output_tokens_details", "output_token_details":
			readCounters(m.Value, counter{"reasoning_tokens", &u.Reasoning}, counter{"audio_tokens", &u.CompletionAudio},
				counter{"image_tokens", &u.CompletionImage}, counter{"text_tokens", &u.CompletionText},
				counter{"accepted_prediction_tokens", &u.AcceptedPrediction}, counter{"rejected_prediction_tokens", &u.RejectedPrediction})
		}
	}
	// xAI does not count reasoning in completion_tokens, but in the total.
	// https://docs.x.ai/docs/guides/reasoning
	if u.Reasoning > 0 && u.Total == u.Prompt+u.Completion+u.Reasoning {
		u.Completion += u.Reasoning
	}
	return true
}

// costIn is what the provider says that it takes: OpenRouter as a number, Perplexity in a
// record. It is 0 where that is no amount.
//
//	https://openrouter.ai/docs/use-cases/usage-accounting
//	https://docs.perplexity.ai/api-reference/chat-completions-post
func costIn(value []byte) float64 {
	if jsonedit.IsObject(value) {
		value = jsonedit.Get(value, "total_cost")
	}
	amount, err := strconv.ParseFloat(string(value), 64)
	if err != nil || !(amount > 0) || math.IsInf(amount, 0) {
		return 0
	}
	return amount
}

// searches counts the web searches in the output of a response, which are paid for one by
// one. Opening a page that was found is free.
// https://platform.openai.com/docs/guides/tools-web-search
func searches(output []byte) (n int) {
	if !bytes.Contains(output, []byte(searchCall)) {
		return 0
	}
	for _, item := range jsonedit.Elements(output, nil) {
		kind, _ := jsonedit.String(jsonedit.Get(item, "type"))
		action, _ := jsonedit.String(jsonedit.Lookup(item, "action", "type"))
		n += search(kind, action)
	}
	return n
}

// searchesIn is searches for items that have been parsed.
func searchesIn(items []*jsonedit.Value) (n int) {
	for _, item := range items {
		n += search(item.GetString("type"), item.GetString("action", "type"))
	}
	return n
}

const searchCall = "web_search_call"

func search(kind, action string) int {
	if kind == searchCall && (action == "" || action == "search") {
		return 1
	}
	return 0
}

// counter is the name of a count, and the field for it.
type counter struct {
	name string
	to   *int
}

// readCounters says whether it found one of the counters.
func readCounters(value []byte, counters ...counter) (found bool) {
	for m := jsonedit.Walk(value); m.Next(); {
		for _, c := range counters {
			if string(m.Key) == c.name {
				chat.CounterIn(c.to, m.Value)
				found = true
			}
		}
	}
	return found
}

// setSeconds sets *to, in milliseconds, to a number of seconds. It does not change it
// if the value is none, or negative.
func setSeconds(to *int, value []byte) {
	if f, err := strconv.ParseFloat(string(value), 64); err == nil && f >= 0 && f < maxSeconds {
		*to = int(math.Round(f * 1000))
	}
}

// maxSeconds bounds the sound of one request: a year.
const maxSeconds = 365 * 24 * 3600
