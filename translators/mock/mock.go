// Package mock holds mock providers, which check requests strictly and answer with
// many features of the real APIs. Each wire format is one file and one Format
// value. An answer is a Scenario, a logical exchange that is written in every
// format, so that the answers of all providers can be compared. `standalone -mock`
// and the tests use the same mocks.
package mock

import (
	"net/http"

	"go-ai-proxy/translators/chat"
)

// Scenario is one logical exchange.
type Scenario struct {
	Name string
	// Request is an OpenAI chat body; its last user text contains "scenario:<Name>",
	// by which a mock recognises it in any format.
	Request string
	// Answer is what the model says. Finish, usage and parts are in the
	// internal form; ids are given. A format that lacks something leaves it out.
	Answer chat.Response
	// Pieces is the size in bytes of the pieces into which a stream cuts text and arguments.
	// Cuts fall between any two runes: a JSON string cannot hold half of one.
	Pieces int
	// Error, if set, is the provider's error. With Break 0 it is a
	// plain error answer of Error.Status, to whole and streamed requests. With
	// Break n a stream breaks off with it after n events; a whole answer is good.
	Error *chat.Error
	Break int
	// RetryAfter is the Retry-After header of an error answer, in seconds.
	RetryAfter string
}

// Format is one provider API of the mock. Implementations are stateless.
type Format interface {
	// Name is the format's name, e.g. "anthropic/messages".
	Name() string
	// Match reports whether the request is for this format, by its path.
	Match(r *http.Request) bool
	// Check refuses what the provider would refuse: missing or unknown fields,
	// wrong roles or order, unpaired tool calls, missing version headers. The
	// error text becomes a 400 in the provider's form.
	Check(r *http.Request, body []byte) error
	// Streamed reports whether the request asks for a stream.
	Streamed(r *http.Request, body []byte) bool
	// Whole returns the body of a 200 for s.
	Whole(s *Scenario, body []byte) []byte
	// Stream returns the same answer as a stream: the content type and the events,
	// each with its framing, the terminator included.
	Stream(s *Scenario, body []byte) (contentType string, events [][]byte)
	// Error returns the body of an error answer.
	Error(status int, message string) []byte
	// StreamError returns an error event in mid-stream, framed; nil where the format has none.
	StreamError(message string) []byte
}

// Formats holds all formats. Each format's file adds its own by init.
var Formats []Format

func register(f Format) { Formats = append(Formats, f) }
