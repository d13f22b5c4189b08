package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Player is a provider that is played with clients of all formats, at one of its
// targets.
type Player struct {
	Name     string // of the subtest
	Provider *provider.Provider
	Target   target.Target
	// Lacks names what the target's API does not have, each with the reason. What is
	// listed and had all the same is an error, too.
	Lacks map[string]string
}

// Capabilities that a Player may lack.
const (
	Calls     = "calls"     // it calls no functions
	Sources   = "sources"   // it names no sources of its answers
	ManyCalls = "manycalls" // it makes one call in an answer
	Joined    = "joined"    // it takes no calls of its own tools beside functions; only of generateContent's format
)

// Pairs plays each of the players with the clients of each format.
func Pairs(t *testing.T, formats []*provider.ClientFormat, players []Player) {
	t.Helper()
	for _, f := range formats {
		for i := range f.Paths {
			path := &f.Paths[i]
			api := path.API
			if api.Dialect == nil || api.Count != nil || path.Route == route.Completions {
				continue
			}
			c := clients[api.Format]
			if c == nil {
				t.Errorf("%s: no client of package conformance speaks %s", f.Name, api.Format)
				continue
			}
			if api.Format == provider.VertexAnthropic || path.Stream && !api.StreamsByPath() {
				continue // the format is the same as Anthropic's
			}
			if slices.ContainsFunc(f.Paths[:i], func(p provider.ClientPath) bool { return p.API.Format == api.Format }) {
				continue // another path of the same API
			}
			var pairs []*pair
			for j := range players {
				if p := newPair(t, f, path, c, &players[j]); p != nil {
					pairs = append(pairs, p)
				}
			}
			t.Run(string(api.Format), func(t *testing.T) {
				for _, p := range pairs {
					t.Run(p.player.Name, func(t *testing.T) { p.all(t, pairs) })
				}
			})
		}
	}
}

// pair is a client and a player.
type pair struct {
	player   *Player
	client   client
	api      *provider.API
	provider *provider.Provider
	op       *provider.Operation
	target   *target.Target
	same     bool // bodies have the same format
}

func newPair(t *testing.T, f *provider.ClientFormat, path *provider.ClientPath, c client, player *Player) *pair {
	t.Helper()
	to := player.Target
	to.Provider, to.Route = player.Provider.Name, path.Route
	if to.Options == nil {
		to.Options = &target.Options{}
	}
	p := &pair{player: player, client: c, api: path.API, provider: player.Provider, target: &to}
	if p.provider.Variant != nil {
		p.provider = p.provider.Variant(&to)
	}
	if f.Name == "openai" {
		if p.op = p.provider.Operations[path.Route]; p.op == nil && path.API.Through != "" {
			p.op = p.provider.Operations[path.API.Through]
		}
	} else {
		p.op = p.provider.Find(path.API.Format, route.Chat)
	}
	if p.op == nil || p.op.Format != path.API.Format && p.op.Chat == nil {
		return nil
	}
	p.same = p.op.Format == path.API.Format
	return p
}

func (p *pair) all(t *testing.T, others []*pair) {
	t.Run("replay", func(t *testing.T) { checkReplay(t, p, others) })
	t.Run("blocks", func(t *testing.T) { checkBlocks(t, p) })
	t.Run("lost calls", func(t *testing.T) { checkLost(t, p) })
	t.Run("hosted", func(t *testing.T) { checkHosted(t, p) })
	t.Run("beside functions", func(t *testing.T) { checkBeside(t, p) })
	t.Run("sources", func(t *testing.T) { checkSources(t, p, others) })
}

func (p *pair) lacks(capability string) bool {
	_, ok := p.player.Lacks[capability]
	return ok
}

// had checks a lack: what is listed must be missing, and what is missing listed.
func (p *pair) had(t *testing.T, capability string, had bool) bool {
	t.Helper()
	switch {
	case had && p.lacks(capability):
		t.Errorf("%s are listed as lacking (%s), and there they are", capability, p.player.Lacks[capability])
	case !had && !p.lacks(capability):
		t.Errorf("%s are missing, and are not listed as lacking", capability)
	}
	return had
}

