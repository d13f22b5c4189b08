package openai

import (
	"fmt"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// transcript is the conversation as input items tell it. Items of one turn of
// the model become one message.
type transcript struct {
	req    *chat.Request
	tools  *toolbox
	sealed string            // signature for the call that comes next
	names  map[string]string // of the functions called, by call id
	calls  map[string]string // call id by the id of the call's item
}

// parseInput reads input: a text, or items.
func parseInput(req *chat.Request, tools *toolbox, v *jsonedit.Value) error {
	if v.Type() == jsonedit.TypeString {
		req.Messages = append(req.Messages, chat.Message{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: v.GetText()}}})
		return nil
	}
	items, err := arrayOf(v)
	if err != nil {
		return refuse("", "must be a string or an array of items")
	}
	t := transcript{req: req, tools: tools, names: map[string]string{}, calls: map[string]string{}}
	for i, item := range items {
		o, err := objectOf(item)
		if err == nil {
			err = t.item(o)
		}
		if err != nil {
			return within(index("", i), err)
		}
	}
	return nil
}

// unknowable are items whose content only OpenAI has, or can read, and what to do.
var unknowable = map[string]string{
	"item_reference":     "items are not stored by this provider: set store to false in the client, so that it sends the items themselves",
	"compaction":         "the conversation so far was compacted by OpenAI, and only OpenAI can read that: go on there, or start a new conversation",
	"compaction_trigger": "this provider compacts no conversations: let the client compact (in Codex, give the provider a name other than OpenAI)",
}

// item reads one item of the input.
// https://platform.openai.com/docs/api-reference/responses/create#responses_create-input
func (t *transcript) item(o *jsonedit.Value) error {
	typ, _ := stringAt(o, "type")
	switch typ {
	case "message":
		return t.message(o)
	case "":
		if o.Get("role") == nil && o.Get("id") != nil {
			typ = "item_reference"
			break
		}
		return t.message(o)
	case "reasoning":
		t.reasoning(o)
		return nil
	case "additional_tools":
		return within("tools", t.tools.offer(orNull(o.Get("tools"))))
	case "compaction_summary", "context_compaction": // Codex's words for it
		typ = "compaction"
	}
	if why, ok := unknowable[typ]; ok {
		return refuse("type", typ+": "+why)
	}
	if f := formOfItem(typ, o); f != nil {
		return t.call(o, f)
	}
	if read, ok := outputs[typ]; ok {
		return t.output(o, read)
	}
	if tell, ok := hostedItems[typ]; ok {
		t.tell(tell, o)
		return nil
	}
	return refuse("type", fmt.Sprintf("%q is no known type of item", typ))
}

// assistant adds a part to the model's turn.
func (t *transcript) assistant(part chat.Part) {
	if n := len(t.req.Messages); n > 0 && t.req.Messages[n-1].Role == chat.Assistant {
		m := &t.req.Messages[n-1]
		m.Parts = append(m.Parts, part)
		return
	}
	t.req.Messages = append(t.req.Messages, chat.Message{Role: chat.Assistant, Parts: []chat.Part{part}})
}

func (t *transcript) message(o *jsonedit.Value) error {
	role, _ := stringAt(o, "role")
	parts, err := parseResponsesContent(orNull(o.Get("content")))
	if err != nil {
		return within("content", err)
	}
	switch role {
	case "assistant":
		for _, p := range parts {
			t.assistant(p)
		}
	case "user":
		t.req.Messages = append(t.req.Messages, chat.Message{Role: chat.User, Parts: parts})
	case "system", "developer":
		t.req.Messages = append(t.req.Messages, chat.Message{Role: chat.System, Parts: parts})
	default:
		return refuse("role", "must be user, assistant, system or developer")
	}
	return nil
}

// call reads the call of a tool that the client runs.
func (t *transcript) call(o *jsonedit.Value, f *callForm) error {
	part := chat.Part{Kind: chat.ToolCall}
	part.ID, _ = stringAt(o, "call_id")
	name := f.kind
	if f.kind == "" || f.kind == customTool {
		name, _ = stringAt(o, "name")
	}
	if f.kind == toolSearch && part.ID == "" {
		return nil // OpenAI's own search
	}
	switch {
	case part.ID == "":
		return refuse("", "a "+f.item+" needs call_id")
	case name == "":
		return refuse("", "a "+f.item+" needs name")
	}
	namespace, _ := stringAt(o, "namespace")
	part.Name = t.tools.name(namespace, name)
	part.Arguments = f.arguments(o)
	part.Sign(t.sealed, origin.Unknown)
	t.sealed = ""
	t.names[part.ID] = part.Name
	if id, ok := stringAt(o, "id"); ok {
		t.calls[id] = part.ID
	}
	t.assistant(part)
	return nil
}

// outputs are the types of items with the result of a call, and what reads it.
var outputs = map[string]func(t *transcript, o *jsonedit.Value, part *chat.Part) error{
	"function_call_output":    contentOutput,
	"custom_tool_call_output": contentOutput,
	"local_shell_call_output": contentOutput,
	"shell_call_output":       shellOutput,
	"apply_patch_call_output": patchOutput,
	"computer_call_output":    screenOutput,
	"tool_search_output":      searchOutput,
}

