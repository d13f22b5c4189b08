package conformance

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/origin"
)

// whole runs s unstreamed and returns the client's answer, or nil after a failure.
func (r *run) whole(t *testing.T, s *mock.Scenario) *answer {
	t.Helper()
	upstream := r.send(t, r.request(s, false), false)
	checkKept(t, r, s, upstream)
	provided := r.mock.Whole(s, upstream)
	client := r.converted(t, provided)
	if !r.same() && bytes.Equal(client, provided) {
		t.Error("the answer was not translated: the client gets the provider's bytes")
	}
	a := parseWhole(t, client)
	if want := map[bool]string{false: "chat.completion", true: "text_completion"}[r.prompt]; a.Object != want {
		t.Errorf("object: got %q, want %q", a.Object, want)
	}
	checkTruth(t, r, s, a)
	if r.same() {
		var seen chat.Seen
		r.op.Meter.Whole(provided, &seen)
		checkMeter(t, r, s, &seen)
	}
	if t.Failed() {
		t.Logf("the provider said %s\nthe client gets %s", clip(provided), clip(client))
		return nil
	}
	return a
}

// converted is what a client gets of a provider's whole answer.
func (r *run) converted(t *testing.T, provided []byte) []byte {
	t.Helper()
	if r.same() {
		if r.op.Edit.Rewrite != nil {
			return r.op.Edit.Rewrite(nil, provided)
		}
		return provided
	}
	body := bytes.Clone(provided)
	resp, err := r.op.Chat.ParseResponse(&r.target, body)
	if err != nil {
		t.Fatalf("the provider's answer is refused: %v\n%s", err, clip(provided))
	}
	forgetParsers(len(body)) // the answer may lie in its body, but in no parser
	resp.Meta = r.meta()
	client, err := r.dialect.AppendResponse(nil, resp)
	forget(body)
	if err != nil {
		t.Fatalf("the answer cannot be written: %v", err)
	}
	return client
}

// forget overwrites body and gives pooled parsers other text, so that what was
// made of the body but still lies in it or in its parser is not what it was.
func forget(body []byte) {
	forgetParsers(len(body))
	for i := range body {
		body[i] = '#'
	}
}

// forgetParsers gives pooled parsers another text of n bytes.
func forgetParsers(n int) {
	other := []byte(`"\n` + strings.Repeat("#", n) + `"`)
	var taken [4]*jsonedit.Parser
	for i := range taken {
		taken[i] = jsonedit.Parsers.Get()
		if v, err := taken[i].Parse(other); err == nil {
			v.GetStringBytes() // it has an escape: the parser keeps a copy
		}
	}
	for _, p := range taken {
		jsonedit.Parsers.Put(p)
	}
}

func (r *run) meta() chat.Meta {
	m := meta
	m.Origin = r.op.Own(&r.target)
	m.Model = r.target.Model
	return m
}

// checkTruth compares what a client understood with what was said.
func checkTruth(t *testing.T, r *run, s *mock.Scenario, a *answer) {
	t.Helper()
	if a.ID == "" || a.Created == 0 {
		t.Errorf("id %q, created %d: want both", a.ID, a.Created)
	}
	if a.Model != s.Answer.Model && a.Model != r.target.Model && a.Model != r.options.Model {
		t.Errorf("model: got %q, want %q", a.Model, s.Answer.Model)
	}
	if len(a.Choices) != len(s.Answer.Choices) {
		t.Fatalf("choices: got %d, want %d", len(a.Choices), len(s.Answer.Choices))
	}
	for i := range a.Choices {
		checkChoice(t, r, &s.Answer.Choices[i], &a.Choices[i])
	}
	checkUsage(t, r, &s.Answer.Usage, a.Usage)
}

