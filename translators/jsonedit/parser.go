package jsonedit

import (
	"sync"
	"unsafe"
)

// Parsers is the pool of parsers that the whole project shares. Use it only if
// everything needed is copied out of the values: after Put, values and their
// strings are invalid.
var Parsers parsers

type parsers struct{ pool sync.Pool }

// maxPooled is the most memory, in bytes, that a parser may hold to be pooled.
const maxPooled = 4 << 20

// Get returns a parser from the pool.
func (p *parsers) Get() *Parser {
	if one, ok := p.pool.Get().(*Parser); ok {
		return one
	}
	return new(Parser)
}

// Put returns a parser to the pool, or drops it if it has grown too large.
func (p *parsers) Put(one *Parser) {
	one.text = nil
	held := cap(one.nodes)*int(unsafe.Sizeof(Value{})) + cap(one.scratch) +
		cap(one.lists)*int(unsafe.Sizeof(&Value{})) + cap(one.slots)*int(unsafe.Sizeof(one.slots[0]))
	if held <= maxPooled {
		p.pool.Put(one)
	}
}

// EventParser parses the events of a stream, each with a parser from the pool, so
// that a waiting stream holds none. Streams embed it.
type EventParser struct{ parser *Parser }

// ParseEvent parses an event. The value is valid until the next call of ParseEvent
// or Rest, or until data changes.
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
