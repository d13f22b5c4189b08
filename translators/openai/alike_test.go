package openai

import (
	"reflect"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// checkAlike checks that events mean the same whether those before are remembered or not.
// It returns how many were recognized.
func checkAlike(t *testing.T, all ...string) (recognized int) {
	t.Helper()
	var collected [2][]byte
	var seen [2]chat.Seen
	var streams [2]upstreamStream
	for i := range seen {
		seen[i].Collect = func(text []byte) { collected[i] = append(collected[i], text...) }
	}
	for _, data := range all {
		ev := frame.Event{Data: []byte(data)}
		if _, ok := seen[0].Alike.Content(ev.Data); ok {
			recognized++
		}
		var said [2][]chat.Delta
		var errs [2]error
		for i := range seen {
			Meter.Event(ev, &seen[i])
			said[i], errs[i] = streams[i].Next(ev)
		}
		seen[1].Alike, streams[1].alike = jsonedit.Alike{}, jsonedit.Alike{}
		a, b := seen[0], seen[1]
		a.Alike, b.Alike, a.Collect, b.Collect = jsonedit.Alike{}, jsonedit.Alike{}, nil, nil
		if !reflect.DeepEqual(a, b) || string(collected[0]) != string(collected[1]) {
			t.Fatalf("%q: metered %+v (%q), otherwise %+v (%q)", all, a, collected[0], b, collected[1])
		}
		if len(said[0])+len(said[1]) > 0 && !reflect.DeepEqual(said[0], said[1]) || !reflect.DeepEqual(errs[0], errs[1]) {
			t.Fatalf("%q: read as %+v, %v, otherwise %+v, %v", all, said[0], errs[0], said[1], errs[1])
		}
	}
	return recognized
}

func TestChunksOfTextAreReadTheSameWhenTheyAreRecognized(t *testing.T) {
	const head, tail = `{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":`, `},"finish_reason":null}],"usage":null}`
	chunks := func(contents ...string) (all []string) {
		for _, c := range contents {
			all = append(all, head+c+tail)
		}
		return all
	}
	for _, c := range []struct {
		name   string
		chunks []string
		want   int
	}{
		{"words", chunks(`"Once"`, `" upon"`, `" a"`, `" time"`), 3},
		{"an escape between them", chunks(`"Once"`, `"\n"`, `" a"`, `" time"`), 2},
		{"no text between them", chunks(`"Once"`, `""`, `" a"`), 2},
		{"no string between them", chunks(`"Once"`, `null`, `[]`, `" a"`), 1},
		{"a member that looks like text", chunks(`"Once"`, `"x"},"finish_reason":"stop","x":{"y":"z"`, `" a"`), 0},
		{"usage after a text", chunks(`"Once"`, `"x"}}],"usage":{"prompt_tokens":3,"completion_tokens":4},"x":[{"y":{"z":"a"`), 0},
		{"padding", []string{
			`{"choices":[{"delta":{"content":"a"}}],"obfuscation":"abc"}`, `{"choices":[{"delta":{"content":"b"}}],"obfuscation":""}`,
			`{"choices":[{"delta":{"content":"c"}}],"obfuscation":"abcdef"}`, `{"choices":[{"delta":{"content":"c"}}],"obfuscation":"x","error":{"message":"y"},"z":""}`}, 2},
		{"two choices", []string{
			`{"choices":[{"index":0,"delta":{"content":""}},{"index":1,"delta":{"content":"a"}}]}`, `{"choices":[{"index":0,"delta":{"content":"b"}},{"index":1,"delta":{"content":"a"}}]}`,
			`{"choices":[{"index":0,"delta":{"content":"c"}},{"index":1,"delta":{"content":"a"}}]}`}, 0},
		{"another choice", []string{
			`{"choices":[{"index":1,"delta":{"content":"a"}}]}`, `{"choices":[{"index":1,"delta":{"content":"b"}}]}`, `{"choices":[{"index":0,"delta":{"content":"c"}}]}`}, 1},
		{"thinking beside the text", []string{
			`{"choices":[{"delta":{"content":"a","reasoning":"b"}}]}`, `{"choices":[{"delta":{"content":"","reasoning":"b"}}]}`, `{"choices":[{"delta":{"content":"c","reasoning":"b"}}]}`}, 2},
		{"counts with each chunk", []string{
			`{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`, `{"choices":[{"delta":{"content":"b"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`}, 0},
		{"a generation that failed", []string{
			`{"choices":[{"delta":{"content":"a"},"finish_reason":"error"}]}`, `{"choices":[{"delta":{"content":"b"},"finish_reason":"error"}]}`}, 0},
		{"sources with each chunk", []string{
			`{"choices":[{"delta":{"content":"a"}}],"citations":["https://h/1"]}`, `{"choices":[{"delta":{"content":"b"}}],"citations":["https://h/1"]}`,
			`{"choices":[{"delta":{"content":"c"}}],"citations":["https://h/1"]}`}, 2},
	} {
		if n := checkAlike(t, c.chunks...); n != c.want {
			t.Errorf("%s: %d chunks recognized, want %d", c.name, n, c.want)
		}
	}
}

// FuzzChunksAlike reads two chunks by turns.
func FuzzChunksAlike(f *testing.F) {
	f.Add(`{"choices":[{"delta":{"content":"a"}}]}`, `{"choices":[{"delta":{"content":"bc"}}]}`)
	f.Add(`{"choices":[{"delta":{"content":"a"}}],"obfuscation":"x"}`, `{"choices":[{"delta":{"content":"b"}}],"obfuscation":"yz"}`)
	f.Add(`{"choices":[{"delta":{"content":"a","tool_calls":[]}}],"error":null}`, `{"choices":[{"delta":{"content":"","tool_calls":[{}]}}],"error":{}}`)
	f.Add(`{"choices":[{"delta":{"content":"a","executed_tools":[{"index":0,"type":"search","arguments":"{}","output":"x"}]}}]}`, ``)
	f.Fuzz(func(t *testing.T, one, two string) {
		defer workload.Linear(t, len(one)+len(two))()
		// The same chunk with another text, as a provider sends it.
		other := strings.Replace(one, `"content":"a"`, `"content":"other"`, 1)
		checkAlike(t, one, other, one, two, one, other, two, two)
	})
}
