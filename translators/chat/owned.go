package chat

import (
	"cmp"
	"slices"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// Owned returns r with only those opaque tokens that are of the origin own: other
// signatures are taken off, and redacted thinking of others is left out. Thoughts
// stay, without a signature; who takes none of those leaves them out. Of what others'
// hosted tools did, the words stay. r itself does
// not change, and is returned if there is nothing to leave out.
func (r *Request) Owned(own origin.Name) *Request {
	return without(r, func(p *Part) bool { return p.foreign(own) })
}

// RunsInWords returns r with the words of what hosted tools did and without their tokens,
// for a provider that is offered no such tool. r itself does not change.
func (r *Request) RunsInWords() *Request {
	return without(r, func(p *Part) bool { return p.Kind == HostedRun })
}

// maxLeft is how many kinds of blocks are named.
const maxLeft = 16

// LeaveOut takes out of the model's messages the blocks that the internal form does not
// know, but for those that takes reports: what another maker's servers left there is nobody
// else's, and ends no conversation. It returns the kinds of what is left out. r must be the
// caller's own copy; its messages do not change.
func (r *Request) LeaveOut(takes func(p *Part) bool) (left []string) {
	var kept []Message
	for i := range r.Messages {
		m := r.Messages[i]
		var known []Part // of a message that has others, too
		for j := range m.Parts {
			p := &m.Parts[j]
			switch unknown := m.Role == Assistant && p.Kind == Opaque && (takes == nil || !takes(p)); {
			case unknown:
				if known == nil {
					known = append(make([]Part, 0, len(m.Parts)), m.Parts[:j]...)
				}
				if len(left) < maxLeft && !slices.Contains(left, kindOf(p)) {
					left = append(left, kindOf(p))
				}
			case known != nil:
				known = append(known, *p)
			}
		}
		if known != nil {
			if kept == nil {
				kept = slices.Clone(r.Messages[:i])
			}
			if m.Parts = known; len(known) == 0 {
				continue
			}
		}
		if kept != nil {
			kept = append(kept, m)
		}
	}
	if kept != nil {
		r.Messages = kept
	}
	return left
}

// kindOf is the name of a block's kind, which a client could make as long as it likes.
func kindOf(p *Part) string {
	if p.Type == "" || len(p.Type) > 64 {
		return "a block of an unknown type"
	}
	return p.Type
}

// without returns r without the tokens of the parts that foreign reports.
func without(r *Request, foreign func(p *Part) bool) *Request {
	var kept *Request
	for i := range r.Messages {
		parts := r.Messages[i].Parts
		for j := range parts {
			if !foreign(&parts[j]) {
				continue
			}
			if kept == nil {
				copied := *r
				copied.Messages = append([]Message(nil), r.Messages...)
				kept = &copied
			}
			kept.Messages[i].Parts = owned(parts, foreign)
			break
		}
	}
	if kept == nil {
		return r
	}
	said := kept.Messages[:0]
	for i := range kept.Messages {
		if len(kept.Messages[i].Parts) > 0 || len(r.Messages[i].Parts) == 0 {
			said = append(said, kept.Messages[i])
		}
	}
	kept.Messages = said
	return kept
}

// foreign says whether a part has a token that is not own's.
func (p *Part) foreign(own origin.Name) bool {
	switch {
	case p.Kind == HostedRun:
		return p.Signature == "" || p.Origin != own
	case p.Kind == RedactedThinking:
		return p.Origin != own
	case p.Signature != "", p.Origin != "": // a mark alone, too
		return p.Origin != own
	}
	return false
}

func owned(parts []Part, foreign func(p *Part) bool) []Part {
	kept := make([]Part, 0, len(parts))
	for _, p := range parts {
		if foreign(&p) {
			p.Signature, p.Origin = "", ""
			if p.Kind == HostedRun {
				if p.Kind = Text; p.Text.Empty() {
					continue
				}
			}
			if p.Kind == RedactedThinking || p.Kind == Thinking && p.Text.Empty() {
				continue
			}
		}
		kept = append(kept, p)
	}
	return kept
}

// Sign gives p a token that came from a client in a format whose tokens are format's
// own: its signature or, of redacted thinking, its data.
func (p *Part) Sign(token string, format origin.Name) {
	if token == "" {
		return
	}
	p.Origin, token = origin.Of(token, format)
	if p.Kind == RedactedThinking {
		p.Text = jsonedit.Plain(token)
	} else {
		p.Signature = token
	}
}

// Token returns p's token to hand out in a format whose tokens are format's own; see
// Sign.
func (p *Part) Token(format origin.Name, meta *Meta) string {
	token := p.Signature
	if p.Kind == RedactedThinking {
		token = p.Text.String()
	}
	if token == "" {
		return ""
	}
	return origin.Text(cmp.Or(p.Origin, meta.Origin), format, token)
}

// Token returns d's token to hand out in a format whose tokens are format's own: the
// text of a SignatureDelta or a RedactedDelta, the signature of another. It is in dst,
// or in d.
func (d *Delta) Token(dst []byte, format origin.Name, meta *Meta) []byte {
	token := d.Signature
	if d.Kind == SignatureDelta || d.Kind == RedactedDelta {
		token = d.Text
	}
	if whose := cmp.Or(d.Origin, meta.Origin); len(token) > 0 && whose != format && whose != origin.Unknown {
		return origin.Append(dst, whose, format, token)
	}
	return token
}
