package mock

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// marker precedes a scenario's name in the last user text.
const marker = "scenario:"

// Model is the model's name in the scenarios' requests and answers.
const Model = "mock-model-1"

// Plain answers a request that names no scenario. It repeats nothing of the request.
var Plain = &Scenario{
	Name:    "plain",
	Request: ask("plain", ""),
	Answer:  says("plain", "This is a mock answer.", 7, 6),
	Pieces:  5,
}

// Scenarios holds all scenarios, in the order of the tests.
var Scenarios = []*Scenario{
	Plain,
	{Name: "text", Request: ask("text", ""), Answer: says("text", "The answer to 1 + 1 is 2.", 18, 10), Pieces: 4},
	{Name: "unicode", Request: ask("unicode", ""), Answer: says("unicode", unicodeText, 21, 64), Pieces: 1},
	{Name: "system", Request: `{"model":"mock-model-1","messages":[` +
		`{"role":"system","content":"Be brief."},` +
		`{"role":"developer","content":[{"type":"text","text":"Answer in English."},{"type":"text","text":"Never shout."}]},` +
		`{"role":"user","content":"hello"},` +
		`{"role":"assistant","content":"Hello. What next?"},` +
		`{"role":"user","name":"ann","content":"scenario:system"}]}`,
		Answer: says("system", "Briefly, in English.", 30, 5), Pieces: 3},
	{Name: "tools", Request: ask("tools", weatherTools),
		Answer: finished("tools", chat.ToolCalls, usage(82, 41),
			call("call_Paris7Xk2", "get_weather", `{"city":"Paris","days":2}`),
			call("call_Tokyo9Qm4", "get_weather", `{"city":"東京","days":12345678901234567,"exact":1.0}`),
			call("call_Clock3Zt8", "get_time", `{}`)), Pieces: 5},
	{Name: "tools_text", Request: ask("tools_text", weatherTools+`,"tool_choice":"auto"`),
		Answer: finished("tools_text", chat.ToolCalls, usage(80, 30),
			chat.Part{Kind: chat.Text, Text: jsonedit.Plain("Let me look that up.")},
			call("call_Text5Wn1", "get_weather", `{"city":"Paris"}`)), Pieces: 6},
	{Name: "tool_result", Request: toolHistory, Answer: says("tool_result", "Paris 21 °C, Tokyo 28 °C, and it is 10:00.", 140, 17), Pieces: 7},
	{Name: "images", Request: `{"model":"mock-model-1","messages":[{"role":"user","content":[` +
		`{"type":"text","text":"What differs?"},` +
		`{"type":"image_url","image_url":{"url":"data:image/png;base64,` + pngBase64 + `","detail":"low"}},` +
		`{"type":"text","text":"scenario:images"}]}]}`,
		Answer: says("images", "The image is a single pixel.", 95, 7), Pieces: 9},
	{Name: "image_url", Request: `{"model":"mock-model-1","messages":[{"role":"user","content":[` +
		`{"type":"image_url","image_url":{"url":"https://images.example.com/cat.jpg"}},` +
		`{"type":"text","text":"scenario:image_url"}]}]}`,
		Answer: says("image_url", "A cat.", 95, 3), Pieces: 2},
	{Name: "thinking", Request: ask("thinking", `,"reasoning_effort":"medium"`),
		Answer: finished("thinking", chat.Stop, usage(25, 60, reasoning(40)),
			chat.Part{Kind: chat.Thinking, Text: jsonedit.Plain("First, 17 is prime.\nThen 17 × 3 = 51."), Signature: "EqoBCkgIARABGAIiQL2bTk5+Zm9v/w=="},
			chat.Part{Kind: chat.Text, Text: jsonedit.Plain("51 is 17 times 3.")}), Pieces: 8},
	{Name: "thinking_tools", Request: ask("thinking_tools", weatherTools+`,"reasoning_effort":"high"`),
		Answer: finished("thinking_tools", chat.ToolCalls, usage(85, 70, reasoning(45)),
			chat.Part{Kind: chat.Thinking, Text: jsonedit.Plain("I need the weather."), Signature: "c2lnbmF0dXJlLW9mLXRoaW5raW5nLXRvb2xz"},
			call("call_Think2Bc6", "get_weather", `{"city":"Oslo"}`)), Pieces: 6},
	{Name: "structured", Request: ask("structured", personSchema),
		Answer: says("structured", `{"name":"Ada","age":36,"tags":["math","\"quoted\""]}`, 60, 20), Pieces: 6},
	{Name: "long_arguments", Request: ask("long_arguments", weatherTools+`,"tool_choice":"required"`),
		Answer: finished("long_arguments", chat.ToolCalls, usage(70, 2100),
			call("call_Long4Hv0", "get_weather", longArguments())), Pieces: 23},
	{Name: "empty", Request: ask("empty", ""), Answer: finished("empty", chat.Stop, usage(9, 1)), Pieces: 4},
	{Name: "refusal", Request: ask("refusal", ""), Answer: finished("refusal", chat.Stop, usage(12, 9),
		chat.Part{Kind: chat.Refusal, Text: jsonedit.Plain("I cannot help with that.")}), Pieces: 5},
	{Name: "safety", Request: ask("safety", ""), Answer: finished("safety", chat.ContentFilter, usage(12, 3),
		chat.Part{Kind: chat.Text, Text: jsonedit.Plain("Well,")}), Pieces: 3},
	{Name: "length", Request: ask("length", `,"max_tokens":6`), Answer: finished("length", chat.Length, usage(14, 6),
		chat.Part{Kind: chat.Text, Text: jsonedit.Plain("Once upon a time there")}), Pieces: 6},
	{Name: "usage", Request: ask("usage", ""), Answer: finished("usage", chat.Stop, usage(150, 40, cached(100), reasoning(25)),
		chat.Part{Kind: chat.Text, Text: jsonedit.Plain("Counted.")}), Pieces: 4},
	{Name: "choices", Request: ask("choices", `,"n":2`), Answer: twoChoices(), Pieces: 4},
	{Name: "error_rate", Request: ask("error_rate", ""), Answer: says("error_rate", "", 0, 0), Pieces: 4, RetryAfter: "2",
		Error: &chat.Error{Status: 429, Type: "rate_limit_error", Code: "rate_limit_exceeded", Message: "Too many requests."}},
	{Name: "error_stream", Request: ask("error_stream", ""), Answer: says("error_stream", "This goes well, and then it does not.", 11, 9), Pieces: 4, Break: 4,
		Error: &chat.Error{Status: 500, Type: "server_error", Message: "The model gave up."}},
}

