package jsonedit

import "github.com/valyala/fastjson"

// Parsers are parsers of the whole project. They are taken where all that a
// value says is copied out of it: with Put, value and strings are gone.
var Parsers parsers

type parsers struct{ pool fastjson.ParserPool }

// maxPooled is the text's size, in bytes, above which a parser is dropped after use.
const maxPooled = 1 << 20

// Get returns a parser.
func (p *parsers) Get() *fastjson.Parser { return p.pool.Get() }

// EventParser parses the events of a stream, each with any parser of the pool:
// a stream that waits holds none. Streams embed it.
type EventParser struct {
	parser *fastjson.Parser
	size   int // of the event, in bytes
}

// ParseEvent parses an event. What it returns is gone with the next call of
// ParseEvent or Rest.
func (e *EventParser) ParseEvent(data []byte) (*fastjson.Value, error) {
	if e.parser == nil {
		e.parser = Parsers.Get()
	}
	e.size = max(e.size, len(data))
	return e.parser.ParseBytes(data)
}

// Rest implements chat.Resting.
func (e *EventParser) Rest() {
	if e.parser != nil {
		Parsers.Put(e.parser, e.size)
		e.parser, e.size = nil, 0
	}
}

// Put takes a parser back that has parsed a text of size bytes.
func (p *parsers) Put(one *fastjson.Parser, size int) {
	if size <= maxPooled {
		p.pool.Put(one)
	}
}
