package plugin

import (
	"math"
	"strconv"
	"sync"
	"time"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Outcome says how a request ended.
type Outcome string

// The outcomes. Pending is what a record says that is asked for in mid-stream.
const (
	Pending   Outcome = "pending"
	Completed Outcome = "completed"      // the provider's answer was delivered to its end
	Refused   Outcome = "refused"        // by the relay itself, nothing was sent to a provider
	Failed    Outcome = "failed"         // the provider answered with an error, or not at all
	CutOff    Outcome = "upstream_cut"   // the provider's stream ended in the middle
	Aborted   Outcome = "client_aborted" // the client went away
	Panicked  Outcome = "internal_error" // a defect of ours
)

// Mode is meta.request_mode.
type Mode string

// The request modes.
const (
	Oneshot  Mode = "oneshot"
	Stream   Mode = "stream"
	Realtime Mode = "realtime"
)

// Tried is one attempt, as tried_targets names it.
type Tried struct {
	Provider, Model        string
	Route                  route.Type
	Scheme, Host, Path, IP string
	Port                   int
	Status                 int    // 0 when there was no answer
	Outcome                string // "ok", or why the attempt failed
}

// Record is what a request leaves in the log, exactly one per request. It is
// written by the goroutine that serves the request; Append may be called from
// another one at any time (the shim asks for the record of an aborted stream).
type Record struct {
	mu sync.Mutex
	// settled is closed when the record will not change any more; nil when
	// nobody waits for that.
	settled chan struct{}

	logging  config.Logging
	pluginID string
	options  *target.Options
	provider string
	category string // genai_category

	model     string // request_model
	response  string // response_model
	mode      Mode
	outcome   Outcome
	message   string // why, when it did not complete
	started   time.Time
	latency   time.Duration // set at the end
	first     time.Duration // to the first content; 0: none came
	usage     chat.Usage
	estimate  bool     // some of usage is estimated
	said      int      // bytes of a stream's output that the client was given so far
	mark      []string // warnings: what was decided for want of better knowledge
	algorithm string   // of the balancer, where there is a choice
	reason    string   // of the choice, when the client wants to know
	tried     []Tried
	firstTry  [1]Tried // room for what is mostly all
	request   []byte   // payloads
	answer    []byte
	stream    bool // answer is bare text to be dressed as a completion
	finish    chat.FinishReason
	tokens    bool // input_tokens/output_tokens instead of prompt and completion names too
}

// set changes the record under its lock. f only assigns: what works on foreign
// bytes is done before.
func (r *Record) set(f func(*Record)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r)
}

// estimateOutput counts the tokens of output that nobody counted, four bytes to
// each as Kong does, and says whether it did.
func estimateOutput(u *chat.Usage, said int) bool {
	if u.Completion != 0 || said == 0 {
		return false
	}
	u.Completion, u.Total = (said+3)/4, 0
	return true
}

// settle says how the request ended, once: it returns false when that is known
// already. The lock is held.
func (r *Record) settle(outcome Outcome, message string) bool {
	if r.outcome != Pending {
		return false
	}
	r.outcome, r.message = outcome, message
	r.latency = time.Since(r.started)
	if r.settled != nil {
		close(r.settled)
	}
	return true
}

// abandon settles a record that is asked for while its request is under way, as
// one whose client has left: the relay has the given time to find out by itself
// how it ended.
func (r *Record) abandon(after time.Duration) {
	select {
	case <-r.settled:
		return
	case <-time.After(after):
	}
	r.set(func(r *Record) {
		if r.outcome == Pending {
			r.estimate = estimateOutput(&r.usage, r.said) || r.estimate
		}
		r.settle(Aborted, textClientClosed)
	})
}

// payloadSize is how many bytes of payload the record holds.
func (r *Record) payloadSize() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.request) + len(r.answer)
}

// silent says that the configuration wants nothing logged.
func (r *Record) silent() bool { return !r.logging.Statistics && !r.logging.Payloads }

// Append writes the record, the value of `ai.proxy`, as a JSON object; nothing
// when the configuration wants nothing logged.
func (r *Record) Append(dst []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.silent() {
		return dst
	}
	o := object{buf: append(dst, '{')}
	if r.logging.Statistics {
		o.key("meta")
		r.appendMeta(&o)
		o.key("usage")
		r.appendUsage(&o)
		if len(r.tried) > 0 {
			o.key("tried_targets")
			r.appendTried(&o)
		}
	}
	if r.logging.Payloads {
		o.key("payload")
		r.appendPayload(&o)
	}
	return append(o.buf, '}')
}

func (r *Record) appendMeta(o *object) {
	o.open('{')
	o.str("plugin_id", r.pluginID)
	o.str("provider_name", r.provider)
	o.str("request_model", r.model)
	response := r.response
	if response == "" {
		response = r.model
	}
	o.str("response_model", response)
	latency := r.latency
	if latency == 0 && r.outcome == Pending {
		latency = time.Since(r.started)
	}
	o.num("llm_latency", float64(latency.Milliseconds()))
	o.str("request_mode", string(r.mode))
	o.str("genai_category", r.category)
	o.str("outcome", string(r.outcome))
	o.str("error", r.message)
	if len(r.mark) > 0 {
		o.key("warnings")
		o.open('[')
		for _, m := range r.mark {
			o.item()
			o.buf = jsonedit.AppendString(o.buf, m)
		}
		o.close(']')
	}
	o.str("algorithm", r.algorithm)
	o.str("reason", r.reason)
	if r.provider == "azure" && r.options != nil {
		o.str("azure_instance_id", r.options.AzureInstance)
		o.str("azure_deployment_id", r.options.AzureDeploymentID)
		o.str("azure_api_version", r.options.AzureAPIVersion)
	}
	o.close('}')
}

