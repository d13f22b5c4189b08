package anthropic

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// Cloud is what another platform that serves Claude takes of Anthropic's format. A
// request with anything else is refused there ("Extra inputs are not permitted",
// "Unexpected value(s) … for the anthropic-beta header").
type Cloud struct {
	Members []string          // of a request
	Gated   map[string]string // members that need a beta beside them
	Betas   []string
	// Tools are the beginnings of types of Anthropic's own tools, and Blocks the
	// blocks of server tools that a history may have.
	Tools, Blocks []string
	ToolMembers   []string // of a function
	// Output says what a model takes there of schemas and effort; nil is everything.
	Output func(model string) Output
	// Keeps says how long a model's prompts can be kept there; nil is an hour for all.
	Keeps func(model string) Keeps
}

// Keeps is how long a platform keeps a prompt that is marked with cache_control.
type Keeps uint8

// KeepsNothing is for models that refuse cache_control, KeepsMinutes for those that refuse
// its ttl.
const (
	KeepsHour Keeps = iota
	KeepsMinutes
	KeepsNothing
)

// Output is what a model takes of output_config and of strict tools.
type Output struct{ Schema, Strict, Effort bool }

// OutputOf is what a model takes at Anthropic itself.
func OutputOf(name string) Output {
	m := modelOf(name)
	return Output{Schema: !m.noSchema, Strict: !m.noSchema, Effort: m == &unknown || len(m.levels) > 0}
}

// effortBeta is the beta by which models that came before effort have it.
// https://platform.claude.com/docs/en/build-with-claude/effort
const effortBeta = "effort-2025-11-24"

// toolSearchBeta is the beta of tool search on all clouds. Anthropic's own API has
// another name for it, advanced-tool-use-2025-11-20.
// https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-search-tool
const toolSearchBeta = "tool-search-tool-2025-10-19"

// maxBreakpoints is how many cache_control a request may have.
// https://platform.claude.com/docs/en/build-with-claude/prompt-caching
const maxBreakpoints = 4

// Fit returns a client's body, which is a valid object, as the cloud takes it, and
// those of the betas in values, the values of the client's header, that it knows. left
// names the tools of Anthropic's own servers that are left out. A *chat.RequestError
// says that the client forces one of them, or offers nothing else.
func (c *Cloud) Fit(model string, body []byte, values []string) (fitted []byte, betas, left []string, err error) {
	f := fitting{cloud: c, body: bytes.TrimSpace(body), output: Output{true, true, true}}
	if c.Output != nil {
		f.output = c.Output(model)
	}
	if c.Keeps != nil {
		f.keeps = c.Keeps(model)
	}
	f.members = jsonedit.Members(f.body, nil)
	if list := jsonedit.Find(f.members, "anthropic_beta"); jsonedit.IsArray(list) { // some clients have them in the body
		for beta := range jsonedit.EachOf(list) {
			one, _ := jsonedit.String(beta)
			values = append(slices.Clip(values), one)
		}
		f.edits = append(f.edits, jsonedit.Edit{Key: "anthropic_beta"})
	}
	f.betas = c.known(values)
	f.output.Effort = f.output.Effort || slices.Contains(f.betas, effortBeta)
	if err := f.tools(); err != nil {
		return nil, nil, nil, err
	}
	f.outputConfig()
	f.system()
	f.messages()
	for _, m := range f.members {
		name := string(m.Key)
		gate := c.Gated[name]
		if name != "anthropic_beta" && !slices.Contains(c.Members, name) && (gate == "" || !slices.Contains(f.betas, gate)) {
			f.edits = append(f.edits, jsonedit.Edit{Key: name})
		}
	}
	if len(f.edits) == 0 {
		return body, f.betas, f.left, nil
	}
	return jsonedit.Join(nil, jsonedit.Splice(nil, f.body, f.members, f.edits)), f.betas, f.left, nil
}

// known are the betas in a header's values that the cloud knows.
func (c *Cloud) known(values []string) (betas []string) {
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			if one = strings.TrimSpace(one); slices.Contains(c.Betas, one) && !slices.Contains(betas, one) {
				betas = append(betas, one)
			}
		}
	}
	return betas
}

// fitting is one body on its way.
type fitting struct {
	cloud   *Cloud
	body    []byte
	members []jsonedit.Member
	edits   []jsonedit.Edit
	betas   []string
	left    []string
	output  Output // what the model takes
	keeps   Keeps
	// demand is the schema of the answer, in words, if the model takes it in no other way.
	demand string
}

// outputConfig leaves out of output_config what the model does not take.
func (f *fitting) outputConfig() {
	config := jsonedit.Find(f.members, "output_config")
	if !jsonedit.IsObject(config) {
		return
	}
	kept := config
	if format := jsonedit.Lookup(config, "format"); format != nil && !f.output.Schema {
		kind, _ := jsonedit.String(jsonedit.Lookup(format, "type"))
		wanted := chat.ResponseFormat{Type: kind, Schema: jsonedit.Lookup(format, "schema")}
		f.demand = wanted.Instruction()
		kept = jsonedit.With(kept, "format", nil)
	}
	if !f.output.Effort {
		kept = jsonedit.With(kept, "effort", nil)
	}
	if len(jsonedit.Members(kept, nil)) == 0 {
		kept = nil
	}
	f.replace("output_config", config, kept)
}

