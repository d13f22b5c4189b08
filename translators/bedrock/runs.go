package bedrock

import (
	"bytes"
	"cmp"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// systemTool is how Converse writes a tool that Bedrock runs for a model.
type systemTool struct {
	kind   chat.Hosted
	name   string
	result string   // type of the block with its result
	input  []string // members of its input that say what it was given
}

// systemTools are Amazon's, which the rows of models name by their kinds.
//
//	https://docs.aws.amazon.com/nova/latest/nova2-userguide/web-grounding.html
//	https://docs.aws.amazon.com/nova/latest/userguide/tool-built-in.html
//	https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_SystemTool.html
var systemTools = []systemTool{
	{chat.WebSearch, "nova_grounding", "nova_grounding_result", []string{"query"}},
	{chat.CodeExecution, "nova_code_interpreter", "nova_code_interpreter_result", []string{"code", "snippet"}},
}

// systemToolOf returns the tool of a kind, nil if there is none.
func systemToolOf(kind chat.Hosted) *systemTool {
	for i := range systemTools {
		if systemTools[i].kind == kind {
			return &systemTools[i]
		}
	}
	return nil
}

// ranBySystem returns the tool that a block toolUse is a use of, nil for a function.
func ranBySystem(use *jsonedit.Value) *systemTool {
	name := use.GetString("name")
	for i := range systemTools {
		if systemTools[i].name == name {
			return &systemTools[i]
		}
	}
	return nil
}

// runs reports whether Bedrock runs a tool for the model.
func (m *model) runs(t *target.Target, kind chat.Hosted) bool {
	for _, own := range m.hosted {
		if own == kind {
			return kind != chat.WebSearch || inAmerica(t)
		}
	}
	return false
}

// inAmerica reports whether t is in a region that has Web Grounding, as far as it is
// known: "Web Grounding is only available in US regions."
func inAmerica(t *target.Target) bool {
	geography, _, found := strings.Cut(t.Model, ".amazon.")
	if found && geography != "us" && geography != "global" {
		return false
	}
	return t.Options == nil || t.Options.Bedrock.AWSRegion == "" || strings.HasPrefix(t.Options.Bedrock.AWSRegion, "us-")
}

// runs pairs the blocks of system tools in an answer: what was asked, and what came.
type runs struct{ chat.OpenRuns }

// begin reads a toolUse of a system tool; nil for another. input is what came behind the
// block's start in a stream, nil for what is in the block.
func (r *runs) begin(use *jsonedit.Value, input []byte) *chat.Run {
	tool := ranBySystem(use)
	if tool == nil {
		return nil
	}
	run := &chat.Run{Kind: tool.kind, ID: use.GetString("toolUseId"), Name: tool.name}
	if input == nil {
		input = rawOf(use.Get("input"))
	}
	if !jsonedit.IsObject(input) || jsonedit.Valid(input) != nil {
		input = []byte("{}")
	}
	for _, name := range tool.input {
		if s, _ := jsonedit.String(jsonedit.Lookup(input, name)); s != "" {
			run.Input = s
			break
		}
	}
	run.Input = cmp.Or(run.Input, string(input))
	native := append([]byte(`{"toolUse":`), jsonedit.With(jsonedit.AppendValue(nil, use), "input", input)...)
	if !r.Begin(run, append(native, '}')) {
		return nil
	}
	return run
}

// end reads the toolResult that ends a run, which it returns with its token; nil if it
// ends none. content is what came behind the block's start in a stream, nil for what is in
// the block.
func (r *runs) end(result *jsonedit.Value, content []byte) (run *chat.Run, token string) {
	block := jsonedit.AppendValue(nil, result)
	if content != nil {
		block = jsonedit.With(block, "content", content)
	}
	native := append(append([]byte(`{"toolResult":`), block...), '}')
	if run, token = r.End(result.GetString("toolUseId"), native); run != nil {
		readRunResult(run, block)
	}
	return run, token
}

// readRunResult reads what came of a run. What a search found is hidden.
func readRunResult(run *chat.Run, block []byte) {
	v, err := jsonedit.Parse(block)
	if err != nil {
		return
	}
	run.Failed = v.GetString("status") == "error"
	if run.Kind != chat.CodeExecution {
		return
	}
	var said []string
	for _, part := range v.GetArray("content") {
		out := part.Get("json")
		if text := part.GetString("text"); out == nil {
			if out, err = jsonedit.Parse([]byte(text)); err != nil || out.Type() != jsonedit.TypeObject {
				said = append(said, text)
				continue
			}
		}
		said = append(said, out.GetString("stdOut")+out.GetString("stdErr"))
		run.Failed = run.Failed || out.GetBool("isError") || out.GetInt("exitCode") != 0
	}
	run.Output = chat.Clip(strings.Join(said, "\n"))
}

// appendRun writes a run that Bedrock made: the blocks that its token has.
func appendRun(dst []byte, token string) []byte {
	if !jsonedit.IsArray([]byte(token)) || jsonedit.Valid([]byte(token)) != nil { // a client sends it
		return dst
	}
	for _, block := range jsonedit.Elements([]byte(token), nil) {
		if isSystemBlock(block) {
			dst = append(jsonedit.AppendComma(dst), block...)
		}
	}
	return dst
}

// isSystemBlock reports whether a block tells of a tool that Bedrock ran.
func isSystemBlock(block []byte) bool {
	if use := jsonedit.Lookup(block, "toolUse"); use != nil {
		kind, _ := jsonedit.String(jsonedit.Lookup(use, "type"))
		return kind == serverToolUse
	}
	kind, _ := jsonedit.String(jsonedit.Lookup(block, "toolResult", "type"))
	return kind != ""
}

// serverToolUse is the type of a toolUse that the client does not answer.
const serverToolUse = "server_tool_use"

// hostsRuns reports whether r offers a system tool. Without one a history with their
// blocks would be refused, or the tool run again that the client does not want.
func hostsRuns(r *chat.Request) bool {
	for i := range r.Tools {
		if r.Tools[i].Hosted != "" {
			return true
		}
	}
	return false
}

// demanded is the tool that must be called, as it is called here.
func demanded(r *chat.Request) string {
	for i := range r.Tools {
		t := &r.Tools[i]
		if tool := systemToolOf(t.Hosted); tool != nil && t.Name == r.ToolChoice.Name {
			return tool.name
		}
	}
	return r.ToolChoice.Name
}

// willing reports whether toolChoice can say what the client demands, of a model that
// forces calls or not: which functions must be called. The pages know no choice of a system tool.
func willing(r *chat.Request, forces bool) bool {
	return forces && !r.ForcesHosted() && (r.Functions() || !hostsRuns(r))
}

// resultPieces collects what a stream tells of a result: pieces of text are joined.
type resultPieces struct{ parts, text []byte }

// maxPieces is how much is kept of a block of a system tool, in bytes.
const maxPieces = 1 << 20

// add adds the pieces of a delta of a toolResult.
func (s *resultPieces) add(pieces []*jsonedit.Value) {
	for _, p := range pieces {
		if len(s.parts)+len(s.text) > maxPieces {
			return
		}
		if value := p.Get("json"); value != nil {
			s.flush()
			s.parts = append(jsonedit.AppendRaw(append(jsonedit.AppendComma(s.parts), '{'), "json", jsonedit.AppendValue(nil, value)), '}')
			continue
		}
		s.text = append(s.text, p.GetStringBytes("text")...)
	}
}

func (s *resultPieces) flush() {
	if s.parts == nil {
		s.parts = []byte{'['}
	}
	if len(s.text) > 0 {
		s.parts = append(jsonedit.AppendText(append(jsonedit.AppendComma(s.parts), '{'), "text", bytes.Clone(s.text)), '}')
		s.text = s.text[:0]
	}
}

// list returns what was added as the content of the block.
func (s *resultPieces) list() []byte {
	s.flush()
	return append(s.parts, ']')
}
