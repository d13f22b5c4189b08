package frame

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// AppendSSE writes a server-sent event to dst and returns the extended buffer:
// an `event:` line unless event is empty, and a `data:` line for each line of
// data. Line breaks in event are left out, so that nothing can add a field.
func AppendSSE(dst []byte, event, data []byte) []byte {
	if len(event) > 0 {
		dst = append(dst, "event: "...)
		for _, c := range event {
			if c != '\r' && c != '\n' {
				dst = append(dst, c)
			}
		}
		dst = append(dst, '\n')
	}
	dst = appendData(dst, data)
	return append(dst, '\n')
}

// appendData writes a `data:` line for each line of value, which may end in LF, CRLF
// or CR. Each byte is looked at once for either: the next one of the other kind
// may be far away.
func appendData(dst, value []byte) []byte {
	lf, cr := offset(value, 0, '\n'), offset(value, 0, '\r')
	for from := 0; ; {
		end := min(lf, cr)
		dst = append(dst, "data: "...)
		dst = append(dst, value[from:end]...)
		dst = append(dst, '\n')
		if end == len(value) {
			return dst
		}
		from = end + 1
		if end == cr && lf == from {
			from++
		}
		if lf < from {
			lf = offset(value, from, '\n')
		}
		if cr < from {
			cr = offset(value, from, '\r')
		}
	}
}

// offset is that of the first c in b from from on, or b's length.
func offset(b []byte, from int, c byte) int {
	if i := bytes.IndexByte(b[from:], c); i >= 0 {
		return from + i
	}
	return len(b)
}

// Header is a header of an event-stream frame; its type is string, as that of
// all headers of Bedrock's frames.
type Header struct {
	Name  string // at most 255 bytes
	Value string // at most 32767 bytes
}

// AppendEventStream writes a frame of application/vnd.amazon.eventstream to
// dst. Names and values above the format's limits are cut.
func AppendEventStream(dst []byte, headers []Header, payload []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, preludeLen)...)
	for _, h := range headers {
		name, value := h.Name[:min(len(h.Name), 255)], h.Value[:min(len(h.Value), 1<<15-1)]
		dst = append(dst, byte(len(name)))
		dst = append(dst, name...)
		dst = append(dst, headerString)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(value)))
		dst = append(dst, value...)
	}
	headersLen := len(dst) - start - preludeLen
	dst = append(dst, payload...)
	prelude := dst[start:]
	binary.BigEndian.PutUint32(prelude, uint32(len(prelude)+trailerLen))
	binary.BigEndian.PutUint32(prelude[4:], uint32(headersLen))
	binary.BigEndian.PutUint32(prelude[8:], crc32.ChecksumIEEE(prelude[:8]))
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
}
