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
	// Pieces is into how many bytes text and arguments are cut when streamed.
	// Cuts fall between any two runes: a JSON string cannot hold half of one.
	Pieces int
	// Error, if set, is what the provider says instead. With Break 0 it is a
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
	// Match says whether the request is for this format, by its path.
	Match(r *http.Request) bool
	// Check refuses what the provider would refuse: missing or unknown fields,
	// wrong roles or order, unpaired tool calls, missing version headers. The
	// error text becomes a 400 in the provider's form.
	Check(r *http.Request, body []byte) error
	// Streamed says whether the request asks for a stream.
	Streamed(r *http.Request, body []byte) bool
	// Whole is the body of a 200 for s.
	Whole(s *Scenario, body []byte) []byte
	// Stream is the same answer as a stream: the content type and the events,
	// each with its framing, the terminator included.
	Stream(s *Scenario, body []byte) (contentType string, events [][]byte)
	// Error is an error answer's body.
	Error(status int, message string) []byte
	// StreamError is an error event in mid-stream, framed; nil where the format has none.
	StreamError(message string) []byte
}

// Formats are all of them; a format's file adds itself here by init.
var Formats []Format

func register(f Format) { Formats = append(Formats, f) }