func checkChoice(t *testing.T, r *run, said *chat.Choice, got *answerChoice) {
	t.Helper()
	text, refusal := said.Parts, joined(said.Parts, chat.Refusal)
	want := joined(text, chat.Text)
	if r.lacks(RefusalParts) {
		want, refusal = want+refusal, ""
	}
	equal(t, "role", got.message.Role, "assistant")
	equal(t, "content", got.message.text(), want)
	equal(t, "refusal", got.message.Refusal, refusal)
	thinking := joined(said.Parts, chat.Thinking)
	equal(t, "reasoning_content", got.message.Reasoning, thinking)
	if thinking != "" && !r.lacks(Signatures) && !r.same() {
		want := []thinkingBlock{{Type: "thinking", Thinking: thinking, Signature: origin.Text(r.op.Own(&r.target), origin.Anthropic, signature(said.Parts))}}
		if !reflect.DeepEqual(got.message.Blocks, want) {
			t.Errorf("thinking_blocks: got %+v, want %+v", got.message.Blocks, want)
		}
	}
	checkCalls(t, r, said, got)
	switch finish := got.Finish; {
	case r.lacks(FinishReasons):
		if finish != nil {
			t.Errorf("finish_reason: got %q, invented", *finish)
		}
	case finish == nil:
		t.Errorf("finish_reason: got null, want %q", said.Finish)
	default:
		equal(t, "finish_reason", *finish, string(said.Finish))
	}
}

func checkCalls(t *testing.T, r *run, said *chat.Choice, got *answerChoice) {
	t.Helper()
	var want []chat.Part
	for _, p := range said.Parts {
		if p.Kind == chat.ToolCall {
			want = append(want, p)
		}
	}
	calls := got.message.Calls
	if len(calls) != len(want) {
		t.Fatalf("tool_calls: got %d, want %d", len(calls), len(want))
	}
	ids := map[string]bool{}
	for i, c := range calls {
		if c.ID == "" || ids[c.ID] {
			t.Errorf("tool_calls[%d].id: %q is empty or not unique", i, c.ID)
		}
		ids[c.ID] = true
		if !r.lacks(ToolIDs) {
			equal(t, "tool call id", c.ID, want[i].ID)
		}
		equal(t, "tool call type", c.Type, "function")
		equal(t, "tool call name", c.Function.Name, want[i].Name)
		equal(t, "tool call arguments", c.Function.Arguments, want[i].Arguments.String())
	}
}

func checkUsage(t *testing.T, r *run, want *chat.Usage, got *answerUsage) {
	t.Helper()
	if r.lacks(Usage) || r.same() && r.op.Edit.RefusesStreamOptions(&r.target) && got == nil {
		return
	}
	if got == nil {
		t.Error("usage: missing")
		return
	}
	equal(t, "usage.prompt_tokens", got.Prompt, want.Prompt)
	equal(t, "usage.completion_tokens", got.Completion, want.Completion)
	equal(t, "usage.total_tokens", got.Total, want.TotalTokens())
	if !r.lacks(CachedTokens) {
		equal(t, "usage.prompt_tokens_details.cached_tokens", got.PromptDetails.Cached, want.Cached)
	}
	if !r.lacks(ReasoningTokens) {
		equal(t, "usage.completion_tokens_details.reasoning_tokens", got.CompletionDetails.Reasoning, want.Reasoning)
	}
}

// checkMeter compares what the meter saw in bytes that pass through.
func checkMeter(t *testing.T, r *run, s *mock.Scenario, seen *chat.Seen) {
	t.Helper()
	u, want := &seen.Usage, &s.Answer.Usage
	if !seen.HasUsage && !r.op.Edit.RefusesStreamOptions(&r.target) && !r.lacks(Usage) {
		t.Error("meter: saw no usage")
	}
	if seen.HasUsage {
		equal(t, "meter: prompt tokens", u.Prompt, want.Prompt)
		equal(t, "meter: completion tokens", u.Completion, want.Completion)
		equal(t, "meter: total tokens", u.TotalTokens(), want.TotalTokens())
		equal(t, "meter: cached tokens", u.Cached, want.Cached)
		equal(t, "meter: reasoning tokens", u.Reasoning, want.Reasoning)
	}
	last := &s.Answer.Choices[len(s.Answer.Choices)-1]
	equal(t, "meter: finish reason", seen.Finish, last.Finish)
	equal(t, "meter: model", seen.Model, s.Answer.Model)
	text := 0
	for i := range s.Answer.Choices {
		text += len(joined(s.Answer.Choices[i].Parts, chat.Text))
	}
	if text > 0 && seen.TextLen == 0 || len(last.Parts) == 0 && seen.TextLen > 0 {
		t.Errorf("meter: saw %d bytes of text, want about %d", seen.TextLen, text)
	}
}

