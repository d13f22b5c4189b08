package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
)

// bedrockClient speaks Bedrock's Converse.
type bedrockClient struct{}

func (bedrockClient) says(text string) []json.RawMessage {
	return []json.RawMessage{marshal(map[string]any{"role": "user", "content": []any{map[string]any{"text": text}}})}
}

func (bedrockClient) results(calls []heard, texts []string) []json.RawMessage {
	var blocks []any
	for i, c := range calls {
		blocks = append(blocks, map[string]any{"toolResult": map[string]any{"toolUseId": c.id, "content": []any{map[string]any{"text": texts[i]}}}})
	}
	return []json.RawMessage{marshal(map[string]any{"role": "user", "content": blocks})}
}

func (bedrockClient) request(messages []json.RawMessage, a *asked) []byte {
	body := map[string]any{"messages": messages, "inferenceConfig": map[string]any{"maxTokens": 9000}}
	var tools []json.RawMessage
	if a.tools {
		tools = toolList(`{"toolSpec":{"name":%q,"description":%q,"inputSchema":{"json":%s}}}`)
	}
	config := map[string]any{}
	if tools = append(tools, a.hosted...); tools != nil {
		config["tools"], body["toolConfig"] = tools, config
	}
	if a.force != nil {
		config["toolChoice"] = a.force
	}
	if a.thinks {
		body["additionalModelRequestFields"] = map[string]any{"thinking": map[string]any{"type": "enabled", "budget_tokens": 4000}}
	}
	return marshal(body)
}

func (c bedrockClient) whole(body []byte) (*told, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	return c.told(o.in("output").in("message").raws("content"), o.text("stopReason"))
}

// told reads the blocks of a message.
func (bedrockClient) told(blocks []json.RawMessage, finish string) (*told, error) {
	if finish == "" {
		return nil, errors.New("no stop reason")
	}
	a := &told{finish: finish, kept: []json.RawMessage{marshal(map[string]any{"role": "assistant", "content": blocks})}}
	for _, raw := range blocks {
		b, err := parseObject(raw)
		if err != nil {
			return nil, err
		}
		switch {
		case b["text"] != nil:
			a.parts = append(a.parts, heard{kind: chat.Text, text: b.text("text")})
		case b["reasoningContent"] != nil:
			r := b.in("reasoningContent").in("reasoningText")
			a.parts = append(a.parts, heard{kind: chat.Thinking, text: r.text("text"), token: r.text("signature") + b.in("reasoningContent").text("redactedContent")})
		case b["toolResult"] != nil, b.in("toolUse")["type"] != nil: // which the provider ran
		case b["toolUse"] != nil:
			call := b.in("toolUse")
			args, err := arguments(string(call["input"]))
			if err != nil {
				return nil, err
			}
			a.parts = append(a.parts, heard{kind: chat.ToolCall, id: call.text("toolUseId"), name: call.text("name"), arguments: args})
		case b["citationsContent"] != nil:
			a.parts = append(a.parts, citedText(b.in("citationsContent")))
		default:
			return nil, fmt.Errorf("a block that no client knows: %s", raw)
		}
	}
	return a, nil
}

func citedText(o object) heard {
	p := heard{kind: chat.Text}
	for _, piece := range o.list("content") {
		p.text += piece.text("text")
	}
	for _, c := range o.list("citations") {
		p.cites = append(p.cites, chat.Citation{URL: c.in("location").in("web").text("url"), Title: c.text("title")})
	}
	return p
}

// bedrockBlock is a block of a stream that has begun.
type bedrockBlock struct {
	call             object // of a call
	ran              object // the result of a tool that the provider ran
	text, token      string
	thinks, redacted bool
	arguments        string
	citations        []json.RawMessage
	said             bool
}

func (c bedrockClient) stream(stream []byte) (*told, error) {
	events := frame.New(frame.EventStream, bytes.NewReader(stream), 0)
	var blocks []json.RawMessage
	var open *bedrockBlock
	finish := ""
	for n := 0; ; n++ {
		ev, err := events.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		e, err := parseObject(ev.Data)
		if err != nil {
			return nil, err
		}
		at := e.number("contentBlockIndex")
		switch t := string(ev.Type); {
		case (t == "messageStart") != (n == 0) || ev.Exception:
			return nil, fmt.Errorf("event %d is %s %s", n, t, ev.Data)
		case t == "contentBlockStart":
			if open != nil || at != len(blocks) {
				return nil, fmt.Errorf("block %d begins, %d have ended, open is %+v", at, len(blocks), open)
			}
			open = &bedrockBlock{call: e.in("start").in("toolUse"), ran: e.in("start").in("toolResult")}
		case t == "contentBlockDelta":
			if open == nil {
				open = &bedrockBlock{}
			}
			if at != len(blocks) || !open.add(e.in("delta")) {
				return nil, fmt.Errorf("the delta %s is not for block %d, %+v", ev.Data, len(blocks), open)
			}
		case t == "contentBlockStop":
			if open == nil || at != len(blocks) {
				return nil, fmt.Errorf("block %d ends, %d have ended, open is %+v", at, len(blocks), open)
			}
			block, err := open.block()
			if err != nil {
				return nil, err
			}
			blocks, open = append(blocks, block), nil
		case t == "messageStop":
			if finish = e.text("stopReason"); open != nil {
				return nil, fmt.Errorf("messageStop, and block %d is open", len(blocks))
			}
		}
	}
	return c.told(blocks, finish)
}

// add adds a delta, and reports whether it is of the block's kind.
func (b *bedrockBlock) add(d object) bool {
	reasoning := d.in("reasoningContent")
	switch {
	case b.ran != nil:
		b.ran["content"] = d["toolResult"]
		return d["toolResult"] != nil
	case d["toolUse"] != nil:
		b.arguments += d.in("toolUse").text("input")
		return b.call != nil
	case reasoning != nil:
		ok := b.call == nil && (b.thinks || !b.said)
		b.thinks, b.said = true, true
		b.redacted = b.redacted || reasoning["redactedContent"] != nil
		b.text += reasoning.text("text")
		b.token += reasoning.text("signature") + reasoning.text("redactedContent")
		return ok
	case d["citation"] != nil:
		b.citations, b.said = append(b.citations, d["citation"]), true
	case d["text"] != nil:
		b.text, b.said = b.text+d.text("text"), true
	default:
		return false
	}
	return b.call == nil && !b.thinks
}

// block is the block as it is in a whole answer.
func (b *bedrockBlock) block() (json.RawMessage, error) {
	switch {
	case b.ran != nil:
		return marshal(map[string]any{"toolResult": b.ran}), nil
	case b.call != nil:
		args, err := arguments(b.arguments)
		if err != nil {
			return nil, err
		}
		b.call["input"] = json.RawMessage(args)
		return marshal(map[string]any{"toolUse": b.call}), nil
	case b.redacted:
		return marshal(map[string]any{"reasoningContent": map[string]any{"redactedContent": b.token}}), nil
	case b.thinks:
		text := map[string]any{"text": b.text}
		if b.token != "" {
			text["signature"] = b.token
		}
		return marshal(map[string]any{"reasoningContent": map[string]any{"reasoningText": text}}), nil
	case b.citations != nil:
		return marshal(map[string]any{"citationsContent": map[string]any{"content": []any{map[string]any{"text": b.text}}, "citations": b.citations}}), nil
	}
	return marshal(map[string]any{"text": b.text}), nil
}
