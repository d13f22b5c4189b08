package record

import (
	"math"
	"strconv"
	"time"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// Append writes the record, the value of `ai.proxy`, as a JSON object; nothing
// when the configuration wants nothing logged.
func (r *Record) Append(dst []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.data.append(dst)
}

func (d *Data) append(dst []byte) []byte {
	if !d.Logging.Statistics && !d.Logging.Payloads {
		return dst
	}
	dst = append(dst, '{')
	if d.Logging.Statistics {
		dst = d.appendMeta(jsonedit.AppendName(dst, "meta"))
		dst = d.appendUsage(jsonedit.AppendName(dst, "usage"))
		if len(d.Tried) > 0 {
			dst = d.appendTried(jsonedit.AppendName(dst, "tried_targets"))
		}
		if d.Hedge != nil {
			dst = d.Hedge.append(jsonedit.AppendName(dst, "hedge"))
		}
	}
	if d.Logging.Payloads {
		dst = d.appendPayload(jsonedit.AppendName(dst, "payload"))
	}
	return append(dst, '}')
}

func (d *Data) appendMeta(dst []byte) []byte {
	response := d.ResponseModel
	if response == "" {
		response = d.Model
	}
	latency := d.Latency
	if latency == 0 && d.Outcome == Pending {
		latency = time.Since(d.Started)
	}
	dst = append(dst, '{')
	dst = jsonedit.AppendOptional(dst, "plugin_id", d.PluginID)
	dst = jsonedit.AppendOptional(dst, "provider_name", d.Provider)
	dst = jsonedit.AppendOptional(dst, "request_model", d.Model)
	dst = jsonedit.AppendOptional(dst, "response_model", response)
	dst = jsonedit.AppendInt(dst, "llm_latency", latency.Milliseconds())
	dst = jsonedit.AppendOptional(dst, "request_mode", d.Mode)
	dst = jsonedit.AppendOptional(dst, "genai_category", d.Category)
	dst = jsonedit.AppendOptional(dst, "outcome", d.Outcome)
	dst = jsonedit.AppendOptional(dst, "error", d.Message)
	dst = jsonedit.AppendTexts(dst, "warnings", d.Warnings)
	dst = jsonedit.AppendTexts(dst, "tools_left_out", d.LeftOut)
	dst = jsonedit.AppendOptional(dst, "algorithm", d.Algorithm)
	dst = jsonedit.AppendOptional(dst, "reason", d.Reason)
	if len(d.Budgets) > 0 {
		dst = d.appendBudgets(jsonedit.AppendName(dst, "budgets"))
	}
	dst = jsonedit.AppendOptional(dst, "affinity_key", d.Affinity.Key)
	dst = jsonedit.AppendOptional(dst, "affinity", d.Affinity.Placement)
	dst = jsonedit.AppendOptional(dst, "response_cache", d.ResponseCache)
	dst = jsonedit.AppendOptional(dst, "prompt_cache", d.PromptCache.State)
	dst = appendCount(dst, "prompt_cache_marks", d.PromptCache.Marks)
	for _, option := range target.Logged {
		if d.Options != nil && option.ReadBy(d.Provider) {
			dst = jsonedit.AppendOptional(dst, option.Logged, *option.Text(d.Options))
		}
	}
	return append(dst, '}')
}

// appendBudgets writes what the request reserved of its budgets, without whose they are.
func (d *Data) appendBudgets(dst []byte) []byte {
	dst = append(dst, '[')
	for i := range d.Budgets {
		s := &d.Budgets[i]
		dst = append(jsonedit.AppendComma(dst), '{')
		dst = jsonedit.AppendText(dst, "budget", s.Budget.Name())
		dst = jsonedit.AppendText(dst, "outcome", string(s.Outcome))
		dst = appendFloat(dst, "limit", s.Budget.Amount(s.Budget.Limit))
		dst = appendFloat(dst, "used", s.Budget.Amount(s.Used))
		dst = appendFloat(dst, "reserved", s.Budget.Amount(s.Reserved))
		dst = jsonedit.AppendInt(dst, "reset", int(s.Reset.Seconds()))
		if s.Alone {
			dst = jsonedit.AppendBool(dst, "redis_failed", true)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func (d *Data) appendUsage(dst []byte) []byte {
	u := &d.Usage
	first := d.First
	if first == 0 {
		first = d.Latency
	}
	perToken := 0.0
	if u.Completion > 0 {
		perToken = float64(d.Latency.Milliseconds()) / float64(u.Completion)
	}
	dst = append(dst, '{')
	dst = jsonedit.AppendInt(dst, "prompt_tokens", u.Prompt)
	dst = jsonedit.AppendInt(dst, "completion_tokens", u.Completion)
	dst = jsonedit.AppendInt(dst, "total_tokens", u.TotalTokens())
	dst = appendFloat(dst, "time_per_token", perToken)
	dst = jsonedit.AppendInt(dst, "time_to_first_token", first.Milliseconds())
	dst = appendFloat(dst, "cost", d.Cost())
	reported := d.reported(u)
	if u.Any() && d.prices() == nil && !reported { // a cost of 0 is not that of a free model
		dst = jsonedit.AppendBool(dst, "cost_unknown", true)
	}
	if d.Logging.PriceFile != "" || reported {
		dst = d.appendPrice(jsonedit.AppendName(dst, "price"))
	}
	if s := d.Saved; s != nil && s.Usage.Any() {
		dst = append(jsonedit.AppendName(dst, "saved"), '{')
		dst = jsonedit.AppendInt(dst, "prompt_tokens", s.Usage.Prompt)
		dst = jsonedit.AppendInt(dst, "completion_tokens", s.Usage.Completion)
		dst = append(appendFloat(dst, "cost", s.Cost), '}')
	}
	if d.Estimated {
		dst = jsonedit.AppendBool(dst, "estimated", true)
	}
	dst = appendCounts(dst, "prompt_tokens_details",
		count{"cached_tokens", u.Cached}, count{"audio_tokens", u.PromptAudio}, count{"cache_write_tokens", u.CacheWrite})
	dst = appendCounts(dst, "completion_tokens_details",
		count{"reasoning_tokens", u.Reasoning}, count{"audio_tokens", u.CompletionAudio}, count{"accepted_prediction_tokens", u.AcceptedPrediction}, count{"rejected_prediction_tokens", u.RejectedPrediction})
	if d.Modalities {
		dst = d.appendModalities(dst)
	}
	dst = appendCount(dst, "search_units", u.SearchUnits)
	return append(dst, '}')
}

// appendPrice writes where the cost is from: the provider itself, a configured price, or
// a row of a price list.
func (d *Data) appendPrice(dst []byte) []byte {
	dst = append(dst, '{')
	switch p := d.prices(); {
	case d.reported(&d.Usage):
		dst = jsonedit.AppendText(dst, "source", "reported")
	case p == nil:
		dst = jsonedit.AppendText(dst, "source", "unknown")
	case d.Price == nil || p != &d.Price.Prices:
		dst = jsonedit.AppendText(dst, "source", "configured")
	default:
		dst = jsonedit.AppendOptional(dst, "source", d.Price.File)
		dst = jsonedit.AppendOptional(dst, "model", d.Price.Provider+"/"+d.Price.Model)
		dst = jsonedit.AppendOptional(dst, "date", d.Price.Date)
	}
	return append(dst, '}')
}

// appendModalities writes the names that Kong uses for what is not plain text
// generation: responses, images, audio, realtime.
func (d *Data) appendModalities(dst []byte) []byte {
	u := &d.Usage
	dst = jsonedit.AppendInt(dst, "input_tokens", u.Prompt)
	dst = jsonedit.AppendInt(dst, "output_tokens", u.Completion)
	dst = appendCounts(dst, "input_tokens_details",
		count{"text_tokens", u.PromptText}, count{"image_tokens", u.PromptImage}, count{"audio_tokens_count", u.PromptAudio}, count{"cached_tokens", u.Cached})
	return appendCounts(dst, "output_tokens_details",
		count{"text_tokens", u.CompletionText}, count{"audio_tokens", u.CompletionAudio}, count{"image_tokens", u.CompletionImage}, count{"reasoning_tokens", u.Reasoning})
}

func (d *Data) appendTried(dst []byte) []byte {
	dst = append(dst, '[')
	for i := range d.Tried {
		t := &d.Tried[i]
		dst = append(jsonedit.AppendComma(dst), '{')
		dst = jsonedit.AppendOptional(dst, "provider", t.Provider)
		dst = jsonedit.AppendOptional(dst, "model", t.Model)
		dst = jsonedit.AppendOptional(dst, "route_type", t.Route)
		dst = jsonedit.AppendOptional(dst, "host", t.Host)
		dst = jsonedit.AppendInt(dst, "port", t.Port)
		dst = jsonedit.AppendOptional(dst, "ip", t.IP)
		dst = jsonedit.AppendOptional(dst, "upstream_scheme", t.Scheme)
		dst = jsonedit.AppendOptional(dst, "upstream_uri", t.Path)
		dst = appendCount(dst, "status", t.Status)
		dst = jsonedit.AppendOptional(dst, "outcome", t.Outcome)
		dst = jsonedit.AppendOptional(dst, "reason", t.Reason)
		dst = jsonedit.AppendOptional(dst, "failover", t.Failover)
		if s := t.Spent; s != nil {
			dst = jsonedit.AppendInt(dst, "prompt_tokens", s.Usage.Prompt)
			dst = jsonedit.AppendInt(dst, "completion_tokens", s.Usage.Completion)
			dst = appendFloat(dst, "cost", s.Cost)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// append writes what was done: after how many milliseconds, to whom, who won, and what
// the other one has cost.
func (h *Hedge) append(dst []byte) []byte {
	winner, cancelled := h.First, h.Target
	if h.Won {
		winner, cancelled = h.Target, h.First
	}
	dst = jsonedit.AppendInt(append(dst, '{'), "after", h.After.Milliseconds())
	dst = jsonedit.AppendOptional(dst, "first", h.First)
	dst = jsonedit.AppendOptional(dst, "hedge", h.Target)
	dst = jsonedit.AppendOptional(dst, "winner", winner)
	dst = jsonedit.AppendOptional(dst, "cancelled", cancelled)
	dst = jsonedit.AppendInt(dst, "prompt_tokens", h.Prompt)
	dst = jsonedit.AppendInt(dst, "completion_tokens", h.Completion)
	dst = appendFloat(dst, "cost", h.Cost)
	if h.Estimated {
		dst = jsonedit.AppendBool(dst, "estimated", true)
	}
	return append(dst, '}')
}

func (d *Data) appendPayload(dst []byte) []byte {
	dst = append(dst, '{')
	if d.Request != nil {
		dst = jsonedit.AppendText(dst, "request", d.Request)
	}
	if d.Answer != nil {
		answer := d.Answer
		if d.Streamed {
			answer = d.dressed()
		}
		dst = jsonedit.AppendText(dst, "response", answer)
	}
	return append(dst, '}')
}

// dressed is a streamed answer's text as one completion, as Kong logs it.
func (d *Data) dressed() []byte {
	dst := []byte(`{"choices":[{`)
	dst = jsonedit.AppendOptional(dst, "finish_reason", d.Finish)
	dst = jsonedit.AppendInt(dst, "index", 0)
	dst = append(jsonedit.AppendName(dst, "message"), '{')
	dst = jsonedit.AppendText(dst, "role", "assistant")
	dst = jsonedit.AppendText(dst, "content", d.Answer)
	dst = append(dst, `}}]`...)
	dst = jsonedit.AppendText(dst, "object", "chat.completion")
	dst = jsonedit.AppendOptional(dst, "model", d.ResponseModel)
	dst = jsonedit.AppendText(dst, "response", d.Answer)
	dst = d.appendUsage(jsonedit.AppendName(dst, "usage"))
	return append(dst, '}')
}

// appendCount leaves zeros out.
func appendCount(dst []byte, name string, n int) []byte {
	if n == 0 {
		return dst
	}
	return jsonedit.AppendInt(dst, name, n)
}

// count is a number of tokens of one kind.
type count struct {
	name string
	n    int
}

// appendCounts writes an object of counts. Zeros are left out.
func appendCounts(dst []byte, name string, counts ...count) []byte {
	dst = append(jsonedit.AppendName(dst, name), '{')
	for _, c := range counts {
		dst = appendCount(dst, c.name, c.n)
	}
	return append(dst, '}')
}

func appendFloat(dst []byte, name string, f float64) []byte {
	dst = jsonedit.AppendName(dst, name)
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}