func (r *Record) appendUsage(o *object) {
	u := &r.usage
	latency := float64(r.latency.Milliseconds())
	first := r.first
	if first == 0 {
		first = r.latency
	}
	perToken := 0.0
	if u.Completion > 0 {
		perToken = latency / float64(u.Completion)
	}
	o.open('{')
	o.num("prompt_tokens", float64(u.Prompt))
	o.num("completion_tokens", float64(u.Completion))
	o.num("total_tokens", float64(u.TotalTokens()))
	o.num("time_per_token", perToken)
	o.num("time_to_first_token", float64(first.Milliseconds()))
	o.num("cost", cost(r.options, u))
	if r.estimate {
		o.key("estimated")
		o.buf = append(o.buf, "true"...)
	}
	o.key("prompt_tokens_details")
	o.open('{')
	o.count("cached_tokens", u.Cached)
	o.count("audio_tokens", u.PromptAudio)
	o.count("cache_write_tokens", u.CacheWrite)
	o.close('}')
	o.key("completion_tokens_details")
	o.open('{')
	o.count("reasoning_tokens", u.Reasoning)
	o.count("audio_tokens", u.CompletionAudio)
	o.count("accepted_prediction_tokens", u.AcceptedPrediction)
	o.count("rejected_prediction_tokens", u.RejectedPrediction)
	o.close('}')
	if r.tokens {
		r.appendModalities(o)
	}
	o.count("search_units", u.SearchUnits)
	o.close('}')
}

// appendModalities writes the names that Kong uses for what is not plain text
// generation: responses, images, audio, realtime.
func (r *Record) appendModalities(o *object) {
	u := &r.usage
	o.num("input_tokens", float64(u.Prompt))
	o.num("output_tokens", float64(u.Completion))
	o.key("input_tokens_details")
	o.open('{')
	o.count("text_tokens", u.PromptText)
	o.count("image_tokens", u.PromptImage)
	o.count("audio_tokens_count", u.PromptAudio)
	o.count("cached_tokens", u.Cached)
	o.close('}')
	o.key("output_tokens_details")
	o.open('{')
	o.count("text_tokens", u.CompletionText)
	o.count("audio_tokens", u.CompletionAudio)
	o.count("image_tokens", u.CompletionImage)
	o.count("reasoning_tokens", u.Reasoning)
	o.close('}')
}

func (r *Record) appendTried(o *object) {
	o.open('[')
	for i := range r.tried {
		t := &r.tried[i]
		o.item()
		o.open('{')
		o.str("provider", t.Provider)
		o.str("model", t.Model)
		o.str("route_type", string(t.Route))
		o.str("host", t.Host)
		o.num("port", float64(t.Port))
		o.str("ip", t.IP)
		o.str("upstream_scheme", t.Scheme)
		o.str("upstream_uri", t.Path)
		o.count("status", t.Status)
		o.str("outcome", t.Outcome)
		o.close('}')
	}
	o.close(']')
}

func (r *Record) appendPayload(o *object) {
	o.open('{')
	if r.request != nil {
		o.key("request")
		o.buf = jsonedit.AppendBytes(o.buf, r.request)
	}
	if r.answer != nil {
		o.key("response")
		answer := r.answer
		if r.stream {
			answer = r.dressed()
		}
		o.buf = jsonedit.AppendBytes(o.buf, answer)
	}
	o.close('}')
}

// dressed is a streamed answer's text as one completion, the form in which
// Kong logs it.
func (r *Record) dressed() []byte {
	o := object{}
	o.open('{')
	o.key("choices")
	o.open('[')
	o.item()
	o.open('{')
	if r.finish != "" {
		o.str("finish_reason", string(r.finish))
	}
	o.num("index", 0)
	o.key("message")
	o.open('{')
	o.str("role", "assistant")
	o.key("content")
	o.buf = jsonedit.AppendBytes(o.buf, r.answer)
	o.close('}')
	o.close('}')
	o.close(']')
	o.str("object", "chat.completion")
	o.str("model", r.response)
	o.key("response")
	o.buf = jsonedit.AppendBytes(o.buf, r.answer)
	o.key("usage")
	r.appendUsage(&o)
	o.close('}')
	return o.buf
}

// object writes JSON members with their commas.
type object struct{ buf []byte }

func (o *object) open(c byte)  { o.buf = append(o.buf, c) }
func (o *object) close(c byte) { o.buf = append(o.buf, c) }

func (o *object) item() {
	if c := o.buf[len(o.buf)-1]; c != '{' && c != '[' {
		o.buf = append(o.buf, ',')
	}
}

func (o *object) key(k string) {
	o.item()
	o.buf = append(append(append(o.buf, '"'), k...), '"', ':')
}

// str leaves empty strings out.
func (o *object) str(k, v string) {
	if v != "" {
		o.key(k)
		o.buf = jsonedit.AppendString(o.buf, v)
	}
}

// count leaves zeros out.
func (o *object) count(k string, n int) {
	if n != 0 {
		o.key(k)
		o.buf = strconv.AppendInt(o.buf, int64(n), 10)
	}
}

func (o *object) num(k string, f float64) {
	o.key(k)
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		o.buf = strconv.AppendInt(o.buf, int64(f), 10)
		return
	}
	o.buf = strconv.AppendFloat(o.buf, f, 'g', -1, 64)
}
