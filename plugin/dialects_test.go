package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// speaker is a client of a dialect: how it asks, and how it reads the answer.
type speaker struct {
	name, format, route string
	surface             provider.Format
	path                func(stream bool) string
	query               string
	ask                 func(r *chat.Request) ([]byte, error)
	read                chat.Upstream // whole answers and streams, as a client reads them
	framing             frame.Kind
	media               string // of a stream
	errorShape          string // a member that an error answer must have
}

var clientTarget = &target.Target{Model: mock.Model, Options: &target.Options{}}

func asks(u chat.Upstream) func(r *chat.Request) ([]byte, error) {
	return func(r *chat.Request) ([]byte, error) { return u.AppendRequest(nil, clientTarget, r) }
}

func fixed(path string) func(bool) string { return func(bool) string { return path } }

func geminiClient(stream bool) string {
	if stream {
		return "/v1beta/models/" + mock.Model + ":streamGenerateContent"
	}
	return "/v1beta/models/" + mock.Model + ":generateContent"
}

var speakers = []speaker{
	{name: "responses", surface: provider.OpenAIResponses, format: "openai", route: "llm/v1/responses", path: fixed("/v1/responses"), ask: askResponses, read: readResponses{},
		media: "text/event-stream", errorShape: "error.message"},
	{name: "anthropic", surface: provider.AnthropicMessages, format: "anthropic", route: chatRoute, path: fixed("/v1/messages"), ask: asks(anthropic.Messages), read: anthropic.Messages,
		media: "text/event-stream", errorShape: "error.message"},
	{name: "gemini", surface: provider.GeminiGenerate, format: "gemini", route: chatRoute, path: geminiClient, query: "alt=sse", ask: asks(gemini.Generate), read: gemini.Generate,
		media: "text/event-stream", errorShape: "error.message"},
	{name: "gemini array", surface: provider.GeminiGenerate, format: "gemini", route: chatRoute, path: geminiClient, ask: asks(gemini.Generate), read: gemini.Generate, framing: frame.Array,
		media: "application/json", errorShape: "error.message"},
	{name: "bedrock", surface: provider.BedrockConverse, format: "bedrock", route: chatRoute, ask: asks(bedrock.Converse), read: bedrock.Converse, framing: frame.EventStream,
		path: func(stream bool) string {
			if stream {
				return "/model/" + mock.Model + "/converse-stream"
			}
			return "/model/" + mock.Model + "/converse"
		}, media: "application/vnd.amazon.eventstream", errorShape: "message"},
}

// options are what a provider cannot do without.
var options = map[string]string{
	"anthropic":  `"anthropic_version":"2023-06-01"`,
	"azure":      `"azure_instance":"acme","azure_deployment_id":"d","azure_api_version":"2024-10-21"`,
	"bedrock":    `"bedrock":{"aws_region":"us-east-1"}`,
	"databricks": `"databricks":{"workspace_instance_id":"dbc-1"}`,
	"llama2":     `"llama2_format":"openai","upstream_url":"http://llama.test/v1/chat/completions"`,
	"mistral":    `"mistral_format":"openai"`,
	"ollama":     `"upstream_url":"http://ollama.test/api/chat"`,
	"sagemaker":  `"bedrock":{"aws_region":"us-east-1"}`,
	"vllm":       `"upstream_url":"http://vllm.test/v1/chat/completions"`,
}

func confOf(format, route, name, model, more string) string {
	auth := `{"header_name":"Authorization","header_value":"Bearer k"}`
	if translators.Lookup(name).Identity == provider.AWS {
		auth = `{"aws_access_key_id":"AKIDEXAMPLE","aws_secret_access_key":"s"}`
	}
	if format == "" {
		format = "openai"
	}
	return fmt.Sprintf(`{"llm_format":%q,"balancer":{"retries":0},"targets":[{"route_type":%q,"auth":%s,"logging":{"log_statistics":true},"model":{"provider":%q,"name":%q,"options":{%s}}}]}`,
		format, route, auth, name, model, strings.Join(filledOnly(options[name], more), ","))
}

func filledOnly(list ...string) (filled []string) {
	for _, s := range list {
		if s != "" {
			filled = append(filled, s)
		}
	}
	return filled
}

// stage is a relay whose providers are all one handler.
type stage struct {
	t     testing.TB
	relay *Relay
	mu    sync.Mutex
	seen  []*http.Request
	sent  [][]byte
}

func newStage(t testing.TB, provider http.Handler) *stage {
	s := &stage{t: t, relay: NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen, s.sent = append(s.seen, r), append(s.sent, body)
		s.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		provider.ServeHTTP(w, r)
	}))
	base, err := url.Parse(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.relay.Redirect(base)
	t.Cleanup(func() {
		s.relay.Close()
		up.CloseClientConnections()
		up.Close()
	})
	return s
}

func (s *stage) instance(conf string) *Instance {
	s.t.Helper()
	inst, err := s.relay.NewInstance([]byte(conf))
	if err != nil {
		s.t.Fatalf("%v\n%s", err, conf)
	}
	s.t.Cleanup(inst.Close)
	return inst
}

