package openai

import (
	"bytes"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// BatchOutput reads usage out of the output file of a batch while it passes:
// JSON lines of which each has an answer at response.body. The zero value is
// ready. A file that is something else has no usage.
// https://platform.openai.com/docs/guides/batch#5-retrieve-the-results
type BatchOutput struct {
	line []byte // what has come of one
	skip bool   // it is too long, or none of the file is of interest
}

// maxLine bounds a line that is read, in bytes.
const maxLine = 8 << 20

// Read takes the next bytes of the file; p is not kept. Usage is summed in seen.
func (b *BatchOutput) Read(p []byte, seen *chat.Seen) {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			b.keep(p)
			return
		}
		if len(b.line) == 0 && !b.skip {
			readOutputLine(p[:i], seen)
		} else {
			b.keep(p[:i])
			b.End(seen)
		}
		p = p[i+1:]
	}
}

func (b *BatchOutput) keep(p []byte) {
	if len(b.line) == 0 && p[0] != '{' || len(b.line)+len(p) > maxLine {
		b.skip = true
		b.line = b.line[:0]
	}
	if !b.skip {
		b.line = append(b.line, p...)
	}
}

// End is the end of a line, or of the file.
func (b *BatchOutput) End(seen *chat.Seen) {
	if !b.skip {
		readOutputLine(b.line, seen)
	}
	b.line, b.skip = b.line[:0], false
}

func readOutputLine(line []byte, seen *chat.Seen) {
	if len(line) == 0 || line[0] != '{' {
		return
	}
	body := jsonedit.Lookup(line, "response", "body")
	if body == nil {
		return
	}
	var u chat.Usage
	if !ReadUsage(jsonedit.Lookup(body, "usage"), &u) {
		return
	}
	seen.HasUsage = true
	setText(&seen.Model, jsonedit.Lookup(body, "model"))
	setText(&seen.Usage.ServiceTier, jsonedit.Lookup(body, "service_tier"))
	seen.Usage.Add(&u)
}
