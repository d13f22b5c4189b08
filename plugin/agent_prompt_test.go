package plugin

import (
	"bytes"
	"context"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/buffers"
	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/jsonedit"
)

// agentsPrompt is what a coding agent sends: 450 KB with code, calls and 20 tools.
var agentsPrompt = conformance.AgentsPrompt(450 << 10)

// agentsTargets are the ways of an agent's prompt: as it is, and translated.
var agentsTargets = []struct {
	name, config string
	answer       *canned
}{
	{"same format", `{"provider":"openai","name":"mock-1","options":{"upstream_url":"$UP/v1/chat/completions"}}`, wholeAnswer},
	{"anthropic", `{"provider":"anthropic","name":"mock-1","options":{"upstream_url":"$UP/v1/messages","anthropic_version":"2023-06-01"}}`,
		&canned{"application/json", `{"id":"m","type":"message","role":"assistant","model":"mock-1","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`}},
	{"gemini", `{"provider":"gemini","name":"mock-1","options":{"upstream_url":"$UP/v1beta/models/mock-1:generateContent"}}`,
		&canned{"application/json", `{"candidates":[{"content":{"role":"model","parts":[{"text":"ok"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1}}`}},
	{"bedrock", `{"provider":"bedrock","name":"mock-1","options":{"upstream_url":"$UP/model/m/converse","bedrock":{"aws_region":"us-east-1"}}}`,
		&canned{"application/json", `{"output":{"message":{"role":"assistant","content":[{"text":"ok"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2}}`}},
}

func agentsConf(model string) string {
	auth := `{"header_name":"Authorization","header_value":"Bearer sk-x"}`
	if strings.Contains(model, "bedrock") {
		auth = `{"aws_access_key_id":"a","aws_secret_access_key":"b"}`
	}
	return `{"route_type":"llm/v1/chat","auth":` + auth + `,"logging":{"log_statistics":true},"model":` + model + `}`
}

// An agent's prompt is read and written in buffers that are used again. What is
// allocated for it depends on its turns, and its bytes are not copied.
func TestAgentsPromptIsNotCopied(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has pools forget their buffers")
	}
	ceilings := map[string]struct{ count, bytes int }{
		"same format": {75, 24 << 10}, "anthropic": {800, 300 << 10}, "gemini": {800, 300 << 10}, "bedrock": {800, 300 << 10},
	}
	for _, c := range agentsTargets {
		once := served(t, agentsConf(c.config), c.answer, agentsPrompt)
		for range 3 {
			once()
		}
		count, size := cheapest(once)
		if most := ceilings[c.name]; count > most.count || size > most.bytes {
			t.Errorf("%s: %d allocations of %d bytes, the ceiling is %d of %d", c.name, count, size, most.count, most.bytes)
		} else {
			t.Logf("%s: %d allocations of %d bytes", c.name, count, size)
		}
	}
}

// cheapest returns how many allocations a call makes, and of how many bytes, in the
// best of a few rounds: a collection empties the pools of buffers.
func cheapest(call func()) (count, size int) {
	const rounds, runs = 5, 10
	for i := range rounds {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			call()
		}
		runtime.ReadMemStats(&after)
		n, bytes := int(after.Mallocs-before.Mallocs)/runs, int(after.TotalAlloc-before.TotalAlloc)/runs
		if i == 0 || bytes < size {
			count, size = n, bytes
		}
	}
	return count, size
}

func BenchmarkAgentsPrompt(b *testing.B) {
	for _, c := range agentsTargets {
		b.Run(c.name, func(b *testing.B) {
			once := served(b, agentsConf(c.config), c.answer, agentsPrompt)
			b.SetBytes(int64(len(agentsPrompt)))
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
		})
	}
}

// keeping is an Upstream that remembers what it was sent, and overwrites the memory
// that another request would get by then.
type keeping struct {
	canned
	sent []byte
}

func (k *keeping) Do(ctx context.Context, out *wire.Outgoing) (*wire.Answer, error) {
	overwriteBuffers(len(agentsPrompt))
	k.sent = bytes.Join(out.Pieces, nil)
	return k.canned.Do(ctx, out)
}

// overwriteBuffers fills the buffers that a request of n bytes would borrow now.
func overwriteBuffers(n int) {
	var b buffers.Set
	for range 8 {
		one := b.Borrow(n)
		for i := range one {
			one[i] = '#'
		}
	}
	b.GiveBack(nil)
}

// The internal form of a request lies in the client's body: the body's buffer must
// not be given back before the last attempt has been written, and nothing that is
// kept of a request may lie in it.
func TestRequestLivesAsLongAsItsBody(t *testing.T) {
	for _, c := range agentsTargets {
		up := &keeping{canned: *c.answer}
		r := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
		r.upstream = up
		inst, err := r.NewInstance([]byte(strings.ReplaceAll(agentsConf(c.config), "$UP", "http://127.0.0.1:1")))
		if err != nil {
			t.Fatal(err)
		}
		rec := r.Serve(context.Background(), inst, inbound(agentsPrompt), nowhere{}, nil)
		overwriteBuffers(len(agentsPrompt))
		if bytes.Contains(up.sent, []byte("####")) || !bytes.Contains(up.sent, []byte(`func step1(w io.Writer) error {\n\tif`)) {
			t.Errorf("%s: the provider was sent another request's bytes", c.name)
		}
		if d := rec.Data(); strings.Contains(d.Model+d.ResponseModel+d.Message, "#") || d.Model != "mock-1" {
			t.Errorf("%s: the record has another request's bytes: %+v", c.name, d)
		}
	}
}

// A body that each target gets translated is parsed when it is read, and not again. One
// that some target gets as it is, is not parsed before it is translated.
func TestTranslatedBodyIsLookedAtOnce(t *testing.T) {
	for _, c := range agentsTargets {
		r := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
		inst, err := r.NewInstance([]byte(strings.ReplaceAll(agentsConf(c.config), "$UP", "http://127.0.0.1:1")))
		if err != nil {
			t.Fatal(err)
		}
		x := newExchange(r, inst, inbound(agentsPrompt), nowhere{}, nil)
		if err := (&reading{x, &x.request}).read(); err != nil {
			t.Fatal(err)
		}
		members, _ := jsonedit.Object(agentsPrompt, nil)
		if !reflect.DeepEqual(x.request.members, members) {
			t.Errorf("%s: other members than jsonedit.Object finds", c.name)
		}
		if translated := c.name != "same format"; (x.internal.body != nil) != translated {
			t.Errorf("%s: parsed when read: %v", c.name, !translated)
			continue
		}
		want, err := chat.ParseRequest(x.request.api.Dialect, agentsPrompt)
		if err != nil {
			t.Fatal(err)
		}
		body := x.request.body
		if x.internal.body != nil {
			x.request.body = nil // a second look would find nothing
		}
		first := x.fork()
		got, err := first.internal.of(&x.request)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: another request than from the bytes: %v", c.name, err)
		}
		if first.internal.parser != nil || x.internal.parser != nil {
			t.Errorf("%s: the parser is kept", c.name)
		}
		x.request.body = body
		if got, err = x.internal.of(&x.request); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the other of two attempts gets another request: %v", c.name, err)
		}
	}
}
