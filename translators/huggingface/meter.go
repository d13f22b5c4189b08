package huggingface

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// Meter reads usage from TGI's own answers (/generate, /generate_stream) that are
// forwarded to a client of the same format.
var Meter chat.Meter = meter{}

type meter struct{}

func (meter) Whole(body []byte, seen *chat.Seen) {
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(body)
	if err != nil {
		return
	}
	if list := v.GetArray(); len(list) > 0 {
		v = list[0]
	}
	seen.Shown(v.GetStringBytes("generated_text"))
	seeDetails(v.Get("details"), seen)
}

func (meter) Event(ev frame.Event, seen *chat.Seen) {
	seen.UsageOnly = false
	if len(ev.Data) == 0 {
		return
	}
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(ev.Data)
	if err != nil {
		return
	}
	token := v.Get("token")
	if m := message(v); token == nil && m != "" {
		seen.Err = &chat.Error{Type: "api_error", Code: string(v.GetStringBytes("error_type")), Message: m}
		return
	}
	if !token.GetBool("special") {
		seen.Shown(token.GetStringBytes("text"))
	}
	if details := v.Get("details"); details != nil && details.Type() == jsonedit.TypeObject {
		seen.Ended = true
		seeDetails(details, seen)
	}
}

// seeDetails reads usage. If only the answer was counted, the prompt is estimated
// later.
func seeDetails(details *jsonedit.Value, seen *chat.Seen) {
	prompt, completion := readUsage(&seen.Usage, details)
	seen.HasUsage = prompt && completion
	if reason := details.GetStringBytes("finish_reason"); len(reason) > 0 {
		seen.Finish = finishReasons.Of(reason)
	}
}
