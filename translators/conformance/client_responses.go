package conformance

import (
	"encoding/json"
	"fmt"
	"reflect"

	"go-ai-proxy/translators/chat"
)

// responsesClient speaks OpenAI's Responses, without storage.
type responsesClient struct{}

func (responsesClient) says(text string) []json.RawMessage {
	return []json.RawMessage{marshal(map[string]any{"type": "message", "role": "user", "content": []any{map[string]any{"type": "input_text", "text": text}}})}
}

func (responsesClient) results(calls []heard, texts []string) (list []json.RawMessage) {
	for i, c := range calls {
		list = append(list, marshal(map[string]any{"type": "function_call_output", "call_id": c.id, "output": texts[i]}))
	}
	return list
}

func (responsesClient) request(messages []json.RawMessage, a *asked) []byte {
	body := map[string]any{"model": a.model, "input": messages, "store": false, "include": []string{"reasoning.encrypted_content"}}
	var tools []json.RawMessage
	if a.tools {
		tools = toolList(`{"type":"function","name":%q,"description":%q,"parameters":%s}`)
	}
	if tools = append(tools, a.hosted...); tools != nil {
		body["tools"] = tools
	}
	if a.force != nil {
		body["tool_choice"] = a.force
	}
	if a.thinks {
		body["reasoning"] = map[string]any{"effort": "high", "summary": "auto"}
	}
	if a.stream {
		body["stream"] = true
	}
	return marshal(body)
}

func (c responsesClient) whole(body []byte) (*told, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	if o.text("object") != "response" {
		return nil, fmt.Errorf("not a response: %s", clip(body))
	}
	return c.told(o)
}

// told reads a response object.
func (responsesClient) told(o object) (*told, error) {
	a := &told{finish: o.text("status"), kept: o.raws("output")}
	for _, item := range o.list("output") {
		switch t := item.text("type"); t {
		case "message":
			for _, part := range item.list("content") {
				p := heard{kind: chat.Text, text: part.text("text") + part.text("refusal")}
				for _, c := range part.list("annotations") {
					p.cites = append(p.cites, chat.Citation{URL: c.text("url"), Title: c.text("title"), Start: c.number("start_index"), End: c.number("end_index")})
				}
				a.parts = append(a.parts, p)
			}
		case "reasoning":
			p := heard{kind: chat.Thinking, token: item.text("encrypted_content")}
			for _, s := range append(item.list("summary"), item.list("content")...) {
				p.text += s.text("text")
			}
			a.parts = append(a.parts, p)
		case "function_call":
			args, err := arguments(item.text("arguments"))
			if err != nil {
				return nil, err
			}
			a.parts = append(a.parts, heard{kind: chat.ToolCall, id: item.text("call_id"), name: item.text("name"), arguments: args})
		case "web_search_call": // which the provider ran
		default:
			return nil, fmt.Errorf("an item of type %q", t)
		}
	}
	return a, nil
}

// openItem is an item of a stream that is being said. Several may be open at once.
type openItem struct {
	said   string
	output int
}

func (c responsesClient) stream(stream []byte) (*told, error) {
	events, err := sseObjects(stream)
	if err != nil {
		return nil, err
	}
	open, done := map[string]*openItem{}, map[int]json.RawMessage{}
	for i, e := range events {
		t, id, at := e.text("type"), e.in("item").text("id"), e.number("output_index")
		switch {
		case e.text(":event") != t || e.number("sequence_number") != i:
			return nil, fmt.Errorf("event %d is called %q and is number %d of type %q", i, e.text(":event"), e.number("sequence_number"), t)
		case t == "response.output_item.added":
			if open[id] != nil || id == "" || at != len(open)+len(done) {
				return nil, fmt.Errorf("item %q begins as number %d, %d are open and %d done", id, at, len(open), len(done))
			}
			open[id] = &openItem{output: at}
		case t == "response.output_item.done":
			if open[id] == nil || at != open[id].output {
				return nil, fmt.Errorf("item %s ends as number %d, and is not open", e["item"], at)
			}
			done[at] = e["item"]
			delete(open, id)
		case t == "response.completed" || t == "response.incomplete":
			var items []json.RawMessage
			for n := range len(done) {
				items = append(items, done[n])
			}
			if response := e.in("response"); len(open) > 0 || i != len(events)-1 {
				return nil, fmt.Errorf("the response is complete in the middle, at event %d", i)
			} else if !reflect.DeepEqual(marshal(response.raws("output")), marshal(items)) {
				return nil, fmt.Errorf("the response has %s, its items were %s", response["output"], marshal(items))
			}
			return c.told(e.in("response"))
		case e["item_id"] != nil:
			if err := open[e.text("item_id")].add(t, e); err != nil {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("the stream does not end well: %s", clip(stream))
}

// add takes an event of type t that is for the item, if that is open.
func (o *openItem) add(t string, e object) error {
	if o == nil || e.number("output_index") != o.output {
		return fmt.Errorf("%s is for item %q, which is %+v", t, e.text("item_id"), o)
	}
	o.said += e.text("delta")
	for _, member := range []string{"text", "arguments", "refusal", "input"} {
		if whole := e.text(member); whole != "" && e["delta"] == nil && whole != o.said {
			return fmt.Errorf("%s has %q, the pieces were %q", t, whole, o.said)
		}
	}
	if t == "response.content_part.done" || t == "response.reasoning_summary_part.done" {
		o.said = ""
	}
	return nil
}
