package anthropic

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// clientTools are Anthropic's own tools that the client runs, by the beginning of
// their type. Claude knows what they take; other models are told so in a function
// of the same name, whose calls the client runs likewise.
//
//	https://platform.claude.com/docs/en/agents-and-tools/tool-use/bash-tool
//	https://platform.claude.com/docs/en/agents-and-tools/tool-use/text-editor-tool
//	https://platform.claude.com/docs/en/agents-and-tools/tool-use/memory-tool
//	https://platform.claude.com/docs/en/agents-and-tools/tool-use/computer-use-tool
var clientTools = []struct{ prefix, description, schema string }{
	{"bash_", "Runs commands in a shell that keeps its state from call to call.", `{"type":"object","properties":{` +
		`"command":{"type":"string","description":"The command to run. Needed unless restart is set."},` +
		`"restart":{"type":"boolean","description":"Starts the shell anew."}}}`},
	{"text_editor_", "Views and edits text files.", `{"type":"object","properties":{` +
		`"command":{"type":"string","enum":["view","create","str_replace","insert"]},` +
		`"path":{"type":"string","description":"The file, or the folder to view."},` +
		`"view_range":{"type":"array","items":{"type":"integer"},"description":"view: first and last line, from 1; -1 is the end."},` +
		`"file_text":{"type":"string","description":"create: the text of the file."},` +
		`"old_str":{"type":"string","description":"str_replace: the text to replace, which must occur once."},` +
		`"new_str":{"type":"string","description":"str_replace: the text in its place."},` +
		`"insert_line":{"type":"integer","description":"insert: the line after which to insert, 0 for the beginning."},` +
		`"insert_text":{"type":"string","description":"insert: the text."}},"required":["command","path"]}`},
	{"memory_", "Keeps notes in files below /memories, which outlast the conversation. View them before you begin.", `{"type":"object","properties":{` +
		`"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},` +
		`"path":{"type":"string","description":"The file or folder, for all but rename."},` +
		`"view_range":{"type":"array","items":{"type":"integer"},"description":"view: first and last line."},` +
		`"file_text":{"type":"string","description":"create: the text of the file."},` +
		`"old_str":{"type":"string","description":"str_replace: the text to replace."},` +
		`"new_str":{"type":"string","description":"str_replace: the text in its place."},` +
		`"insert_line":{"type":"integer","description":"insert: the line after which to insert."},` +
		`"insert_text":{"type":"string","description":"insert: the text."},` +
		`"old_path":{"type":"string","description":"rename: from."},` +
		`"new_path":{"type":"string","description":"rename: to."}},"required":["command"]}`},
	{"computer_", "Uses the screen, mouse and keyboard of a computer. Look at a screenshot after each action.", `{"type":"object","properties":{` +
		`"action":{"type":"string","enum":["screenshot","left_click","right_click","middle_click","double_click","triple_click","mouse_move",` +
		`"left_click_drag","left_mouse_down","left_mouse_up","scroll","type","key","hold_key","wait","cursor_position"]},` +
		`"coordinate":{"type":"array","items":{"type":"integer"},"description":"x and y in pixels."},` +
		`"start_coordinate":{"type":"array","items":{"type":"integer"},"description":"left_click_drag: from."},` +
		`"text":{"type":"string","description":"type, key, hold_key: the text or the keys; clicks: keys held meanwhile."},` +
		`"scroll_direction":{"type":"string","enum":["up","down","left","right"]},` +
		`"scroll_amount":{"type":"integer"},` +
		`"duration":{"type":"number","description":"wait, hold_key: seconds."}},"required":["action"]}`},
}

// ownTool reads a tool of Anthropic's own: a function that the client runs, or a
// tool of its servers.
func ownTool(t *jsonedit.Value, kind string) chat.Tool {
	native := t.JSON()
	for _, c := range clientTools {
		if strings.HasPrefix(kind, c.prefix) {
			return chat.Tool{Name: t.GetString("name"), Description: jsonedit.Plain(c.description), Parameters: chat.Raw(c.schema),
				CacheControl: raw(t, "cache_control"), Native: native}
		}
	}
	tool := chat.HostedTool(kind, t.GetString("name"), native)
	if tool.Hosted == chat.WebSearch {
		where := t.Get("user_location")
		tool.Search = &chat.Search{
			Allowed: texts(t, "allowed_domains"), Blocked: texts(t, "blocked_domains"),
			City: where.GetString("city"), Region: where.GetString("region"), Country: where.GetString("country"), Timezone: where.GetString("timezone"),
		}
		if n := t.Get("max_uses"); n != nil && n.Type() == jsonedit.TypeNumber {
			tool.Search.MaxUses = chat.Number(n.Raw())
		}
	}
	return tool
}

// texts returns copies of the strings in v's list name.
func texts(v *jsonedit.Value, name string) (list []string) {
	for _, s := range v.GetArray(name) {
		list = append(list, string(s.GetStringBytes()))
	}
	return list
}
