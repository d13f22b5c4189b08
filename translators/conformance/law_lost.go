package conformance

import (
	"encoding/json"
	"testing"

	"go-ai-proxy/translators/chat"
)

// The law of lost calls: an agent that was interrupted has calls without results in its
// history, results without calls, and the user's words between both; and some servers
// begin anew with call_0 in each answer. No provider refuses that from a client of another format, and what was said and answered reaches it.

func checkLost(t *testing.T, p *pair) {
	history := p.client.says("Look at both cities.")
	u, err := p.ask(t, p.body(history, false), false)
	if err != nil || p.same || p.lacks(Calls) {
		return // it calls nothing, or is sent the client's own words
	}
	answer, _ := u.whole(t, p.first(firstThought, "lawAbc12"))
	calls := answer.of(chat.ToolCall)
	one, both := p.client.results(calls[:1], bothResults[:1]), p.client.results(calls, bothResults)
	goOn := p.client.says("Go on, please.")
	for name, messages := range map[string][][]json.RawMessage{
		"no results":              {history, answer.kept, goOn},
		"one result":              {history, answer.kept, one, goOn},
		"results without calls":   {history, both, goOn},
		"words between":           {history, answer.kept, p.client.says("Wait."), both, goOn},
		"the same ids again":      {history, answer.kept, both, goOn, answer.kept, both, goOn},
		"the conversation ends":   {history, answer.kept},
		"results, and no request": {history, both},
	} {
		t.Run(name, func(t *testing.T) {
			var list []json.RawMessage
			words := []string{"Look at both cities."}
			for i, m := range messages {
				list = append(list, m...)
				for _, text := range append(bothResults, "Go on, please.", "Wait.") {
					for _, raw := range m {
						if i > 0 && holds(decodeNumbers(t, raw), text) {
							words = append(words, text)
						}
					}
				}
			}
			again, err := p.ask(t, p.body(list, false), false)
			if err != nil {
				t.Fatalf("is refused: %v", err)
			}
			again.noMarks(t)
			again.wants(t, words...)
		})
	}
}
