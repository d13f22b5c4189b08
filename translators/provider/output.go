package provider

import (
	"bytes"
	"strings"

	"go-ai-proxy/translators/chat"
)

// Output describes a family's files of JSON lines that have the usage of a batch.
type Output struct {
	Under string // the end of their paths: "/content"; "" if the family has none
	// Line adds the usage of one line, a JSON object, to seen.
	Line func(line []byte, seen *chat.Seen)
}

// At reports whether such a file is at sub, a path below the family's.
func (o *Output) At(sub string) bool { return o.Under != "" && strings.HasSuffix(sub, o.Under) }

// OutputReader reads usage from an Output while it is forwarded.
type OutputReader struct {
	Output *Output
	line   []byte // the part of a line that has arrived
	skip   bool   // the line is too long, or the file has no usage
}

// maxLine is the longest line that is read, in bytes.
const maxLine = 8 << 20

// Read reads the next bytes of the file and adds usage to seen. It does not keep p.
func (b *OutputReader) Read(p []byte, seen *chat.Seen) {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			b.keep(p)
			return
		}
		if len(b.line) == 0 && !b.skip {
			b.read(p[:i], seen)
		} else {
			b.keep(p[:i])
			b.End(seen)
		}
		p = p[i+1:]
	}
}

func (b *OutputReader) keep(p []byte) {
	if len(b.line) == 0 && p[0] != '{' || len(b.line)+len(p) > maxLine {
		b.skip = true
		b.line = b.line[:0]
	}
	if !b.skip {
		b.line = append(b.line, p...)
	}
}

// End is called at the end of a line, and of the file.
func (b *OutputReader) End(seen *chat.Seen) {
	if !b.skip {
		b.read(b.line, seen)
	}
	b.line, b.skip = b.line[:0], false
}

func (b *OutputReader) read(line []byte, seen *chat.Seen) {
	if len(line) > 0 && line[0] == '{' {
		b.Output.Line(line, seen)
	}
}
