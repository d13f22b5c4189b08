package jsonedit

import (
	"sync"
	"unsafe"
)

// Parsers are parsers of the whole project. They are taken where all that a
// value says is copied out of it: with Put, value and strings are gone.
var Parsers parsers

type parsers struct{ pool sync.Pool }

// maxPooled is what a parser may hold, in bytes, to be used again.
const maxPooled = 4 << 20

// Get returns a parser.
func (p *parsers) Get() *Parser {
	if one, ok := p.pool.Get().(*Parser); ok {
		return one
	}
	return new(Parser)
}

// Put takes a parser back, and drops it when it has grown too large.
func (p *parsers) Put(one *Parser) {
	one.text = nil
	held := cap(one.nodes)*int(unsafe.Sizeof(Value{})) + cap(one.scratch) +
		cap(one.lists)*int(unsafe.Sizeof(&Value{})) + cap(one.slots)*int(unsafe.Sizeof(one.slots[0]))
	if held <= maxPooled {
		p.pool.Put(one)
	}
}

// EventParser parses the events of a stream, each with any parser of the pool:
// a stream that waits holds none. Streams embed it.
type EventParser struct{ parser *Parser }

// ParseEvent parses an event. What it returns is gone with the next call of
// ParseEvent or Rest, and when data changes.
func (e *EventParser) ParseEvent(data []byte) (*Value, error) {
	if e.parser == nil {
		e.parser = Parsers.Get()
	}
	return e.parser.Parse(data)
}

// Rest implements chat.Resting.
func (e *EventParser) Rest() {
	if e.parser != nil {
		Parsers.Put(e.parser)
		e.parser = nil
	}
}
