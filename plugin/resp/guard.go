package resp

import (
	"fmt"
	"strconv"
)

// Limits of one answer. The largest we ask for are a vector (256 KiB at 65,536
// numbers) and what a cluster says of itself (COMMAND, about 10,000 elements).
const (
	maxLine     = 64 << 10 // bytes
	maxText     = 4 << 20  // bytes of one bulk string
	maxBytes    = 32 << 20 // of all of an answer's bulk strings
	maxElements = 1 << 17  // of all of an answer's arrays, as they claim
	maxDepth    = 16       // of arrays in arrays
)

// guard reads the framing of answers as they pass by in pieces of any size.
type guard struct {
	line []byte // what has come of an unfinished line
	skip int    // bytes of a bulk string, its line end included, that are to come
	open [maxDepth]int
	// open[:depth] are the elements that are to come, of the arrays around.
	depth           int
	elements, bytes int // of the answer so far
}

// check takes in the next bytes. Its error quotes nothing but lengths and types.
func (g *guard) check(p []byte) error {
	for len(p) > 0 {
		if g.skip > 0 {
			n := min(g.skip, len(p))
			p = p[n:]
			if g.skip -= n; g.skip == 0 {
				g.done()
			}
			continue
		}
		end := 0
		for end < len(p) && p[end] != '\n' {
			end++
		}
		if len(g.line)+end > maxLine {
			return fmt.Errorf("redis answers with a line of more than %d bytes: the connection is closed", maxLine)
		}
		g.line = append(g.line, p[:end]...)
		if end == len(p) {
			return nil
		}
		p = p[end+1:]
		line := g.line
		g.line = g.line[:0]
		if err := g.take(line); err != nil {
			return err
		}
	}
	return nil
}

// take takes in a line without its \n.
func (g *guard) take(line []byte) error {
	if len(line) < 2 || line[len(line)-1] != '\r' {
		return fmt.Errorf("redis answers with what is no RESP: the connection is closed")
	}
	kind, rest := line[0], line[1:len(line)-1]
	switch kind {
	case '+', '-', ':', '_', '#', ',', '(':
		g.done()
		return nil
	case '$', '!', '=':
		n, err := length(kind, rest, maxText)
		if err != nil {
			return err
		}
		if n < 0 {
			g.done()
			return nil
		}
		if g.bytes += n; g.bytes > maxBytes {
			return fmt.Errorf("redis answers with more than %d bytes at once: the connection is closed", maxBytes)
		}
		g.skip = n + len("\r\n")
		return nil
	case '*', '~', '>', '%':
		return g.enter(kind, rest)
	}
	return fmt.Errorf("redis answers with the type %q: the connection is closed", kind)
}

// enter begins an array, a set, a push or a map.
func (g *guard) enter(kind byte, rest []byte) error {
	n, err := length(kind, rest, maxElements)
	if err != nil {
		return err
	}
	if kind == '%' {
		n *= 2
	}
	if n <= 0 {
		g.done()
		return nil
	}
	if g.elements += n; g.elements > maxElements {
		return fmt.Errorf("redis answers with more than %d elements at once: the connection is closed", maxElements)
	}
	if g.depth == maxDepth {
		return fmt.Errorf("redis answers with arrays in arrays, more than %d deep: the connection is closed", maxDepth)
	}
	g.open[g.depth] = n
	g.depth++
	return nil
}

// done ends an element, and with it all arrays of which it was the last.
func (g *guard) done() {
	for g.depth > 0 {
		g.open[g.depth-1]--
		if g.open[g.depth-1] > 0 {
			return
		}
		g.depth--
	}
	g.elements, g.bytes = 0, 0
}

// length reads a length as Redis writes it; -1 is that of null.
func length(kind byte, text []byte, most int) (int, error) {
	if string(text) == "-1" {
		return -1, nil
	}
	n, err := strconv.ParseUint(string(text), 10, 63)
	switch {
	case err != nil:
		return 0, fmt.Errorf("redis answers with a length after %q that is none: the connection is closed", kind)
	case n > uint64(most):
		return 0, fmt.Errorf("redis answers with a length of %d after %q, more than %d: the connection is closed", n, kind, most)
	}
	return int(n), nil
}
