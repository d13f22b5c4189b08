package anthropic

import (
	"bytes"
	"fmt"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// NewStream returns the reader of one streamed Message.
// https://platform.claude.com/docs/en/build-with-claude/streaming
func (messages) NewStream(*target.Target) chat.Stream { return &stream{} }

type stream struct {
	jsonedit.EventParser
	deltas []chat.Delta
	usage  chat.Usage
	err    chat.Error
	texts  textJoiner
	cites  chat.BlockCitations
	blocks []openBlock // by the index that Anthropic counts all blocks with
	tools  int         // tool_use blocks so far
	ran    runs
	input  []byte // arguments that came with a block's start
	alike  jsonedit.Alike
}

// openBlock is what later events of a block need to know of its start.
type openBlock struct {
	call bool // tool_use
	tool int  // ordinal of the call
	any  bool // arguments have come
	// run is the start of a server tool's block, nil for another; input is its own.
	run, input []byte
}

// maxInput is the most that is kept of a server tool's input, in bytes.
const maxInput = 1 << 20

// maxBlocks is the highest number of blocks, so that a broken stream cannot use
// unlimited memory.
const maxBlocks = 1 << 16

var newline = []byte("\n")

// Next turns one event into deltas. Unknown kinds of events and blocks are skipped:
// the API's versioning policy allows new ones.
func (s *stream) Next(ev frame.Event) ([]chat.Delta, error) {
	s.deltas = s.deltas[:0]
	if len(ev.Data) == 0 || string(ev.Data) == "[DONE]" { // OpenAI's end, which servers in between add
		return nil, nil
	}
	if text, ok := s.alike.Content(ev.Data); ok {
		s.bring(chat.TextDelta, text)
		return s.deltas, nil
	}
	v, err := s.ParseEvent(ev.Data)
	if err != nil {
		return nil, &chat.ResponseError{Message: "an event of the stream is no JSON"}
	}
	switch string(v.GetStringBytes("type")) {
	case "message_start":
		s.start(v.Get("message"))
	case "content_block_start":
		err = s.open(v.GetInt("index"), v.Get("content_block"))
	case "content_block_delta":
		s.delta(v.GetInt("index"), v.Get("delta"))
	case "content_block_stop":
		s.close(v.GetInt("index"))
	case "message_delta":
		s.finish(v)
	case "message_stop":
		s.add(chat.Delta{Kind: chat.End})
	case "error":
		e := v.Get("error")
		s.err = chat.Error{Type: e.GetString("type"), Message: e.GetString("message")}
		s.add(chat.Delta{Kind: chat.ErrorDelta, Err: &s.err})
	}
	return s.deltas, err
}

func (s *stream) add(d chat.Delta) { s.deltas = append(s.deltas, d) }

func (s *stream) start(m *jsonedit.Value) {
	s.add(chat.Delta{Kind: chat.Start, ID: m.GetStringBytes("id"), Model: m.GetStringBytes("model")})
	if u := m.Get("usage"); m.Has("usage") && mergeUsage(&s.usage, u) {
		// output_tokens is an estimate here; message_delta has the count.
		s.usage.Completion = 0
		s.add(chat.Delta{Kind: chat.UsageDelta, Usage: &s.usage})
	}
}

func (s *stream) open(index int, b *jsonedit.Value) error {
	if index < 0 || index >= maxBlocks {
		return &chat.ResponseError{Message: fmt.Sprintf("a content block has index %d", index)}
	}
	if n := index + 1 - len(s.blocks); n > 0 {
		s.blocks = append(s.blocks, make([]openBlock, n)...)
	}
	block := openBlock{}
	switch string(b.GetStringBytes("type")) {
	case "text":
		if s.texts.gap(b) {
			s.bring(chat.TextDelta, newline)
		}
		s.cites.Begin()
		s.bring(chat.TextDelta, b.GetStringBytes("text"))
		for _, v := range b.GetArray("citations") {
			s.cites.Cite(citation(v))
		}
	case "thinking":
		s.bring(chat.ThinkingDelta, b.GetStringBytes("thinking"))
		s.bring(chat.SignatureDelta, b.GetStringBytes("signature"))
	case "redacted_thinking":
		s.bring(chat.RedactedDelta, b.GetStringBytes("data"))
	case "tool_use":
		block = openBlock{call: true, tool: s.tools}
		s.tools++
		d := chat.Delta{Kind: chat.ToolStart, Index: block.tool, ID: b.GetStringBytes("id"), Name: b.GetStringBytes("name")}
		if input := b.GetObject("input"); input != nil && input.Len() > 0 {
			s.input = jsonedit.AppendValue(s.input[:0], b.Get("input"))
			d.Text, block.any = s.input, true
		}
		s.add(d)
	case "server_tool_use", "mcp_tool_use":
		block.run = bytes.Clone(b.JSON())
	default:
		if isRunResult(b.GetStringBytes("type")) {
			if run, token := s.ran.end(b); run != nil {
				s.add(chat.Delta{Kind: chat.RunEnd, Run: run, Signature: []byte(token)})
			}
		}
	}
	s.blocks[index] = block
	return nil
}

// bring adds a delta of text, unless the text is empty.
func (s *stream) bring(kind chat.DeltaKind, text []byte) {
	if len(text) > 0 {
		s.add(chat.Delta{Kind: kind, Text: text})
	}
	if kind == chat.TextDelta {
		s.cites.Say(text)
	}
}

func (s *stream) delta(index int, d *jsonedit.Value) {
	switch string(d.GetStringBytes("type")) {
	case "text_delta":
		s.alike.LearnValue(d.Get("text"), nil)
		s.bring(chat.TextDelta, d.GetStringBytes("text"))
	case "thinking_delta":
		s.bring(chat.ThinkingDelta, d.GetStringBytes("thinking"))
	case "signature_delta":
		s.bring(chat.SignatureDelta, d.GetStringBytes("signature"))
	case "citations_delta":
		s.cites.Cite(citation(d.Get("citation")))
	case "input_json_delta":
		part := d.GetStringBytes("partial_json")
		if b := s.call(index); b != nil && len(part) > 0 {
			b.any = true
			s.add(chat.Delta{Kind: chat.ToolArguments, Index: b.tool, Text: part})
		} else if b := s.running(index); b != nil && len(b.input) < maxInput {
			b.input = append(b.input, part...)
		}
	}
}

var noArguments = []byte("{}")

// close adds an empty object for a call without arguments. A stream has no piece for
// it, while a whole answer has {}. A block of text is what its citations stand for.
func (s *stream) close(index int) {
	for _, c := range s.cites.End() {
		s.add(chat.Delta{Kind: chat.CitationDelta, Citation: &c})
	}
	if b := s.call(index); b != nil && !b.any {
		b.any = true
		s.add(chat.Delta{Kind: chat.ToolArguments, Index: b.tool, Text: noArguments})
	}
	if b := s.running(index); b != nil {
		s.begin(b)
	}
}

// begin tells that a server tool runs, when it is known what it was given.
func (s *stream) begin(b *openBlock) {
	start, err := jsonedit.Parse(b.run)
	if err != nil {
		return
	}
	input := b.input
	if len(input) == 0 {
		input = raw(start, "input")
	}
	if run := s.ran.begin(start, input); run != nil {
		s.add(chat.Delta{Kind: chat.RunStart, Run: run})
	}
	*b = openBlock{}
}

// running returns the server tool's block at index, nil for another.
func (s *stream) running(index int) *openBlock {
	if index < 0 || index >= len(s.blocks) || s.blocks[index].run == nil {
		return nil
	}
	return &s.blocks[index]
}

// call returns the tool_use block at index. It returns nil for other blocks; server
// tools have arguments, too.
func (s *stream) call(index int) *openBlock {
	if index < 0 || index >= len(s.blocks) || !s.blocks[index].call {
		return nil
	}
	return &s.blocks[index]
}

func (s *stream) finish(v *jsonedit.Value) {
	d := v.Get("delta")
	if reason := d.GetStringBytes("stop_reason"); len(reason) > 0 {
		f := chat.Delta{Kind: chat.Finish, Reason: finishReasons.Of(reason)}
		if string(reason) == "stop_sequence" {
			f.Text = d.GetStringBytes("stop_sequence")
		}
		s.add(f)
	}
	if u := v.Get("usage"); v.Has("usage") && mergeUsage(&s.usage, u) {
		s.add(chat.Delta{Kind: chat.UsageDelta, Usage: &s.usage})
	}
}