// taken is a Sink that keeps what it gets.
type taken struct {
	status  int
	header  http.Header
	body    bytes.Buffer
	aborted bool
}

func (k *taken) Start(status int, header http.Header, _ int64) error {
	k.status, k.header = status, header
	return nil
}
func (k *taken) Write(p []byte) error { k.body.Write(p); return nil }
func (k *taken) Flush() error         { return nil }
func (k *taken) Abort()               { k.aborted = true }

// post serves one request; headers are pairs.
func (s *stage) post(inst *Instance, path, query string, body []byte, headers ...string) (*taken, *record.Record) {
	return s.call(inst, http.MethodPost, path, query, body, headers...)
}

func (s *stage) call(inst *Instance, method, path, query string, body []byte, headers ...string) (*taken, *record.Record) {
	in := &wire.Inbound{Method: method, Path: path, RawQuery: query, Header: http.Header{"Content-Type": {"application/json"}}}
	if body != nil {
		in.Body, in.ContentLength = bytes.NewReader(body), int64(len(body))
	}
	in.Kong.Path = path
	for i := 0; i+1 < len(headers); i += 2 {
		in.Header.Set(headers[i], headers[i+1])
	}
	out := &taken{}
	s.mu.Lock()
	s.seen, s.sent = nil, nil
	s.mu.Unlock()
	return out, s.relay.Serve(context.Background(), inst, in, out, nil)
}

// said is what an answer says, without the form.
type said struct {
	Text, Thinking             string
	Calls                      []string
	Finish                     chat.FinishReason
	Prompt, Completion, Cached int
	Err                        string
}

func (k *said) part(p *chat.Part) {
	switch p.Kind {
	case chat.Text, chat.Refusal:
		k.Text += p.Text.String()
	case chat.Thinking:
		k.Thinking += p.Text.String()
	case chat.ToolCall:
		k.call(p.Name, p.Arguments.String())
	}
}

func (k *said) call(name, arguments string) {
	var b bytes.Buffer
	if json.Compact(&b, []byte(arguments)) == nil {
		arguments = b.String()
	}
	if arguments == "" {
		arguments = "{}"
	}
	k.Calls = append(k.Calls, name+" "+arguments)
}

func (k *said) count(u *chat.Usage) {
	k.Prompt, k.Completion, k.Cached = u.Prompt, u.Completion, u.Cached
}

func wholeOf(r *chat.Response) (k said) {
	if len(r.Choices) > 0 {
		for i := range r.Choices[0].Parts {
			k.part(&r.Choices[0].Parts[i])
		}
		k.Finish = r.Choices[0].Finish
	}
	k.count(&r.Usage)
	return k
}

// streamOf reads a whole stream.
func streamOf(t testing.TB, u chat.Upstream, kind frame.Kind, body []byte) (k said) {
	t.Helper()
	r := frame.New(kind, bytes.NewReader(body), 0)
	from := u.NewStream(clientTarget)
	type open struct{ name, arguments string }
	var calls []open
	for {
		ev, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the client's stream: %v\n%s", err, body)
		}
		deltas, err := from.Next(ev)
		if err != nil {
			t.Fatalf("the client's stream: %v\n%s", err, body)
		}
		for _, d := range deltas {
			switch d.Kind {
			case chat.TextDelta, chat.RefusalDelta:
				k.Text += string(d.Text)
			case chat.ThinkingDelta:
				k.Thinking += string(d.Text)
			case chat.ToolStart:
				calls = append(calls, open{string(d.Name), string(d.Text)})
			case chat.ToolArguments:
				calls[d.Index].arguments += string(d.Text)
			case chat.Finish:
				k.Finish = d.Reason
			case chat.UsageDelta:
				k.count(d.Usage)
			case chat.ErrorDelta:
				k.Err = d.Err.Message
			}
		}
	}
	for _, c := range calls {
		k.call(c.name, c.arguments)
	}
	return k
}

// lossy are scenarios that a provider's format cannot carry, in the mock's
// opinion or ours: the request is refused, or the answer is another one.
func lossy(name string) bool { return name == "choices" }

func TestEveryDialectWorksWithEveryProvider(t *testing.T) {
	t.Parallel()
	s := newStage(t, mock.Handler(mock.Options{}))
	for _, name := range translators.Names() {
		for _, c := range speakers {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				inst := s.instance(confOf(c.format, c.route, name, mock.Model, ""))
				for _, scenario := range mock.Scenarios {
					if !lossy(scenario.Name) {
						s.t = t
						s.exchange(t, inst, c, scenario, name)
					}
				}
			})
		}
	}
}