// demanded returns system with the demand at its end.
func (f *fitting) demanded(system []byte) []byte {
	words := jsonedit.AppendString(nil, f.demand)
	switch {
	case f.demand == "":
		return system
	case jsonedit.IsArray(system) && len(jsonedit.Elements(system, nil)) > 0:
		block := append(append([]byte(`,{"type":"text","text":`), words...), "}]"...)
		return append(slices.Clone(bytes.TrimRight(system, "] \t\r\n")), block...)
	case jsonedit.IsString(system) && len(system) > len(`""`):
		text, _ := jsonedit.String(system)
		return jsonedit.AppendString(nil, text+"\n\n"+f.demand)
	}
	return words
}

// replace sets a member to what has become of it.
func (f *fitting) replace(name string, before, after []byte) {
	if len(before) == len(after) && (len(before) == 0 || &before[0] == &after[0]) {
		return
	}
	f.edits = append(f.edits, jsonedit.Edit{Key: name, Value: after})
}

// tools leaves out tools that the cloud does not run, and members of functions that it
// does not know. Tool search goes with its beta.
func (f *fitting) tools() error {
	list := jsonedit.Find(f.members, "tools")
	if !jsonedit.IsArray(list) {
		return nil
	}
	searches := slices.Contains(f.cloud.Betas, toolSearchBeta) && jsonedit.Contains(list, `"tool_search_tool_`)
	if searches && !slices.Contains(f.betas, toolSearchBeta) {
		f.betas = append(f.betas, toolSearchBeta)
	}
	forced, _ := jsonedit.String(jsonedit.Lookup(jsonedit.Find(f.members, "tool_choice"), "name"))
	var refused error
	i := -1
	kept := jsonedit.Each(list, func(tool []byte) []byte {
		i++
		kind, _ := jsonedit.String(jsonedit.Lookup(tool, "type"))
		if kind == "" || kind == "custom" {
			return f.function(tool, searches)
		}
		if slices.ContainsFunc(f.cloud.Tools, func(prefix string) bool { return strings.HasPrefix(kind, prefix) }) {
			return f.marked(tool)
		}
		name, _ := jsonedit.String(jsonedit.Lookup(tool, "name"))
		if name == forced && refused == nil {
			refused = notThere(i, kind)
		}
		f.left = append(f.left, kind)
		return nil
	})
	if refused == nil && len(f.left) > 0 && len(f.left) == i+1 {
		refused = notThere(0, f.left[0])
	}
	f.replace("tools", list, kept)
	return refused
}

func notThere(i int, kind string) error {
	return &chat.RequestError{Field: fmt.Sprintf("tools[%d]", i), Message: fmt.Sprintf(
		"the target runs no %s of its own: offer functions, or use a target that has it", kind)}
}

func (f *fitting) function(tool []byte, searches bool) []byte {
	if !jsonedit.IsObject(tool) {
		return tool
	}
	var edits []jsonedit.Edit
	members := jsonedit.Members(tool, nil)
	for _, m := range members {
		name := string(m.Key)
		if name == "strict" && !f.output.Strict || !slices.Contains(f.cloud.ToolMembers, name) && !(name == "defer_loading" && searches) {
			edits = append(edits, jsonedit.Edit{Key: name})
		}
	}
	if edits != nil {
		tool = jsonedit.Join(nil, jsonedit.Splice(nil, tool, members, edits))
	}
	return f.marked(tool)
}

// marked returns a block with what the platform and the model take of its cache_control.
// Its scope is for Anthropic's own API.
func (f *fitting) marked(block []byte) []byte {
	control := jsonedit.Lookup(block, "cache_control")
	if !jsonedit.IsObject(control) {
		return block
	}
	return jsonedit.With(block, "cache_control", f.control(control))
}

// control is what is taken of a cache_control; nil for nothing.
func (f *fitting) control(control []byte) []byte {
	if f.keeps == KeepsNothing {
		return nil
	}
	control = jsonedit.With(control, "scope", nil)
	if f.keeps == KeepsMinutes {
		control = jsonedit.With(control, "ttl", nil)
	}
	return control
}

// system leaves out the attribution, and adds the demand.
func (f *fitting) system() {
	system := jsonedit.Find(f.members, "system")
	kept := withoutAttribution(system)
	if jsonedit.IsArray(kept) {
		kept = jsonedit.Each(kept, f.marked)
	}
	f.replace("system", system, f.demanded(kept))
}

