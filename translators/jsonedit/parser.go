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

// Put takes a parser back that has parsed a text of size bytes.
func (p *parsers) Put(one *fastjson.Parser, size int) {
	if size <= maxPooled {
		p.pool.Put(one)
	}
}