// checkErrorAnswer: what the provider says of an error reaches the client, in
// OpenAI's shape.
func checkErrorAnswer(t *testing.T, r *run) {
	e := mock.Named("error_rate").Error
	provided := r.mock.Error(e.Status, e.Message)
	var got struct {
		Error struct{ Message, Type string }
	}
	must(t, json.Unmarshal(r.dialect.AppendError(nil, chat.ErrorFrom(e.Status, provided)), &got))
	if !strings.Contains(got.Error.Message, e.Message) || got.Error.Type == "" {
		t.Errorf("of %s the client gets %+v", provided, got.Error)
	}
}

// checkKept looks for what the client said in the provider's body, wherever its
// format puts it.
func checkKept(t *testing.T, r *run, s *mock.Scenario, upstream []byte) {
	t.Helper()
	words := map[string][]string{
		"system":         {"Be brief.", "Answer in English.", "Never shout.", "Hello. What next?"},
		"tools":          {"get_weather", "get_time", "Weather of a city.", "days"},
		"tool_result":    {"I will ask.", "Paris", "Tokyo", "celsius", "10:00", "get_time"},
		"images":         {"iVBORw0KGgo", "What differs?"},
		"image_url":      {"https://images.example.com/cat.jpg"},
		"structured":     {"tags"},
		"thinking_tools": {"get_weather"},
	}[s.Name]
	if s.Name == "tool_result" && !r.lacks(ToolIDs) {
		for i, id := range []string{"call_A1", "call_B2", "call_C3"} {
			words = append(words, r.callID(id, i))
		}
	}
	texts := textsOf(t, upstream)
	for _, w := range words {
		if !strings.Contains(texts, w) {
			t.Errorf("%q did not reach the provider: %s", w, clip(upstream))
		}
	}
}

// callID is the id of a call as the provider gets it.
func (r *run) callID(id string, n int) string {
	if r.op.Edit.History == nil {
		return id
	}
	if ids := r.op.Edit.History(&r.target).IDs; ids != nil {
		return ids.Of(id, n)
	}
	return id
}

// textsOf is all strings and names in a JSON body, one a line.
func textsOf(t *testing.T, body []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("not JSON: %v", err)
	}
	var b strings.Builder
	walk(v, func(v any) bool {
		if s, ok := v.(string); ok {
			b.WriteString(s + "\n")
		}
		return true
	})
	return b.String()
}

// walk calls f with v and everything in it, names of members too, until f
// returns false.
func walk(v any, f func(any) bool) bool {
	if !f(v) {
		return false
	}
	switch v := v.(type) {
	case map[string]any:
		for name, m := range v {
			if !f(name) || !walk(m, f) {
				return false
			}
		}
	case []any:
		for _, m := range v {
			if !walk(m, f) {
				return false
			}
		}
	}
	return true
}

func joined(parts []chat.Part, kind chat.PartKind) string {
	var b strings.Builder
	for i := range parts {
		if parts[i].Kind == kind {
			b.WriteString(parts[i].Text.String())
		}
	}
	return b.String()
}

func signature(parts []chat.Part) string {
	for i := range parts {
		if parts[i].Kind == chat.Thinking {
			return parts[i].Signature
		}
	}
	return ""
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}
