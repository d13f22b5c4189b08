package frame

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// eventStream cuts the frames of application/vnd.amazon.eventstream
// (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
// and https://smithy.io/2.0/aws/amazon-eventstream.html):
//
//	u32 total length, u32 headers length, u32 CRC of these eight bytes,
//	headers, payload, u32 CRC of all before it
//
// big endian, CRC-32 (IEEE). The AWS SDK's decoder reads from an io.Reader and
// allocates for each frame and header; we look at the bytes where they are and
// check the same two sums.
type eventStream struct {
	checked bool // the prelude is right
	total   int
	headers int
}

const (
	preludeLen = 12
	trailerLen = 4
)

func (s *eventStream) cut(window []byte, whole bool) (int, error) {
	if !s.checked {
		if len(window) < preludeLen {
			if whole && len(window) > 0 {
				return 0, io.ErrUnexpectedEOF
			}
			return 0, nil
		}
		if err := s.prelude(window); err != nil {
			return 0, err
		}
	}
	if len(window) >= s.total {
		return s.total, nil
	}
	if whole {
		return 0, io.ErrUnexpectedEOF
	}
	return 0, nil
}

func (s *eventStream) prelude(window []byte) error {
	if crc32.ChecksumIEEE(window[:8]) != binary.BigEndian.Uint32(window[8:]) {
		return &SyntaxError{Message: "wrong checksum of an event-stream prelude"}
	}
	total, headers := binary.BigEndian.Uint32(window), binary.BigEndian.Uint32(window[4:])
	if total < preludeLen+trailerLen || headers > total-preludeLen-trailerLen {
		return &SyntaxError{Message: "impossible lengths in an event-stream prelude"}
	}
	s.checked, s.total, s.headers = true, int(total), int(headers)
	return nil
}

func (s *eventStream) event(raw []byte) (Event, error) {
	s.checked = false
	body := raw[:len(raw)-trailerLen]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(raw[len(body):]) {
		return Event{}, &SyntaxError{Message: "wrong checksum of an event-stream frame"}
	}
	ev := Event{Raw: raw, Data: body[preludeLen+s.headers:]}
	var failure, errorCode, errorMessage []byte
	headers := body[preludeLen : preludeLen+s.headers]
	for len(headers) > 0 {
		name, value, rest, ok := header(headers)
		if !ok {
			return Event{}, &SyntaxError{Message: "broken header in an event-stream frame"}
		}
		headers = rest
		switch string(name) {
		case ":event-type":
			ev.Type = value
		case ":exception-type":
			failure = value
		case ":error-code":
			errorCode = value
		case ":error-message":
			errorMessage = value
		case ":message-type":
			ev.Exception = string(value) == "exception" || string(value) == "error"
		}
	}
	if ev.Exception {
		if ev.Type = failure; failure == nil {
			ev.Type = errorCode
		}
		if len(ev.Data) == 0 && errorMessage != nil {
			ev.Data = errorMessage
		}
	}
	return ev, nil
}

// headerSizes are the sizes of the header types of fixed size: true, false,
// byte, short, integer, long, then byte array and string, timestamp, UUID.
var headerSizes = [...]int{0, 0, 1, 2, 4, 8, -1, -1, 8, 16}

const headerString = 7

// header takes the first header off b.
func header(b []byte) (name, value, rest []byte, ok bool) {
	n := int(b[0])
	if len(b) < 1+n+1 {
		return nil, nil, nil, false
	}
	name, kind, b := b[1:1+n], int(b[1+n]), b[2+n:]
	if kind >= len(headerSizes) {
		return nil, nil, nil, false
	}
	size := headerSizes[kind]
	if size < 0 {
		if len(b) < 2 {
			return nil, nil, nil, false
		}
		size, b = int(binary.BigEndian.Uint16(b)), b[2:]
	}
	if len(b) < size {
		return nil, nil, nil, false
	}
	return name, b[:size:size], b[size:], true
}
