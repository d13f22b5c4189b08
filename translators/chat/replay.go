package chat

import (
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// Replay returns a Stream for a provider that answers a request for a stream with a
// whole answer: its one event is the answer, which u parses.
func Replay(u Upstream, t *target.Target) Stream { return &replay{u, t} }

type replay struct {
	upstream Upstream
	target   *target.Target
}

// Next implements Stream.
func (r *replay) Next(ev frame.Event) ([]Delta, error) {
	if len(ev.Data) == 0 {
		return nil, nil
	}
	resp, err := r.upstream.ParseResponse(r.target, ev.Data)
	if err != nil {
		if e := ErrorInside(ev.Data); e != nil {
			return []Delta{{Kind: ErrorDelta, Err: e}}, nil
		}
		return nil, err
	}
	return resp.Deltas(), nil
}

// IsWhole reports whether an event of a stream is a whole answer, which some servers send
// as the only event: it has members that no event of its API has.
func IsWhole(data []byte) bool {
	var space [16]jsonedit.Member
	members, err := jsonedit.Object(data, space[:0])
	if err != nil {
		return false
	}
	find := func(name string) []byte { return jsonedit.Find(members, name) }
	message, typ := find("message"), string(find("type"))
	switch choices := jsonedit.Elements(find("choices"), nil); {
	case len(choices) > 0: // OpenAI's chat
		return jsonedit.IsObject(jsonedit.Lookup(choices[0], "message")) && !jsonedit.IsObject(jsonedit.Lookup(choices[0], "delta"))
	case typ == `"message"`: // Anthropic's
		return jsonedit.IsArray(find("content"))
	case typ != "":
		return false
	case string(find("object")) == `"response"`: // OpenAI's Responses
		return jsonedit.IsArray(find("output"))
	}
	return jsonedit.IsObject(jsonedit.Lookup(find("output"), "message")) || // Converse's
		jsonedit.IsObject(message) && find("finish_reason") != nil // Cohere's
}

// Deltas returns the answer as a stream would tell it.
func (r *Response) Deltas() []Delta {
	deltas := []Delta{{Kind: Start, ID: []byte(r.ID), Model: []byte(r.Model), Created: r.Created}}
	for i := range r.Choices {
		deltas = r.Choices[i].deltas(deltas)
	}
	for _, m := range r.Extra {
		deltas = append(deltas, Delta{Kind: ExtraDelta, Name: []byte(m.Name), Raw: m.Value})
	}
	if !r.NoUsage {
		deltas = append(deltas, Delta{Kind: UsageDelta, Usage: &r.Usage})
	}
	return append(deltas, Delta{Kind: End})
}

func (c *Choice) deltas(to []Delta) []Delta {
	calls, last := 0, c.lastText()
	for i := range c.Parts {
		p := &c.Parts[i]
		d := Delta{Choice: c.Index, Text: []byte(p.Text.String()), Origin: p.Origin}
		switch p.Kind {
		case Text:
			d.Kind, d.Signature = TextDelta, []byte(p.Signature)
		case Refusal:
			d.Kind = RefusalDelta
		case RedactedThinking:
			d.Kind = RedactedDelta
		case Thinking:
			d.Kind = ThinkingDelta
			if p.Signature != "" {
				to = append(to, d)
				d = Delta{Kind: SignatureDelta, Choice: c.Index, Text: []byte(p.Signature), Origin: p.Origin}
			}
		case ToolCall:
			d.Kind, d.Index, d.ID, d.Name = ToolStart, calls, []byte(p.ID), []byte(p.Name)
			d.Text, d.Signature = []byte(p.Arguments.String()), []byte(p.Signature)
			calls++
		case HostedRun:
			to = append(to, Delta{Kind: RunStart, Choice: c.Index, Run: p.Run})
			d.Kind, d.Run, d.Text, d.Signature = RunEnd, p.Run, nil, []byte(p.Signature)
		case Image:
			if p.Media == nil || p.Media.Data.Empty() {
				continue
			}
			d.Kind, d.Name, d.Text = ImageDelta, []byte(p.Media.MIME), []byte(p.Media.Data.String())
		default:
			continue
		}
		to = append(to, d)
		if i == last {
			to = c.cited(to)
		}
	}
	if last < 0 {
		to = c.cited(to)
	}
	if c.Logprobs != nil {
		to = append(to, Delta{Kind: LogprobsDelta, Choice: c.Index, Raw: c.Logprobs})
	}
	if c.Finish != "" {
		to = append(to, Delta{Kind: Finish, Choice: c.Index, Reason: c.Finish, Text: []byte(c.StopText)})
	}
	return to
}

// lastText is where the last part of text is, -1 for nowhere.
func (c *Choice) lastText() int {
	for i := len(c.Parts) - 1; i >= 0; i-- {
		if c.Parts[i].Kind == Text {
			return i
		}
	}
	return -1
}

func (c *Choice) cited(to []Delta) []Delta {
	for i := range c.Citations {
		to = append(to, Delta{Kind: CitationDelta, Choice: c.Index, Citation: &c.Citations[i]})
	}
	return to
}
