package openai

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
)

func TestHistoriesAreWhatTheAPIKnows(t *testing.T) {
	claudes, own := origin.Text(origin.Anthropic, "elsewhere", "RXFD"), origin.Text("databricks", origin.Anthropic, "U0lH")
	strict := provider.History{Only: []string{"role", "content", "tool_calls", "tool_call_id"}, Calls: []string{"id", "type", "function"}, Thought: provider.ThoughtNowhere}
	as := func(place provider.Thought) provider.History {
		h := strict
		h.Thought = place
		return h
	}
	for name, c := range map[string]struct {
		history  provider.History
		in, want string
	}{
		"null members":             {strict, `{"role":"assistant","content":"x","refusal":null,"annotations":[],"audio":null}`, `{"role":"assistant","content":"x"}`},
		"a refusal":                {strict, `{"role":"assistant","content":null,"refusal":"no"}`, `{"role":"assistant","content":"no"}`},
		"a thought left out":       {strict, `{"role":"assistant","content":"x","reasoning_content":"hm","thinking_blocks":[{"type":"thinking","thinking":"hm"}]}`, `{"role":"assistant","content":"x"}`},
		"a signature of a call":    {strict, `{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{},"extra_content":{"google":{"thought_signature":"s"}}}]}`, `{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{}}]}`},
		"as reasoning":             {as(provider.ThoughtInReasoning), `{"role":"assistant","reasoning_content":"hm","content":"x"}`, `{"role":"assistant","content":"x","reasoning":"hm"}`},
		"as reasoning already":     {provider.History{Thought: provider.ThoughtInReasoning}, `{"role":"assistant","reasoning":"hm"}`, `{"role":"assistant","reasoning":"hm"}`},
		"as reasoning_content":     {provider.History{Thought: provider.ThoughtInReasoningContent}, `{"role":"assistant","thinking_blocks":[{"type":"thinking","thinking":"h","signature":"` + claudes + `"},{"type":"thinking","thinking":"m"}]}`, `{"role":"assistant","reasoning_content":"hm"}`},
		"as Mistral's part":        {as(provider.ThoughtInThinking), `{"role":"assistant","content":"x","reasoning_content":"hm"}`, `{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"x"}]}`},
		"as Mistral's part, alone": {as(provider.ThoughtInThinking), `{"role":"assistant","content":null,"reasoning_content":"hm"}`, `{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}`},
		"as Databricks' part":      {as(provider.ThoughtSigned), `{"role":"assistant","content":[{"type":"text","text":"x"}],"thinking_blocks":[{"type":"thinking","thinking":"h"},{"type":"thinking","thinking":"m","signature":"` + own + `"}]}`, `{"role":"assistant","content":[{"type":"reasoning","summary":[{"type":"summary_text","text":"hm","signature":"U0lH"}]},{"type":"text","text":"x"}]}`},
		"Claude's to Databricks":   {as(provider.ThoughtSigned), `{"role":"assistant","content":"x","reasoning_content":"hm","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"RXFD"}]}`, `{"role":"assistant","content":"x"}`},
		"LiteLLM's members": {provider.History{Thought: provider.ThoughtNowhere}, `{"role":"assistant","content":"x","provider_specific_fields":{"thinking_blocks":[]},"tool_calls":[{"id":"a","provider_specific_fields":{}}]}`,
			`{"role":"assistant","content":"x","tool_calls":[{"id":"a"}]}`},
		"unknown, marked":            {provider.History{}, `{"role":"assistant","reasoning_content":"hm","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"` + claudes + `"}]}`, `{"role":"assistant","reasoning_content":"hm"}`},
		"unknown, unmarked":          {provider.History{}, `{"role":"assistant","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"s"}]}`, `{"role":"assistant","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"s"}]}`},
		"Google's to Google":         {provider.History{Thought: provider.ThoughtNowhere, Origin: origin.Google}, `{"role":"assistant","tool_calls":[{"id":"a","extra_content":{"google":{"thought_signature":"s"}}}]}`, `{"role":"assistant","tool_calls":[{"id":"a","extra_content":{"google":{"thought_signature":"s"}}}]}`},
		"Google's to Google, marked": {provider.History{Thought: provider.ThoughtNowhere, Origin: origin.Google}, `{"role":"assistant","tool_calls":[{"id":"a","extra_content":{"google":{"thought_signature":"` + origin.Text(origin.Google, "x", "c2ln") + `"}}}]}`, `{"role":"assistant","tool_calls":[{"id":"a","extra_content":{"google":{"thought_signature":"c2ln"}}}]}`},
		"Claude's call to Google":    {provider.History{Thought: provider.ThoughtNowhere, Origin: origin.Google}, `{"role":"assistant","tool_calls":[{"id":"a","extra_content":{"google":{"thought_signature":"` + claudes + `"}}}]}`, `{"role":"assistant","tool_calls":[{"id":"a"}]}`},
	} {
		h := c.history
		own := origin.Name("databricks")
		if h.Origin != "" {
			own = h.Origin
		}
		if got := string(ownHistory(&h, own, []byte(`{"messages":[`+c.in+`]}`))); got != `{"messages":[`+c.want+`]}` {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestMarksForACacheAreLeftOutWhereUnknownMembersAreRefused(t *testing.T) {
	const body = `{"messages":[{"role":"system","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]},` +
		`{"role":"user","content":"\"cache_control\""},{"role":"tool","tool_call_id":"x","content":[{"type":"text","text":"b"},{"cache_control":{"type":"ephemeral"},"type":"text","text":"c"}]}],` +
		`"tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}]}`
	const without = `{"messages":[{"role":"system","content":[{"type":"text","text":"a"}]},` +
		`{"role":"user","content":"\"cache_control\""},{"role":"tool","tool_call_id":"x","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}]}],` +
		`"tools":[{"type":"function","function":{"name":"f"}}]}`
	known := []string{"role", "content", "tool_call_id"}
	for name, c := range map[string]struct {
		history provider.History
		want    string
	}{
		"strict":                 {provider.History{Only: known}, without},
		"strict, with a cache":   {provider.History{Only: known, CacheControl: true}, body},
		"nobody knows":           {provider.History{}, body},
		"known for its thoughts": {provider.History{Thought: provider.ThoughtInReasoning}, body},
	} {
		if got := string(ownHistory(&c.history, "x", []byte(body))); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestIDsOfCallsAreMappedInCallAndResult(t *testing.T) {
	h := &provider.History{IDs: &chat.CallIDs{Exactly: 9}}
	one, other := h.IDs.Of("call_same_beginning_1", 0), h.IDs.Of("call_same_beginning_2", 0)
	got := string(ownHistory(h, "x", []byte(`{"messages":[{"role":"assistant","tool_calls":[{"id":"call_same_beginning_1"},{"id":"call_same_beginning_2"},{"id":"abcdefgh1"}]},`+
		`{"role":"tool","tool_call_id":"call_same_beginning_2"},{"role":"tool","tool_call_id":"call_same_beginning_1"},{"role":"tool","tool_call_id":"abcdefgh1"}]}`)))
	want := `{"messages":[{"role":"assistant","tool_calls":[{"id":"` + one + `"},{"id":"` + other + `"},{"id":"abcdefgh1"}]},` +
		`{"role":"tool","tool_call_id":"` + other + `"},{"role":"tool","tool_call_id":"` + one + `"},{"role":"tool","tool_call_id":"abcdefgh1"}]}`
	if got != want || one == other {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestModelsServersAreKnownByTheirNames: OpenAI's own refuses what it does not know,
// and others that are configured as "openai" have a member for a thought.
func TestModelsServersAreKnownByTheirNames(t *testing.T) {
	body := `{"messages":[{"role":"assistant","content":"x","reasoning_content":"hm"}]}`
	for model, kept := range map[string]bool{"gpt-4o": false, "o3-mini": false, "kimi-k2.5": true, "moonshotai/Kimi-K2-Thinking": true, "glm-4.7": true, "my-own": true} {
		to := *testTarget
		to.Model = model
		if got := string(Provider.Operations["llm/v1/chat"].Edit.Request(nil, &to, []byte(body))); strings.Contains(got, `"reasoning_content":"hm"`) != kept {
			t.Errorf("%s: got %s", model, got)
		}
	}
}

func FuzzOwnHistory(f *testing.F) {
	f.Add([]byte(`{"messages":[{"role":"assistant","content":[{}],"refusal":"x","thinking_blocks":[{"thinking":1,"signature":""}],"tool_calls":[{"id":1,"extra_content":{"google":{"thought_signature":"` + origin.Prefix + `"}}}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		for _, place := range []provider.Thought{provider.ThoughtAsItCame, provider.ThoughtInReasoning, provider.ThoughtInThinking, provider.ThoughtSigned} {
			ownHistory(&provider.History{Only: []string{"role", "content", "tool_calls"}, IDs: &chat.CallIDs{Exactly: 9}, Thought: place}, "x", body)
		}
	})
}