// exchange asks for a scenario, whole and streamed, and compares what the
// client understands with what the provider said.
func (s *stage) exchange(t *testing.T, inst *Instance, c speaker, scenario *mock.Scenario, providerName string) {
	req, err := chat.ParseRequest(openai.Chat, []byte(scenario.Request))
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range []bool{false, true} {
		ask := *req
		ask.Model, ask.Stream = mock.Model, stream
		body, err := c.ask(&ask)
		if err != nil {
			continue // the client's format has no such request
		}
		query := c.query
		if !stream {
			query = ""
		}
		out, rec := s.post(inst, c.path(stream), query, body)
		at := fmt.Sprintf("%s, stream %v", scenario.Name, stream)
		if len(s.sent) == 0 {
			if out.status != http.StatusBadRequest {
				t.Errorf("%s: %d without a call: %s", at, out.status, out.body.Bytes())
			}
			continue // refused by name: the field law of the provider's tests
		}
		if out.status != http.StatusOK {
			if scenario.Error != nil && out.status == scenario.Error.Status {
				e := chat.ErrorFrom(out.status, out.body.Bytes())
				if e.Message != scenario.Error.Message || jsonedit.Lookup(out.body.Bytes(), strings.Split(c.errorShape, ".")...) == nil {
					t.Errorf("%s: %s", at, out.body.Bytes())
				}
				continue
			}
			t.Errorf("%s: %d %s\nsent %s %s", at, out.status, out.body.Bytes(), s.seen[0].URL, s.sent[0])
			continue
		}
		s.compare(t, at, c, scenario, stream, out, rec, providerName)
	}
}

func (s *stage) compare(t *testing.T, at string, c speaker, scenario *mock.Scenario, stream bool, out *taken, rec *record.Record, providerName string) {
	t.Helper()
	from := mock.Lookup(s.seen[0])
	resolved := &target.Target{Provider: providerName, Model: mock.Model, Options: &target.Options{Llama2Format: "openai", MistralFormat: "openai"}}
	up := translators.Lookup(providerName)
	if up.Variant != nil {
		up = up.Variant(resolved)
	}
	op := up.Operations[chatRoute]
	if from.Name() == "openai/responses" && c.surface != provider.OpenAIResponses {
		op = op.Instead.Operation
	} else if op := up.Find(c.surface, route.Type(c.route)); op != nil && op.Format == c.surface && (op.Instead == nil || from.Name() == string(c.surface)) {
		s.identical(t, at, from, scenario, stream, out)
		return
	}
	// What the provider says, by its own tested translator, whole.
	resp, err := op.Chat.ParseResponse(resolved, from.Whole(scenario, s.sent[0]))
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	want := wholeOf(resp)
	var got said
	if stream {
		if media := out.header.Get("Content-Type"); media != c.media {
			t.Errorf("%s: content type %s, want %s", at, media, c.media)
		}
		got = streamOf(t, c.read, c.framing, out.body.Bytes())
	} else {
		resp, err := c.read.ParseResponse(clientTarget, out.body.Bytes())
		if err != nil {
			if scenario.Name != "empty" { // some refuse to read nothing
				t.Errorf("%s: the client cannot read it: %v\n%s", at, err, out.body.Bytes())
			}
			return
		}
		got = wholeOf(resp)
	}
	if scenario.Error != nil && stream {
		if got.Err == "" {
			t.Errorf("%s: no error in %s", at, out.body.Bytes())
		}
		if rec.Outcome() != record.Failed && rec.Outcome() != record.CutOff {
			t.Errorf("%s: outcome %s", at, rec.Outcome())
		}
		return
	}
	if stream && op.Edit.RefusesStreamOptions(&target.Target{Options: &target.Options{}}) { // it counts without being asked, the mock does not
		want.Prompt, want.Completion, want.Cached = got.Prompt, got.Completion, got.Cached
	} else if rec.Data().Usage.Prompt != want.Prompt || rec.Data().Usage.Completion != want.Completion {
		t.Errorf("%s: record has %d and %d tokens, want %d and %d", at, rec.Data().Usage.Prompt, rec.Data().Usage.Completion, want.Prompt, want.Completion)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n got %+v\nwant %+v\n%s", at, got, want, out.body.Bytes())
	}
	if rec.Outcome() != record.Completed {
		t.Errorf("%s: outcome %s", at, rec.Outcome())
	}
}

// identical holds an answer of the same format to the provider's bytes.
func (s *stage) identical(t *testing.T, at string, from mock.Format, scenario *mock.Scenario, stream bool, out *taken) {
	t.Helper()
	want, media := from.Whole(scenario, s.sent[0]), "application/json"
	if stream {
		var events [][]byte
		media, events = mock.Events(from, scenario, s.sent[0])
		want = bytes.Join(events, nil)
	}
	if scenario.Error != nil { // what follows is the relay's
		want = bytes.TrimRight(want, "\r\n")
	}
	if !bytes.HasPrefix(out.body.Bytes(), want) || scenario.Error == nil && out.body.Len() != len(want) {
		t.Errorf("%s:\n got %s\nwant %s", at, out.body.Bytes(), want)
	}
	if got := out.header.Get("Content-Type"); got != media {
		t.Errorf("%s: content type %s, want %s", at, got, media)
	}
}
