package chat

import (
	"bytes"
	"slices"

	"go-ai-proxy/translators/jsonedit"
)

// Marks says how prompts are marked for a provider's cache. A mark ends a beginning of
// the prompt that is cached, in the order of tools, system prompt and messages.
type Marks struct {
	// Control is Anthropic's cache_control.
	Control Raw
	// Least is the shortest beginning that is cached, in tokens.
	Least int
	// Tools and Results say whether tools and results of calls can be marked.
	Tools, Results bool
}

// MostMarks is how many marks a prompt may have, at Anthropic and Bedrock.
//
//	https://platform.claude.com/docs/en/build-with-claude/prompt-caching
//	https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
const MostMarks = 4

// markedTurns is how many of the user's last turns are marked: what was written behind
// the last one is read by the next request, which marks it again as the last but one.
// With tools and system these are MostMarks.
const markedTurns = 2

// tokenBytes is how many bytes of a prompt are taken for a token.
const tokenBytes = 4

// Reaches says whether so many bytes are a beginning that is long enough to be cached.
func (m *Marks) Reaches(bytes int) bool { return bytes/tokenBytes >= m.Least }

// Turns marks the user's last turns in a list of messages, which is valid JSON, in the
// form of Anthropic or Bedrock: mark returns a message's content with a mark, or false
// if it cannot have one. size is how many bytes come before. It returns the list, which
// is messages itself if nothing is marked, and how many marks were set.
func (m *Marks) Turns(messages []byte, size int, mark func(content []byte) ([]byte, bool)) (list []byte, n int) {
	var ends [markedTurns]int // the last first, as index + 1
	i := 0
	for message := range jsonedit.EachOf(messages) {
		if i++; string(jsonedit.Get(message, "role")) == `"user"` {
			ends[0], ends[1] = i, ends[0]
		}
	}
	if i = 0; ends[0] == 0 {
		return messages, 0
	}
	return jsonedit.Each(messages, func(message []byte) []byte {
		i++
		size += len(message)
		if !slices.Contains(ends[:], i) || !m.Reaches(size) {
			return message
		}
		content, ok := mark(jsonedit.Get(message, "content"))
		if !ok {
			return message
		}
		n++
		return jsonedit.With(message, "content", content)
	}), n
}

// Marked says whether the client has set marks of its own.
func (r *Request) Marked() bool {
	for i := range r.Tools {
		if t := &r.Tools[i]; t.CacheControl != nil || bytes.Contains(t.Native, []byte(`"cache_control"`)) {
			return true
		}
	}
	for i := range r.Messages {
		if marked(r.Messages[i].Parts) {
			return true
		}
	}
	return r.Lookup("cache_control") != nil
}

func marked(parts []Part) bool {
	return slices.ContainsFunc(parts, func(p Part) bool {
		return p.CacheControl != nil || bytes.Contains(p.Raw, []byte(`"cache_control"`)) || marked(p.Parts)
	})
}

// WithMarks returns r with marks on the last tool, the end of the system prompt and the
// user's last turns, as far as what comes before is long enough, and how many they are.
// r itself is not changed.
func (r *Request) WithMarks(m Marks) (marked *Request, n int) {
	to := *r
	to.Tools, to.Messages = slices.Clone(r.Tools), slices.Clone(r.Messages)
	size, last := 0, -1
	for i := range to.Tools {
		t := &to.Tools[i]
		size += len(t.Name) + t.Description.Len() + len(t.Parameters) + len(t.Native)
		if t.Hosted == "" && t.Native == nil {
			last = i
		}
	}
	if m.Tools && last >= 0 && m.Reaches(size) {
		to.Tools[last].CacheControl = m.Control
		n++
	}
	last = -1
	for i := range to.Messages {
		if to.Messages[i].Role == System {
			size += sizeOf(to.Messages[i].Parts)
			last = i
		}
	}
	if last >= 0 && m.Reaches(size) && to.mark(last, &m) {
		n++
	}
	var ends [markedTurns]int // of the user's last turns, the last first, as index + 1
	user := false
	for i := range to.Messages {
		switch to.Messages[i].Role {
		case System:
			continue
		case User, ToolRole:
			if !user {
				ends[1] = ends[0]
			}
			ends[0], user = i+1, true
		default:
			user = false
		}
	}
	for i := range to.Messages {
		if to.Messages[i].Role == System {
			continue
		}
		size += sizeOf(to.Messages[i].Parts)
		if slices.Contains(ends[:], i+1) && m.Reaches(size) && to.mark(i, &m) {
			n++
		}
	}
	return &to, n
}

// mark marks the last part of message i that can be marked.
func (r *Request) mark(i int, m *Marks) bool {
	parts := r.Messages[i].Parts
	for j := len(parts) - 1; j >= 0; j-- {
		switch p := &parts[j]; p.Kind {
		case Text:
			if p.Text.Blank() {
				continue
			}
		case Image, File:
		case ToolResult:
			if !m.Results {
				return false // nothing before it ends the turn
			}
		default:
			continue
		}
		parts = slices.Clone(parts)
		parts[j].CacheControl = m.Control
		r.Messages[i].Parts = parts
		return true
	}
	return false
}

// mediaBytes is what a medium counts at most: its data is far longer than its tokens.
const mediaBytes = 1500 * tokenBytes

// sizeOf is about how many bytes of text parts are.
func sizeOf(parts []Part) (n int) {
	for i := range parts {
		p := &parts[i]
		n += p.Text.Len() + p.Arguments.Len() + sizeOf(p.Parts)
		if p.Media != nil {
			n += min(p.Media.Data.Len(), mediaBytes)
		}
	}
	return n
}

// Lasts returns the ttl that a cache_control asks for, "5m" if it names none.
func Lasts(control Raw) string {
	if ttl, ok := jsonedit.String(jsonedit.Lookup(control, "ttl")); ok {
		return ttl
	}
	return "5m"
}

// Longest returns the longest ttl of the client's marks: "1h", "5m", or "" for none.
func (r *Request) Longest() (ttl string) {
	take := func(c Raw) {
		if c != nil && ttl != "1h" {
			ttl = Lasts(c)
		}
	}
	for i := range r.Tools {
		take(r.Tools[i].CacheControl)
	}
	for i := range r.Messages {
		for j := range r.Messages[i].Parts {
			take(r.Messages[i].Parts[j].CacheControl)
		}
	}
	take(r.Lookup("cache_control"))
	return ttl
}
