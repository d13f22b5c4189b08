package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/record"
)

func TestRecordGoesInTheHeaderUpToItsLimit(t *testing.T) {
	for size, header := range map[int]bool{maxRecordHeader: true, maxRecordHeader + 1: false} {
		rec := large(size - len(large(1).Append(nil)) + 1)
		s := newRecordSocket(record.NewStore(), nil, zerolog.Nop())
		f := &forKong{records: s.records, socket: s, shim: true, id: "r"}
		f.Begin(rec)
		h := http.Header{}
		ended(s.records, "r", rec)
		f.Settle(rec)
		f.Announce(h, rec)
		if got := h[headerRecord][0]; (got != "#r") != header {
			t.Errorf("%d bytes: %.20s…", size, got)
		}
	}
}

func TestRequestWithoutAnIDGetsOne(t *testing.T) {
	s := newRecordSocket(record.NewStore(), nil, zerolog.Nop())
	rec := begun()
	f := &forKong{records: s.records, socket: s, shim: true}
	f.Begin(rec)
	h := http.Header{}
	f.Announce(h, rec)
	if id := strings.TrimPrefix(h[headerRecord][0], "#"); id == "" || s.records.Take(id) != rec {
		t.Errorf("header %q", h)
	}
	f = &forKong{records: s.records, socket: s} // and none where nobody asks
	f.Begin(begun())
	f.Settle(rec)
	h = http.Header{}
	f.Announce(h, rec)
	if next := s.records.Reserve(); len(h) > 0 || next != "2" || s.records.Take("") != nil {
		t.Errorf("header %q, the next id is %s", h, next)
	}
}

func TestHeadersThatKongWouldRefuseAreDropped(t *testing.T) {
	kb := func(n int) []string { return []string{strings.Repeat("v", n<<10)} }
	for name, c := range map[string]struct {
		header http.Header
		gone   []string
	}{
		"all fit":                      {http.Header{"Content-Type": {"a"}, "X-A": kb(1), "X-B": kb(2)}, nil},
		"the largest unknown goes":     {http.Header{"X-A": kb(1), "X-B": kb(2), "X-C": kb(1), "Etag": kb(1)}, []string{"X-B"}},
		"unknown before known":         {http.Header{"X-A": kb(1), "Etag": kb(3)}, []string{"X-A"}},
		"known before essential":       {http.Header{"Etag": kb(1), "Content-Type": kb(3)}, []string{"Etag"}},
		"essential if there is no way": {http.Header{"Etag": {"x"}, "Content-Type": kb(5)}, []string{"Content-Type", "Etag"}},
		"one of many values":           {http.Header{"X-A": append(kb(2), kb(2)...), "X-B": kb(1)}, []string{"X-A"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(c.header)
			left, dropped := fit(c.header, maxHeader)
			size := 0
			for k, v := range c.header {
				size += headerSize(k, v)
			}
			if left != maxHeader-size || left < 0 || dropped != len(c.gone) || before-len(c.header) != dropped {
				t.Errorf("%d dropped, %d bytes left", dropped, left)
			}
			for _, name := range c.gone {
				if c.header[name] != nil {
					t.Errorf("%s is still there", name)
				}
			}
		})
	}
}

func TestHeadersOfExactlyTheLimitAreKept(t *testing.T) {
	h := http.Header{"X-A": {strings.Repeat("v", maxHeader-len("X-A: \r\n"))}}
	if left, dropped := fit(h, maxHeader); left != 0 || dropped != 0 {
		t.Errorf("%d left, %d dropped", left, dropped)
	}
	h.Set("X-A", h.Get("X-A")+"v")
	if left, dropped := fit(h, maxHeader); left != maxHeader || dropped != 1 {
		t.Errorf("%d left, %d dropped", left, dropped)
	}
}
