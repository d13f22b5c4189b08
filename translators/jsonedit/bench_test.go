package jsonedit

import (
	"strings"
	"testing"
)

// chatBody is a request with a prompt of n bytes of English text: a line end,
// which is escaped, every 70 bytes.
func chatBody(n int) []byte {
	line := "the quick brown fox jumps over the lazy dog and runs through the wood "
	var b []byte
	b = append(b, `{"model":"gpt-4o","stream":true,"temperature":0.7,"max_tokens":512,"messages":[{"role":"system","content":"You are terse."},{"role":"user","content":`...)
	b = AppendString(b, strings.Repeat(line[:len(line)-1]+"\n", n/len(line)))
	return append(b, `}],"stream_options":{"include_usage":true}}`...)
}

var edits = []Edit{
	{Key: "model", Value: []byte(`"gpt-4o-mini"`)},
	{Key: "max_tokens", Name: "max_completion_tokens"},
	{Key: "temperature"},
	{Key: "top_p", Value: []byte("0.5")},
}

func BenchmarkObjectAndSplice(b *testing.B) {
	for name, body := range map[string][]byte{"1KB": chatBody(1 << 10), "100KB": chatBody(100 << 10)} {
		b.Run(name, func(b *testing.B) {
			var ms []Member
			var pieces [][]byte
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				ms, _ = Object(body, ms[:0])
				pieces = Splice(pieces[:0], body, ms, edits)
			}
		})
	}
}

func BenchmarkObjectOfAnAnswer(b *testing.B) {
	body := []byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1717000000,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat("x", 1000) + `","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,` +
		`"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},"system_fingerprint":"fp_1"}`)
	ms := make([]Member, 0, 16)
	for b.Loop() {
		ms, _ = Object(body, ms[:0])
	}
}

func BenchmarkObjectOfALongString(b *testing.B) {
	body := []byte(`{"a":"` + strings.Repeat("x", 100<<10) + `"}`)
	var ms []Member
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		ms, _ = Object(body, ms[:0])
	}
}

func BenchmarkObjectOfNumbers(b *testing.B) {
	body := []byte(`{"data":[` + strings.Repeat("-0.0123456789,", 8<<10) + `0]}`)
	var ms []Member
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		ms, _ = Object(body, ms[:0])
	}
}

func BenchmarkAppendString(b *testing.B) {
	text := strings.Repeat("the quick brown fox jumps over the lazy dog and runs through the wood\n", 100)
	var dst []byte
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		dst = AppendString(dst[:0], text)
	}
}

func TestAllocationsDoNotGrowWithTheBody(t *testing.T) {
	for _, size := range []int{1 << 10, 100 << 10} {
		body := chatBody(size)
		ms := make([]Member, 0, 16)
		pieces := make([][]byte, 0, 16)
		text := []byte(`"a\nb"`)
		out := make([]byte, 0, 2*size)
		for _, c := range []struct {
			name  string
			limit float64
			f     func()
		}{
			{"Object", 0, func() { ms, _ = Object(body, ms[:0]) }},
			{"Splice", 2, func() { pieces = Splice(pieces[:0], body, ms, edits) }}, // the two new names
			{"Splice of values", 0, func() { pieces = Splice(pieces[:0], body, ms, edits[:1]) }},
			{"Lookup", 0, func() { Lookup(body, "stream_options", "include_usage") }},
			{"AppendUnquoted", 0, func() { out, _ = AppendUnquoted(out[:0], text) }},
			{"AppendBytes", 0, func() { out = AppendBytes(out[:0], body) }},
			{"AppendString", 0, func() { out = AppendString(out[:0], "a\xff\n") }},
			{"Join", 0, func() { out = Join(out[:0], pieces) }},
		} {
			if got := testing.AllocsPerRun(20, c.f); got > c.limit {
				t.Errorf("%s of %d bytes: %v allocations, allowed %v", c.name, size, got, c.limit)
			}
		}
	}
}
