// Package frame cuts an upstream stream into events, each framing in one
// file: server-sent events, AWS event-stream frames, lines of JSON and one
// JSON array. Nothing else in the project looks for event boundaries, so the
// split law (a stream cut anywhere gives the same events) is held here once.
package frame

import "io"

// Event is one event of a stream. All slices are valid until the next call of Next.
type Event struct {
	// Type is the SSE `event:` field or the `:event-type` header; empty where
	// the framing has none.
	Type []byte
	// Data is the payload: the SSE data lines joined by \n, the frame's payload,
	// the line, or the array's element.
	Data []byte
	// Raw is the event exactly as received, its delimiter included, for
	// forwarding unchanged. Comments before the event belong to it.
	Raw []byte
	// Exception is set for an event-stream frame of :message-type exception
	// (or error); Type then is the :exception-type.
	Exception bool
}

// Reader reads events. It is not safe for concurrent use.
type Reader interface {
	// Next returns the next event, or io.EOF after the last one;
	// io.ErrUnexpectedEOF for a frame that was cut off; *TooLargeError for an
	// event above the limit.
	Next() (Event, error)
	// Buffered says whether Next will return without reading: the relay
	// flushes to the client when it is false.
	Buffered() bool
}

// Kind is a framing.
type Kind int

// The framings a provider's stream may have.
const (
	SSE         Kind = iota // text/event-stream
	EventStream             // application/vnd.amazon.eventstream
	Lines                   // application/x-ndjson, application/stream+json: a JSON value per line
	Array                   // application/json: one array, or values one after another
)

// MaxEvent is the default limit for one event, in bytes.
const MaxEvent = 8 << 20

// New returns a reader of the framing for r. Events above maxEvent bytes are
// an error.
func New(kind Kind, r io.Reader, maxEvent int) Reader {
	switch kind {
	case EventStream:
		return newEventStream(r, maxEvent)
	case Lines:
		return newLines(r, maxEvent)
	case Array:
		return newArray(r, maxEvent)
	}
	return newSSE(r, maxEvent)
}