// messages leaves out what server tools have left in the history that the cloud does
// not run, and makes the top-level cache_control, which no cloud has, a breakpoint at
// the end of the prompt.
// https://platform.claude.com/docs/en/build-with-claude/prompt-caching#automatic-caching
func (f *fitting) messages() {
	list := jsonedit.Find(f.members, "messages")
	if !jsonedit.IsArray(list) {
		return
	}
	kept := list
	if jsonedit.Contains(list, `tool_result"`) || jsonedit.Contains(list, `tool_use"`) || jsonedit.Contains(list, `"scope"`) ||
		f.keeps != KeepsHour && jsonedit.Contains(list, `"cache_control"`) {
		kept = jsonedit.Each(list, f.message)
	}
	if control := jsonedit.Find(f.members, "cache_control"); jsonedit.IsObject(control) && f.keeps != KeepsNothing &&
		bytes.Count(f.body, []byte(`"cache_control"`)) <= maxBreakpoints { // one of them is this
		kept = withBreakpoint(kept, f.control(control))
	}
	f.replace("messages", list, alternating(kept))
}

// alternating joins messages of one role that follow each other. Anthropic's own API does
// that itself; Bedrock refuses them.
// https://platform.claude.com/docs/en/api/messages/create
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
func alternating(messages []byte) []byte {
	all := jsonedit.Elements(messages, nil)
	out := append(make([]byte, 0, len(messages)+len(messages)/8), '[')
	joined := false
	for len(all) > 0 {
		n := sameRole(all)
		m := all[0]
		if n > 1 {
			joined, m = true, jsonedit.With(m, "content", blocksOf(all[:n]))
		}
		out, all = append(jsonedit.AppendComma(out), m...), all[n:]
	}
	if !joined {
		return messages
	}
	return append(out, ']')
}

// sameRole returns how many messages from the first on have its role, and can be joined.
func sameRole(messages [][]byte) int {
	role := jsonedit.Lookup(messages[0], "role")
	n := 0
	for n < len(messages) && role != nil && bytes.Equal(jsonedit.Lookup(messages[n], "role"), role) {
		if content := jsonedit.Lookup(messages[n], "content"); !jsonedit.IsString(content) && !jsonedit.IsArray(content) {
			break
		}
		n++
	}
	return max(n, 1)
}

// blocksOf returns the contents of messages, each a text or a list, as one list of blocks.
func blocksOf(messages [][]byte) []byte {
	dst := []byte{'['}
	for _, m := range messages {
		content := jsonedit.Lookup(m, "content")
		if jsonedit.IsString(content) {
			dst = append(append(append(jsonedit.AppendComma(dst), `{"type":"text","text":`...), content...), '}')
			continue
		}
		for block := range jsonedit.EachOf(content) {
			dst = append(jsonedit.AppendComma(dst), block...)
		}
	}
	return append(dst, ']')
}

func (f *fitting) message(m []byte) []byte {
	content := jsonedit.Lookup(m, "content")
	if !jsonedit.IsArray(content) {
		return m
	}
	kept := jsonedit.Each(content, f.block)
	if len(kept) != len(content) && len(jsonedit.Elements(kept, nil)) == 0 {
		return nil
	}
	return jsonedit.With(m, "content", kept)
}

func (f *fitting) block(b []byte) []byte {
	kind, _ := jsonedit.String(jsonedit.Lookup(b, "type"))
	switch {
	case kind == "tool_reference" && !slices.Contains(f.betas, toolSearchBeta):
		name := jsonedit.Lookup(b, "tool_name")
		if !jsonedit.IsString(name) {
			return nil
		}
		return append(append([]byte(`{"type":"text","text":`), name...), '}')
	case isServers(kind) && !slices.Contains(f.cloud.Blocks, kind):
		return nil
	case kind == "tool_use": // no cloud runs the code that calls tools
		b = jsonedit.With(b, "caller", nil)
	case kind == "tool_result":
		if content := jsonedit.Lookup(b, "content"); jsonedit.IsArray(content) {
			b = jsonedit.With(b, "content", jsonedit.Each(content, f.block))
		}
	}
	return f.marked(b)
}

// isServers says whether a block is of a tool that a provider's servers ran.
func isServers(kind string) bool {
	return blockTypes[kind] && (strings.HasSuffix(kind, "_tool_use") || strings.HasSuffix(kind, "_tool_result"))
}

// withBreakpoint puts a cache_control on the last block of the last message that can
// have one.
func withBreakpoint(messages, control []byte) []byte {
	all := jsonedit.Elements(messages, nil)
	if len(all) == 0 {
		return messages
	}
	last := all[len(all)-1]
	content := jsonedit.Lookup(last, "content")
	if jsonedit.IsString(content) && len(content) > len(`""`) {
		content = append(append([]byte(`[{"type":"text","text":`), content...), "}]"...)
	}
	if !jsonedit.IsArray(content) {
		return messages
	}
	blocks := jsonedit.Elements(content, nil)
	at := len(blocks) - 1
	for at >= 0 && bytes.Contains(jsonedit.Lookup(blocks[at], "type"), []byte("thinking")) {
		at--
	}
	if at < 0 || jsonedit.Lookup(blocks[at], "cache_control") != nil {
		return messages
	}
	i := -1
	content = jsonedit.Each(content, func(b []byte) []byte {
		if i++; i != at {
			return b
		}
		return jsonedit.With(b, "cache_control", control)
	})
	j := -1
	return jsonedit.Each(messages, func(m []byte) []byte {
		if j++; j != len(all)-1 {
			return m
		}
		return jsonedit.With(m, "content", content)
	})
}