// output reads the result of a call.
func (t *transcript) output(o *jsonedit.Value, read func(*transcript, *jsonedit.Value, *chat.Part) error) error {
	part := chat.Part{Kind: chat.ToolResult}
	if part.ID, _ = stringAt(o, "call_id"); part.ID == "" { // local_shell_call_output has only the id of the call
		if part.ID, _ = stringAt(o, "id"); t.calls[part.ID] != "" {
			part.ID = t.calls[part.ID]
		}
	}
	part.Name = t.names[part.ID]
	if err := read(t, o, &part); err != nil {
		return err
	}
	switch {
	case part.Name == "" && o.Get("tools") != nil: // of OpenAI's own search
		return nil
	case part.ID == "":
		return refuse("call_id", "is missing")
	}
	t.req.Messages = append(t.req.Messages, chat.Message{Role: chat.ToolRole, Parts: []chat.Part{part}})
	return nil
}

func contentOutput(_ *transcript, o *jsonedit.Value, part *chat.Part) (err error) {
	part.Parts, err = parseResponsesContent(orNull(o.Get("output")))
	return within("output", err)
}

// shellOutput keeps the outcome of each command beside its output.
func shellOutput(_ *transcript, o *jsonedit.Value, part *chat.Part) error {
	part.Parts = textParts(string(jsonedit.AppendValue(nil, orNull(o.Get("output")))))
	return nil
}

func patchOutput(_ *transcript, o *jsonedit.Value, part *chat.Part) error {
	status, _ := stringAt(o, "status")
	said, _ := stringAt(o, "output")
	part.IsError = status == "failed"
	if said == "" {
		said = status
	}
	part.Parts = textParts(said)
	return nil
}

func screenOutput(_ *transcript, o *jsonedit.Value, part *chat.Part) error {
	image := chat.Part{Kind: chat.Image, Media: &chat.Media{}}
	output := o.Get("output")
	image.Media.FileID = string(output.GetStringBytes("file_id"))
	part.Parts = []chat.Part{image}
	if url := output.Get("image_url"); url.Type() == jsonedit.TypeString {
		return within("output", within("image_url", setURL(image.Media, url.GetText())))
	}
	if image.Media.FileID == "" {
		return refuse("output", "a screenshot needs image_url or file_id")
	}
	return nil
}

// searchOutput offers the tools that a search found, and names them to the model.
func searchOutput(t *transcript, o *jsonedit.Value, part *chat.Part) error {
	before := len(t.req.Tools)
	if err := t.tools.offer(orNull(o.Get("tools"))); err != nil {
		return within("tools", err)
	}
	var found []string
	for _, tool := range t.req.Tools[min(before, len(t.req.Tools)):] {
		found = append(found, tool.Name)
	}
	said := "No further tools were found."
	if len(found) > 0 {
		said = "These tools can be called from now on: " + strings.Join(found, ", ")
	}
	part.Parts = textParts(said)
	return nil
}

func textParts(text string) []chat.Part {
	return []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain(text)}}
}

// hostedItems are the items of tools that OpenAI ran itself, and the members that
// tell what a later question may be about; none where the answer has it all.
var hostedItems = map[string][]string{
	"web_search_call": nil, "file_search_call": {"results"}, "image_generation_call": nil, "code_interpreter_call": {"code", "outputs"},
	"mcp_list_tools": nil, "mcp_call": {"name", "arguments", "output", "error"}, "mcp_approval_request": {"name", "arguments"}, "mcp_approval_response": {"approve", "reason"},
	"program": {"code"}, "program_output": {"result"},
}

// tell has the model remember what a tool of OpenAI's did.
func (t *transcript) tell(members []string, o *jsonedit.Value) {
	typ, _ := stringAt(o, "type")
	t.assistant(chat.Told(runInWords(typ, members, o)))
}

// runInWords is what is told of an item: its members; "" if it has none of them.
func runInWords(typ string, members []string, o *jsonedit.Value) string {
	var told []byte
	for _, name := range members {
		if v := orNull(o.Get(name)); v.Type() != jsonedit.TypeNull {
			told = jsonedit.AppendRaw(told, name, jsonedit.AppendValue(nil, v))
		}
	}
	if len(told) == 0 {
		return ""
	}
	return "[" + typ + ": {" + string(told) + "}]"
}

// ran gives the run that was told last the token with which its provider takes it back.
func (t *transcript) ran(token string) {
	whose, token := origin.Of(token, origin.Unknown)
	if n := len(t.req.Messages); n > 0 && t.req.Messages[n-1].Role == chat.Assistant {
		chat.AddRunToken(&t.req.Messages[n-1].Parts, token, whose)
		return
	}
	t.assistant(chat.Part{Kind: chat.HostedRun, Signature: token, Origin: whose})
}
