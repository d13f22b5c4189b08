package bedrock

import (
	"encoding/base64"
	"fmt"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// NewStream returns the reader of one answer of ConverseStream.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
func (converse) NewStream(t *target.Target) chat.Stream { return &stream{model: []byte(t.Model)} }

type stream struct {
	jsonedit.EventParser
	model     []byte
	deltas    []chat.Delta
	usage     chat.Usage
	err       chat.Error
	blocks    []openBlock // by contentBlockIndex
	unopened  openBlock   // used for blocks that are not in blocks
	calls     int         // of the client's tools, so far
	formatted bool        // the answer came by formatTool
	extra     []byte      // of the last metadata
	cites     chat.BlockCitations
	ran       runs
	hosted    bool // system tools ran
}

// openBlock is what later events of a block need to know of its start.
type openBlock struct {
	kind  blockKind
	call  int  // ordinal of the call
	any   bool // arguments have come
	image []byte
	mime  []byte
	// Of a block of a system tool: how it began, and what came behind it.
	start  []byte
	input  []byte
	result resultPieces
}

type blockKind uint8

const (
	plainBlock  blockKind = iota // text, reasoning
	callBlock                    // a call of the client's tools
	formatBlock                  // a call of formatTool
	serverBlock                  // Bedrock's own tools, and their results
	imageBlock
)

// maxBlocks is the highest number of blocks, so that a broken stream cannot use
// unlimited memory.
const maxBlocks = 1 << 16

// Next implements chat.Stream. Events and blocks that are not known are
// skipped: the API adds some now and then.
func (s *stream) Next(ev frame.Event) ([]chat.Delta, error) {
	s.deltas = s.deltas[:0]
	if ev.Data == nil {
		return nil, nil
	}
	if ev.Exception {
		s.err = exception(ev)
		s.add(chat.Delta{Kind: chat.ErrorDelta, Err: &s.err})
		return s.deltas, nil
	}
	v, err := s.ParseEvent(ev.Data)
	if err != nil {
		return nil, &chat.ResponseError{Message: "failed to decode response from Bedrock"}
	}
	switch string(ev.Type) {
	case "messageStart":
		s.add(chat.Delta{Kind: chat.Start, Model: s.model})
	case "contentBlockStart":
		err = s.open(v.GetInt("contentBlockIndex"), v.Get("start"))
	case "contentBlockDelta":
		s.delta(v.GetInt("contentBlockIndex"), v.Get("delta"))
	case "contentBlockStop":
		s.close(v.GetInt("contentBlockIndex"))
	case "messageStop":
		s.finish(v)
	case "metadata":
		s.metadata(v)
	}
	return s.deltas, err
}

func (s *stream) add(d chat.Delta) { s.deltas = append(s.deltas, d) }

// open records the start of a block. Blocks of text and of reasoning may begin
// without this event.
func (s *stream) open(index int, start *jsonedit.Value) error {
	if index < 0 || index >= maxBlocks {
		return &chat.ResponseError{Message: fmt.Sprintf("a content block from Bedrock has index %d", index)}
	}
	if n := index + 1 - len(s.blocks); n > 0 {
		s.blocks = append(s.blocks, make([]openBlock, n)...)
	}
	b := openBlock{}
	if use := start.Get("toolUse"); use != nil {
		name := use.GetStringBytes("name")
		switch {
		case string(use.GetStringBytes("type")) == serverToolUse, ranBySystem(use) != nil:
			b.kind, b.start = serverBlock, jsonedit.AppendValue(nil, start)
		case string(name) == formatTool:
			b.kind, s.formatted = formatBlock, true
		default:
			b.kind, b.call = callBlock, s.calls
			s.calls++
			s.add(chat.Delta{Kind: chat.ToolStart, Index: b.call, ID: use.GetStringBytes("toolUseId"), Name: name})
		}
	} else if start.Exists("toolResult") {
		b.kind, b.start = serverBlock, jsonedit.AppendValue(nil, start)
	} else if image := start.Get("image"); image != nil {
		b.kind, b.mime = imageBlock, append([]byte("image/"), image.GetStringBytes("format")...)
	}
	s.blocks[index] = b
	return nil
}

// block returns the block at index. It is a plain one if none was opened.
func (s *stream) block(index int) *openBlock {
	if index < 0 || index >= len(s.blocks) {
		s.unopened = openBlock{}
		return &s.unopened
	}
	return &s.blocks[index]
}

func (s *stream) delta(index int, d *jsonedit.Value) {
	s.bring(chat.TextDelta, d.GetStringBytes("text"))
	if c := d.Get("citation"); c != nil {
		s.cites.Cite(citation(c))
	}
	if r := d.Get("reasoningContent"); r != nil {
		s.bring(chat.ThinkingDelta, r.GetStringBytes("text"))
		s.bring(chat.SignatureDelta, r.GetStringBytes("signature"))
		s.bring(chat.RedactedDelta, r.GetStringBytes("redactedContent"))
	}
	if input := d.GetStringBytes("toolUse", "input"); len(input) > 0 {
		switch b := s.block(index); b.kind {
		case callBlock:
			b.any = true
			s.add(chat.Delta{Kind: chat.ToolArguments, Index: b.call, Text: input})
		case formatBlock:
			s.bring(chat.TextDelta, input)
		case serverBlock:
			if len(b.input) <= maxPieces {
				b.input = append(b.input, input...)
			}
		}
	}
	if pieces := d.GetArray("toolResult"); len(pieces) > 0 {
		s.block(index).result.add(pieces)
	}
	if data := d.GetStringBytes("image", "source", "bytes"); len(data) > 0 {
		if b := s.block(index); b.kind == imageBlock {
			// Each piece is padded, so the pieces cannot be joined as text.
			if decoded, err := base64.StdEncoding.AppendDecode(b.image, data); err == nil {
				b.image = decoded
			}
		}
	}
}

// bring adds a delta of text, unless the text is empty.
func (s *stream) bring(kind chat.DeltaKind, said []byte) {
	if len(said) > 0 {
		s.add(chat.Delta{Kind: kind, Text: said})
	}
	if kind == chat.TextDelta {
		s.cites.Say(said)
	}
}

var noArguments = []byte("{}")

// close adds an empty object for a call without arguments. A stream has no piece for
// it, while a whole answer has {}. A block of text is what its citations stand for.
func (s *stream) close(index int) {
	for _, c := range s.cites.End() {
		s.add(chat.Delta{Kind: chat.CitationDelta, Citation: &c})
	}
	switch b := s.block(index); {
	case b.kind == callBlock && !b.any:
		b.any = true
		s.add(chat.Delta{Kind: chat.ToolArguments, Index: b.call, Text: noArguments})
	case b.kind == serverBlock && b.start != nil:
		s.server(b)
	case b.kind == imageBlock && len(b.image) > 0:
		s.add(chat.Delta{Kind: chat.ImageDelta, Name: b.mime, Text: base64.StdEncoding.AppendEncode(nil, b.image)})
	}
}

// server tells of a system tool whose block has ended.
func (s *stream) server(b *openBlock) {
	v, err := jsonedit.Parse(b.start)
	if b.start = nil; err != nil {
		return
	}
	if run := s.ran.begin(v.Get("toolUse"), b.input); run != nil {
		s.hosted = true
		s.add(chat.Delta{Kind: chat.RunStart, Run: run})
	} else if run, token := s.ran.end(v.Get("toolResult"), b.result.list()); run != nil {
		s.add(chat.Delta{Kind: chat.RunEnd, Run: run, Signature: []byte(token)})
	}
}

func (s *stream) finish(v *jsonedit.Value) {
	reason := finishReason(v.GetStringBytes("stopReason"))
	if reason == chat.ToolCalls && (s.formatted || s.hosted) && s.calls == 0 {
		reason = chat.Stop
	}
	more := v.Get("additionalModelResponseFields")
	switch reason {
	case "":
	case chat.Failed:
		s.add(chat.Delta{Kind: chat.Finish, Reason: reason, Text: v.GetStringBytes("stopReason")})
	default:
		s.add(chat.Delta{Kind: chat.Finish, Reason: reason, Text: more.GetStringBytes("stop_sequence")})
	}
	s.member(memberFields, more)
}

var memberTrace, memberFields = []byte("trace"), []byte("additionalModelResponseFields")

// member adds a member of the event that a client gets unchanged.
func (s *stream) member(name []byte, v *jsonedit.Value) {
	if v != nil && v.Type() != jsonedit.TypeNull {
		s.extra = jsonedit.AppendValue(s.extra[:0], v)
		s.add(chat.Delta{Kind: chat.ExtraDelta, Name: name, Raw: s.extra})
	}
}

// metadata is the stream's last event.
func (s *stream) metadata(v *jsonedit.Value) {
	s.member(memberTrace, v.Get("trace"))
	if tier := v.GetStringBytes("serviceTier", "type"); len(tier) > 0 {
		s.usage.ServiceTier = string(tier)
	}
	if readUsage(&s.usage, v.Get("usage")) {
		s.add(chat.Delta{Kind: chat.UsageDelta, Usage: &s.usage})
	}
	s.add(chat.Delta{Kind: chat.End})
}

// statuses holds the HTTP statuses of the exceptions that end a stream.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
var statuses = map[string]int{
	"internalServerException": 500, "modelStreamErrorException": 424, "modelTimeoutException": 408,
	"serviceUnavailableException": 503, "throttlingException": 429, "validationException": 400,
}

// exception reads the frame of an exception, which ends a stream.
func exception(ev frame.Event) chat.Error {
	status := statuses[string(ev.Type)]
	if status == 0 {
		status = 500
	}
	e := chat.ErrorFrom(status, ev.Data)
	e.Code = string(ev.Type)
	if status == 424 || status == 408 { // the model's fault, not the client's
		e.Type = "api_error"
	}
	if original, _ := jsonedit.String(jsonedit.Lookup(ev.Data, "originalMessage")); original != "" && original != e.Message {
		e.Message += ": " + original
	}
	return *e
}
