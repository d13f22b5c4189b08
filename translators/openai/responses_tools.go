package openai

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// Kinds of tools that the client runs and that are no functions in the Responses
// API. For other models they are functions, whose calls are written as the items
// that the client knows.
// https://platform.openai.com/docs/api-reference/responses/create
const (
	customTool      = "custom"
	localShell      = "local_shell"
	shellTool       = "shell"
	applyPatch      = "apply_patch"
	toolSearch      = "tool_search"
	computerTool    = "computer"
	computerUse     = "computer_use"
	computerPreview = "computer_use_preview"
)

// runByClient are the functions for tools that OpenAI's models know without a schema.
// Their arguments are what the call's item has in the member that callForms names.
//
//	https://platform.openai.com/docs/guides/tools-local-shell
//	https://platform.openai.com/docs/guides/tools-shell
//	https://platform.openai.com/docs/guides/tools-apply-patch
//	https://platform.openai.com/docs/guides/tools-computer-use
var runByClient = map[string]struct{ description, schema string }{
	localShell: {"Runs a command on the user's computer and returns its output.", `{"type":"object","properties":{` +
		`"command":{"type":"array","items":{"type":"string"},"description":"The program and its arguments, such as [\"bash\",\"-lc\",\"ls\"]."},` +
		`"working_directory":{"type":"string"},` +
		`"timeout_ms":{"type":"integer"}},"required":["command"]}`},
	shellTool: {"Runs shell commands on the user's computer and returns their output.", `{"type":"object","properties":{` +
		`"commands":{"type":"array","items":{"type":"string"},"description":"Commands for the shell, which run at the same time."},` +
		`"timeout_ms":{"type":"integer"},` +
		`"max_output_length":{"type":"integer","description":"The most characters of output to return."}},"required":["commands"]}`},
	applyPatch: {"Creates, changes or deletes a file.", `{"type":"object","properties":{` +
		`"type":{"type":"string","enum":["create_file","update_file","delete_file"]},` +
		`"path":{"type":"string","description":"The file, relative to the working directory."},` +
		`"diff":{"type":"string","description":"create_file: the lines of the file, each after a +. update_file: hunks that begin with @@, with lines after a space, + or -, in the V4A format."}},"required":["type","path"]}`},
	computerTool: {"Uses the screen, mouse and keyboard of a computer, and returns a screenshot.", `{"type":"object","properties":{` +
		`"actions":{"type":"array","items":` + computerAction + `}},"required":["actions"]}`},
	computerPreview: {"Uses the screen, mouse and keyboard of a computer, and returns a screenshot.", computerAction},
}

const computerAction = `{"type":"object","properties":{` +
	`"type":{"type":"string","enum":["screenshot","click","double_click","move","drag","scroll","type","keypress","wait"]},` +
	`"x":{"type":"integer"},"y":{"type":"integer"},` +
	`"button":{"type":"string","enum":["left","right","wheel","back","forward"],"description":"click"},` +
	`"path":{"type":"array","items":{"type":"object","properties":{"x":{"type":"integer"},"y":{"type":"integer"}}},"description":"drag"},` +
	`"scroll_x":{"type":"integer"},"scroll_y":{"type":"integer"},` +
	`"text":{"type":"string","description":"type"},` +
	`"keys":{"type":"array","items":{"type":"string"},"description":"keypress"}},"required":["type"]}`

// toolbox are the tools that a request offers, anywhere in it, and the names of the
// functions that they are.
type toolbox struct {
	req   *chat.Request
	names map[chat.ClientTool]string // of those that were offered or called; Kind is ""
	taken map[string]bool
	at    map[string]int // places in the request's tools
}

func newToolbox(req *chat.Request) *toolbox {
	return &toolbox{req: req, names: map[chat.ClientTool]string{}, taken: map[string]bool{}, at: map[string]int{}}
}

// longestName is how long the name of a function may be, and its pattern
// [a-zA-Z0-9_-]. https://platform.openai.com/docs/api-reference/chat/create
const longestName = 64

// name is the name of the function for a tool that the client knows by a name in a
// namespace. It is the same in every turn that offers the same tools.
func (b *toolbox) name(namespace, name string) string {
	key := chat.ClientTool{Namespace: namespace, Name: name}
	if known, ok := b.names[key]; ok {
		return known
	}
	flat := name
	if namespace != "" {
		flat = strings.TrimRight(namespace, "_") + "__" + name
	}
	flat = strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' {
			return c
		}
		return '_'
	}, flat)
	if flat != "" && (flat[0] == '-' || '0' <= flat[0] && flat[0] <= '9') { // Gemini refuses it
		flat = "_" + flat
	}
	if len(flat) > longestName || b.taken[flat] {
		h := fnv.New32a()
		h.Write([]byte(namespace + "\x00" + name))
		end := "_" + strconv.FormatUint(uint64(h.Sum32()), 36)
		flat = flat[:min(len(flat), longestName-len(end))] + end
	}
	b.names[key], b.taken[flat] = flat, true
	return flat
}

// add adds a tool whose call the client's format writes as a kind; "" is a function.
func (b *toolbox) add(tool chat.Tool, kind, namespace, name string) {
	tool.Name = b.name(namespace, name)
	if kind != "" || namespace != "" || tool.Name != name {
		tool.Client = chat.ClientTool{Kind: kind, Namespace: namespace, Name: name}
	}
	if i, ok := b.at[tool.Name]; ok { // offered again, by a search
		b.req.Tools[i] = tool
		return
	}
	b.at[tool.Name] = len(b.req.Tools)
	b.req.Tools = append(b.req.Tools, tool)
}

