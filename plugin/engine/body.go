package engine

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"go-ai-proxy/plugin/wire"
)

// framing says how a message's body ends (RFC 9112 §6).
type framing uint8

const (
	empty   framing = iota
	sized           // by its length
	chunked         // by a last chunk
	closing         // with the connection; answers only
)

// Limits in bytes of what a chunked body contains beside its data.
const (
	maxChunkLine = 4 << 10
	maxTrailer   = 4 << 10
	maxExcess    = 16 << 10
)

// maxChunk is the largest size of a chunk, in bytes. It is far above any real size, and
// small enough that sums of sizes do not overflow.
const maxChunk = 1 << 50

// The errors of a chunked body.
var (
	errChunk   = fmt.Errorf("%w: chunks", wire.ErrMalformed)
	errExcess  = fmt.Errorf("%w: the chunks have more overhead than data", wire.ErrMalformed)
	errTrailer = fmt.Errorf("%w: trailer", wire.ErrMalformed)
)

// body reads a message's body, for either side.
type body struct {
	src     *source
	framing framing
	left    int64 // of the body when sized, of the chunk when chunked
	part    part
	excess  int64 // bytes that are not data, above what is reasonable
	err     error // final; io.EOF after a complete body
}

// part is the part of a chunked body that the next byte belongs to.
type part uint8

const (
	inSize part = iota
	inData
	afterData
	inTrailer
)

// Read implements io.Reader. Once it has something to return it reads the connection at
// most once. It returns io.EOF together with the last bytes if the end is known by then.
func (b *body) Read(p []byte) (n int, err error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	switch b.framing {
	case empty:
		err = io.EOF
	case sized:
		n, err = b.src.read(p[:min(int64(len(p)), b.left)], true)
		if b.left -= int64(n); b.left == 0 {
			err = io.EOF
		} else if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
	case closing:
		n, err = b.src.read(p, true)
	case chunked:
		n, err = b.readChunks(p)
	}
	b.err = err
	return n, err
}

// whole reports whether the body was read to its regular end.
func (b *body) whole() bool { return b.framing == empty || b.err == io.EOF }

// readChunks fills p from all chunks that have arrived.
func (b *body) readChunks(p []byte) (n int, err error) {
	for {
		if b.part == inData {
			if n == len(p) {
				return n, nil
			}
			if n > 0 && b.src.buffered() == 0 {
				return n, nil
			}
			var one int
			one, err = b.src.read(p[n:min(int64(len(p)), int64(n)+b.left)], b.left >= bufferSize)
			n += one
			if b.left -= int64(one); b.left == 0 {
				b.part = afterData
			}
		} else {
			if n > 0 && !b.lineCame() {
				return n, nil
			}
			err = b.step()
		}
		switch {
		case err == io.EOF && b.part != inTrailer:
			return n, io.ErrUnexpectedEOF
		case err != nil:
			return n, err
		}
	}
}

// lineCame reports whether step can continue without reading the connection.
func (b *body) lineCame() bool {
	return bytes.IndexByte(b.src.unread(), '\n') >= 0
}

// step reads one line between the data of chunks.
func (b *body) step() error {
	malformed := errChunk
	if b.part == inTrailer {
		malformed = errTrailer
	}
	line, err := b.src.line(maxChunkLine)
	switch err {
	case nil:
	case io.EOF:
		return io.ErrUnexpectedEOF
	case errLong:
		return malformed
	default:
		return err
	}
	n := len(line)
	// Here a line does not end with a bare line feed, and must not contain a carriage
	// return: RFC 9112 §7.1, erratum 7633.
	if n < 2 || line[n-2] != '\r' || bytes.IndexByte(line[:n-2], '\r') >= 0 {
		return malformed
	}
	line = line[:n-2]
	switch b.part {
	case afterData:
		if len(line) > 0 {
			return errChunk
		}
		b.part = inSize
	case inSize:
		err = b.size(line)
	case inTrailer:
		err = b.trailer(line)
	}
	b.src.skip(n)
	return err
}

// size reads a chunk's size. Extensions are ignored (RFC 9112 §7.1.1).
func (b *body) size(line []byte) error {
	var size int64
	i := 0
	for ; i < len(line); i++ {
		d := unhex(line[i])
		if d < 0 {
			break
		}
		if size = size<<4 | int64(d); size > maxChunk {
			return errChunk
		}
	}
	// Some servers pad the size with spaces; they end the line.
	if rest := bytes.TrimRight(line[i:], " \t"); i == 0 || i > 16 || len(rest) > 0 && rest[0] != ';' {
		return errChunk
	}
	// Chunks of one byte each are accepted, long extensions are not.
	b.excess = max(b.excess+int64(len(line))+2-16-2*size, 0)
	if b.excess > maxExcess {
		return errExcess
	}
	b.left, b.part = size, inData
	if size == 0 {
		b.part, b.left = inTrailer, maxTrailer
	}
	return nil
}

// trailer skips a trailer field, as nothing needs it, or reads the end.
func (b *body) trailer(line []byte) error {
	if len(line) == 0 {
		return io.EOF
	}
	if b.left -= int64(len(line)); b.left < 0 {
		return errTrailer
	}
	if _, _, err := parseField(string(line)); err != nil {
		return errTrailer
	}
	return nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// contentLength reads the values of Content-Length, of which there must be exactly
// one.
func contentLength(values []string) (int64, bool) {
	if len(values) != 1 || values[0] == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	return int64(n), err == nil
}

// bodiless reports whether an answer with this status has no body (RFC 9110 §6.4.1).
func bodiless(status int) bool {
	return status < 200 || status == http.StatusNoContent || status == http.StatusNotModified
}
