package openai

import (
	"go-ai-proxy/translators/conformance/growth"
	"strings"
	"testing"
)

func TestResultsStandDirectlyBehindTheirCalls(t *testing.T) {
	const calls = `{"role":"assistant","tool_calls":[{"id":"1"},{"id":"2"}]}`
	const one, two = `{"role":"tool","tool_call_id":"1","content":"a"}`, `{"role":"tool","tool_call_id":"2","content":"b"}`
	const words = `{"role":"user","content":"stop"}`
	for name, c := range map[string]struct{ in, want []string }{
		"in order":         {[]string{words, calls, one, two}, []string{words, calls, one, two}},
		"swapped":          {[]string{calls, two, one}, []string{calls, one, two}},
		"words between":    {[]string{calls, one, words, two}, []string{calls, one, two, words}},
		"a call open":      {[]string{calls, words, two}, []string{calls, two, words}},
		"without a call":   {[]string{words, two}, []string{words, two}},
		"before its call":  {[]string{one, calls, words, two}, []string{one, calls, two, words}},
		"an id used again": {[]string{calls, two, one, calls, one, two}, []string{calls, one, two, calls, one, two}},
	} {
		in, want := "["+strings.Join(c.in, ",")+"]", "["+strings.Join(c.want, ",")+"]"
		if got := string(ordered([]byte(in))); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

func TestOrderingTakesLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	pair := `,{"role":"assistant","tool_calls":[{"id":"1"}]},{"role":"user","content":"x"},{"role":"tool","tool_call_id":"1","content":"a"}`
	growth.Linear(t, "calls with results", func(n int) func() {
		list := []byte(`[{"role":"user","content":"q"}` + strings.Repeat(pair, n) + "]")
		return func() { bridged(ordered(list), "OK.", false) }
	})
}

func TestAnAnswerStandsBetweenResultsAndTheUserWhereTheAPIDemandsOne(t *testing.T) {
	const user, answer = `{"role":"user","content":"q"}`, `{"role":"assistant","content":"a"}`
	const calls, result = `{"role":"assistant","tool_calls":[{"id":"1"}]}`, `{"role":"tool","tool_call_id":"1","content":"r"}`
	const system, developer = `{"role":"system","content":"s"}`, `{"role":"developer","content":"s"}`
	const said, bridge = `{"role":"user","content":"s"}`, `{"role":"assistant","content":"OK."}`
	for name, c := range map[string]struct{ in, want []string }{
		"answered":                    {[]string{system, user, calls, result, answer, user}, []string{system, user, calls, result, answer, user}},
		"interrupted":                 {[]string{user, calls, result, user}, []string{user, calls, result, bridge, user}},
		"interrupted with two":        {[]string{user, calls, result, result, user, user}, []string{user, calls, result, result, bridge, user, user}},
		"the system behind results":   {[]string{user, calls, result, system}, []string{user, calls, result, bridge, said}},
		"the system behind an answer": {[]string{user, answer, developer, user}, []string{user, answer, said, user}},
		"the system behind the user":  {[]string{user, system}, []string{user, system}},
		"nothing":                     {nil, nil},
	} {
		in, want := "["+strings.Join(c.in, ",")+"]", "["+strings.Join(c.want, ",")+"]"
		if got := string(bridged([]byte(in), "OK.", false)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}
