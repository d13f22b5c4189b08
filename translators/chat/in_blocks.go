package chat

import "bytes"

// InBlocks returns an Encoder for formats in which one block ends before the next
// begins. A provider may send the pieces of several calls in turns, or text between a
// call and its arguments: while a call is incomplete, what does not belong to it waits.
// A call is complete with the end of its JSON object. Deltas that come in order pass at
// once, and nothing is kept of them.
func InBlocks(e Encoder) Encoder { return &inBlocks{to: e} }

type inBlocks struct {
	to      Encoder
	choices []*blocks
}

// maxChoices bounds what a broken stream can make us keep.
const maxChoices = 1024

// Append implements Encoder.
func (b *inBlocks) Append(dst []byte, d *Delta) []byte {
	switch d.Kind {
	case Start, UsageDelta, ExtraDelta:
		return b.to.Append(dst, d)
	case End, ErrorDelta:
		for _, c := range b.choices {
			if c != nil {
				dst = c.release(dst, true)
			}
		}
		return b.to.Append(dst, d)
	}
	if d.Choice < 0 || d.Choice >= maxChoices || d.Kind != ToolStart && (d.Choice >= len(b.choices) || b.choices[d.Choice] == nil) {
		return b.to.Append(dst, d) // no call has begun
	}
	for len(b.choices) <= d.Choice {
		b.choices = append(b.choices, nil)
	}
	if b.choices[d.Choice] == nil {
		b.choices[d.Choice] = &blocks{to: b.to}
	}
	return b.choices[d.Choice].append(dst, d)
}

// blocks are those of one choice.
type blocks struct {
	to      Encoder
	open    bool // a call has begun
	index   int  // of the call
	object  objectEnd
	waiting []Delta
}

func (b *blocks) append(dst []byte, d *Delta) []byte {
	switch {
	case d.Kind == Finish:
		return b.to.Append(b.release(dst, true), d)
	case d.Kind == LogprobsDelta || d.Kind == CitationDelta:
		return b.to.Append(dst, d)
	case !b.open && d.Kind == ToolStart:
		return b.begin(dst, d)
	case !b.open && d.Kind == ToolArguments: // of a call that was complete
		return dst
	case !b.open:
		return b.to.Append(dst, d)
	case d.Kind == ToolArguments && d.Index == b.index:
		b.object.read(d.Text)
		return b.to.Append(dst, d)
	case b.object.ended && len(b.waiting) == 0:
		b.open = false
		return b.append(dst, d)
	}
	b.keep(d)
	if b.object.ended {
		return b.release(dst, false)
	}
	return dst
}

func (b *blocks) begin(dst []byte, d *Delta) []byte {
	b.open, b.index, b.object = true, d.Index, objectEnd{}
	b.object.read(d.Text)
	return b.to.Append(dst, d)
}

// maxWaiting bounds what may wait, in bytes of each kept text.
const maxWaiting = 16 << 20

// keep copies d, whose bytes are valid only now.
func (b *blocks) keep(d *Delta) {
	if n := len(b.waiting); n > 0 && d.Kind == ToolArguments { // most that waits are pieces of one call
		for i := n - 1; i >= 0; i-- {
			w := &b.waiting[i]
			if w.Index == d.Index && (w.Kind == ToolStart || w.Kind == ToolArguments) {
				if len(w.Text) < maxWaiting {
					w.Text = append(w.Text, d.Text...)
				}
				return
			}
		}
	}
	copied := *d
	for _, text := range []*[]byte{&copied.ID, &copied.Name, &copied.Text, &copied.Raw, &copied.Signature} {
		*text = bytes.Clone(*text)
	}
	b.waiting = append(b.waiting, copied)
}

// release writes what waits, as far as calls in it are complete; all of it when
// nothing more will come.
func (b *blocks) release(dst []byte, all bool) []byte {
	waiting := b.waiting
	b.waiting, b.open = nil, false
	for i := range waiting {
		d := &waiting[i]
		if b.open && !b.object.ended && !all {
			b.waiting = append(b.waiting, *d)
			continue
		}
		b.open = false
		if d.Kind == ToolStart {
			dst = b.begin(dst, d)
			continue
		}
		dst = b.to.Append(dst, d)
	}
	if all {
		b.open = false
	}
	return dst
}

// objectEnd finds the end of the JSON object that pieces of text make.
type objectEnd struct {
	depth                  int
	quoted, escaped, ended bool
}

func (o *objectEnd) read(text []byte) {
	for _, c := range text {
		switch {
		case o.escaped:
			o.escaped = false
		case o.quoted:
			o.quoted, o.escaped = c != '"', c == '\\'
		case c == '"':
			o.quoted = true
		case c == '{' || c == '[':
			o.depth++
		case c == '}' || c == ']':
			o.depth--
			o.ended = o.depth <= 0
		}
	}
}

// Ending is what a format in blocks tells at its end only, and deltas bring before.
type Ending struct {
	Usage    Usage
	Counted  bool // there was usage
	Reason   FinishReason
	Sequence []byte // the stop sequence that ended the answer
}

// Take keeps what d says of the end, and reports whether d is about nothing else.
func (e *Ending) Take(d *Delta) bool {
	switch d.Kind {
	case UsageDelta:
		if d.Usage != nil {
			e.Usage, e.Counted = *d.Usage, true
		}
		return true
	case Finish:
		if d.Reason != "" {
			e.Reason, e.Sequence = d.Reason, append(e.Sequence[:0], d.Text...)
		}
		return true
	}
	return false
}

// CallBlocks says in which block each tool call is, in the order of the calls.
type CallBlocks []CallBlock

// CallBlock is the index of a call in the deltas, and that of its block.
type CallBlock struct{ Call, Block int }

// Of returns the block of a call, by its index in the deltas; the last one with that index.
func (c CallBlocks) Of(call int) (block int, ok bool) {
	for i := len(c) - 1; i >= 0; i-- {
		if c[i].Call == call {
			return c[i].Block, true
		}
	}
	return 0, false
}
