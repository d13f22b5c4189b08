package openai

import (
	"bytes"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// BatchOutput reads usage from the output file of a batch while the file is
// forwarded. Each line is JSON with an answer at response.body. The zero value is
// ready to use. Other files have no usage.
// https://platform.openai.com/docs/guides/batch#5-retrieve-the-results
type BatchOutput struct {
	line []byte // the part of a line that has arrived
	skip bool   // the line is too long, or the file has no usage
}

// maxLine is the longest line that is read, in bytes.
const maxLine = 8 << 20

// Read reads the next bytes of the file and adds usage to seen. It does not keep p.
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

// End is called at the end of a line, and of the file.
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
