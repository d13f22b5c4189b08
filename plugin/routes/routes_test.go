package routes

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

func TestEveryRouteTypeIsOneAPIOfTheDefaultFormat(t *testing.T) {
	seen := map[route.Type]int{}
	for _, p := range translators.Client.Paths {
		seen[p.Route]++
	}
	for _, wanted := range route.All {
		if seen[wanted] != 1 {
			t.Errorf("%s has %d paths", wanted, seen[wanted])
		}
	}
	if len(seen) != len(route.All) {
		t.Errorf("paths of route types that do not exist: %v", seen)
	}
}

func TestFormatsOfProvidersAreComplete(t *testing.T) {
	for _, name := range Formats()[1:] {
		f := Native(name)
		if f.Name != name || f.Errors == nil || f.Paths[0].Route != route.Chat || translators.Lookup(name).Client != f {
			t.Errorf("%s: %+v", name, f)
		}
		for i := range f.Paths {
			p := &f.Paths[i]
			if (p.Path == "") != (p.API.Resources != nil) || p.API.Format == "" || strings.Contains(p.Path, "{model}") != (f.Before != "" && p.API.Model == provider.ModelInPath && p.API.Resources == nil) {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
}

func TestPathNamesTheAPITheModelAndTheStream(t *testing.T) {
	for _, c := range []struct {
		format string
		r      Request
		api    provider.Format
		model  string
		stream bool
		sub    string
	}{
		{"anthropic", Request{Whole: "/x/v1/messages"}, provider.AnthropicMessages, "", false, ""},
		{"anthropic", Request{Whole: "/v1/messages/batches/b/results", Method: "GET"}, provider.AnthropicBatches, "", false, "/b/results"},
		{"bedrock", Request{Whole: "/model/a%2Fb/converse-stream"}, provider.BedrockConverse, "a/b", true, ""},
		{"bedrock", Request{Path: "/", Captures: map[string]string{"model": "a/b", "operation": "invoke"}}, provider.BedrockInvoke, "a/b", false, ""},
		{"gemini", Request{Path: "/models/m%3AembedContent"}, provider.GeminiEmbed, "m", false, ""},
		{"gemini", Request{Path: "/v1/models/m:streamGenerateContent", RawQuery: "alt=sse"}, provider.GeminiGenerate, "m", true, ""},
		{"cohere", Request{Path: "/"}, provider.CohereChatV2, "", false, ""},
	} {
		if c.r.Method == "" {
			c.r.Method = "POST"
		}
		m, err := New(c.format, []route.Type{route.Chat}).Find(&c.r)
		if err != nil || m.API.Format != c.api || m.Model != c.model || m.Stream != c.stream || m.Sub != c.sub || m.Route != route.Chat {
			t.Errorf("%s %+v: got %+v, %v", c.format, c.r, m, err)
		}
	}
}

func TestQuerySelectsServerSentEvents(t *testing.T) {
	table := New("gemini", []route.Type{route.Chat})
	for query, media := range map[string]string{"": "application/json", "alt=json": "application/json", "x=1&alt=sse": ""} {
		m, err := table.Find(&Request{Method: "POST", Path: "/models/m:streamGenerateContent", RawQuery: query})
		if err != nil || m.API.Media != media {
			t.Errorf("%q: %+v, %v", query, m.API, err)
		}
	}
}

func TestAliasOfAFamilyIsThatFamily(t *testing.T) {
	m, err := New("bedrock", []route.Type{route.Chat}).Find(&Request{Method: "GET", Path: "/model-invocations/j"})
	if err != nil || m.Family != "model-invocation-job" || m.Sub != "/j" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestSubPathsAreWordsAndIDs(t *testing.T) {
	want := []string{"cancel", "characters", "compact", "complete", "content", "edits", "extensions", "file_batches", "files", "input_items", "input_tokens", "items", "messages", "parts", "remix", "results", "runs", "search", "steps", "stop", "submit_tool_outputs", "versions"}
	if got := slices.Sorted(maps.Keys(words)); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	for sub, want := range map[string]string{"": "", "/file-1/content": "/{}/content", "/a%20b": "", "/..": "", "/a//b": "", "/t/runs/r": "/{}/runs/{}"} {
		if got, err := patternOf(sub); got != want || (err != nil) != (want == "" && sub != "") {
			t.Errorf("%q: got %q, %v", sub, got, err)
		}
	}
}

func TestSubPathBeginsAtTheID(t *testing.T) {
	table := New("openai", []route.Type{route.Assistants})
	m, err := table.Meet(route.Assistants, &Request{Method: "GET", Path: "/ai/thread_1/messages", Whole: "/ai/thread_1/messages"})
	if err != nil || m.Family != "threads" || m.Sub != "/thread_1/messages" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestRefusalsListWhatIsAvailable(t *testing.T) {
	several := New("openai", []route.Type{route.Chat, route.Files})
	for name, c := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"no path of the format":   {second(New("anthropic", []route.Type{route.Chat}).Find(&Request{Method: "POST", Path: "/x"})), 404, "/v1/messages /v1/messages/count_tokens /messages/batches"},
		"a method of the format":  {second(New("cohere", []route.Type{route.Chat}).Find(&Request{Method: "GET", Path: "/v2/chat"})), 405, "use POST"},
		"a model escaped wrongly": {second(New("gemini", []route.Type{route.Chat}).Find(&Request{Method: "POST", Path: "/models/%zz:countTokens"})), 400, "not escaped"},
		"a route type not there":  {second(New("gemini", []route.Type{route.Files}).Find(&Request{Method: "POST", Path: "/models/m:countTokens"})), 400, "[llm/v1/chat] message format"},
		"no path of several":      {several.unknown(&Request{Method: "GET", Path: "/x", Whole: "/ai/x"}), 404, "/chat/completions, /files"},
		"a sub-path":              {second(several.Meet(route.Files, &Request{Method: "GET", Path: "/files/f/x/y"})), 404, "/files/{id}/content"},
		"a method below":          {second(several.Meet(route.Files, &Request{Method: "PUT", Path: "/files/f"})), 405, "use GET or DELETE"},
	} {
		var e *chat.Error
		if !errors.As(c.err, &e) || e.Status != c.status || !strings.Contains(e.Message, c.want) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

func second(_ Match, err error) error { return err }

func BenchmarkByPath(b *testing.B) {
	for name, path := range map[string]string{"of the format": "/openai/v1/chat/completions", "another": "/openai"} {
		b.Run(name, func(b *testing.B) {
			t := New("openai", []route.Type{route.Chat})
			for b.Loop() {
				if wanted, _, err := t.ByPath(&Request{Method: "POST", Whole: path, Path: path}); wanted != route.Chat || err != nil {
					b.Fatal(wanted, err)
				}
			}
		})
	}
}
