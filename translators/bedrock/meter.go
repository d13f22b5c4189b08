package bedrock

import (
	"encoding/base64"
	"sync"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// Meter reads usage from Bedrock's answers that are forwarded to a client of the same
// format: those of Converse, and those of InvokeModel in the formats of the models'
// makers. Some of these have no usage in the body. A whole answer then has it in the
// headers X-Amzn-Bedrock-Input-Token-Count and X-Amzn-Bedrock-Output-Token-Count, and
// a stream in its last chunk.
var Meter chat.Meter = meter{}

type meter struct{}

// scratch holds buffers for reading one answer or event.
type scratch struct {
	parser jsonedit.Parser
	chunk  []byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (meter) Whole(body []byte, seen *chat.Seen) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if v, err := s.parser.Parse(body); err == nil {
		seeAnswer(v, body, seen)
	}
}

func (meter) Event(ev frame.Event, seen *chat.Seen) {
	seen.UsageOnly = false
	switch {
	case ev.Data == nil:
		return
	case ev.Exception:
		err := exception(ev)
		seen.Err = &err
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	v, err := s.parser.Parse(ev.Data)
	if err != nil {
		return
	}
	if string(ev.Type) != "chunk" {
		seeEvent(string(ev.Type), v, seen)
		return
	}
	// A chunk of InvokeModelWithResponseStream holds an event in the format of
	// the model's maker:
	// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_PayloadPart.html
	if s.chunk, err = base64.StdEncoding.AppendDecode(s.chunk[:0], v.GetStringBytes("bytes")); err != nil {
		return
	}
	if v, err = s.parser.Parse(s.chunk); err == nil {
		seeChunk(v, s.chunk, seen)
	}
}

// seeEvent reads an event of ConverseStream.
func seeEvent(name string, v *jsonedit.Value, seen *chat.Seen) {
	switch name {
	case "contentBlockStart":
		use := v.GetStringBytes("start", "toolUse", "name")
		seen.Content = seen.Content || v.Exists("start")
		seen.TextLen += len(use)
	case "contentBlockDelta":
		d := v.Get("delta")
		seen.Shown(d.GetStringBytes("text"))
		seen.Hidden(d.GetStringBytes("reasoningContent", "text"))
		seen.Hidden(d.GetStringBytes("toolUse", "input"))
	case "messageStop":
		if reason := finishReason(v.GetStringBytes("stopReason")); reason != "" {
			seen.Finish = reason
		}
	case "metadata":
		seeUsage(v, seen)
		seen.Ended = true
	}
}

// seeAnswer reads a whole answer of any format.
func seeAnswer(v *jsonedit.Value, body []byte, seen *chat.Seen) {
	if v.Exists("type") && (v.Exists("content") || v.Exists("completion")) {
		anthropic.Meter.Whole(body, seen)
		return
	}
	if reason := finishReason(v.GetStringBytes("stopReason")); reason != "" {
		seen.Finish = reason
	}
	for _, b := range v.GetArray("output", "message", "content") {
		seen.Shown(b.GetStringBytes("text"))
		seen.Hidden(b.GetStringBytes("reasoningContent", "reasoningText", "text"))
		seen.Hidden(b.GetStringBytes("toolUse", "name"))
	}
	seeUsage(v, seen)
	seeMakers(v, seen)
	for _, r := range v.GetArray("results") { // Titan counts each of its results
		n := 0
		if chat.Counter(&n, r.Get("tokenCount")) {
			seen.Usage.Completion, seen.HasUsage = seen.Usage.Completion+n, true
		}
	}
}

// seeChunk reads a chunk of any format.
func seeChunk(v *jsonedit.Value, chunk []byte, seen *chat.Seen) {
	if v.Exists("type") {
		anthropic.Meter.Event(frame.Event{Data: chunk}, seen)
	}
	for _, name := range [...]string{"contentBlockStart", "contentBlockDelta", "messageStop", "metadata"} {
		if inner := v.Get(name); inner != nil {
			seeEvent(name, inner, seen) // Nova's events are those of Converse
		}
	}
	seeMakers(v, seen)
	metrics := v.Get("amazon-bedrock-invocationMetrics")
	if metrics == nil {
		return
	}
	seen.Ended = true
	if !seen.HasUsage {
		found := chat.Counter(&seen.Usage.Prompt, metrics.Get("inputTokenCount"))
		seen.HasUsage = chat.Counter(&seen.Usage.Completion, metrics.Get("outputTokenCount")) || found
	}
}

func seeUsage(v *jsonedit.Value, seen *chat.Seen) {
	if usage := v.Get("usage"); usage != nil && readUsage(&seen.Usage, usage) {
		seen.HasUsage = true
	}
	if tier := v.GetString("serviceTier", "type"); tier != "" {
		seen.Usage.ServiceTier = tier
	}
}

// The paths of usage and finish reasons in the makers' formats: Titan, Llama,
// Mistral, Cohere, AI21, and those that use OpenAI's.
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
var (
	promptPaths = [][]string{
		{"inputTextTokenCount"}, {"prompt_token_count"}, {"usage", "prompt_tokens"}, {"meta", "billed_units", "input_tokens"},
	}
	completionPaths = [][]string{
		{"totalOutputTextTokenCount"}, {"generation_token_count"}, {"usage", "completion_tokens"}, {"meta", "billed_units", "output_tokens"},
	}
	textPaths = [][]string{
		{"outputText"}, {"results", "0", "outputText"}, {"generation"}, {"outputs", "0", "text"}, {"text"}, {"generations", "0", "text"},
		{"completions", "0", "data", "text"}, {"choices", "0", "message", "content"}, {"choices", "0", "delta", "content"}, {"choices", "0", "text"},
	}
	finishPaths = [][]string{
		{"completionReason"}, {"results", "0", "completionReason"}, {"stop_reason"}, {"outputs", "0", "stop_reason"}, {"finish_reason"},
		{"generations", "0", "finish_reason"}, {"choices", "0", "finish_reason"}, {"choices", "0", "stop_reason"},
	}
)

// makersFinish maps their finish reasons to OpenAI's.
var makersFinish = map[string]chat.FinishReason{
	"FINISH": chat.Stop, "FINISHED": chat.Stop, "STOP_CRITERIA_MET": chat.Stop, "COMPLETE": chat.Stop, "stop": chat.Stop, "endoftext": chat.Stop,
	"LENGTH": chat.Length, "MAX_TOKENS": chat.Length, "length": chat.Length,
	"CONTENT_FILTERED": chat.ContentFilter, "ERROR_TOXIC": chat.ContentFilter, "content_filter": chat.ContentFilter,
	"tool_calls": chat.ToolCalls,
}

func seeMakers(v *jsonedit.Value, seen *chat.Seen) {
	for _, path := range promptPaths {
		seen.HasUsage = chat.Counter(&seen.Usage.Prompt, v.Get(path...)) || seen.HasUsage
	}
	for _, path := range completionPaths {
		seen.HasUsage = chat.Counter(&seen.Usage.Completion, v.Get(path...)) || seen.HasUsage
	}
	for _, path := range textPaths {
		seen.Shown(v.GetStringBytes(path...))
	}
	for _, path := range finishPaths {
		if reason := makersFinish[string(v.GetStringBytes(path...))]; reason != "" {
			seen.Finish = reason
		}
	}
}
