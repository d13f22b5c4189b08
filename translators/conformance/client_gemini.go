package conformance

import (
	"encoding/json"
	"fmt"

	"go-ai-proxy/translators/chat"
)

// geminiClient speaks Gemini's generateContent. Its calls have ids if the answer has.
type geminiClient struct{}

func (geminiClient) says(text string) []json.RawMessage {
	return []json.RawMessage{marshal(map[string]any{"role": "user", "parts": []any{map[string]any{"text": text}}})}
}

func (geminiClient) results(calls []heard, texts []string) []json.RawMessage {
	var parts []any
	for i, c := range calls {
		f := map[string]any{"name": c.name, "response": map[string]any{"output": texts[i]}}
		if c.id != "" {
			f["id"] = c.id
		}
		parts = append(parts, map[string]any{"functionResponse": f})
	}
	return []json.RawMessage{marshal(map[string]any{"role": "user", "parts": parts})}
}

func (geminiClient) request(messages []json.RawMessage, a *asked) []byte {
	body := map[string]any{"contents": messages}
	tools := a.hosted
	if a.tools {
		tools = append([]json.RawMessage{marshal(map[string]any{"functionDeclarations": toolList(`{"name":%q,"description":%q,"parametersJsonSchema":%s}`)})}, tools...)
	}
	if tools != nil {
		body["tools"] = tools
	}
	if a.force != nil {
		body["toolConfig"] = a.force
	}
	if a.thinks {
		body["generationConfig"] = map[string]any{"thinkingConfig": map[string]any{"includeThoughts": true, "thinkingBudget": 4000}}
	}
	return marshal(body)
}

func (c geminiClient) whole(body []byte) (*told, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	return c.told([]object{o})
}

// stream reads server-sent events, or an array, which clients get without alt=sse.
func (c geminiClient) stream(stream []byte) (*told, error) {
	if stream[0] == '[' {
		var events []object
		if err := json.Unmarshal(stream, &events); err != nil {
			return nil, err
		}
		return c.told(events)
	}
	events, err := sseObjects(stream)
	if err != nil {
		return nil, err
	}
	return c.told(events)
}

// told reads an answer in one or more pieces. Parts of text are joined, as Gemini CLI
// does.
func (geminiClient) told(pieces []object) (*told, error) {
	a := &told{}
	var parts []json.RawMessage
	for i, o := range pieces {
		candidates := o.list("candidates")
		if len(candidates) == 0 && o["usageMetadata"] != nil {
			continue
		}
		if len(candidates) != 1 || a.finish != "" {
			return nil, fmt.Errorf("piece %d of %d has %d candidates, the finish reason was %q", i, len(pieces), len(candidates), a.finish)
		}
		a.finish = candidates[0].text("finishReason")
		for _, raw := range candidates[0].in("content").raws("parts") {
			p, err := parseObject(raw)
			if err != nil {
				return nil, err
			}
			if err := a.geminiPart(p); err != nil {
				return nil, err
			}
			if n := len(parts) - 1; n >= 0 && onlyText(parts[n]) && onlyText(raw) {
				before, _ := parseObject(parts[n])
				raw = marshal(map[string]any{"text": before.text("text") + p.text("text")})
				parts = parts[:n]
			}
			parts = append(parts, raw)
		}
		a.ground(candidates[0].in("groundingMetadata"))
	}
	if a.finish == "" {
		return nil, fmt.Errorf("no finish reason in %v", pieces)
	}
	a.kept = []json.RawMessage{marshal(map[string]any{"role": "model", "parts": parts})}
	return a, nil
}

func onlyText(part json.RawMessage) bool {
	p, _ := parseObject(part)
	return len(p) == 1 && p["text"] != nil
}

func (a *told) geminiPart(p object) error {
	h := heard{text: p.text("text"), token: p.text("thoughtSignature")}
	switch {
	case p["functionCall"] != nil:
		call := p.in("functionCall")
		args, err := arguments(string(call["args"]))
		if err != nil {
			return err
		}
		h.kind, h.id, h.name, h.arguments = chat.ToolCall, call.text("id"), call.text("name"), args
	case p["toolCall"] != nil, p["toolResponse"] != nil: // which the provider ran
		return nil
	case string(p["thought"]) == "true":
		h.kind = chat.Thinking
	case p["text"] == nil:
		return fmt.Errorf("a part that no client knows: %v", p)
	}
	if n := len(a.parts) - 1; n >= 0 && h.kind != chat.ToolCall && a.parts[n].kind == h.kind && a.parts[n].token == "" {
		a.parts[n].text += h.text
		a.parts[n].token = h.token
		return nil
	}
	a.parts = append(a.parts, h)
	return nil
}

// ground gives the text its sources. Their places are counted in bytes.
func (a *told) ground(o object) {
	chunks := o.list("groundingChunks")
	for _, s := range o.list("groundingSupports") {
		var indices []int
		_ = json.Unmarshal(s["groundingChunkIndices"], &indices)
		for i := range a.parts {
			if p := &a.parts[i]; p.kind == chat.Text {
				from, to := max(0, s.in("segment").number("startIndex")), s.in("segment").number("endIndex")
				for _, n := range indices {
					web := chunks[n].in("web")
					p.cites = append(p.cites, chat.Citation{URL: web.text("uri"), Title: web.text("title"), Start: len([]rune(p.text[:from])), End: len([]rune(p.text[:to]))})
				}
				break
			}
		}
	}
}
