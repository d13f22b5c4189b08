package plugin

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
	errBomb = fmt.Errorf("compressed data that becomes more than %d MiB and %d times its size", maxInflated>>20, maxInflation)
	errThin = errors.New("compressed data with next to nothing in it")
)

// inflated is a reader that inflates gzip or zstd within the bounds.
type inflated struct {
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

func newInflated(sent io.Reader) *inflated {
	g := &inflated{sent: failing{from: sent}}
	g.in = bufio.NewReaderSize((*asSent)(g), 4<<10)
	return g
}

// open begins to read an encoding, "zstd" or else gzip, of which it reads the header.
func (g *inflated) open(encoding string) (err error) {
	if encoding == "zstd" {
		g.z, err = zstd.NewReader(g.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		return err
	}
	g.z, err = gzip.NewReader(g.in)
	return err
}

// Read implements io.Reader.
func (g *inflated) Read(p []byte) (int, error) {
	n, err := g.z.Read(p)
	if g.gotten += int64(n); g.gotten > max(maxInflated, maxInflation*g.taken) {
		return 0, errBomb
	}
	return n, err
}

// asSent reads the compressed bytes, and counts them.
type asSent inflated

// Read implements io.Reader.
func (z *asSent) Read(p []byte) (int, error) {
	if z.taken > maxNothing+2*z.gotten {
		return 0, errThin
	}
	n, err := z.sent.Read(p)
	z.taken += int64(n)
	return n, err
}

// gzipMagic is how every gzip begins, and no text does.
var gzipMagic = []byte{0x1f, 0x8b}

// inflate returns the answer's body without gzip, and whether it was gzipped. Some
// providers declare gzip and send plain text, so the magic number decides. We
// never ask for other encodings, nor for gzip inside gzip.
func inflate(ans *wire.Answer) (io.Reader, bool, error) {
	switch encoding := strings.ToLower(strings.Join(ans.Header["Content-Encoding"], ", ")); encoding {
	case "gzip", "x-gzip":
	case "br", "zstd", "deflate", "compress":
		return nil, false, notAsked(encoding)
	default:
		if strings.Contains(encoding, ",") {
			return nil, false, notAsked(encoding)
		}
		return ans.Body, false, nil
	}
	g := newInflated(ans.Body)
	if again, err := isGzip(g.in); err != nil || !again {
		return g.in, false, err
	}
	if err := g.open("gzip"); err != nil {
		return nil, false, transportFailure(cutShort(err))
	}
	if _, known := frame.KindOf(wire.First(ans.Header, "Content-Type"), frame.SSE); !known {
		return g, true, nil // not inflated again: a file may be gzip itself
	}
	text := bufio.NewReaderSize(g, 4<<10)
	again, err := isGzip(text)
	switch {
	case err != nil:
		return nil, false, err
	case again:
		return nil, false, notAsked("gzip in gzip")
	}
	return text, true, nil
}

func notAsked(encoding string) *attemptError {
	if len(encoding) > 100 {
		encoding = encoding[:100] + "…"
	}
	return noAnswer("error", "the provider's answer is encoded as "+encoding+", which was not asked for")
}

// isGzip says whether the next bytes of r are gzip's.
func isGzip(r *bufio.Reader) (bool, error) {
	magic, err := r.Peek(len(gzipMagic))
	if err != nil && err != io.EOF {
		return false, transportFailure(cutShort(err))
	}
	return bytes.Equal(magic, gzipMagic), nil
}

// tooInflated is the error that describes what is wrong with a provider's gzip;
// nil when it is within bounds.
func tooInflated(err error) error {
	if errors.Is(err, errBomb) || errors.Is(err, errThin) {
		return refuse(http.StatusBadGateway, "the provider's answer is "+err.Error())
	}
	return nil
}
