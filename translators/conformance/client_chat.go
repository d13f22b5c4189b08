package conformance

import (
	"encoding/json"
	"errors"

	"go-ai-proxy/translators/chat"
)

// chatClient speaks OpenAI's chat completions.
type chatClient struct{}

func (chatClient) says(text string) []json.RawMessage {
	return []json.RawMessage{marshal(map[string]any{"role": "user", "content": text})}
}

func (chatClient) results(calls []heard, texts []string) (list []json.RawMessage) {
	for i, c := range calls {
		list = append(list, marshal(map[string]any{"role": "tool", "tool_call_id": c.id, "content": texts[i]}))
	}
	return list
}

func (chatClient) request(messages []json.RawMessage, a *asked) []byte {
	body := map[string]any{"model": a.model, "messages": messages}
	var tools []json.RawMessage
	if a.tools {
		tools = toolList(`{"type":"function","function":{"name":%q,"description":%q,"parameters":%s}}`)
	}
	if tools = append(tools, a.hosted...); tools != nil {
		body["tools"] = tools
	}
	if a.force != nil {
		body["tool_choice"] = a.force
	}
	if a.thinks {
		body["reasoning_effort"] = "high"
	}
	if a.stream {
		body["stream"], body["stream_options"] = true, map[string]any{"include_usage": true}
	}
	return marshal(body)
}

func (c chatClient) whole(body []byte) (*told, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	choices := o.list("choices")
	if o.text("object") != "chat.completion" || len(choices) != 1 {
		return nil, errors.New("not a chat completion with one choice: " + clip(body))
	}
	return c.told(choices[0]["message"], choices[0].text("finish_reason"))
}

func (c chatClient) stream(stream []byte) (*told, error) {
	s, err := assemble(stream)
	if err != nil {
		return nil, err
	}
	if s.done != 1 || s.failed != "" || len(s.Choices) != 1 || s.Choices[0].Finish == nil {
		return nil, errors.New("the stream does not end well: " + clip(stream))
	}
	return c.told(marshal(&s.Choices[0].message), *s.Choices[0].Finish)
}

// told reads an assistant's message.
func (chatClient) told(text json.RawMessage, finish string) (*told, error) {
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, err
	}
	a := &told{finish: finish, kept: []json.RawMessage{text}}
	if m.Reasoning != "" || len(m.Blocks) > 0 {
		thought := heard{kind: chat.Thinking, text: m.Reasoning}
		for _, b := range m.Blocks {
			thought.token += b.Signature + b.Data
		}
		a.parts = append(a.parts, thought)
	}
	if said := m.text(); said != "" {
		p := heard{kind: chat.Text, text: said}
		for _, raw := range m.Annotations {
			o, err := parseObject(raw)
			if err != nil {
				return nil, err
			}
			o = o.in(o.text("type"))
			p.cites = append(p.cites, chat.Citation{URL: o.text("url"), Title: o.text("title"), Start: o.number("start_index"), End: o.number("end_index")})
		}
		a.parts = append(a.parts, p)
	}
	for _, call := range m.Calls {
		args, err := arguments(call.Function.Arguments)
		if err != nil {
			return nil, err
		}
		h := heard{kind: chat.ToolCall, id: call.ID, name: call.Function.Name, arguments: args}
		if call.Extra != nil {
			extra, err := parseObject(call.Extra)
			if err != nil {
				return nil, err
			}
			h.token = extra.in("google").text("thought_signature")
		}
		a.parts = append(a.parts, h)
	}
	return a, nil
}
