package frame

import "bytes"

// sse cuts server-sent events, after
// https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.
//
// A line ends in LF, CRLF or CR. When an event's blank line ends in CR, an LF
// may follow later: it is waited for where the line before ended in CRLF (it
// is on its way), and otherwise left to the next event's Raw, so that a stream
// of bare CRs is not one event late.
type sse struct {
	begun   bool // the byte order mark is behind us
	crlf    bool // the last line ended in CRLF
	afterCR bool // the last event ended in CR: an LF that follows is part of it

	line   int // offset of the current line in the window
	scan   int // offset up to which the current line has no end
	noLF   int // offset up to which there is no LF from scan on: lines may end in CR
	kind   span
	data   []span // the values of the data lines
	joined []byte // several data lines, joined
}

// span is a part of the window.
type span struct{ from, to int }

var byteOrderMark = []byte("\xef\xbb\xbf")

func (s *sse) cut(window []byte, whole bool) (int, error) {
	if !s.prefix(window, whole) {
		return 0, nil
	}
	for {
		end, next := s.lineEnd(window, whole)
		if next == 0 {
			break
		}
		if end == s.line {
			return next, nil
		}
		s.field(window, span{s.line, end})
		s.line, s.scan = next, next
	}
	if cap(s.joined) > keepBuffer {
		s.joined = nil
	}
	if !whole {
		return 0, nil
	}
	if s.line < len(window) {
		s.field(window, span{s.line, len(window)})
		s.line = len(window)
	}
	return len(window), nil
}

// prefix skips what may stand before an event's first line. It is false when
// it takes another byte to tell.
func (s *sse) prefix(window []byte, whole bool) bool {
	if !s.begun {
		n := min(len(window), len(byteOrderMark))
		if bytes.Equal(window[:n], byteOrderMark[:n]) {
			if n < len(byteOrderMark) && !whole {
				return false
			}
			if n == len(byteOrderMark) {
				s.line, s.scan = n, n
			}
		}
		s.begun = true
	}
	if s.afterCR && len(window) > 0 {
		s.afterCR = false
		if window[0] == '\n' {
			s.line, s.scan = 1, 1
		}
	}
	return true
}

// lineEnd returns where the current line ends and where the next one starts,
// or 0 when its end has not come.
func (s *sse) lineEnd(window []byte, whole bool) (end, next int) {
	s.noLF = max(s.noLF, s.scan)
	if lf := bytes.IndexByte(window[s.noLF:], '\n'); lf < 0 {
		s.noLF, end = len(window), -1
	} else {
		s.noLF += lf
		end = s.noLF - s.scan
	}
	rest := window[s.scan:s.noLF]
	if cr := bytes.IndexByte(rest, '\r'); cr >= 0 {
		return s.carriageReturn(window, s.scan+cr, whole)
	}
	if end < 0 {
		s.scan = len(window)
		return 0, 0
	}
	s.crlf = false
	return s.scan + end, s.scan + end + 1
}

func (s *sse) carriageReturn(window []byte, at int, whole bool) (end, next int) {
	if at == s.line && !s.crlf {
		s.afterCR = true
		return at, at + 1
	}
	switch {
	case at+1 < len(window):
		s.crlf = window[at+1] == '\n'
	case whole:
		s.crlf = false
	default:
		s.scan = at
		return 0, 0
	}
	if s.crlf {
		return at, at + 2
	}
	return at, at + 1
}

// field notes the fields that make an event; others (id, retry) and comments
// matter to the client only, who gets them with Raw.
func (s *sse) field(window []byte, line span) {
	text := window[line.from:line.to]
	name, value := len(text), len(text)
	if colon := bytes.IndexByte(text, ':'); colon >= 0 {
		name, value = colon, colon+1
		if value < len(text) && text[value] == ' ' {
			value++
		}
	}
	switch string(text[:name]) {
	case "data":
		s.data = append(s.data, span{line.from + value, line.to})
	case "event":
		s.kind = span{line.from + value, line.to}
	case "error": // llama.cpp's
		s.data = append(s.data, span{line.from + value, line.to})
		s.kind = span{line.from, line.from + name}
	}
}

func (s *sse) event(raw []byte) (Event, error) {
	ev := Event{Raw: raw}
	if len(s.data) > 0 {
		ev.Data = s.join(raw)
		ev.Type = raw[s.kind.from:s.kind.to]
	}
	s.line, s.scan, s.noLF, s.kind = 0, 0, max(s.noLF-len(raw), 0), span{}
	if s.data = s.data[:0]; cap(s.data) > keepBuffer/16 {
		s.data = nil
	}
	return ev, nil
}

func (s *sse) join(raw []byte) []byte {
	first := s.data[0]
	if len(s.data) == 1 {
		return raw[first.from:first.to]
	}
	s.joined = append(s.joined[:0], raw[first.from:first.to]...)
	for _, line := range s.data[1:] {
		s.joined = append(s.joined, '\n')
		s.joined = append(s.joined, raw[line.from:line.to]...)
	}
	return s.joined
}
