package openai

import (
	"slices"

	"go-ai-proxy/translators/jsonedit"
)

// callForm is how the call of a kind of tool is written as an item.
type callForm struct {
	kind   string // of the tool
	item   string // type of the item
	prefix string // of its id
	// member of the item has what the function's arguments have: their text, their
	// one string, or their object with first and last around its members.
	member      string
	first, last string
	// list means that the arguments have the member, too.
	list  bool
	empty string // the member while the arguments are not known, or if they are no object
	more  string // further members of the item, which the API requires
}

// callForms are the items of calls. The first of a type is for items without member.
// https://platform.openai.com/docs/api-reference/responses/object
var callForms = []callForm{
	{kind: "", item: "function_call", prefix: "fc_", member: "arguments"},
	{kind: customTool, item: "custom_tool_call", prefix: "ctc_", member: "input"},
	{kind: localShell, item: "local_shell_call", prefix: "lsh_", member: "action", first: `"type":"exec"`, last: `"env":{}`, empty: `{"type":"exec","command":[],"env":{}}`},
	{kind: shellTool, item: "shell_call", prefix: "sh_", member: "action", empty: `{"commands":[]}`},
	{kind: applyPatch, item: "apply_patch_call", prefix: "apc_", member: "operation", empty: `{"type":"update_file","path":"","diff":""}`},
	{kind: toolSearch, item: "tool_search_call", prefix: "tsc_", member: "arguments", empty: "{}", more: `,"execution":"client"`},
	{kind: computerTool, item: "computer_call", prefix: "cu_", member: "actions", list: true, empty: "[]", more: `,"pending_safety_checks":[]`},
	{kind: computerPreview, item: "computer_call", prefix: "cu_", member: "action", empty: `{"type":"screenshot"}`, more: `,"pending_safety_checks":[]`},
}

// formOfKind returns the form of the calls of a kind of tool.
func formOfKind(kind string) *callForm {
	i := slices.IndexFunc(callForms, func(f callForm) bool { return f.kind == kind })
	return &callForms[max(i, 0)]
}

// isCall reports whether items of type typ are calls of tools that the client runs.
func isCall(typ string) bool {
	return slices.ContainsFunc(callForms, func(f callForm) bool { return f.item == typ })
}

// formOfItem returns the form of an item of type typ, or nil if it is no call.
func formOfItem(typ string, o *jsonedit.Value) *callForm {
	for i := range callForms {
		if f := &callForms[i]; f.item == typ && (o.Get(f.member) != nil || f.kind != computerTool) {
			return f
		}
	}
	return nil
}

// arguments returns the function's arguments for the item o.
func (f *callForm) arguments(o *jsonedit.Value) jsonedit.Text {
	v := orNull(o.Get(f.member))
	dst := []byte{'{'}
	switch {
	case f.kind == customTool:
		return inputArguments(v.GetText())
	case f.list:
		dst = jsonedit.AppendRaw(dst, f.member, jsonedit.AppendValue(nil, v))
	case v.Type() == jsonedit.TypeString: // the arguments as a text
		return v.GetText()
	case f.first != "":
		v.GetObject().Visit(func(key []byte, v *jsonedit.Value) {
			if name := string(key); name != "type" && name != "env" && v.Type() != jsonedit.TypeNull {
				dst = jsonedit.AppendValue(jsonedit.AppendKey(dst, key), v)
			}
		})
	default:
		return jsonedit.Plain(string(jsonedit.AppendValue(nil, v)))
	}
	return jsonedit.Plain(string(append(dst, '}')))
}

// appendMember writes the item's member for the function's arguments.
func (f *callForm) appendMember(dst, arguments []byte) []byte {
	dst = append(jsonedit.AppendName(dst, f.member), f.value(arguments)...)
	return append(dst, f.more...)
}

func (f *callForm) value(arguments []byte) []byte {
	members, err := jsonedit.Object(arguments, nil)
	if err != nil || len(members) == 0 {
		return []byte(f.empty)
	}
	if f.list {
		if list := jsonedit.Find(members, f.member); jsonedit.IsArray(list) {
			return list
		}
		return []byte(f.empty)
	}
	if f.first == "" {
		return arguments
	}
	dst := append([]byte{'{'}, f.first...)
	for _, m := range members {
		if name := string(m.Key); name != "type" && name != "env" {
			dst = append(jsonedit.AppendKey(dst, m.Key), m.Value...)
		}
	}
	return append(append(jsonedit.AppendComma(dst), f.last...), '}')
}
