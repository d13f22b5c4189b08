package huggingface

import (
	"github.com/valyala/fastjson"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// Meter reads usage from TGI's own answers (/generate, /generate_stream) on
// their way to a client of the same format.
var Meter chat.Meter = meter{}

type meter struct{}

// parsers outlive a stream: a Meter has no place to keep one.
func (meter) Whole(body []byte, seen *chat.Seen) {
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p, len(body))
	v, err := p.ParseBytes(body)
	if err != nil {
		return
	}
	if list := v.GetArray(); len(list) > 0 {
		v = list[0]
	}
	seeText(v.GetStringBytes("generated_text"), seen)
	seeDetails(v.Get("details"), seen)
}

func (meter) Event(ev frame.Event, seen *chat.Seen) {
	seen.UsageOnly = false
	if len(ev.Data) == 0 {
		return
	}
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p, len(ev.Data))
	v, err := p.ParseBytes(ev.Data)
	if err != nil {
		return
	}
	token := v.Get("token")
	if m := message(v); token == nil && m != "" {
		seen.Err = &chat.Error{Type: "api_error", Code: string(v.GetStringBytes("error_type")), Message: m}
		return
	}
	if !token.GetBool("special") {
		seeText(token.GetStringBytes("text"), seen)
	}
	if details := v.Get("details"); details != nil && details.Type() == fastjson.TypeObject {
		seen.Ended = true
		seeDetails(details, seen)
	}
}

// seeDetails reads usage. Where only the answer was counted, the prompt is
// left to be estimated.
func seeDetails(details *fastjson.Value, seen *chat.Seen) {
	prompt, completion := readUsage(&seen.Usage, details)
	seen.HasUsage = prompt && completion
	if reason := details.GetStringBytes("finish_reason"); len(reason) > 0 {
		seen.Finish = finishReason(reason)
	}
}

// seeText counts text that a client shows, and hands it to payload logging.
func seeText(s []byte, seen *chat.Seen) {
	if len(s) == 0 {
		return
	}
	seen.Content = true
	seen.TextLen += len(s)
	if seen.Collect != nil {
		seen.Collect(s)
	}
}