// offer reads a list of tools.
func (b *toolbox) offer(v *jsonedit.Value) error {
	return parseTools(b.req, v, func(_ *chat.Request, v *jsonedit.Value) error { return b.tool(v, "") })
}

// tool reads one tool, which may be within a namespace.
func (b *toolbox) tool(v *jsonedit.Value, namespace string) error {
	o, err := objectOf(v)
	if err != nil {
		return err
	}
	typ, _ := stringAt(o, "type")
	switch typ {
	case "function", customTool:
		return b.named(o, typ, namespace)
	case "namespace":
		name, ok := stringAt(o, "name")
		if !ok || namespace != "" {
			return refuse("name", "a namespace needs a name and stands in no other")
		}
		return within("tools", parseTools(b.req, orNull(o.Get("tools")), func(_ *chat.Request, v *jsonedit.Value) error { return b.tool(v, name) }))
	case localShell, applyPatch, computerTool, computerPreview:
		b.known(typ, typ)
	case shellTool:
		if where := string(o.GetStringBytes("environment", "type")); where != "" && where != "local" {
			b.hosted(o, typ) // in a container of OpenAI's
			break
		}
		b.known(typ, typ)
	case toolSearch:
		return b.search(o)
	default:
		b.hosted(o, typ)
	}
	return nil
}

// named reads a function or a custom tool.
func (b *toolbox) named(o *jsonedit.Value, typ, namespace string) error {
	if typ == customTool {
		tool, err := customFunction(o)
		if err == nil {
			b.add(tool, customTool, namespace, tool.Name)
		}
		return err
	}
	var tool chat.Tool
	if err := setDeclared(&tool, o); err != nil {
		return err
	}
	if tool.Name == "" {
		return refuse("name", "is missing")
	}
	b.add(tool, "", namespace, tool.Name)
	return nil
}

// known adds a tool that OpenAI's models know without a schema.
func (b *toolbox) known(kind, name string) {
	f := runByClient[kind]
	b.add(chat.Tool{Description: jsonedit.Plain(f.description), Parameters: chat.Raw(f.schema)}, kind, "", name)
}

// search reads tool_search: a function where the client searches. Where OpenAI does,
// it has nothing to do: all tools are offered from the start.
// https://platform.openai.com/docs/guides/tools-tool-search
func (b *toolbox) search(o *jsonedit.Value) error {
	if where, _ := stringAt(o, "execution"); where != "client" {
		return nil
	}
	var tool chat.Tool
	if err := setDeclared(&tool, o); err != nil {
		return err
	}
	b.add(tool, toolSearch, "", toolSearch)
	return nil
}

// hosted adds a tool that the provider would have to run.
func (b *toolbox) hosted(o *jsonedit.Value, typ string) {
	tool := chat.HostedTool(typ, "", jsonedit.AppendValue(nil, o))
	if server := serverOf(o); typ == "mcp" && server != nil {
		tool = chat.ServerTool(typ, server, tool.Native)
	}
	if tool.Hosted == chat.WebSearch {
		tool.Search = searchOf(o, o.Get("user_location"))
		for list, to := range map[string]*[]string{"allowed_domains": &tool.Search.Allowed, "blocked_domains": &tool.Search.Blocked} {
			for _, domain := range o.GetArray("filters", list) {
				*to = append(*to, string(domain.GetStringBytes()))
			}
		}
	}
	b.req.Tools = append(b.req.Tools, tool)
}

// choice reads tool_choice, which names a tool by its type and, within it, by name.
func (b *toolbox) choice(v *jsonedit.Value) error {
	to := &b.req.ToolChoice
	o, err := parseMode(to, v)
	if o == nil || err != nil {
		return err
	}
	if typ, _ := stringAt(o, "type"); typ == "allowed_tools" {
		to.Mode, _ = stringAt(o, "mode")
		return within("tools", b.allow(orNull(o.Get("tools"))))
	}
	name, err := b.chosen(o)
	if err == nil && !slices.ContainsFunc(b.req.Tools, func(t chat.Tool) bool { return t.Name == name }) {
		err = refuse("", name+" is not among the tools")
	}
	to.Mode, to.Name = "function", name
	return err
}

// chosen is the name of the tool that a choice names.
func (b *toolbox) chosen(o *jsonedit.Value) (string, error) {
	typ, _ := stringAt(o, "type")
	name, named := stringAt(o, "name")
	switch typ {
	case "":
		return "", refuse("type", "is missing")
	case "function", customTool:
		if !named || name == "" {
			return "", refuse("name", "is missing")
		}
		namespace, _ := stringAt(o, "namespace")
		return b.name(namespace, name), nil
	case computerUse:
		typ = computerPreview
	}
	return typ, nil
}

// allow reduces the tools to those of a list. An empty list allows all.
func (b *toolbox) allow(v *jsonedit.Value) error {
	var allowed, namespaces []string
	err := parseTools(b.req, v, func(_ *chat.Request, v *jsonedit.Value) error {
		o, err := objectOf(v)
		if err != nil {
			return err
		}
		if typ, _ := stringAt(o, "type"); typ == "namespace" {
			name, _ := stringAt(o, "name")
			namespaces = append(namespaces, name)
			return nil
		}
		name, err := b.chosen(o)
		allowed = append(allowed, name)
		return err
	})
	if err != nil || len(allowed)+len(namespaces) == 0 {
		return err
	}
	b.req.Tools = slices.DeleteFunc(b.req.Tools, func(t chat.Tool) bool {
		return !slices.Contains(allowed, t.Name) && (t.Client.Namespace == "" || !slices.Contains(namespaces, t.Client.Namespace))
	})
	return nil
}
