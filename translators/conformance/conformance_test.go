package conformance_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// faulty is OpenAI's format with faults in it.
type faulty struct {
	openai.Upstream
	request  func(*chat.Request)
	response func(*chat.Response)
	delta    func(*chat.Delta)
}

func (f faulty) AppendRequest(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	if f.request != nil {
		f.request(req)
	}
	return f.Upstream.AppendRequest(dst, t, req)
}

func (f faulty) ParseResponse(t *target.Target, body []byte) (*chat.Response, error) {
	resp, err := f.Upstream.ParseResponse(t, body)
	if err == nil && f.response != nil {
		f.response(resp)
	}
	return resp, err
}

func (f faulty) NewStream(t *target.Target) chat.Stream {
	return faultyStream{f.Upstream.NewStream(t), f.delta}
}

type faultyStream struct {
	chat.Stream
	delta func(*chat.Delta)
}

func (s faultyStream) Next(ev frame.Event) ([]chat.Delta, error) {
	deltas, err := s.Stream.Next(ev)
	for i := range deltas {
		if s.delta != nil {
			s.delta(&deltas[i])
		}
	}
	return deltas, err
}

// fault is something that a provider can do wrong, and what is said about it.
type fault struct {
	upstream faulty
	fields   func(provider.Fields)
	lacks    map[string]string
	want     string
}

var garbage [][]byte

var faults = map[string]fault{
	"a tool id is lost": {want: "tool call id", upstream: faulty{response: func(r *chat.Response) {
		for i := range r.Choices[0].Parts {
			r.Choices[0].Parts[i].ID = ""
		}
	}}},
	"arguments are written anew": {want: "tool call arguments", upstream: faulty{response: func(r *chat.Response) {
		for i := range r.Choices[0].Parts {
			p := &r.Choices[0].Parts[i]
			p.Arguments = jsonedit.Plain(strings.ReplaceAll(p.Arguments.String(), "1.0", "1"))
		}
	}}},
	"usage of a stream is summed": {want: "usage.prompt_tokens", upstream: faulty{delta: func(d *chat.Delta) {
		if d.Kind == chat.UsageDelta {
			d.Usage.Prompt *= 2
		}
	}}},
	"a finish reason is the provider's word": {want: "finish_reason", upstream: faulty{response: func(r *chat.Response) { r.Choices[0].Finish = "end_turn" }}},
	"a finish reason comes early": {want: "goes on after its finish reason", upstream: faulty{delta: func(d *chat.Delta) {
		if d.Kind == chat.TextDelta && strings.Contains(string(d.Text), "ans") {
			*d = chat.Delta{Kind: chat.Finish, Reason: chat.Stop}
		}
	}}},
	"only the last system message is kept": {want: `did not reach the provider`, upstream: faulty{request: func(r *chat.Request) {
		if len(r.Messages) > 1 && r.Messages[1].Role == chat.System {
			r.Messages = r.Messages[1:]
		}
	}}},
	"an answer to a call is lost": {want: "the provider refuses the request", upstream: faulty{request: func(r *chat.Request) {
		for i := range r.Messages {
			if r.Messages[i].Role == chat.ToolRole {
				r.Messages = append(r.Messages[:i:i], r.Messages[i+1:]...)
				return
			}
		}
	}}},
	"the end is not said": {want: "number of [DONE]", upstream: faulty{delta: func(d *chat.Delta) {
		if d.Kind == chat.End {
			d.Kind = chat.UsageDelta
		}
	}}},
	"an error event is swallowed": {want: "error event", upstream: faulty{delta: func(d *chat.Delta) {
		if d.Kind == chat.ErrorDelta {
			d.Kind = chat.UsageDelta
		}
	}}},
	"events cost memory": {want: "allocations per event", upstream: faulty{delta: func(*chat.Delta) {
		garbage = garbage[:0]
		for range 4 {
			garbage = append(garbage, make([]byte, 10))
		}
	}}},
	"text is kept back":         {want: "content", upstream: faulty{delta: func(d *chat.Delta) { d.Text = []byte(strings.TrimSpace(string(d.Text))) }}},
	"a field has no rule":       {want: "seed: has no rule", fields: func(f provider.Fields) { delete(f, "seed") }},
	"a dropped field is sent":   {want: "seed: is dropped by the table", fields: func(f provider.Fields) { f["seed"] = provider.Field{Treatment: provider.Dropped, Note: "x"} }},
	"a refused field is sent":   {want: "seed: is refused by the table, and sent", fields: func(f provider.Fields) { f["seed"] = provider.Field{Treatment: provider.Refused, Note: "x"} }},
	"a mapped field is dropped": {want: "seed: is mapped by the table, and changes nothing", upstream: faulty{request: func(r *chat.Request) { r.Seed = "" }}},
	"a rule for no field":       {want: "is no field of the API", fields: func(f provider.Fields) { f["sed"] = provider.Field{} }},
	"a capability nobody knows": {want: "neither a scenario nor a capability", lacks: map[string]string{"magic": "none"}},
	"a lack without a reason":   {want: "needs a reason", lacks: map[string]string{"choices": ""}},
}

// TestConformanceFindsFaults runs each faulty provider in a process of its own, which
// must fail and say why.
func TestConformanceFindsFaults(t *testing.T) {
	if name := os.Getenv("CONFORMANCE_FAULT"); name != "" {
		run(t, faults[name])
		return
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			if f.want == "allocations per event" && conformance.RaceEnabled {
				t.Skip("allocations are not counted under the race detector")
			}
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.short", "-test.run=^TestConformanceFindsFaults$")
			cmd.Env = append(os.Environ(), "CONFORMANCE_FAULT="+name)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatal("was not found")
			}
			if !strings.Contains(string(out), f.want) {
				t.Errorf("want %q in\n%.3000s", f.want, out)
			}
		})
	}
}

func TestConformancePassesAProviderWithoutFaults(t *testing.T) { run(t, fault{}) }

func run(t *testing.T, f fault) {
	fields := provider.Fields{}
	for _, name := range conformance.Fields() {
		fields[name] = provider.Field{Treatment: provider.Mapped}
	}
	fields["stream_options"] = provider.Field{Treatment: provider.Dropped, Note: "usage is always asked for"}
	fields["web_search_options"] = provider.Field{Treatment: provider.Refused, Note: "nothing searches"}
	fields["metadata"] = provider.Field{Treatment: provider.Dropped, Note: "refused without store"}
	if f.fields != nil {
		f.fields(fields)
	}
	p := &provider.Provider{Name: "faulty", Operations: map[route.Type]*provider.Operation{"llm/v1/chat": {
		Path:   func(*target.Target, bool) (string, error) { return "/v1/chat/completions", nil },
		Format: provider.OpenAIChat, Chat: f.upstream, Meter: openai.Meter, Fields: fields,
	}}}
	lacks := map[string]string{conformance.Signatures: "OpenAI has no member for them", conformance.Thinking: "OpenAI refuses it in history"}
	for name, reason := range f.lacks {
		lacks[name] = reason
	}
	conformance.Run(t, p, conformance.Options{Translated: true, Lacks: lacks})
}
