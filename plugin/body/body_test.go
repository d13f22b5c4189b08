package body

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"go-ai-proxy/plugin/buffers"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
)

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

func TestBodyIsReadWithoutItsCompressionAndWithinItsLimit(t *testing.T) {
	for _, c := range []struct {
		name, encoding, sent string
		any                  bool
		most                 int64
		want                 string
		status               int
	}{
		{"plain", "", "hello", false, 5, "hello", 0},
		{"too much", "", "hello", false, 4, "", 413},
		{"without a limit", "", "hello", false, 0, "hello", 0},
		{"gzip", "gzip", gzipped("hello"), false, 5, "hello", 0},
		{"too much, inflated", "GZIP", gzipped("hello"), false, 4, "", 413},
		{"no gzip", "gzip", "hello", false, 5, "", 400},
		{"an unknown encoding", "br", "hello", false, 5, "", 415},
		{"an unknown encoding that is forwarded", "br", "hello", true, 5, "hello", 0},
	} {
		in := &wire.Inbound{Header: http.Header{}, Body: strings.NewReader(c.sent), ContentLength: int64(len(c.sent))}
		if c.encoding != "" {
			in.Header.Set("Content-Encoding", c.encoding)
		}
		got, err := ReadAll(&buffers.Set{}, in, c.any, c.most)
		e, _ := errors.AsType[*chat.Error](err)
		if string(got) != c.want || c.status == 0 && err != nil || c.status != 0 && (e == nil || e.Status != c.status) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
		if c.status == 0 && !c.any && in.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: the encoding is still named", c.name)
		}
	}
}

func TestErrorOfReadingSaysWhoseFaultItIs(t *testing.T) {
	refused := chat.NewError(http.StatusBadRequest, "no")
	for _, c := range []struct {
		err  error
		gone bool
	}{{io.ErrUnexpectedEOF, true}, {wire.ErrClientGone, true}, {wire.ErrMalformed, false}, {refused, false}} {
		within, err := Within(Passing{iotest.ErrReader(c.err)}, 10, -1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.ReadAll(within); errors.Is(err, wire.ErrClientGone) != c.gone || err == nil {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}
