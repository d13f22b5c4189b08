// Package affinity finds out which conversation a request belongs to, so that all its
// requests can go to the target that has their common beginning in its prompt cache. It
// knows neither targets nor how they are chosen. Start with Finder.Key.
package affinity

import (
	"bytes"
	"net/textproto"
	"strings"

	"github.com/cespare/xxhash/v2"

	"go-ai-proxy/translators/jsonedit"
)

// knownHeaders are the headers that name a conversation if none are configured: those that
// agents send, and gateways know.
var knownHeaders = []string{
	"X-Claude-Code-Session-Id", // Claude Code: https://code.claude.com/docs/en/llm-gateway-protocol
	"Session-Id",               // Codex
	"Session_id",               // Codex before that, Pi
	"Conversation_id",          // Codex before that
	"X-Session-Affinity",       // OpenCode
	"X-Opencode-Session",       // OpenCode: https://opencode.ai/docs/go/
	"X-Qwen-Code-Session-Id",   // Qwen Code
	"X-Task-Id",                // Cline
	"X-Grok-Conv-Id",           // xAI: https://docs.x.ai/docs/guides/prompt-caching
	"X-Litellm-Session-Id",     // https://docs.litellm.ai/docs/proxy/ui_logs_sessions
	"Helicone-Session-Id",      // https://docs.helicone.ai/features/sessions
	"X-Session-Id",             // many others
}

// Prefix is the source of a key that is the hash of how the prompt begins.
const Prefix = "prefix"

// members are the members of a request's body that name its conversation or its user,
// in any format, in the order in which they count.
var members = [...]struct {
	name string   // as the source
	path []string // in the body
}{
	{"prompt_cache_key", []string{"prompt_cache_key"}},
	{"conversation", []string{"conversation"}},
	{"conversation.id", []string{"conversation", "id"}},
	{"metadata.user_id", []string{"metadata", "user_id"}},
	{"user", []string{"user"}},
	{"safety_identifier", []string{"safety_identifier"}},
}

// What comes before all turns: the members with the tools, and with the system prompt.
var (
	tools        = [...]string{"tools", "toolConfig", "functions"}                                              // OpenAI, Anthropic, Gemini; Bedrock; OpenAI before tools
	instructions = [...]string{"system", "systemInstruction", "system_instruction", "instructions", "preamble"} // Anthropic, Bedrock; Gemini; Responses; Cohere
)

// turns are the members with the messages; each format has one of them.
var turns = [...]string{"messages", "contents", "input", "chat_history", "prompt", "message"}

// Finder finds keys. It is immutable and safe for concurrent use.
type Finder struct{ headers []string }

// New returns a finder that looks into these headers first; none means those
// that agents are known to send.
func New(headers []string) *Finder {
	f := &Finder{headers: knownHeaders}
	if len(headers) > 0 {
		f.headers = nil
	}
	for _, name := range headers {
		f.headers = append(f.headers, textproto.CanonicalMIMEHeaderKey(name))
	}
	return f
}

// Key returns the hash of what names the conversation, and its source: the name of a
// header or of a member of the body, or Prefix. ms are the members of the body, which is
// valid JSON; nil for another body. source is "" if there is nothing to go by. Of the
// messages nothing is read beyond the user's first.
func (f *Finder) Key(header map[string][]string, ms []jsonedit.Member) (hash uint64, source string) {
	for _, name := range f.headers {
		if v := header[name]; len(v) > 0 && v[0] != "" {
			return xxhash.Sum64String(v[0]), name
		}
	}
	for i := range members {
		m := &members[i]
		v := jsonedit.Find(ms, m.path[0])
		if len(m.path) > 1 && jsonedit.IsObject(v) {
			v = jsonedit.Lookup(v, m.path[1])
		}
		if jsonedit.IsString(v) && len(v) > len(`""`) {
			return xxhash.Sum64(v[1 : len(v)-1]), m.name
		}
	}
	return prefix(ms)
}

// Named says whether a source names the conversation or its user, and is not only a
// hash of what was said.
func Named(source string) bool { return source != "" && source != Prefix }

// prefix hashes tools, system prompt and the messages up to the user's first. Marks of
// the cache are left out: agents move them from turn to turn.
func prefix(ms []jsonedit.Member) (uint64, string) {
	var h hasher
	h.Reset()
	for _, name := range tools {
		if v := jsonedit.Find(ms, name); v != nil {
			h.tools(v)
			h.part(name)
		}
	}
	for _, name := range instructions {
		if v := jsonedit.Find(ms, name); v != nil {
			h.content(v)
			h.part(name)
		}
	}
	for _, name := range turns {
		v := jsonedit.Find(ms, name)
		if v == nil {
			continue
		}
		if !jsonedit.IsArray(v) {
			h.content(v)
			return h.Sum64(), Prefix
		}
		for turn := range jsonedit.EachOf(v) {
			h.turn(turn)
			if isUser(turn) {
				return h.Sum64(), Prefix
			}
		}
	}
	if h.parts == 0 {
		return 0, ""
	}
	return h.Sum64(), Prefix
}

// isUser says whether a turn is the user's. Gemini's first turn needs no role, and an
// input may be a bare text.
func isUser(turn []byte) bool {
	if !jsonedit.IsObject(turn) {
		return true
	}
	role := jsonedit.Lookup(turn, "role")
	if role == nil {
		return jsonedit.Lookup(turn, "parts") != nil
	}
	return strings.EqualFold(string(role), `"user"`)
}

// hasher hashes parts of a prompt. parts counts them.
type hasher struct {
	xxhash.Digest
	parts int
}

// part ends a part, so that texts that follow each other are told apart.
func (h *hasher) part(name string) {
	h.parts++
	_, _ = h.WriteString("\x00" + name) // never fails
}

func (h *hasher) turn(turn []byte) {
	content := jsonedit.Lookup(turn, "content")
	if content == nil {
		content = jsonedit.Lookup(turn, "parts")
	}
	if content == nil {
		content = turn
	}
	h.content(content)
	h.part("turn")
}

// content hashes a text, or the blocks of an array. A text is the same whether it is a
// string or a block of its own.
func (h *hasher) content(v []byte) {
	if !jsonedit.IsArray(v) {
		h.block(v)
		return
	}
	for block := range jsonedit.EachOf(v) {
		h.block(block)
	}
}

// tools hashes the list of tools, usually in one go.
func (h *hasher) tools(v []byte) {
	if !marked(v) {
		_, _ = h.Write(v) // never fails
		return
	}
	_, _ = h.Write(jsonedit.Each(v, unmarked))
}

func (h *hasher) block(v []byte) {
	text := v
	if jsonedit.IsObject(v) {
		text = jsonedit.Lookup(v, "text")
	}
	if jsonedit.IsString(text) {
		v = text[1 : len(text)-1]
	} else if v = unmarked(v); v == nil {
		return
	}
	_, _ = h.Write(v) // never fails
	h.part("")
}

// marks are the members of a block, or the blocks, that mark where a cached prefix ends.
var marks = [...]string{"cache_control", "cachePoint"}

func marked(v []byte) bool {
	for _, mark := range marks {
		if bytes.Contains(v, []byte(mark)) {
			return true
		}
	}
	return false
}

// unmarked is a block without its mark, nil if it was nothing else.
func unmarked(v []byte) []byte {
	if !marked(v) {
		return v
	}
	for _, mark := range marks {
		v = jsonedit.With(v, mark, nil)
	}
	if string(v) == "{}" {
		return nil
	}
	return v
}
