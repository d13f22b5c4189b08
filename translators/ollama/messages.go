package ollama

import (
	"fmt"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// appendMessages writes the elements of messages.
func appendMessages(dst []byte, msgs []chat.Message) ([]byte, error) {
	w := writer{dst: dst, start: len(dst)}
	for i := range msgs {
		if err := w.message(&msgs[i], i); err != nil {
			return nil, err
		}
	}
	if err := w.flush(); err != nil {
		return nil, err
	}
	return w.dst, nil
}

// writer holds the results of tools until all of a turn have been read, and writes
// them in the order of the calls. Most models' templates show neither ids nor names,
// so only the order matches results with calls.
type writer struct {
	dst     []byte
	start   int
	content content        // of one message, reused
	calls   []*chat.Part   // of the last assistant message that had any
	places  map[string]int // in calls, by id
	results []result
}

// result is the result of the call at position call.
type result struct {
	part    *chat.Part
	message int
	call    int
}

func (w *writer) message(m *chat.Message, i int) error {
	more := len(m.Parts) == 0
	for j := range m.Parts {
		p := &m.Parts[j]
		if p.Kind == chat.ToolResult {
			w.results = append(w.results, result{p, i, w.position(p.ID)})
		} else {
			more = true
		}
	}
	if !more {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	c, err := w.read(m.Parts, i)
	if err != nil {
		return err
	}
	w.open(m.Role, c)
	if len(c.calls) > 0 {
		w.calls, w.places = append(w.calls[:0], c.calls...), map[string]int{}
		for i, c := range w.calls {
			if _, ok := w.places[c.ID]; !ok {
				w.places[c.ID] = i
			}
		}
		if err := w.toolCalls(i); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, '}')
	return nil
}

// position returns the position of the call with this id. Results without a call come
// last.
func (w *writer) position(id string) int {
	if i, ok := w.places[id]; ok {
		return i
	}
	return len(w.calls)
}

func (w *writer) read(parts []chat.Part, i int) (*content, error) {
	c := &w.content
	c.texts, c.thinking, c.images, c.calls = c.texts[:0], c.thinking[:0], c.images[:0], c.calls[:0]
	return c, c.add(parts, i)
}

// open writes a message up to the members that only some have, and leaves it open.
// Roles are system, user, assistant and tool.
func (w *writer) open(role chat.Role, c *content) {
	if len(w.dst) > w.start {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(append(append(w.dst, `{"role":"`...), role...), `","content":`...)
	w.dst = jsonedit.AppendString(w.dst, c.text())
	if len(c.thinking) > 0 {
		w.dst = jsonedit.AppendText(w.dst, "thinking", strings.Join(c.thinking, "\n"))
	}
	w.dst = c.appendImages(w.dst)
}

func (w *writer) toolCalls(message int) error {
	w.dst = append(w.dst, `,"tool_calls":[`...)
	for i, c := range w.calls {
		w.dst = jsonedit.AppendComma(w.dst)
		w.dst = append(w.dst, '{')
		if c.ID != "" {
			w.dst = append(jsonedit.AppendString(append(w.dst, `"id":`...), c.ID), ',')
		}
		w.dst = jsonedit.AppendString(append(w.dst, `"type":"function","function":{"name":`...), c.Name)
		w.dst = append(w.dst, `,"arguments":`...)
		var ok bool
		if w.dst, ok = c.Arguments.AppendObject(w.dst); !ok {
			return &chat.RequestError{Field: fmt.Sprintf("messages[%d].tool_calls[%d].function.arguments", message, i),
				Message: "must be a JSON object in a string: Ollama takes the object"}
		}
		w.dst = append(w.dst, "}}"...)
	}
	w.dst = append(w.dst, ']')
	return nil
}

// flush writes the held results, each as a message.
func (w *writer) flush() error {
	slices.SortStableFunc(w.results, func(a, b result) int { return a.call - b.call })
	for _, r := range w.results {
		c, err := w.read(r.part.Parts, r.message)
		if err != nil {
			return err
		}
		w.open(chat.ToolRole, c)
		name := r.part.Name
		if name == "" && r.call < len(w.calls) {
			name = w.calls[r.call].Name
		}
		w.dst = jsonedit.AppendOptional(w.dst, "tool_name", name)
		w.dst = jsonedit.AppendOptional(w.dst, "tool_call_id", r.part.ID)
		w.dst = append(w.dst, '}')
	}
	w.results = w.results[:0]
	return nil
}
