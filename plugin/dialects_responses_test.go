package plugin

import (
	"encoding/json"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/target"
)

// askResponses writes a request as a client of the Responses API does.
func askResponses(r *chat.Request) ([]byte, error) {
	body, err := openai.Upstream{}.AppendRequest(nil, clientTarget, r)
	if err != nil {
		return nil, err
	}
	var m struct {
		Messages []struct {
			Role       string          `json:"role"`
			Content    json.RawMessage `json:"content"`
			ToolCallID string          `json:"tool_call_id"`
			ToolCalls  []struct {
				ID       string            `json:"id"`
				Function map[string]string `json:"function"`
			} `json:"tool_calls"`
		} `json:"messages"`
		Tools []struct {
			Function map[string]any `json:"function"`
		} `json:"tools"`
		ToolChoice     any    `json:"tool_choice"`
		MaxTokens      any    `json:"max_tokens"`
		Effort         string `json:"reasoning_effort"`
		ResponseFormat struct {
			Type   string         `json:"type"`
			Schema map[string]any `json:"json_schema"`
		} `json:"response_format"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	input := []any{}
	for _, msg := range m.Messages {
		if msg.Role == "tool" {
			input = append(input, map[string]any{"type": "function_call_output", "call_id": msg.ToolCallID, "output": inputContent("tool", msg.Content)})
			continue
		}
		if content := inputContent(msg.Role, msg.Content); content != nil {
			input = append(input, map[string]any{"role": msg.Role, "content": content})
		}
		for _, call := range msg.ToolCalls {
			input = append(input, map[string]any{"type": "function_call", "call_id": call.ID, "name": call.Function["name"], "arguments": call.Function["arguments"]})
		}
	}
	out := map[string]any{"model": r.Model, "input": input, "stream": r.Stream}
	for _, t := range m.Tools {
		t.Function["type"] = "function"
		list, _ := out["tools"].([]any)
		out["tools"] = append(list, t.Function)
	}
	if m.ToolChoice != nil {
		out["tool_choice"] = m.ToolChoice
	}
	if m.MaxTokens != nil {
		out["max_output_tokens"] = m.MaxTokens
	}
	if m.Effort != "" {
		out["reasoning"] = map[string]any{"effort": m.Effort}
	}
	if s := m.ResponseFormat.Schema; s != nil {
		s["type"] = m.ResponseFormat.Type
		out["text"] = map[string]any{"format": s}
	}
	return json.Marshal(out)
}

func inputContent(role string, raw json.RawMessage) any {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if text == "" {
			return nil
		}
		return text
	}
	var parts []map[string]any
	if json.Unmarshal(raw, &parts) != nil {
		return nil
	}
	for _, p := range parts {
		switch p["type"] {
		case "text":
			p["type"] = "input_text"
			if role == "assistant" {
				p["type"] = "output_text"
			}
		case "image_url":
			image := p["image_url"].(map[string]any)
			p["type"], p["image_url"] = "input_image", image["url"]
		}
	}
	return parts
}

// readResponses reads answers as a client of the Responses API does; of a
// stream it takes the pieces, not the last event's whole.
type readResponses struct{ chat.Upstream }

type responseObject struct {
	Output []struct {
		Type    string `json:"type"`
		Content []struct {
			Text    string `json:"text"`
			Refusal string `json:"refusal"`
		} `json:"content"`
		Summary []struct {
			Text string `json:"text"`
		} `json:"summary"`
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"output"`
	Status     string `json:"status"`
	Incomplete struct {
		Reason string `json:"reason"`
	} `json:"incomplete_details"`
	Usage json.RawMessage `json:"usage"`
	Error struct{ Message string }
}

func (o *responseObject) finish() chat.FinishReason {
	switch o.Incomplete.Reason {
	case "max_output_tokens":
		return chat.Length
	case "content_filter":
		return chat.ContentFilter
	}
	for _, item := range o.Output {
		if item.Type == "function_call" {
			return chat.ToolCalls
		}
	}
	return chat.Stop
}

func (readResponses) ParseResponse(_ *target.Target, body []byte) (*chat.Response, error) {
	var o responseObject
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, err
	}
	var c chat.Choice
	for _, item := range o.Output {
		for _, p := range item.Content {
			c.Parts = append(c.Parts, chat.Part{Kind: chat.Text, Text: jsonedit.Plain(p.Text + p.Refusal)})
		}
		for _, p := range item.Summary {
			c.Parts = append(c.Parts, chat.Part{Kind: chat.Thinking, Text: jsonedit.Plain(p.Text)})
		}
		if item.Type == "function_call" {
			c.Parts = append(c.Parts, chat.Part{Kind: chat.ToolCall, Name: item.Name, Arguments: jsonedit.Plain(item.Arguments)})
		}
	}
	c.Finish = o.finish()
	r := &chat.Response{Choices: []chat.Choice{c}}
	openai.ReadUsage(o.Usage, &r.Usage)
	return r, nil
}

func (readResponses) NewStream(*target.Target) chat.Stream {
	return &responsesReader{calls: map[int]int{}}
}

type responsesReader struct{ calls map[int]int }

func (s *responsesReader) Next(ev frame.Event) ([]chat.Delta, error) {
	if len(ev.Data) == 0 {
		return nil, nil
	}
	var e struct {
		Type, Delta string
		OutputIndex int `json:"output_index"`
		Item        struct{ Type, Name string }
		Response    responseObject
	}
	if err := json.Unmarshal(ev.Data, &e); err != nil {
		return nil, err
	}
	switch e.Type {
	case "response.output_text.delta", "response.refusal.delta":
		return []chat.Delta{{Kind: chat.TextDelta, Text: []byte(e.Delta)}}, nil
	case "response.reasoning_summary_text.delta":
		return []chat.Delta{{Kind: chat.ThinkingDelta, Text: []byte(e.Delta)}}, nil
	case "response.output_item.added":
		if e.Item.Type == "function_call" {
			s.calls[e.OutputIndex] = len(s.calls)
			return []chat.Delta{{Kind: chat.ToolStart, Index: s.calls[e.OutputIndex], Name: []byte(e.Item.Name)}}, nil
		}
	case "response.function_call_arguments.delta":
		return []chat.Delta{{Kind: chat.ToolArguments, Index: s.calls[e.OutputIndex], Text: []byte(e.Delta)}}, nil
	case "response.completed", "response.incomplete":
		var u chat.Usage
		openai.ReadUsage(e.Response.Usage, &u)
		return []chat.Delta{{Kind: chat.Finish, Reason: e.Response.finish()}, {Kind: chat.UsageDelta, Usage: &u}}, nil
	case "response.failed":
		return []chat.Delta{{Kind: chat.ErrorDelta, Err: &chat.Error{Message: e.Response.Error.Message}}}, nil
	}
	return nil, nil
}
