package chat

import (
	"fmt"
	"io"

	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// Gather reads a whole answer from the events of a stream, for clients that asked for no
// stream: some servers send one all the same. Errors are *ResponseError, *Error for one
// that the stream tells of, and what events fails with; io.ErrUnexpectedEOF is a stream
// that ends without a finish reason.
func Gather(events frame.Reader, from Stream) (*Response, error) {
	g := gathering{response: &Response{NoUsage: true}}
	for !g.ended {
		ev, err := events.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		deltas, err := from.Next(ev)
		if err != nil {
			return nil, err
		}
		for i := range deltas {
			if deltas[i].Kind == ErrorDelta {
				return nil, deltas[i].Err
			}
			g.add(&deltas[i])
		}
	}
	return g.end()
}

// gathering is a response that is being made of deltas.
type gathering struct {
	response *Response
	choices  []gatheredChoice
	ended    bool
}

// gatheredChoice is a choice whose last part may grow, and whose calls may.
type gatheredChoice struct {
	choice Choice
	text   []byte      // of the last part, if it is text of some kind
	calls  []beginning // by the index of the call
	open   bool        // text belongs to the last part
}

// beginning is a call whose arguments are coming.
type beginning struct {
	part      int
	arguments []byte
}

// maxGathered is the highest index of a choice or of a call that is taken.
const maxGathered = 1024

func (g *gathering) add(d *Delta) {
	switch d.Kind {
	case Start:
		g.response.ID, g.response.Model, g.response.Created = string(d.ID), string(d.Model), d.Created
	case UsageDelta:
		g.response.Usage, g.response.NoUsage = *d.Usage, false
	case ExtraDelta:
		g.response.Extra = append(g.response.Extra, Member{Name: string(d.Name), Value: append(Raw(nil), d.Raw...)})
	case End:
		g.ended = true
	default:
		if d.Choice >= 0 && d.Choice < maxGathered {
			for len(g.choices) <= d.Choice {
				g.choices = append(g.choices, gatheredChoice{choice: Choice{Index: len(g.choices)}})
			}
			g.choices[d.Choice].add(d)
		}
	}
}

func (c *gatheredChoice) add(d *Delta) {
	switch d.Kind {
	case TextDelta:
		c.say(Text, d)
	case ThinkingDelta:
		c.say(Thinking, d)
	case RefusalDelta:
		c.say(Refusal, d)
	case SignatureDelta:
		if !c.open || c.last().Kind != Thinking {
			c.begin(Part{Kind: Thinking, Origin: d.Origin})
		}
		c.last().Signature += string(d.Text)
	case RedactedDelta:
		c.begin(Part{Kind: RedactedThinking, Origin: d.Origin})
		c.text = append(c.text, d.Text...)
	case ToolStart:
		c.begin(Part{Kind: ToolCall, ID: string(d.ID), Name: string(d.Name), Signature: string(d.Signature), Origin: d.Origin})
		if d.Index >= 0 && d.Index < maxGathered {
			for len(c.calls) <= d.Index {
				c.calls = append(c.calls, beginning{part: -1})
			}
			c.calls[d.Index] = beginning{part: len(c.choice.Parts) - 1}
			c.argue(d)
		}
	case ToolArguments:
		c.argue(d)
	case RunEnd:
		c.begin(Part{Kind: HostedRun, Run: d.Run, Signature: string(d.Signature), Origin: d.Origin})
	case ImageDelta:
		c.begin(Part{Kind: Image, Media: &Media{MIME: string(d.Name), Data: jsonedit.Plain(string(d.Text))}})
	case CitationDelta:
		c.choice.Citations = append(c.choice.Citations, *d.Citation)
	case Finish:
		c.choice.Finish, c.choice.StopText = d.Reason, string(d.Text)
	}
}

// say adds text to the last part, if that is of the kind, or else as a part.
func (c *gatheredChoice) say(kind PartKind, d *Delta) {
	if !c.open || c.last().Kind != kind || kind == Thinking && c.last().Signature != "" && len(d.Text) > 0 {
		if len(d.Text) == 0 && len(d.Signature) == 0 {
			return
		}
		c.begin(Part{Kind: kind, Origin: d.Origin})
	}
	c.text = append(c.text, d.Text...)
	if len(d.Signature) > 0 {
		c.last().Signature = string(d.Signature)
	}
}

func (c *gatheredChoice) last() *Part { return &c.choice.Parts[len(c.choice.Parts)-1] }

// begin adds a part; its text is what comes until the next one.
func (c *gatheredChoice) begin(p Part) {
	c.close()
	c.choice.Parts, c.open = append(c.choice.Parts, p), true
}

func (c *gatheredChoice) close() {
	if c.open && len(c.text) > 0 {
		c.last().Text = jsonedit.Plain(string(c.text))
	}
	c.text, c.open = c.text[:0], false
}

func (c *gatheredChoice) argue(d *Delta) {
	if d.Index >= 0 && d.Index < len(c.calls) {
		c.calls[d.Index].arguments = append(c.calls[d.Index].arguments, d.Text...)
	}
}

func (g *gathering) end() (*Response, error) {
	finished := false
	for i := range g.choices {
		c := &g.choices[i]
		c.close()
		for _, call := range c.calls {
			if call.part >= 0 {
				c.choice.Parts[call.part].Arguments = jsonedit.Plain(string(call.arguments))
			}
		}
		finished = finished || c.choice.Finish != ""
		g.response.Choices = append(g.response.Choices, c.choice)
	}
	if !finished {
		return nil, fmt.Errorf("the stream ends without a finish reason: %w", io.ErrUnexpectedEOF)
	}
	return g.response, nil
}
