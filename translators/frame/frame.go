// Package frame splits an upstream stream into events. Each framing has its own
// file: server-sent events, AWS event-stream frames, lines of JSON, and a JSON
// array. No other package looks for event boundaries, so the split law (a stream
// cut anywhere gives the same events) only has to hold here. Start with New.
package frame

import (
	"io"
	"strconv"
	"strings"
)

// Event is one event of a stream. All slices are valid until the next call of Next.
//
// The Raw of all events, concatenated, is the stream, so that forwarding loses
// nothing. Bytes between events are therefore returned as an Event with nil Data,
// too: an SSE block of comments or without a data line, a blank line, the closing
// bracket of an array. Translators skip an Event with nil Data. Data that is empty
// but not nil (`data:` alone, a frame without payload) is an event.
type Event struct {
	// Type is the SSE `event:` field or the `:event-type` header; empty where
	// the framing has none.
	Type []byte
	// Data is the payload: the SSE data lines joined by \n, the frame's payload,
	// the line without white space around it, or the array's element. It is nil
	// when there is nothing to translate.
	Data []byte
	// Raw is the event exactly as received, its delimiter included, for
	// forwarding unchanged. Comments before the event belong to it, and so does
	// the punctuation before an array's element.
	Raw []byte
	// Exception is set for an event-stream frame of :message-type exception or
	// error. Type then is the :exception-type or :error-code, and Data the
	// payload or, when that is empty, the :error-message.
	Exception bool
}

// Reader reads events. It is not safe for concurrent use.
type Reader interface {
	// Next returns the next event, or io.EOF after the last one;
	// io.ErrUnexpectedEOF for a frame or an array that was cut off;
	// *TooLargeError for an event above the limit; *SyntaxError for bytes that
	// are not of the framing; or what the underlying reader failed with. Every
	// whole event before an error is delivered first, and the error is final.
	// An SSE event or a line that only lacks its end when the stream ends well
	// is delivered; when reading fails it is not.
	Next() (Event, error)
	// Buffered reports whether Next will return without reading. The relay flushes
	// to the client when it is false. The last event stays valid.
	Buffered() bool
	// Release frees the reader's memory. It must be the last call; events are
	// invalid afterwards.
	Release()
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

// New returns a reader of the framing for r. Events above maxEvent bytes, with
// delimiters and comments, are an error; maxEvent <= 0 is MaxEvent.
func New(kind Kind, r io.Reader, maxEvent int) Reader {
	if maxEvent <= 0 {
		maxEvent = MaxEvent
	}
	var c cutter
	switch kind {
	case EventStream:
		c = &eventStream{}
	case Lines:
		c = &lines{}
	case Array:
		c = &array{}
	default:
		c = &sse{}
	}
	w, _ := r.(Waiter)
	return &reader{src: r, waiter: w, cutter: c, max: maxEvent}
}

// Waiter is an optional interface of the reader given to New.
type Waiter interface {
	// Wait returns when there are bytes or an error to read. The stream holds no
	// buffer while it waits.
	Wait()
}

// KindOf returns the framing of a Content-Type. It returns def if there is no
// content type, and false if the type is not one of a stream of events.
// application/json is Array, whose reader also accepts one JSON value per line.
func KindOf(contentType string, def Kind) (Kind, bool) {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	if contentType == "" {
		return def, true
	}
	for _, m := range mediaTypes {
		if strings.EqualFold(media, m.name) {
			return m.kind, true
		}
	}
	return def, false
}

var mediaTypes = []struct {
	name string
	kind Kind
}{
	{"text/event-stream", SSE},
	{"application/vnd.amazon.eventstream", EventStream},
	{"application/x-ndjson", Lines},
	{"application/ndjson", Lines},
	{"application/jsonl", Lines},
	{"application/jsonlines", Lines},
	{"application/x-jsonlines", Lines},
	{"application/stream+json", Lines},
	{"application/json", Array},
}

// TooLargeError means that an event is larger than the limit.
type TooLargeError struct {
	Limit int // bytes
}

func (e *TooLargeError) Error() string {
	return "an event of the stream is larger than " + strconv.Itoa(e.Limit) + " bytes"
}

// SyntaxError means that a stream does not follow its framing.
type SyntaxError struct {
	Offset  int64 // bytes before the event at fault
	Message string
}

func (e *SyntaxError) Error() string {
	return e.Message + " (in the event at byte " + strconv.FormatInt(e.Offset, 10) + " of the stream)"
}

// String returns the framing's name.
func (k Kind) String() string {
	switch k {
	case EventStream:
		return "event-stream"
	case Lines:
		return "lines"
	case Array:
		return "array"
	}
	return "sse"
}