// turn is one request to the provider and all that is needed to read its answer.
type turn struct {
	*pair
	op       *provider.Operation
	mock     mock.Format
	same     bool
	stream   bool
	meta     chat.Meta
	upstream []byte
	left     []string // hosted tools that were left out
}

// ask makes the provider's request of a client's body, and shows it to the mock. An
// error is one that the client gets.
func (p *pair) ask(t *testing.T, body []byte, stream bool) (*turn, error) {
	t.Helper()
	u := &turn{pair: p, op: p.op, same: p.same, stream: stream, meta: meta}
	body = bytes.Clone(body)
	var err error
	if u.same && u.op.Instead != nil {
		members, _ := jsonedit.Object(body, nil)
		u.same = !u.op.Instead.Body(p.target, members)
	}
	if u.same {
		u.upstream, u.left, err = p.splice(body, stream)
	} else {
		err = u.translate(body)
	}
	if err != nil {
		return nil, err
	}
	req := u.httpRequest(t)
	u.findMock(t, req)
	checked := u.upstream
	if !u.mock.Match(req) { // Vertex has the model in the path
		checked = jsonedit.With(jsonedit.With(checked, "anthropic_version", nil), "model", []byte(`"m"`))
	}
	if err := u.mock.Check(req, checked); err != nil {
		t.Fatalf("the provider refuses the request: %v\nthe client sent %s\nthe provider got %s", err, clip(body), clip(u.upstream))
	}
	checkKnown(t, u.op, u.upstream)
	u.meta.Origin, u.meta.Model = u.op.Own(p.target), p.target.Model
	return u, nil
}

// findMock finds the mock of what the request is for, or else of its format.
func (u *turn) findMock(t *testing.T, req *http.Request) {
	t.Helper()
	i := slices.IndexFunc(mock.Formats, func(f mock.Format) bool { return f.Match(req) })
	if i >= 0 {
		u.mock = mock.Formats[i]
	} else if u.mock = mock.ByName(string(u.op.Format)); u.mock == nil {
		t.Fatalf("no mock speaks %s", u.op.Format)
	}
}

// translate makes the provider's body by way of the internal form, as the relay does.
func (u *turn) translate(body []byte) error {
	parsed, err := chat.ParseRequest(u.api.Dialect, body)
	if err != nil {
		return err
	}
	if u.op.Instead != nil && u.op.Instead.Request(u.target, parsed) {
		u.op = u.op.Instead.Operation
	}
	req := *parsed
	req.Model, req.Stream = u.target.Model, u.stream
	u.meta.Tools = parsed.ClientTools()
	if u.left, err = u.op.Offer(u.target, &req); err != nil {
		return err
	}
	u.upstream, err = u.op.AppendRequest(nil, u.target, &req)
	return err
}

// splice edits a body of the same format, as the relay does.
func (p *pair) splice(body []byte, stream bool) (upstream []byte, left []string, err error) {
	e := &p.op.Edit
	if e.Request != nil {
		body = e.Request(nil, p.target, body)
	}
	if e.Fit != nil {
		if body, _, left, err = e.Fit.Body(p.target.Model, body, nil); err != nil {
			return nil, nil, err
		}
	}
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, nil, err
	}
	var edits []jsonedit.Edit
	if p.api.Model != provider.ModelInPath {
		edits = append(edits, jsonedit.Edit{Key: p.api.ModelMember(), Value: jsonedit.AppendString(nil, p.target.Model)})
	}
	if p.api.BareData && (!stream || e.RefusesStreamOptions(p.target)) {
		edits = append(edits, jsonedit.Edit{Key: "stream_options"})
	}
	if p.op.Tune != nil {
		edits = append(edits, p.op.Tune(p.target, members)...)
	}
	return jsonedit.Join(nil, e.Apply(nil, p.target, body, members, edits)), left, nil
}

