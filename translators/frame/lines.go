package frame

import "bytes"

// lines cuts at LF: one JSON value a line (https://github.com/ndjson/ndjson-spec).
type lines struct {
	scan  int  // offset up to which there is no LF
	begun bool // the byte order mark is behind us
}

func (l *lines) cut(window []byte, whole bool) (int, error) {
	if i := bytes.IndexByte(window[l.scan:], '\n'); i >= 0 {
		return l.scan + i + 1, nil
	}
	l.scan = len(window)
	if whole {
		return len(window), nil
	}
	return 0, nil
}

func (l *lines) event(raw []byte) (Event, error) {
	l.scan = 0
	ev := Event{Raw: raw}
	if !l.begun {
		l.begun, raw = true, Unmarked(raw)
	}
	if line := bytes.Trim(raw, jsonSpace); len(line) > 0 {
		ev.Data = line
	}
	return ev, nil
}

const jsonSpace = " \t\r\n"
