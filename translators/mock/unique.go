package mock

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"slices"

	"go-ai-proxy/translators/chat"
)

// Ended is what a scenario with calls answers when their results have come.
var Ended = &Scenario{Name: "ended", Request: ask("ended", ""), Answer: says("ended", "The tools have answered.", 12, 5), Pieces: 5}

// results are what only a result of a tool has, in the providers' formats.
var results = [][]byte{
	[]byte(`"tool_call_id"`), []byte(`"tool_result"`), []byte(`"toolResult"`), []byte(`"functionResponse"`), []byte(`"function_response"`),
	[]byte(`"function_call_output"`), []byte(`"custom_tool_call_output"`), []byte(`"tool_name"`),
}

// hasResult says whether the result of a tool stands in what follows a marker.
func hasResult(after []byte) bool {
	return slices.ContainsFunc(results, func(r []byte) bool { return bytes.Contains(after, r) })
}

// unique returns s with ids that only the answer to this body has: clients take two
// messages, or two calls, with one id for the same.
func (s *Scenario) unique(body []byte) *Scenario {
	h := fnv.New32a()
	_, _ = h.Write(body) // never fails
	suffix := fmt.Sprintf("%08x", h.Sum32())
	own := *s
	own.Answer.ID += "-" + suffix
	own.Answer.Choices = slices.Clone(s.Answer.Choices)
	for i := range own.Answer.Choices {
		c := &own.Answer.Choices[i]
		c.Parts = slices.Clone(c.Parts)
		for j := range c.Parts {
			if c.Parts[j].Kind == chat.ToolCall {
				c.Parts[j].ID += suffix
			}
		}
	}
	return &own
}