// Find returns the scenario that the last marker in body names, Ended once its calls
// have results, or Plain.
func Find(body []byte) *Scenario {
	for {
		i := bytes.LastIndex(body, []byte(marker))
		if i < 0 {
			return Plain
		}
		name := body[i+len(marker):]
		n := 0
		for n < len(name) && (name[n] == '_' || 'a' <= name[n] && name[n] <= 'z') {
			n++
		}
		if s := Named(string(name[:n])); s != nil {
			if s.Answer.Choices[0].Finish == chat.ToolCalls && hasResult(name[n:]) {
				return Ended
			}
			return s
		}
		body = body[:i]
	}
}

// Named returns the scenario called name, or nil.
func Named(name string) *Scenario {
	for _, s := range Scenarios {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Cut cuts text into pieces of about n bytes, between runes; none for "".
func Cut(text string, n int) []string {
	var pieces []string
	for len(text) > 0 {
		end := min(max(n, 1), len(text))
		for end < len(text) && !utf8.RuneStart(text[end]) {
			end++
		}
		pieces = append(pieces, text[:end])
		text = text[end:]
	}
	return pieces
}

// The text has surrogate pairs, a family joined by zero-width joiners, flags,
// right-to-left text, combining marks, and what JSON and SSE must escape.
const unicodeText = "naïve café: 😀👩‍👩‍👧🇪🇺 שלום مرحبا e\u0301 𝔘 \u2028\u2029\u0000\u001f\u007f \"quoted\" \\back\\ </script>\ndata: not an event\r\n\tend"

// pngBase64 is a transparent pixel.
const pngBase64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

const weatherTools = `,"tools":[` +
	`{"type":"function","function":{"name":"get_weather","description":"Weather of a city.","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"},"exact":{"type":"number"},"notes":{"type":"array","items":{"type":"string"}}},"required":["city"]}}},` +
	`{"type":"function","function":{"name":"get_time","parameters":{"type":"object","properties":{},"required":[]}}}]`

const personSchema = `,"response_format":{"type":"json_schema","json_schema":{"name":"person","strict":true,"schema":{"type":"object",` +
	`"properties":{"name":{"type":"string"},"age":{"type":"integer"},"tags":{"type":"array","items":{"type":"string"}}},"required":["name","age","tags"],"additionalProperties":false}}}`

// toolHistory answers three parallel calls: out of order, one of them as text
// parts, one as JSON text, one as plain text, one call with text beside it.
const toolHistory = `{"model":"mock-model-1","messages":[` +
	`{"role":"user","content":"Weather in Paris and Tokyo, and the time?"},` +
	`{"role":"assistant","content":"I will ask.","tool_calls":[` +
	`{"id":"call_A1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"}},` +
	`{"id":"call_B2","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Tokyo\"}"}},` +
	`{"id":"call_C3","type":"function","function":{"name":"get_time","arguments":""}}]},` +
	`{"role":"tool","tool_call_id":"call_C3","content":"10:00"},` +
	`{"role":"tool","tool_call_id":"call_A1","content":[{"type":"text","text":"{\"celsius\":"},{"type":"text","text":"21}"}]},` +
	`{"role":"tool","tool_call_id":"call_B2","content":"{\"celsius\":28}"},` +
	`{"role":"user","content":"scenario:tool_result"}]` + weatherTools + `}`

// ask is a request of one user message; more are further members (",…").
func ask(name, more string) string {
	return `{"model":"` + Model + `","messages":[{"role":"user","content":"` + marker + name + `"}]` + more + `}`
}

func finished(name string, reason chat.FinishReason, u chat.Usage, parts ...chat.Part) chat.Response {
	return chat.Response{ID: "mock-" + strings.ReplaceAll(name, "_", "-"), Model: Model, Created: 1700000000, Usage: u,
		Choices: []chat.Choice{{Parts: parts, Finish: reason}}}
}

func says(name, text string, prompt, completion int) chat.Response {
	return finished(name, chat.Stop, usage(prompt, completion), chat.Part{Kind: chat.Text, Text: jsonedit.Plain(text)})
}

func call(id, name, arguments string) chat.Part {
	return chat.Part{Kind: chat.ToolCall, ID: id, Name: name, Arguments: jsonedit.Plain(arguments)}
}

func usage(prompt, completion int, details ...func(*chat.Usage)) chat.Usage {
	u := chat.Usage{Prompt: prompt, Completion: completion, Total: prompt + completion}
	for _, d := range details {
		d(&u)
	}
	return u
}

func cached(n int) func(*chat.Usage)    { return func(u *chat.Usage) { u.Cached = n } }
func reasoning(n int) func(*chat.Usage) { return func(u *chat.Usage) { u.Reasoning = n } }

func twoChoices() chat.Response {
	r := says("choices", "heads", 11, 4)
	r.Choices = append(r.Choices, chat.Choice{Index: 1, Finish: chat.Length, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("tails, then")}}})
	return r
}

// longArguments is an object of more than 8 KiB.
func longArguments() string {
	var b strings.Builder
	b.WriteString(`{"city":"Long","notes":[`)
	for i := range 100 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"note %03d: \"%s\" – ünïcode, {braces} [brackets] \\ and 😀"`, i, strings.Repeat("x", i%40))
	}
	b.WriteString(`]}`)
	return b.String()
}
