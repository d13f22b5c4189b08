package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
)

// client reads and writes a client's format as its SDKs do: strictly, and without
// knowledge of what the relay does.
type client interface {
	// says returns what the user says, as messages of the format.
	says(text string) []json.RawMessage
	// results returns the results of the calls of an answer, as messages of the format.
	results(calls []heard, texts []string) []json.RawMessage
	// request returns the body of a request.
	request(messages []json.RawMessage, asked *asked) []byte
	// whole reads a whole answer.
	whole(body []byte) (*told, error)
	// stream reads a streamed answer, which must be well formed: each block begins, has
	// only deltas of its own, and ends, before the next begins.
	stream(stream []byte) (*told, error)
}

// clients are those that chat, by the format of their bodies.
var clients = map[provider.Format]client{
	provider.OpenAIChat:        chatClient{},
	provider.OpenAIResponses:   responsesClient{},
	provider.AnthropicMessages: anthropicClient{},
	provider.VertexAnthropic:   anthropicClient{},
	provider.GeminiGenerate:    geminiClient{},
	provider.BedrockConverse:   bedrockClient{},
}

// asked is what a request asks for besides its messages.
type asked struct {
	model  string
	stream bool
	thinks bool
	tools  bool              // the functions of the laws, see lawTools
	hosted []json.RawMessage // tools of the provider's own, in the client's words
	force  json.RawMessage   // the tool choice, in the client's words
}

// heard is a part of an answer as a client understands it.
type heard struct {
	kind      chat.PartKind // Text, Thinking or ToolCall
	text      string
	token     string // a signature, encrypted content
	id, name  string
	arguments string
	cites     []chat.Citation // Start and End count in the text of the part
}

// told is an answer as a client understands it, and what its SDK keeps of it and sends
// back.
type told struct {
	parts  []heard
	finish string
	kept   []json.RawMessage
}

func (a *told) of(kind chat.PartKind) (list []heard) {
	for _, p := range a.parts {
		if p.kind == kind {
			list = append(list, p)
		}
	}
	return list
}

func (a *told) text(kind chat.PartKind) string {
	var b strings.Builder
	for _, p := range a.of(kind) {
		b.WriteString(p.text)
	}
	return b.String()
}

// lawTools are the functions that the laws' requests offer.
var lawTools = []struct{ name, description, schema string }{
	{"look", "Looks at a city.", `{"type":"object","properties":{"city":{"type":"string"},"exact":{"type":"integer"}},"required":["city"]}`},
	{"count", "Counts.", `{"type":"object","properties":{"n":{"type":"integer"}}}`},
}

func toolList(format string) (list []json.RawMessage) {
	for _, f := range lawTools {
		list = append(list, json.RawMessage(fmt.Sprintf(format, f.name, f.description, f.schema)))
	}
	return list
}

// object is a JSON object that is being read: members of an event, a block, an item.
type object map[string]json.RawMessage

func parseObject(text []byte) (object, error) {
	var o object
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("not an object: %w: %s", err, clip(text))
	}
	return o, nil
}

// text is the member called name, "" if it is no string.
func (o object) text(name string) string {
	var s string
	_ = json.Unmarshal(o[name], &s)
	return s
}

// number is the member called name, -1 if it is no number.
func (o object) number(name string) int {
	n := -1
	_ = json.Unmarshal(o[name], &n)
	return n
}

// in is the object that the member called name is, empty if it is none.
func (o object) in(name string) object {
	var in object
	_ = json.Unmarshal(o[name], &in)
	return in
}

// list are the objects in the member called name.
func (o object) list(name string) (list []object) {
	_ = json.Unmarshal(o[name], &list)
	return list
}

// raws are the elements of the member called name.
func (o object) raws(name string) (list []json.RawMessage) {
	_ = json.Unmarshal(o[name], &list)
	return list
}

func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // values of this package only
	}
	return b
}

// sseObjects returns the events of a stream of server-sent events, each with its name
// in the member ":event".
func sseObjects(stream []byte) ([]object, error) {
	var list []object
	for _, block := range strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(stream), "\r\n", "\n"), "\n\n"), "\n\n") {
		name, data, found := "", "", false
		for line := range strings.SplitSeq(block, "\n") {
			if n, ok := strings.CutPrefix(line, "event: "); ok {
				name = n
			} else if d, ok := strings.CutPrefix(line, "data: "); ok && !found {
				data, found = d, true
			} else if line != "" {
				return nil, fmt.Errorf("a line that no client expects: %q", line)
			}
		}
		if !found {
			return nil, fmt.Errorf("an event without data: %q", block)
		}
		o, err := parseObject([]byte(data))
		if err != nil {
			return nil, err
		}
		o[":event"] = marshal(name)
		list = append(list, o)
	}
	if len(list) == 0 {
		return nil, errors.New("an empty stream")
	}
	return list, nil
}

// arguments checks the text of a call's arguments, which is an object.
func arguments(text string) (string, error) {
	if text == "" {
		text = "{}"
	}
	if _, err := parseObject([]byte(text)); err != nil {
		return "", fmt.Errorf("the arguments of a call are %w", err)
	}
	return text, nil
}