func (u *turn) httpRequest(t *testing.T) *http.Request {
	t.Helper()
	base := "http://mock.test"
	var err error
	if u.provider.Base != nil {
		if base, err = u.provider.Base(u.target); err != nil {
			t.Fatalf("base URL: %v", err)
		}
	}
	path, err := u.op.Path(u.target, u.stream)
	if err != nil {
		t.Fatalf("path: %v", err)
	}
	req := httptest.NewRequest(http.MethodPost, base+path, bytes.NewReader(u.upstream))
	service := "bedrock"
	if u.provider.Service != nil {
		service = u.provider.Service(u.target)
	}
	header := [][2]string{
		{"Content-Type", "application/json"}, {"Anthropic-Version", "2023-06-01"}, {"X-Amz-Date", "20261123T000000Z"},
		{"Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/" + service + "/aws4_request, " +
			"SignedHeaders=content-length;content-type;host;x-amz-date, Signature=" + strings.Repeat("0f", 32)},
	}
	for _, kv := range header {
		req.Header.Set(kv[0], kv[1])
	}
	address(req, u.provider, u.op, u.target)
	return req
}

// whole returns what the client understands of the whole answer of s, and the
// provider's bytes.
func (u *turn) whole(t *testing.T, s *mock.Scenario) (*told, []byte) {
	t.Helper()
	provided := u.mock.Whole(s, u.upstream)
	body := provided
	if !u.same {
		resp, err := u.op.Chat.ParseResponse(u.target, bytes.Clone(provided))
		if err != nil {
			t.Fatalf("the provider's answer is refused: %v\n%s", err, clip(provided))
		}
		resp.Meta = u.meta
		if body, err = u.api.Dialect.AppendResponse(nil, resp); err != nil {
			t.Fatal(err)
		}
	} else if u.op.Edit.Rewrite != nil {
		body = u.op.Edit.Rewrite(nil, provided)
	}
	a, err := u.client.whole(body)
	if err != nil {
		t.Fatalf("the client does not understand the answer: %v\n%s\nthe provider said %s", err, clip(body), clip(provided))
	}
	return a, provided
}

// streamed returns what the client understands of events, which must not depend on how
// they are cut.
func (u *turn) streamed(t *testing.T, contentType string, events [][]byte) *told {
	t.Helper()
	kind, provided := frame.SSE, bytes.Join(events, nil)
	if u.op.Parts == "" {
		kind = Kind(t, contentType)
	} else if inner, err := io.ReadAll(frame.Parts(bytes.NewReader(provided))); err != nil {
		t.Fatal(err)
	} else {
		provided = inner
	}
	out, err := u.translated(kind, bytes.NewReader(provided))
	if err != nil {
		t.Fatalf("the provider's stream is refused: %v\n%s", err, clip(provided))
	}
	a, err := u.client.stream(out)
	if err != nil {
		t.Fatalf("the client does not understand the stream: %v\n%s\nthe provider said %s", err, clip(out), clip(provided))
	}
	if !u.same {
		u.checkCuts(t, kind, provided, out)
	}
	return a
}

// cuts is how many of a stream's positions are tried.
const cuts = 24

// checkCuts holds the split law: the stream in single bytes and cut in two.
func (u *turn) checkCuts(t *testing.T, kind frame.Kind, provided, want []byte) {
	t.Helper()
	step := 1 + len(provided)/cuts
	for i := 0; i < len(provided); i += step {
		reader := io.MultiReader(bytes.NewReader(provided[:i]), bytes.NewReader(provided[i:]))
		if i == 0 {
			reader = oneByte{bytes.NewReader(provided)}
		}
		if got, err := u.translated(kind, reader); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("split law: cut after %d bytes the client gets other bytes (error %v): %s", i, err, firstDifference(got, want))
		}
	}
}

// oneByte reads one byte at a time.
type oneByte struct{ io.Reader }

