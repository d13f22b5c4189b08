package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/mock"
	providers "go-ai-proxy/translators/provider"
)

// scenariosUnderLaw are those that every format has, in some form.
var scenariosUnderLaw = []string{"text", "unicode", "system", "usage", "length", "structured", "tools", "tools_text", "tool_result", "thinking", "thinking_tools", "long_arguments"}

func (s *spoken) lacks(scenario string) bool {
	switch {
	case strings.Contains(scenario, "thinking"):
		return s.noThinking != "" && s.noTools != ""
	case strings.Contains(scenario, "tool"), scenario == "long_arguments":
		return s.noTools != ""
	case scenario == "structured":
		return s.noTools != ""
	}
	return false
}

// Laws 2, 4 and 11: the same answer, whole and streamed, is the same answer
// with the same usage; one end, one id; and it is not the provider's bytes.
func TestStreamAndWholeAnswerAgree(t *testing.T) {
	for _, s := range providersUnderLaw() {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t)
			w.handle = s.mock()
			w.configure(nil, s.target())
			for _, name := range scenariosUnderLaw {
				if s.lacks(name) {
					continue
				}
				t.Run(name, func(t *testing.T) { sameBothWays(t, w, &s, name) })
			}
		})
	}
}

func sameBothWays(t *testing.T, w *world, s *spoken, scenario string) {
	body := mock.Named(scenario).Request
	whole := w.ask(t.Context(), body)
	if whole.status != 200 {
		if whole.status == 400 && at(whole.record, "meta.outcome") == "refused" {
			t.Logf("refused: %s", whole.body) // by name, so that nothing disappears
			return
		}
		t.Fatalf("%d %s", whole.status, whole.body)
	}
	one := wholeMessage(t, whole.body)
	w.notTheProvidersBytes(t, s, whole)
	if s.noStream != "" {
		return
	}
	streamed := w.ask(t.Context(), streamedAsk(body))
	if streamed.status != 200 {
		t.Fatalf("%d %s", streamed.status, streamed.body)
	}
	many := streamedMessage(t, streamed.body)
	w.notTheProvidersBytes(t, s, streamed)
	if many.ends != 1 || many.errors != 0 {
		t.Errorf("%d ends, %d errors", many.ends, many.errors)
	}
	calls, ids := one.calls()
	streamedCalls, streamedIDs := many.calls()
	if !reflect.DeepEqual(calls, streamedCalls) || len(ids) != len(streamedIDs) || slices.Contains(streamedIDs, "") {
		t.Errorf("calls\n%q %q\nstreamed\n%q %q", calls, ids, streamedCalls, streamedIDs)
	}
	if one.text() != many.text() || one.finish != many.finish || one.finish == "" && s.noUsage == "" {
		t.Errorf("%q %s, streamed %q %s", one.text(), one.finish, many.text(), many.finish)
	}
	if a, b := one.content["reasoning_content"], many.content["reasoning_content"]; !reflect.DeepEqual(a, b) {
		t.Errorf("thinking %q, streamed %q", a, b)
	}
	for _, count := range []string{"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details", "estimated", "cost"} {
		if a, b := at(whole.record, "usage."+count), at(streamed.record, "usage."+count); !reflect.DeepEqual(a, b) {
			t.Errorf("usage: %s is %v, streamed %v", count, a, b)
		}
	}
	if s.noUsage == "" && at(whole.record, "usage.prompt_tokens") == 0.0 {
		t.Errorf("no usage: %v", whole.record)
	}
	if at(streamed.record, "meta.request_mode") != "stream" || at(whole.record, "meta.request_mode") != "oneshot" {
		t.Errorf("modes: %v, %v", at(whole.record, "meta.request_mode"), at(streamed.record, "meta.request_mode"))
	}
}

// notTheProvidersBytes is law 11; what is of the same format is law 6 of the
// house: it passes as it is.
func (w *world) notTheProvidersBytes(t *testing.T, s *spoken, x *exchange) {
	t.Helper()
	if len(x.said) != 1 {
		t.Fatalf("%d answers of providers", len(x.said))
	}
	if equal := bytes.Equal(bytes.TrimSpace(x.body), bytes.TrimSpace(x.said[0])); equal && s.translated {
		t.Errorf("nothing was translated: %s", x.body)
	}
}

// Law 4: what a model said comes back to it in the next turn: calls with their
// arguments and results, thinking with its signature, in a form that the strict
// mock takes.
func TestNextTurnContainsTheModelsAnswer(t *testing.T) {
	for _, s := range providersUnderLaw() {
		if s.noTools != "" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t)
			w.configure(nil, s.target())
			for _, scenario := range []string{"tools", "thinking_tools", "long_arguments", "tools_text"} {
				for _, streamed := range []bool{false, true} {
					t.Run(fmt.Sprint(scenario, streamed), func(t *testing.T) { nextTurn(t, w, &s, scenario, streamed) })
				}
			}
		})
	}
}

