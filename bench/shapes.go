package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// shape is a kind of load: what each request sends, what it gets, and how many are
// under way at a time.
type shape struct {
	name, title string
	body        []byte
	connections int
	frames      int           // of a streamed answer; 0 is a whole one
	gap         time.Duration // between two frames
	tls         bool          // towards the provider
}

// shapes are those in which others publish figures, in this order: prompts of 400 and
// 1,000 tokens, 100 KB, a coding agent's of 450 KB, and streams of 64 frames at 20 ms.
func shapes() (all []shape) {
	for _, tokens := range []int{400, 1000} {
		for _, connections := range []int{10, 100, 1000} {
			all = append(all, shape{
				name: fmt.Sprintf("%d-c%d", tokens, connections), title: fmt.Sprintf("prompt of %d tokens, %d connections", tokens, connections),
				body: prompt(4*tokens, false), connections: connections, tls: true,
			})
		}
	}
	all = append(all,
		shape{name: "400-c100-plain", title: "prompt of 400 tokens, 100 connections, no TLS to the provider", body: prompt(1600, false), connections: 100},
		shape{name: "100k-c32", title: "prompt of 100 KB, 32 connections", body: prompt(100_000, false), connections: 32, tls: true},
		shape{name: "agent-c8", title: "coding agent's prompt of 450 KB, 8 connections", body: agent(450_000), connections: 8, tls: true},
	)
	for _, streams := range []int{32, 128, 512} {
		all = append(all, shape{
			name: fmt.Sprintf("stream-s%d", streams), title: fmt.Sprintf("64 frames at 20 ms, %d streams", streams),
			body: prompt(1600, true), connections: streams, frames: 64, gap: 20 * time.Millisecond, tls: true,
		})
	}
	return all
}

const words = "the quick brown fox jumps over a lazy dog while seven wizards watch "

// prompt is a chat of about so many bytes.
func prompt(size int, stream bool) []byte {
	text := strings.Repeat(words, size/len(words)+1)[:size]
	body := map[string]any{"model": "gpt-4o", "messages": []any{
		map[string]any{"role": "system", "content": "Be brief."}, map[string]any{"role": "user", "content": text},
	}}
	if stream {
		body["stream"] = true
	}
	return encoded(body)
}

// agent is what a coding agent sends late in a session: turns full of code, calls of
// tools and their results, and twenty tools.
func agent(size int) []byte {
	code := strings.Repeat("\tif err := run(ctx, \"step\"); err != nil {\n\t\treturn fmt.Errorf(\"step: %w\", err)\n\t}\n", 40)
	messages := []any{map[string]any{"role": "system", "content": "You are a coding agent."}}
	for n, i := 0, 0; n < size; i++ {
		id := fmt.Sprintf("call_%d", i)
		messages = append(messages,
			map[string]any{"role": "user", "content": "Look at the next file."},
			map[string]any{"role": "assistant", "content": nil, "tool_calls": []any{map[string]any{
				"id": id, "type": "function", "function": map[string]any{"name": "tool_1", "arguments": fmt.Sprintf(`{"path":"file_%d.go"}`, i)},
			}}},
			map[string]any{"role": "tool", "tool_call_id": id, "content": code},
		)
		n += len(code) + 600
	}
	messages = append(messages, map[string]any{"role": "user", "content": "Go on."})
	var tools []any
	for i := range 20 {
		tools = append(tools, map[string]any{"type": "function", "function": map[string]any{
			"name": fmt.Sprintf("tool_%d", i), "description": strings.Repeat(words, 4),
			"parameters": map[string]any{"type": "object", "properties": map[string]any{"path": map[string]any{"type": "string", "description": words}}, "required": []string{"path"}},
		}})
	}
	return encoded(map[string]any{"model": "gpt-4o", "messages": messages, "tools": tools})
}

func encoded(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // of values that are made here
	}
	return data
}
