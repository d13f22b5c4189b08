package mock

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// inputItem is an item of the input, as far as it is checked.
type inputItem struct {
	Type, Role, Name string
	CallID           string          `json:"call_id"`
	Content, Output  json.RawMessage `json:"-"`
	Raw              map[string]json.RawMessage
}

// itemMembers are the members of the items that a client of the API sends most; others
// are refused. Items of other types are not checked.
var itemMembers = map[string]string{
	"message":                 " type id role content status phase ",
	"function_call":           " type id call_id name namespace arguments status ",
	"function_call_output":    " type id call_id output status ",
	"custom_tool_call":        " type id call_id name namespace input status ",
	"custom_tool_call_output": " type id call_id output ",
	"reasoning":               " type id summary content encrypted_content status ",
}

// contentTypes are the types of the parts of a message, by its role.
var contentTypes = map[string]string{
	"user":      " input_text input_image input_file input_audio ",
	"system":    " input_text input_image input_file ",
	"developer": " input_text input_image input_file ",
	"assistant": " output_text refusal input_text ",
}

// checkItems refuses items that the API refuses: unknown types of content, results
// without a call, and calls without a result. stored means that the calls may be in a
// conversation that the server has.
func checkItems(input json.RawMessage, stored bool) error {
	var items []inputItem
	if len(input) == 0 || input[0] != '[' {
		return nil
	}
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(input, &list); err != nil {
		return fmt.Errorf("input: %w", err)
	}
	if err := json.Unmarshal(input, &items); err != nil {
		return fmt.Errorf("input: %w", err)
	}
	called, answered := map[string]bool{}, map[string]bool{}
	for i := range items {
		it := &items[i]
		it.Raw, it.Content, it.Output = list[i], list[i]["content"], list[i]["output"]
		if it.Type == "" && it.Role != "" {
			it.Type = "message"
		}
		if err := it.check(); err != nil {
			return fmt.Errorf("input[%d]: %w", i, err)
		}
		switch {
		case strings.HasSuffix(it.Type, "_call"):
			called[it.CallID] = true
		case strings.HasSuffix(it.Type, "_call_output"):
			answered[it.CallID] = true
			if it.Type == "function_call_output" && !called[it.CallID] && !stored {
				return fmt.Errorf("no tool call found for function call output with call_id %s", it.CallID)
			}
		}
	}
	for i := range items {
		if it := &items[i]; it.Type == "function_call" && !answered[it.CallID] {
			return fmt.Errorf("no tool output found for function call %s", it.CallID)
		}
	}
	return nil
}

func (it *inputItem) check() error {
	known, checked := itemMembers[it.Type]
	if !checked {
		return nil
	}
	for name := range it.Raw {
		if !strings.Contains(known, " "+name+" ") {
			return fmt.Errorf("unknown parameter: %q", name)
		}
	}
	switch it.Type {
	case "message":
		types, ok := contentTypes[it.Role]
		if !ok {
			return fmt.Errorf("role: invalid value %q", it.Role)
		}
		return checkItemContent(it.Content, types)
	case "function_call":
		if it.CallID == "" || it.Name == "" || len(it.CallID) > 64 {
			return fmt.Errorf("a call needs name and a call_id of at most 64 characters, got %q and %q", it.Name, it.CallID)
		}
		return wantString(it.Raw["arguments"], "arguments")
	case "function_call_output":
		return checkItemContent(it.Output, contentTypes["system"])
	case "reasoning":
		if len(it.Raw["summary"]) == 0 || it.Raw["summary"][0] != '[' {
			return errors.New("summary: must be a list")
		}
		return wantString(it.Raw["encrypted_content"], "encrypted_content")
	}
	return nil
}

func wantString(v json.RawMessage, name string) error {
	if v != nil && string(v) != "null" && v[0] != '"' {
		return fmt.Errorf("%s: must be a string", name)
	}
	return nil
}

// checkItemContent checks a text, or parts of these types.
func checkItemContent(content json.RawMessage, types string) error {
	if len(content) == 0 {
		return errors.New("content is required")
	}
	if content[0] == '"' {
		return nil
	}
	var parts []struct{ Type string }
	if err := json.Unmarshal(content, &parts); err != nil {
		return fmt.Errorf("content: %w", err)
	}
	for i, p := range parts {
		if !strings.Contains(types, " "+p.Type+" ") {
			return fmt.Errorf("content[%d]: invalid value %q, supported values are%s", i, p.Type, types)
		}
	}
	return nil
}

// checkResponsesTools checks functions, which are flat, and refuses those of chat.
func checkResponsesTools(list json.RawMessage) error {
	var tools []struct {
		Type, Name string
		Parameters json.RawMessage
		Function   json.RawMessage
	}
	if len(list) == 0 {
		return nil
	}
	if err := json.Unmarshal(list, &tools); err != nil {
		return fmt.Errorf("tools: %w", err)
	}
	for i, t := range tools {
		switch {
		case t.Type == "":
			return fmt.Errorf("tools[%d].type is required", i)
		case t.Type == "function" && (t.Name == "" || t.Function != nil):
			return fmt.Errorf("missing required parameter: 'tools[%d].name'", i)
		}
	}
	return nil
}