func (r oneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

// translated returns what the client receives of a provider's stream, as the relay
// makes it: a format without a closing event is complete with the finish reason.
func (u *turn) translated(kind frame.Kind, stream io.Reader) ([]byte, error) {
	var out []byte
	events := frame.New(kind, stream, 0)
	var from chat.Stream
	var to chat.Encoder
	if !u.same {
		from, to = u.op.Chat.NewStream(u.target), u.api.Dialect.NewEncoder(u.meta)
	}
	finished, ended := false, false
	for {
		ev, err := events.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return out, err
		}
		if u.same {
			out = u.forwarded(out, ev)
			continue
		}
		deltas, err := from.Next(ev)
		for i := range deltas {
			finished, ended = finished || deltas[i].Kind == chat.Finish, ended || deltas[i].Kind == chat.End
			out = to.Append(out, &deltas[i])
		}
		if resting, ok := from.(chat.Resting); ok {
			resting.Rest()
		}
		if err != nil {
			return out, err
		}
	}
	if finished && !ended {
		out = to.Append(out, &chat.Delta{Kind: chat.End})
	}
	return out, nil
}

// forwarded appends an event of the same format.
func (u *turn) forwarded(out []byte, ev frame.Event) []byte {
	if u.op.Unwrap != nil {
		kind, data := u.op.Unwrap(nil, ev)
		if len(data) == 0 {
			return out
		}
		return frame.AppendSSE(out, kind, data)
	}
	data := ev.Data
	if len(data) > 0 && u.op.Edit.Rewrite != nil {
		data = u.op.Edit.Rewrite(nil, data)
	}
	switch {
	case u.api.BareData && ev.Data == nil:
		return out
	case u.api.BareData:
		return frame.AppendSSE(out, nil, data)
	case len(data) == 0 || &data[0] == &ev.Data[0]:
		return append(out, ev.Raw...)
	}
	return frame.AppendSSE(out, ev.Type, data)
}

// asItCame reports whether nothing is known of what the provider takes of a history, so
// that a client of the same format has it forwarded as it is.
func (u *turn) asItCame() bool {
	h := u.op.Edit.History
	return u.same && u.api.BareData && (h == nil || h(u.target).Thought == provider.ThoughtAsItCame)
}

// noMarks checks that none of our marks reached the provider.
func (u *turn) noMarks(t *testing.T) {
	t.Helper()
	if bytes.Contains(u.upstream, []byte(origin.Prefix)) {
		t.Errorf("a mark reached the provider: %s", clip(u.upstream))
	}
}

// has says whether a string of the provider's body has s in it.
func (u *turn) has(t *testing.T, s string) bool {
	t.Helper()
	return strings.Contains(textsOf(t, u.upstream), s)
}

// wants checks that each of the words reached the provider.
func (u *turn) wants(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range words {
		if !u.has(t, w) {
			t.Errorf("%q did not reach the provider: %s", w, clip(u.upstream))
		}
	}
}

// messages are those in the provider's body.
func (u *turn) messages(t *testing.T) []json.RawMessage {
	t.Helper()
	o, err := parseObject(u.upstream)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"messages", "contents", "input"} {
		if list := o.raws(name); list != nil {
			return list
		}
	}
	return nil
}

// joinedParts joins parts of text and of thought that follow each other, and writes
// arguments in one way, for comparisons.
func joinedParts(t *testing.T, a *told, ids bool) string {
	t.Helper()
	var b strings.Builder
	for i, p := range a.parts {
		switch p.kind {
		case chat.ToolCall:
			fmt.Fprintf(&b, "\ncall %s %v %s", p.name, decodeNumbers(t, []byte(p.arguments)), p.token)
			if ids {
				b.WriteString(" " + p.id)
			}
		default:
			if i == 0 || a.parts[i-1].kind != p.kind {
				fmt.Fprintf(&b, "\n%d: ", p.kind)
			}
			b.WriteString(p.text + p.token)
		}
	}
	return b.String()
}