func nextTurn(t *testing.T, w *world, s *spoken, scenario string, streamed bool) {
	body := mock.Named(scenario).Request
	var m *turn
	var first *exchange
	if streamed {
		first = w.ask(t.Context(), streamedAsk(body))
		m = streamedMessage(t, first.body)
	} else {
		first = w.ask(t.Context(), body)
		m = wholeMessage(t, first.body)
	}
	if first.status != 200 {
		t.Fatalf("%d %s", first.status, first.body)
	}
	var request obj
	if err := json.Unmarshal([]byte(body), &request); err != nil {
		t.Fatal(err)
	}
	messages := append(request["messages"].([]any), m.content)
	calls, ids := m.calls()
	if len(calls) == 0 {
		t.Fatalf("no calls: %s", first.body)
	}
	for _, id := range ids {
		messages = append(messages, obj{"role": "tool", "tool_call_id": id, "content": "result of " + id})
	}
	request["messages"] = append(messages, obj{"role": "user", "content": "scenario:text"})
	delete(request, "tool_choice")
	next, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	second := w.ask(t.Context(), string(next))
	if second.status != 200 {
		t.Fatalf("the next turn: %d %s\n%s", second.status, second.body, sentBody(second))
	}
	sent := sentBody(second)
	for i, call := range calls {
		name, arguments, _ := strings.Cut(call, " ")
		if !strings.Contains(sent, `"`+name+`"`) || !strings.Contains(unescaped(sent), unescaped(arguments)) {
			t.Errorf("call %d is not in the next turn: %s\n%.3000s", i, call, sent)
		}
		if !strings.Contains(sent, "result of "+ids[i]) {
			t.Errorf("the result of %s is not in the next turn: %.3000s", ids[i], sent)
		}
	}
	for _, p := range mock.Named(scenario).Answer.Choices[0].Parts {
		if p.Signature != "" && s.translated && s.noThinking == "" && strings.Contains(string(first.said[0]), p.Signature) && !strings.Contains(sent, p.Signature) {
			t.Errorf("the signature of %q is lost: %.3000s", p.Text, sent)
		}
	}
}

func sentBody(x *exchange) string {
	if len(x.sent) == 0 {
		return ""
	}
	return string(x.sent[len(x.sent)-1].body)
}

// unescaped is JSON text without what formats differ in: escapes and spaces.
func unescaped(s string) string {
	var v any
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber() // as it is written
	if d.Decode(&v) == nil {
		var e bytes.Buffer
		enc := json.NewEncoder(&e)
		enc.SetEscapeHTML(false)
		if enc.Encode(v) == nil {
			s = e.String()
		}
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("\\ \n", r) {
			return -1
		}
		return r
	}, s)
}

// Law 8: nothing private of the client goes to any provider.
func TestPrivateHeadersReachNoProvider(t *testing.T) {
	private := []string{"Authorization", "Proxy-Authorization", "Cookie", "Apikey", "Api-Key", "X-Api-Key", "X-Goog-Api-Key", "X-Amz-Security-Token", "X-Amz-Date", "X-Amz-Content-Sha256",
		"X-Consumer-Id", "X-Consumer-Username", "X-Consumer-Custom-Id", "X-Consumer-Groups", "X-Credential-Identifier", "X-Authenticated-Userid", "X-Anonymous-Consumer",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Path", "X-Forwarded-Prefix", "X-Real-Ip", "Forwarded", "Via",
		"X-Kong-Request-Id", "X-Kong-Upstream-Latency", "Kong-Debug", "X-Go-Ai-Proxy-Record", "X-Go-Ai-Proxy-Unknown", "X_Api_Key", "X_Consumer_Id", "Ocp-Apim-Subscription-Key",
		"X-Auth-Token", "X-Userinfo", "Sec-Websocket-Protocol", "Te", "Keep-Alive", "Proxy-Connection", "X-Own"}
	headers := []string{"Connection", "X-Own"}
	for _, name := range private {
		headers = append(headers, name, markedClient)
	}
	for _, s := range providersUnderLaw() {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t)
			w.configure(nil, s.target())
			x := w.ask(t.Context(), mock.Plain.Request, append(headers, "X-Ticket", "7", "Traceparent", "00-1-1-01")...)
			if x.status != 200 || len(x.sent) != 1 {
				t.Fatalf("%d %s", x.status, x.body)
			}
			for name, values := range x.sent[0].header {
				if strings.Contains(strings.Join(values, " "), markedClient) {
					t.Errorf("%s goes to the provider: %v", name, values)
				}
			}
			if x.sent[0].header.Get("X-Ticket") != "7" || x.sent[0].header.Get("Traceparent") != "" {
				t.Errorf("a header that is not private is lost, or the client's trace goes on: %v", x.sent[0].header)
			}
			if all := fmt.Sprint(x.sent[0].header, x.sent[0].query); strings.Count(all, markedKey) != 1 && translators.Lookup(strings.Fields(s.name)[0]).Identity != providers.AWS {
				t.Errorf("the provider's key is there %d times: %s", strings.Count(all, markedKey), all)
			}
		})
	}
}
