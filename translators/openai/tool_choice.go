package openai

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// choiceWords are the modes of tool_choice, by the words that clients use: besides
// OpenAI's, those of other makers, which agents send everywhere. Gemini's validated is
// auto whose calls fit their schemas.
var choiceWords = map[string]string{
	"auto": "auto", "none": "none", "required": "required", "any": "required", "validated": "auto",
}

// parseToolChoice reads tool_choice, a word or an object. An object may also have the form
// that it has in the API of responses, or in Anthropic's.
// https://platform.openai.com/docs/api-reference/chat/create
func parseToolChoice(req *chat.Request, v *jsonedit.Value) error {
	o, err := parseMode(&req.ToolChoice, v)
	if o == nil || err != nil {
		return err
	}
	typ, _ := stringAt(o, "type")
	switch typ {
	case "function", "custom", "tool":
		name := chosenName(o)
		switch {
		case name == "" && typ == "custom":
			return errNoFunction
		case name == "":
			return refuse("function.name", "is missing")
		}
		req.ToolChoice = chat.ToolChoice{Mode: "function", Name: name}
		return nil
	case "allowed_tools":
		if inner := o.Get("allowed_tools"); inner != nil {
			o = inner
		}
		mode, _ := stringAt(o, "mode")
		req.ToolChoice.Mode = choiceWords[mode]
		var names []string
		for _, t := range o.GetArray("tools") {
			names = append(names, chosenName(t))
		}
		if !req.Allow(names) {
			return refuse("tools", "has a name that is not among the tools")
		}
		return nil
	}
	if mode := choiceWords[typ]; mode != "" {
		req.ToolChoice.Mode = mode
		return nil
	}
	return errNoFunction
}

// chosenName is the name of the tool that a choice is.
func chosenName(o *jsonedit.Value) string {
	for _, in := range []*jsonedit.Value{o.Get("function"), o.Get("custom"), o} {
		if name, _ := stringAt(orNull(in), "name"); name != "" {
			return name
		}
	}
	return ""
}

// errNoFunction refuses a choice of what is no function.
var errNoFunction = refuse("type", "must be function: nothing else can be translated")

// parseMode reads a choice that is a word; of another, it returns the object.
func parseMode(to *chat.ToolChoice, v *jsonedit.Value) (*jsonedit.Value, error) {
	if mode := choiceWords[string(v.GetStringBytes())]; mode != "" {
		to.Mode = mode
		return nil, nil
	}
	o, err := v.Object()
	if err != nil {
		return nil, refuse("", "must be auto, none, required or a function")
	}
	return o, nil
}

// parseFunctionCallChoice reads what tool_choice was called before.
func parseFunctionCallChoice(to *chat.ToolChoice, v *jsonedit.Value) error {
	if v.Type() == jsonedit.TypeString {
		_, err := parseMode(to, v)
		return err
	}
	o, err := objectOf(v)
	if err != nil {
		return err
	}
	return setChosen(to, o)
}

func setChosen(to *chat.ToolChoice, o *jsonedit.Value) error {
	name, ok := stringAt(o, "name")
	if !ok || name == "" {
		return refuse("name", "is missing")
	}
	to.Mode, to.Name = "function", name
	return nil
}
