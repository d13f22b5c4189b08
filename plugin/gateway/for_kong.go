package gateway

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go-ai-proxy/plugin/record"
)

// forKong follows one request on Kong's behalf: it gives the record to the shim,
// or keeps it for our own log phase when there is no shim, and makes sure that
// Kong can read the answer's header.
//
// A small record that is settled in time goes into the answer's header. Otherwise
// the header has an id: the record is sent to the worker under that id before the
// last byte of the answer, or the worker asks for it. Before either stands who
// was asked (see record.AppendPeer).
type forKong struct {
	records   *record.Store
	socket    *recordSocket
	shim      bool
	id        string // "" without a shim, when nobody asks
	worker    string
	traced    bool // Kong makes a span of the request
	settled   bool
	announced bool // the header has the id
}

// Begin implements record.Live.
func (f *forKong) Begin(rec *record.Record) {
	if f.id == "" && f.shim {
		f.id = f.records.Reserve()
	}
	if f.id != "" {
		f.records.Add(f.id, rec)
	}
}

// Settle implements record.Live.
func (f *forKong) Settle(rec *record.Record) {
	f.settled = true
	if f.id == "" {
		return
	}
	f.records.Settle(f.id, rec)
	if f.announced {
		f.push(rec)
	}
}

// Announce implements record.Live.
func (f *forKong) Announce(h http.Header, rec *record.Record) {
	left, dropped := fit(h, maxHeader)
	if dropped > 0 {
		rec.Update(func(d *record.Data) {
			d.Warnings = append(d.Warnings, fmt.Sprintf("%d headers of the answer were dropped: Kong takes %d bytes in all", dropped, maxHeader))
		})
	}
	if !f.shim {
		return
	}
	if f.settled {
		b := rec.AppendPeer(nil)
		peer := len(b)
		if b = rec.AppendForKong(b, f.traced); len(b)-peer <= min(maxRecordHeader, left) {
			if len(b) > 0 {
				h[headerRecord] = []string{string(b)}
			}
			f.records.Give(f.id, rec, b[peer:])
			return
		}
	}
	h[headerRecord] = []string{string(append(append(rec.AppendPeer(nil), '#'), f.id...))}
	f.announced = true
	if f.settled {
		f.push(rec)
	}
}

func (f *forKong) push(rec *record.Record) {
	if line := f.socket.push(f.worker, f.id, rec, f.traced); line != nil {
		f.records.Give(f.id, rec, line)
	}
}

// Kong's nginx reads the header of an answer into one buffer of 4 KiB, and answers
// 502 when the header is larger.
const (
	maxHeader       = 4<<10 - 832 // bytes of ours: the rest is the status line, those of the engine, the peer, and our id
	maxRecordHeader = 2 << 10
)

// essential are the headers without which an answer cannot be understood or
// delivered; known are others that clients use.
var (
	essential = []string{"Content-Type", "Content-Encoding", "X-Accel-Buffering", "Cache-Control", "Retry-After", "Location", "Content-Disposition", "Content-Range", "Www-Authenticate", "Allow", "X-Kong-Llm-Model"}
	known     = []string{"Etag", "Last-Modified", "Accept-Ranges", "Date", "Vary", "X-Request-Id", "Request-Id", "Apim-Request-Id", "X-Should-Retry"}
	// knownFamilies are the beginnings of such headers.
	knownFamilies = []string{"X-Ratelimit-", "Anthropic-", "Openai-", "X-Amzn-", "X-Goog-", "X-Ms-", "X-Kong-", "Access-Control-"}
)

// fit drops headers until the rest takes at most limit bytes: first those that are
// not known, the largest first. It returns how many bytes of limit are left, and
// how many headers were dropped.
func fit(h http.Header, limit int) (left, dropped int) {
	size := 0
	for name, values := range h {
		size += headerSize(name, values)
	}
	if size <= limit {
		return limit - size, 0
	}
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(worth(a), worth(b)), cmp.Compare(headerSize(b, h[b]), headerSize(a, h[a])), cmp.Compare(a, b))
	})
	for _, name := range names {
		size -= headerSize(name, h[name])
		delete(h, name)
		if dropped++; size <= limit {
			break
		}
	}
	return limit - size, dropped
}

// worth ranks a header by what a client loses without it.
func worth(name string) int {
	if slices.Contains(essential, name) {
		return 2
	}
	if slices.Contains(known, name) || slices.ContainsFunc(knownFamilies, func(p string) bool { return strings.HasPrefix(name, p) }) {
		return 1
	}
	return 0
}

func headerSize(name string, values []string) int {
	n := 0
	for _, v := range values {
		n += len(name) + len(": \r\n") + len(v)
	}
	return n
}
