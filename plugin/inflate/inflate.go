// Package inflate reads gzip and zstd within bounds, of a client's request and of a
// provider's answer. It knows nothing of either but its headers. Start with Reader.
package inflate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/zstd"

	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/frame"
)

// Bounds of compressed data, in both directions. A megabyte of it can become a
// gigabyte, and any amount of it can become nothing.
const (
	maxInflated  = 32 << 20  // bytes that compressed data of any size may become
	maxInflation = 32        // above that: at most this many times its own size
	maxNothing   = 256 << 10 // bytes of compressed data that may become nothing
	// maxWindow is how far back zstd may refer, in bytes, which is how much memory it
	// takes: what RFC 8878 §3.1.1.1.2 recommends to support.
	maxWindow = 8 << 20
)

var (
	// ErrBomb is the error for data that becomes too much.
	ErrBomb = fmt.Errorf("compressed data that becomes more than %d MiB and %d times its size", maxInflated>>20, maxInflation)
	// ErrThin is the error for data that becomes nothing for too long.
	ErrThin = errors.New("compressed data with next to nothing in it")
)

// Reader inflates gzip or zstd within the bounds.
type Reader struct {
	z      io.Reader
	in     *bufio.Reader // reads from sent by way of asSent, which counts
	sent   failing
	taken  int64 // compressed bytes
	gotten int64 // bytes that came out
}

// failing is a reader that remembers its error.
type failing struct {
	from io.Reader
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// New returns a reader of what inflates to a body. Open must be called first. Reading fails
// with ErrBomb, ErrThin, or the error of the format or of sent.
func New(sent io.Reader) *Reader {
	g := &Reader{sent: failing{from: sent}}
	g.in = bufio.NewReaderSize((*asSent)(g), 4<<10)
	return g
}

// Open begins to read an encoding, "zstd" or else gzip, of which it reads the header.
func (g *Reader) Open(encoding string) (err error) {
	if encoding == "zstd" {
		g.z, err = zstd.NewReader(g.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		return err
	}
	g.z, err = gzip.NewReader(g.in)
	return err
}

// Read implements io.Reader.
func (g *Reader) Read(p []byte) (int, error) {
	n, err := g.z.Read(p)
	if g.gotten += int64(n); g.gotten > max(maxInflated, maxInflation*g.taken) {
		return 0, ErrBomb
	}
	return n, err
}

// SentErr is the error with which what is inflated could not be read, if any.
func (g *Reader) SentErr() error { return g.sent.err }

// asSent reads the compressed bytes, and counts them.
type asSent Reader

// Read implements io.Reader.
func (z *asSent) Read(p []byte) (int, error) {
	if z.taken > maxNothing+2*z.gotten {
		return 0, ErrThin
	}
	n, err := z.sent.Read(p)
	z.taken += int64(n)
	return n, err
}

// gzipMagic is how every gzip begins, and no text does.
var gzipMagic = []byte{0x1f, 0x8b}

// NotAskedError is an encoding that was not asked for.
type NotAskedError string

func (e NotAskedError) Error() string {
	if len(e) > 100 {
		e = e[:100] + "…"
	}
	return "the provider's answer is encoded as " + string(e) + ", which was not asked for"
}

// Answer returns the body of an answer without gzip, and whether it was gzipped. Some
// providers declare gzip and send plain text, so the magic number decides. We never ask
// for other encodings, nor for gzip inside gzip: those are a NotAskedError. Other errors
// are those of reading.
func Answer(h http.Header, body io.Reader) (io.Reader, bool, error) {
	switch encoding := strings.ToLower(strings.Join(h["Content-Encoding"], ", ")); encoding {
	case "gzip", "x-gzip":
	case "br", "zstd", "deflate", "compress":
		return nil, false, NotAskedError(encoding)
	default:
		if strings.Contains(encoding, ",") {
			return nil, false, NotAskedError(encoding)
		}
		return body, false, nil
	}
	g := New(body)
	if again, err := isGzip(g.in); err != nil || !again {
		return g.in, false, err
	}
	if err := g.Open("gzip"); err != nil {
		return nil, false, err
	}
	if _, known := frame.KindOf(wire.First(h, "Content-Type"), frame.SSE); !known {
		return g, true, nil // not inflated again: a file may be gzip itself
	}
	text := bufio.NewReaderSize(g, 4<<10)
	again, err := isGzip(text)
	switch {
	case err != nil:
		return nil, false, err
	case again:
		return nil, false, NotAskedError("gzip in gzip")
	}
	return text, true, nil
}

// isGzip says whether the next bytes of r are gzip's.
func isGzip(r *bufio.Reader) (bool, error) {
	magic, err := r.Peek(len(gzipMagic))
	if err != nil && err != io.EOF {
		return false, err
	}
	return bytes.Equal(magic, gzipMagic), nil
}
