package conformance_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/gemini"
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
	// pair says that clients of all formats find it; client is such a client's format
	// with a fault.
	pair   bool
	client clientFault
	player map[string]string // the pair's Lacks
}

// clientFault is a client's format with a fault in what it is given.
type clientFault struct {
	request func(*chat.Request)
	delta   func(chat.Encoder, []byte, *chat.Delta) []byte
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
	"a token goes to any provider": {want: "reached another provider", pair: true, client: clientFault{request: func(r *chat.Request) {
		for _, m := range r.Messages {
			for i := range m.Parts {
				if p := &m.Parts[i]; p.Kind == chat.Text && m.Role == chat.Assistant {
					p.Text = jsonedit.Plain(p.Text.String() + m.Parts[0].Signature)
				}
			}
		}
	}}},
	"a token does not come back": {want: "own token did not come back", pair: true, client: clientFault{request: func(r *chat.Request) {
		for _, m := range r.Messages {
			for i := range m.Parts {
				m.Parts[i].Signature = ""
			}
		}
	}}},
	"ids are made anew in each turn": {want: "did not come back to its maker", pair: true, client: clientFault{request: func(r *chat.Request) {
		for _, m := range r.Messages {
			for i := range m.Parts {
				if m.Parts[i].ID != "" {
					m.Parts[i].ID += "x"
				}
			}
		}
	}}},
	"a turn is written anew when more follow": {want: "and in the next turn is", pair: true, client: clientFault{request: func(r *chat.Request) {
		r.Messages[0].Parts[0].Text = jsonedit.Plain(strings.Repeat("!", len(r.Messages)) + r.Messages[0].Parts[0].Text.String())
	}}},
	"a result is lost when a conversation moves": {want: "did not reach the provider", pair: true, client: clientFault{request: func(r *chat.Request) {
		for _, m := range r.Messages {
			for i := range m.Parts {
				if m.Parts[i].Kind == chat.ToolResult {
					m.Parts[i].Parts = []chat.Part{{Text: jsonedit.Plain("done")}}
				}
			}
		}
	}}},
	"arguments of calls are mixed": {want: "the client does not understand the stream", pair: true, client: clientFault{delta: func(e chat.Encoder, dst []byte, d *chat.Delta) []byte {
		if d.Kind == chat.ToolArguments {
			d.Index = 0
		}
		return e.Append(dst, d)
	}}},
	"a hosted tool is forgotten": {want: "neither mapped nor named", pair: true, client: clientFault{request: func(r *chat.Request) {
		r.Tools = slices.DeleteFunc(r.Tools, func(t chat.Tool) bool { return t.Hosted != "" })
	}}},
	"what a hosted tool left is forwarded": {want: "of a hosted tool reached another format", pair: true, client: clientFault{request: func(r *chat.Request) {
		for i := range r.Messages {
			if len(r.Messages[i].Parts) > 0 && r.Messages[i].Role == chat.Assistant {
				r.Messages[i].Parts[0].Text = jsonedit.Plain(`{"type":"server_tool_use"} srvtoolu_1`)
			}
		}
	}}},
	"calls without results are forwarded": {want: "lost_calls", pair: true, client: clientFault{request: func(r *chat.Request) {
		last := &r.Messages[len(r.Messages)-1]
		if last.Role == chat.User && len(r.Messages) > 2 && r.Messages[len(r.Messages)-2].Role == chat.Assistant {
			*last = chat.Message{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("?")}}}
		}
	}}},
	"a source is lost in a stream": {want: "the client is told of []", pair: true, client: clientFault{delta: func(e chat.Encoder, dst []byte, d *chat.Delta) []byte {
		if d.Kind == chat.CitationDelta {
			return dst
		}
		return e.Append(dst, d)
	}}},
	"a lack that is none":       {want: "are listed as lacking", pair: true, player: map[string]string{conformance.Sources: "says who"}},
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

func TestConformancePassesAProviderWithoutFaults(t *testing.T) {
	run(t, fault{})
	runPairs(t, fault{})
}

// faultyClient is a client's format with a fault.
type faultyClient struct {
	chat.Dialect
	clientFault
}

func (c faultyClient) ParseRequest(body *jsonedit.Value) (*chat.Request, error) {
	r, err := c.Dialect.ParseRequest(body)
	if err == nil && c.request != nil {
		c.request(r)
	}
	return r, err
}

func (c faultyClient) NewEncoder(meta chat.Meta) chat.Encoder {
	return faultyEncoder{c.Dialect.NewEncoder(meta), c.delta}
}

type faultyEncoder struct {
	chat.Encoder
	delta func(chat.Encoder, []byte, *chat.Delta) []byte
}

func (e faultyEncoder) Append(dst []byte, d *chat.Delta) []byte {
	if e.delta == nil {
		return e.Encoder.Append(dst, d)
	}
	return e.delta(e.Encoder, dst, d)
}

// runPairs plays two providers of which each signs its thoughts, and one that speaks
// OpenAI's chat, with clients of Anthropic's format.
func runPairs(t *testing.T, f fault) {
	client := anthropic.Client
	client.Paths = slices.Clone(client.Paths)
	for i := range client.Paths {
		api := *client.Paths[i].API
		if api.Dialect != nil {
			api.Dialect = faultyClient{api.Dialect, f.client}
		}
		client.Paths[i].API = &api
	}
	options := &target.Options{Bedrock: target.Bedrock{AWSRegion: "us-east-1"}}
	conformance.Pairs(t, []*provider.ClientFormat{&client}, []conformance.Player{
		{Name: "gemini", Provider: &gemini.Provider, Target: target.Target{Model: "gemini-2.5-pro", Options: options}, Lacks: map[string]string{conformance.Joined: "from Gemini 3 on"}},
		{Name: "openai", Provider: &openai.Provider, Target: target.Target{Model: "gpt-4.1", Options: options}, Lacks: f.player},
		{Name: "bedrock", Provider: &bedrock.Provider, Target: target.Target{Model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0", Options: options}},
	})
}

func run(t *testing.T, f fault) {
	if f.pair {
		runPairs(t, f)
		return
	}
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
