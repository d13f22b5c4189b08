// Package conformance tests that a provider obeys the project's laws, against the
// strict mock of its wire format. A provider's test is one call of Run. Features
// that a provider cannot support are listed in Options.Lacks, with the reason.
//
// Start with Run, then whole.go and stream.go (requirements for an answer),
// history.go (what must survive a round trip) and fields.go (the field law). Pairs plays
// providers with clients of every format: clients.go, pairs.go, and a file law_… for each law.
package conformance

import (
	"cmp"
	"slices"
	"sort"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Options describe what a provider needs for its run, and what it cannot do.
type Options struct {
	// Name is the subtest's name; the provider's by default.
	Name string
	// Target has the model and the options that the provider needs. Provider
	// and Route are filled in. The model is "mock-model-1" by default.
	Target target.Target
	// Routes are the route types to test. The default is all that have a dialect.
	Routes []route.Type
	// Lacks names capabilities that the provider's API does not have, each
	// with the reason: scenarios of package mock, and the constants below.
	Lacks map[string]string
	// Translated means that the operation's Chat translator is tested even if the
	// operation has the client's format, as clients of other formats use it.
	Translated bool
	// Header holds headers that the caller of a translator adds and the mock
	// requires: a signature, a key.
	Header [][2]string
	// Mock is the name of the mock, if it is not that of the operation's format: a
	// platform that has the format at another path, or in frames of its own.
	Mock string
	// Model is the model that the answers name, if it is not the scenario's
	// (a provider that names none: the target's).
	Model string
}

// Capabilities that a provider may lack besides whole scenarios.
const (
	Usage           = "usage"            // it counts no tokens
	CachedTokens    = "cached_tokens"    // it does not report them
	ReasoningTokens = "reasoning_tokens" // it does not report them
	Signatures      = "signatures"       // its thinking has no signature
	Thinking        = "thinking_text"    // it does not accept thinking in a request
	ToolIDs         = "tool_ids"         // its calls have no ids of their own
	FinishReasons   = "finish_reasons"   // it does not say why it stopped
	StreamErrors    = "stream_errors"    // it cannot report an error in mid-stream
	RefusalParts    = "refusal_parts"    // a refusal is ordinary text
)

var capabilities = []string{Usage, CachedTokens, ReasoningTokens, Signatures, Thinking, ToolIDs, FinishReasons, StreamErrors, RefusalParts}

// meta replaces what a provider leaves out.
var meta = chat.Meta{ID: "8T6YwgvjQVVnGbJ2w8hpO", Created: 1700000001, Model: mock.Model, IncludeUsage: true}

// Run tests that p obeys the laws, on each of its routes that a client of the
// OpenAI format can use with messages or a prompt.
func Run(t *testing.T, p *provider.Provider, o Options) {
	t.Helper()
	if o.Name == "" {
		o.Name = p.Name
	}
	t.Run(o.Name, func(t *testing.T) {
		o.check(t)
		ran := 0
		for _, wanted := range routes(p, o.Routes) {
			r := newRun(t, p, wanted, &o)
			if r == nil {
				continue
			}
			ran++
			t.Run(string(wanted), func(t *testing.T) { r.all(t) })
			if r.op.Instead != nil {
				other := r.instead()
				t.Run(string(wanted)+" by "+string(other.op.Format), func(t *testing.T) { other.all(t) })
			}
		}
		if ran == 0 {
			t.Errorf("no route of %s has a chat format with a mock", p.Name)
		}
	})
}

// check refuses unknown capabilities in Lacks, and logs the others.
func (o *Options) check(t *testing.T) {
	t.Helper()
	names := make([]string, 0, len(o.Lacks))
	for name := range o.Lacks {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if mock.Named(name) == nil && !slices.Contains(capabilities, name) {
			t.Errorf("Lacks[%q]: neither a scenario nor a capability", name)
		}
		if o.Lacks[name] == "" {
			t.Errorf("Lacks[%q]: needs a reason", name)
		}
		t.Logf("lacks %s: %s", name, o.Lacks[name])
	}
}

func routes(p *provider.Provider, only []route.Type) []route.Type {
	if only != nil {
		return only
	}
	var all []route.Type
	for wanted := range p.Operations {
		if dialects[wanted].dialect != nil {
			all = append(all, wanted)
		}
	}
	slices.Sort(all)
	return all
}

// dialects are the routes that clients of the OpenAI format can chat on.
var dialects = map[route.Type]struct {
	dialect chat.Dialect
	format  provider.Format
}{
	route.Chat:        {openai.Chat, provider.OpenAIChat},
	route.Completions: {openai.Completions, provider.OpenAICompletions},
}

// run is one provider on one route.
type run struct {
	provider *provider.Provider
	op       *provider.Operation
	target   target.Target
	dialect  chat.Dialect
	mock     mock.Format
	prompt   bool // the route takes a prompt and not messages
	options  *Options
}

func newRun(t *testing.T, p *provider.Provider, wanted route.Type, o *Options) *run {
	t.Helper()
	op := p.Operations[wanted]
	if op == nil {
		t.Errorf("route %s: %s has no such operation", wanted, p.Name)
		return nil
	}
	d := dialects[wanted]
	if op.Chat == nil && op.Format != d.format {
		t.Errorf("route %s: format %s needs a translator", wanted, op.Format)
		return nil
	}
	f := mock.ByName(cmp.Or(o.Mock, string(op.Format)))
	if f == nil {
		t.Errorf("route %s: no mock speaks %s", wanted, cmp.Or(o.Mock, string(op.Format)))
		return nil
	}
	r := &run{provider: p, op: op, target: o.Target, dialect: d.dialect, mock: f, prompt: wanted == route.Completions, options: o}
	r.target.Provider, r.target.Route = p.Name, wanted
	if r.target.Model == "" {
		r.target.Model = mock.Model
	}
	if r.target.Options == nil {
		r.target.Options = &target.Options{}
	}
	return r
}

// instead is the run of the operation that some models need.
func (r *run) instead() *run {
	other, options := *r, *r.options
	options.Lacks = map[string]string{"choices": "the Responses API gives one answer"}
	for name, reason := range r.options.Lacks {
		if name != Signatures && name != Thinking { // which it has
			options.Lacks[name] = reason
		}
	}
	other.op, other.mock, other.options = r.op.Instead.Operation, mock.ByName(string(r.op.Instead.Operation.Format)), &options
	return &other
}

// same reports whether bodies are forwarded without being decoded.
func (r *run) same() bool {
	return r.op.Format == dialects[r.target.Route].format && !r.options.Translated
}

func (r *run) lacks(capability string) bool {
	_, ok := r.options.Lacks[capability]
	return ok
}

// law returns check as a test of r.
func (r *run) law(check func(*testing.T, *run)) func(*testing.T) {
	return func(t *testing.T) { check(t, r) }
}

func (r *run) all(t *testing.T) {
	for _, s := range mock.Scenarios {
		if r.skips(s) {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			whole := r.whole(t, s)
			if whole == nil {
				return
			}
			if !r.op.NoStream {
				checkStream(t, r, s, whole)
			}
			if !r.prompt {
				checkHistory(t, r, s, whole)
			}
		})
	}
	if !r.prompt {
		t.Run("fields", r.law(checkFields))
		if !r.lacks("tools") {
			t.Run("moved", r.law(checkMoved))
		}
		if r.op.Chat != nil && !r.lacks("tools") && !r.lacks("tool_result") {
			t.Run("codex", r.law(checkCodex))
		}
	}
	t.Run("error answer", r.law(checkErrorAnswer))
	t.Run("ten times as much", r.law(checkGrowth))
	if !r.same() && !r.op.NoStream {
		t.Run("allocations", r.law(checkAllocations))
		t.Run("cut off", r.law(checkCutOff))
		t.Run("counted when cut off", r.law(checkCountWhenCutOff))
		t.Run("error", r.law(checkStreamError))
	}
}

// promptScenarios are those that a prompt alone can ask for.
var promptScenarios = []string{"plain", "text", "unicode", "empty", "length", "usage"}

func (r *run) skips(s *mock.Scenario) bool {
	if s.Error != nil || r.lacks(s.Name) {
		return true
	}
	return r.prompt && !slices.Contains(promptScenarios, s.Name)
}
