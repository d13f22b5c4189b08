package server

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// A frame is a length, 4 bytes little endian, and as many bytes.
const (
	prefix = 4
	// maxFrame is the largest frame that is read. The largest are request bodies, if
	// a plugin asks for them.
	maxFrame = 64 << 20
	// keptBuffer is the largest buffer a connection keeps between frames.
	keptBuffer = 64 << 10
)

// readFrame reads a frame into buf, which it may replace, and returns the
// whole of it, length included; io.EOF if there is none. Memory grows with
// what arrives, not with what the length claims.
func readFrame(r io.Reader, buf []byte) ([]byte, error) {
	buf = beginFrame(buf[:0])
	if _, err := io.ReadFull(r, buf); err != nil {
		return buf, err
	}
	n := int(binary.LittleEndian.Uint32(buf))
	if n > maxFrame {
		return buf, fmt.Errorf("frame of %d bytes, limit is %d", n, maxFrame)
	}
	for end := prefix + n; len(buf) < end; {
		at := len(buf)
		buf = slices.Grow(buf, min(end-at, keptBuffer))
		buf = buf[:min(end, cap(buf))]
		if _, err := io.ReadFull(r, buf[at:]); err != nil {
			return buf, unexpected(err)
		}
	}
	return buf, nil
}

// skipFrame reads a frame and discards it.
func skipFrame(r *bufio.Reader) error {
	head, err := r.Peek(prefix)
	if err != nil {
		return err
	}
	n := int(binary.LittleEndian.Uint32(head))
	if n > maxFrame {
		return fmt.Errorf("frame of %d bytes, limit is %d", n, maxFrame)
	}
	_, err = r.Discard(prefix + n)
	return unexpected(err)
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// trim empties buf, and drops it if it is too large to keep.
func trim(buf []byte) []byte {
	if cap(buf) > keptBuffer {
		return nil
	}
	return buf[:0]
}

// beginFrame leaves room for the length of a frame that starts at len(dst);
// endFrame fills it in once the contents are appended.
func beginFrame(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

func endFrame(dst []byte, start int) {
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-prefix))
}
