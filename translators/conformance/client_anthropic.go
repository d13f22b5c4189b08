package conformance

import (
	"encoding/json"
	"fmt"
	"strings"

	"go-ai-proxy/translators/chat"
)

// anthropicClient speaks Anthropic's messages.
type anthropicClient struct{}

func (anthropicClient) says(text string) []json.RawMessage {
	return []json.RawMessage{marshal(map[string]any{"role": "user", "content": text})}
}

func (anthropicClient) results(calls []heard, texts []string) []json.RawMessage {
	var blocks []any
	for i, c := range calls {
		blocks = append(blocks, map[string]any{"type": "tool_result", "tool_use_id": c.id, "content": texts[i]})
	}
	return []json.RawMessage{marshal(map[string]any{"role": "user", "content": blocks})}
}

func (anthropicClient) request(messages []json.RawMessage, a *asked) []byte {
	body := map[string]any{"model": a.model, "messages": messages, "max_tokens": 9000}
	var tools []json.RawMessage
	if a.tools {
		tools = toolList(`{"name":%q,"description":%q,"input_schema":%s}`)
	}
	if tools = append(tools, a.hosted...); tools != nil {
		body["tools"] = tools
	}
	if a.force != nil {
		body["tool_choice"] = a.force
	}
	if a.thinks {
		body["thinking"] = map[string]any{"type": "enabled", "budget_tokens": 4000}
	}
	if a.stream {
		body["stream"] = true
	}
	return marshal(body)
}

func (c anthropicClient) whole(body []byte) (*told, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	if o.text("type") != "message" || o.text("role") != "assistant" {
		return nil, fmt.Errorf("not a message: %s", clip(body))
	}
	return c.told(o.raws("content"), o.text("stop_reason"))
}

// told reads the blocks of a message.
func (anthropicClient) told(blocks []json.RawMessage, finish string) (*told, error) {
	a := &told{finish: finish, kept: []json.RawMessage{marshal(map[string]any{"role": "assistant", "content": blocks})}}
	for _, raw := range blocks {
		b, err := parseObject(raw)
		if err != nil {
			return nil, err
		}
		switch t := b.text("type"); t {
		case "text":
			p := heard{kind: chat.Text, text: b.text("text")}
			for _, c := range b.list("citations") {
				p.cites = append(p.cites, chat.Citation{URL: c.text("url"), Title: c.text("title"), Quote: c.text("cited_text")})
			}
			a.parts = append(a.parts, p)
		case "thinking":
			a.parts = append(a.parts, heard{kind: chat.Thinking, text: b.text("thinking"), token: b.text("signature")})
		case "redacted_thinking":
			a.parts = append(a.parts, heard{kind: chat.Thinking, token: b.text("data")})
		case "tool_use":
			args, err := arguments(string(b["input"]))
			if err != nil {
				return nil, err
			}
			a.parts = append(a.parts, heard{kind: chat.ToolCall, id: b.text("id"), name: b.text("name"), arguments: args})
		case "server_tool_use", "web_search_tool_result": // which the provider ran
		default:
			return nil, fmt.Errorf("a block of type %q", t)
		}
	}
	return a, nil
}

// blockOf says which block a delta is for, by its type, and which member it adds to.
var blockOf = map[string][2]string{
	"text_delta": {"text", "text"}, "thinking_delta": {"thinking", "thinking"}, "signature_delta": {"thinking", "signature"},
	"input_json_delta": {"tool_use", "partial_json"}, "citations_delta": {"text", "citations"},
}

func (c anthropicClient) stream(stream []byte) (*told, error) {
	events, err := sseObjects(stream)
	if err != nil {
		return nil, err
	}
	if events[0].text("type") != "message_start" {
		return nil, fmt.Errorf("the stream begins with %v", events[0])
	}
	var blocks []json.RawMessage
	var open object // the block that has begun
	finish := ""
	for i, e := range events {
		t := e.text("type")
		if e.text(":event") != t {
			return nil, fmt.Errorf("event %d is called %q and of type %q", i, e.text(":event"), t)
		}
		at := e.number("index")
		switch t {
		case "content_block_start":
			if open != nil || at != len(blocks) || finish != "" {
				return nil, fmt.Errorf("block %d begins, %d have ended, open is %v", at, len(blocks), open)
			}
			open = e.in("content_block")
		case "content_block_delta":
			if err := c.add(open, e.in("delta"), at == len(blocks)); err != nil {
				return nil, err
			}
		case "content_block_stop":
			if open == nil || at != len(blocks) {
				return nil, fmt.Errorf("block %d ends, %d have ended, open is %v", at, len(blocks), open)
			}
			if args := open["partial_json"]; args != nil {
				var text string
				_ = json.Unmarshal(args, &text)
				delete(open, "partial_json")
				if text, err = arguments(text); err != nil {
					return nil, err
				}
				open["input"] = json.RawMessage(text)
			}
			blocks, open = append(blocks, marshal(open)), nil
		case "message_delta":
			finish = e.in("delta").text("stop_reason")
			if open != nil || finish == "" {
				return nil, fmt.Errorf("message_delta with stop reason %q, open is %v", finish, open)
			}
		case "message_stop":
			if i != len(events)-1 || finish == "" {
				return nil, fmt.Errorf("message_stop is event %d of %d, the stop reason is %q", i, len(events), finish)
			}
			return c.told(blocks, finish)
		}
	}
	return nil, fmt.Errorf("the stream does not end well: %s", clip(stream))
}

// add adds a delta to the block that has begun, if it is for that one.
func (anthropicClient) add(open, delta object, index bool) error {
	to, ok := blockOf[delta.text("type")]
	if open == nil || !index || !ok || strings.TrimPrefix(open.text("type"), "server_") != to[0] {
		return fmt.Errorf("the delta %v is not for the block %v", delta, open)
	}
	if to[1] == "citations" {
		open["citations"] = marshal(append(open.raws("citations"), delta["citation"]))
		return nil
	}
	open[to[1]] = marshal(open.text(to[1]) + delta.text(to[1]))
	return nil
}
