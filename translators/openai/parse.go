package openai

import (
	"errors"
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

func refuse(field, message string) error {
	return &chat.RequestError{Field: field, Message: message}
}

// within puts path before the field of a RequestError.
func within(path string, err error) error {
	var e *chat.RequestError
	if path == "" || !errors.As(err, &e) {
		return err
	}
	if e.Field != "" && e.Field[0] != '[' {
		path += "."
	}
	return refuse(path+e.Field, e.Message)
}

// of gives a RequestError another field.
func of(field string, err error) error {
	var e *chat.RequestError
	if !errors.As(err, &e) {
		return err
	}
	return refuse(field, e.Message)
}

func index(name string, i int) string { return name + "[" + strconv.Itoa(i) + "]" }

// visit calls f for each member that is not null, until the first error, to
// which the member's name is added.
func visit(o *jsonedit.Value, f func(name string, v *jsonedit.Value) error) error {
	var first error
	o.Visit(func(key []byte, v *jsonedit.Value) {
		if first != nil || v.Type() == jsonedit.TypeNull {
			return
		}
		if err := f(string(key), v); err != nil {
			first = within(string(key), err)
		}
	})
	return first
}

// visitObject is visit for a value that must be an object.
func visitObject(v *jsonedit.Value, f func(name string, v *jsonedit.Value) error) error {
	o, err := objectOf(v)
	if err != nil {
		return err
	}
	return visit(o, f)
}

// The setters read a value into a field and refuse other types.

func setString(to *string, v *jsonedit.Value) error {
	b, err := v.StringBytes()
	if err != nil {
		return refuse("", "must be a string")
	}
	*to = string(b)
	return nil
}

// keepText keeps a string as it is written.
func keepText(to *jsonedit.Text, v *jsonedit.Value) error {
	if v.Type() != jsonedit.TypeString {
		return refuse("", "must be a string")
	}
	*to = v.Text()
	return nil
}

func setNumber(to *chat.Number, v *jsonedit.Value) error {
	if v.Type() == jsonedit.TypeNumber {
		*to = chat.Number(v.Raw())
		return nil
	}
	return refuse("", "must be a number")
}

func setBool(to *bool, v *jsonedit.Value) error {
	b, err := v.Bool()
	if err != nil {
		return refuse("", "must be true or false")
	}
	*to = b
	return nil
}

func setBoolPtr(to **bool, v *jsonedit.Value) error {
	b := new(bool)
	*to = b
	return setBool(b, v)
}

// setRaw keeps v as JSON text.
func setRaw(to *chat.Raw, v *jsonedit.Value) error {
	*to = v.JSON()
	return nil
}

func objectOf(v *jsonedit.Value) (*jsonedit.Value, error) {
	o, err := v.Object()
	if err != nil {
		return nil, refuse("", "must be an object")
	}
	return o, nil
}

func arrayOf(v *jsonedit.Value) ([]*jsonedit.Value, error) {
	a, err := v.Array()
	if err != nil {
		return nil, refuse("", "must be an array")
	}
	return a, nil
}

// stringAt is the string member called name, or "" and false.
func stringAt(o *jsonedit.Value, name string) (string, bool) {
	v := o.Get(name)
	if v == nil || v.Type() != jsonedit.TypeString {
		return "", false
	}
	return string(v.GetStringBytes()), true
}

// textAt is stringAt for a text that is only passed on.
func textAt(o *jsonedit.Value, name string) (jsonedit.Text, bool) {
	v := o.Get(name)
	return v.Text(), v.Type() == jsonedit.TypeString
}

// ParseRequest implements chat.Dialect. Members which the API does not have,
// or which have no field in chat.Request, are in Extra; null is "not given".
func (chatDialect) ParseRequest(o *jsonedit.Value) (*chat.Request, error) {
	req := &chat.Request{}
	var limits [2]chat.Number // max_completion_tokens, max_tokens
	if err := visit(o, func(name string, v *jsonedit.Value) error { return parseMember(req, &limits, name, v) }); err != nil {
		return nil, err
	}
	req.MaxTokens = limits[0]
	if req.MaxTokens == "" {
		req.MaxTokens = limits[1]
	}
	if v := orNull(o.Get("tool_choice")); v.Type() != jsonedit.TypeNull {
		if err := parseToolChoice(req, v); err != nil {
			return nil, within("tool_choice", err)
		}
	}
	req.FitTools()
	return req, nil
}

// parseMember reads one top-level member of a chat request.
// https://platform.openai.com/docs/api-reference/chat/create
func parseMember(req *chat.Request, limits *[2]chat.Number, name string, v *jsonedit.Value) error {
	switch name {
	case "messages":
		return parseMessages(req, v)
	case "tools":
		return parseTools(req, v, parseTool)
	case "functions":
		return parseFunctions(req, v)
	case "tool_choice":
		return nil // when the tools are known
	case "function_call":
		return parseFunctionCallChoice(&req.ToolChoice, v)
	case "parallel_tool_calls":
		return setBoolPtr(&req.ParallelTools, v)
	case "max_completion_tokens":
		return setNumber(&limits[0], v)
	case "max_tokens":
		return setNumber(&limits[1], v)
	case "response_format":
		return parseResponseFormat(&req.ResponseFormat, v)
	case "reasoning_effort":
		return setString(&req.ReasoningEffort, v)
	case "reasoning":
		return parseReasoning(req, v)
	case "web_search_options":
		tool := chat.HostedTool(name, "", nil)
		tool.Search = searchOf(v, v.Get("user_location", "approximate"))
		req.Tools = append(req.Tools, tool)
		return nil
	}
	return parseSampling(req, name, v)
}

// searchOf reads the settings of a web search, which is made from where.
func searchOf(v, where *jsonedit.Value) *chat.Search {
	s := &chat.Search{Context: string(v.GetStringBytes("search_context_size"))}
	for name, to := range map[string]*string{"city": &s.City, "region": &s.Region, "country": &s.Country, "timezone": &s.Timezone} {
		*to = string(where.GetStringBytes(name))
	}
	return s
}

// parseSampling reads the members that chat and completions share.
func parseSampling(req *chat.Request, name string, v *jsonedit.Value) error {
	switch name {
	case "model":
		return setString(&req.Model, v)
	case "stream":
		return setBool(&req.Stream, v)
	case "stream_options":
		return parseStreamOptions(req, v)
	case "temperature":
		return setNumber(&req.Temperature, v)
	case "top_p":
		return setNumber(&req.TopP, v)
	case "top_k":
		return setNumber(&req.TopK, v)
	case "n":
		return setNumber(&req.N, v)
	case "seed":
		return setNumber(&req.Seed, v)
	case "presence_penalty":
		return setNumber(&req.PresencePenalty, v)
	case "frequency_penalty":
		return setNumber(&req.FrequencyPenalty, v)
	case "top_logprobs":
		return setNumber(&req.TopLogprobs, v)
	case "logprobs":
		return setBoolPtr(&req.Logprobs, v)
	case "logit_bias":
		return setRaw(&req.LogitBias, v)
	case "stop":
		return parseStop(req, v)
	case "user":
		return setString(&req.User, v)
	case "service_tier":
		return setString(&req.ServiceTier, v)
	case "metadata":
		return setRaw(&req.Metadata, v)
	case "extra_body":
		if _, err := objectOf(v); err != nil {
			return err
		}
		return setRaw(&req.ExtraBody, v)
	}
	var raw chat.Raw
	if err := setRaw(&raw, v); err != nil {
		return err
	}
	req.Extra = append(req.Extra, chat.Member{Name: name, Value: raw})
	return nil
}

func parseStreamOptions(req *chat.Request, v *jsonedit.Value) error {
	return visitObject(v, func(name string, v *jsonedit.Value) error {
		if name == "include_usage" {
			return setBool(&req.IncludeUsage, v)
		}
		return nil
	})
}

func parseStop(req *chat.Request, v *jsonedit.Value) error {
	if v.Type() == jsonedit.TypeString {
		req.Stop = []string{string(v.GetStringBytes())}
		return nil
	}
	list, err := v.Array()
	if err != nil {
		return refuse("", "must be a string or an array of strings")
	}
	for i, s := range list {
		var text string
		if err := setString(&text, s); err != nil {
			return within(index("", i), err)
		}
		req.Stop = append(req.Stop, text)
	}
	return nil
}

// parseReasoning reads {"effort":…}, which the Responses API and OpenRouter
// have in place of reasoning_effort, Responses' summary and OpenRouter's max_tokens.
func parseReasoning(req *chat.Request, v *jsonedit.Value) error {
	return visitObject(v, func(name string, v *jsonedit.Value) error {
		switch name {
		case "effort":
			if req.ReasoningEffort == "" {
				return setString(&req.ReasoningEffort, v)
			}
		case "max_tokens":
			return setNumber(&req.ReasoningBudget, v)
		case "summary":
			req.Thoughts = v.Type() == jsonedit.TypeString
		}
		return nil
	})
}

func parseResponseFormat(to *chat.ResponseFormat, v *jsonedit.Value) error {
	return visitObject(v, func(name string, v *jsonedit.Value) error {
		switch name {
		case "type":
			return setString(&to.Type, v)
		case "json_schema":
			return visitObject(v, func(name string, v *jsonedit.Value) error { return setSchema(to, name, v) })
		}
		return nil
	})
}

// setSchema reads a member of a schema with its name.
func setSchema(to *chat.ResponseFormat, name string, v *jsonedit.Value) error {
	switch name {
	case "name":
		return setString(&to.Name, v)
	case "schema":
		return setRaw(&to.Schema, v)
	case "strict":
		return setBoolPtr(&to.Strict, v)
	}
	return nil
}

// parseTools reads a list of tools, each with one.
func parseTools(req *chat.Request, v *jsonedit.Value, one func(req *chat.Request, v *jsonedit.Value) error) error {
	list, err := arrayOf(v)
	if err != nil {
		return err
	}
	for i, v := range list {
		if err := one(req, v); err != nil {
			return within(index("", i), err)
		}
	}
	return nil
}

// parseTool reads an element of tools.
func parseTool(req *chat.Request, v *jsonedit.Value) error {
	o, err := objectOf(v)
	if err != nil {
		return err
	}
	var tool chat.Tool
	if typ, _ := stringAt(o, "type"); typ == customTool {
		return parseCustom(req, o)
	}
	flat := isFlat(o)
	// A tool of another type, or of none ({"googleSearch":{}}), is one that a
	// provider's servers run.
	if typ, ok := stringAt(o, "type"); !flat && ((ok && typ != "function") || (!ok && o.Get("function") == nil)) {
		if !ok {
			typ = onlyMember(o)
		}
		name, _ := stringAt(o, "name")
		req.Tools = append(req.Tools, chat.HostedTool(typ, name, jsonedit.AppendValue(nil, v)))
		return nil
	}
	if c := o.Get("cache_control"); c != nil && c.Type() != jsonedit.TypeNull {
		if err := setRaw(&tool.CacheControl, c); err != nil {
			return within("cache_control", err)
		}
	}
	if flat {
		return parseFunction(req, tool, o)
	}
	return within("function", parseFunction(req, tool, orNull(o.Get("function"))))
}

// parseCustom adds a custom tool, which may also have the form that it has in the API of
// responses.
func parseCustom(req *chat.Request, o *jsonedit.Value) error {
	path := ""
	if inner := o.Get(customTool); inner != nil {
		path, o = customTool, inner
	}
	tool, err := customFunction(o)
	tool.Client.Kind = customTool
	req.Tools = append(req.Tools, tool)
	return within(path, err)
}

// isFlat says whether a tool is a function in the form that it has in the API of
// responses or in Anthropic's, which agents send to every API.
func isFlat(o *jsonedit.Value) bool {
	if o.Get("function") != nil || o.Get("name") == nil {
		return false
	}
	typ, typed := stringAt(o, "type")
	return typ == "function" || !typed && o.Get("input_schema") != nil
}

// onlyMember is the name of the first member of o: Google's and Bedrock's tools
// are named by it.
func onlyMember(o *jsonedit.Value) (name string) {
	o.Visit(func(key []byte, _ *jsonedit.Value) {
		if name == "" {
			name = string(key)
		}
	})
	return name
}

// parseFunction adds the tool whose function v is; it must have a name.
func parseFunction(req *chat.Request, tool chat.Tool, v *jsonedit.Value) error {
	if err := setDeclared(&tool, v); err != nil {
		return err
	}
	if tool.Name == "" {
		return refuse("name", "is missing")
	}
	req.Tools = append(req.Tools, tool)
	return nil
}

// setDeclared reads what a tool says of its function.
func setDeclared(tool *chat.Tool, v *jsonedit.Value) error {
	return visitObject(v, func(name string, v *jsonedit.Value) error {
		switch name {
		case "name":
			return setString(&tool.Name, v)
		case "description":
			return keepText(&tool.Description, v)
		case "parameters", "input_schema":
			return setRaw(&tool.Parameters, v)
		case "strict":
			return setBoolPtr(&tool.Strict, v)
		}
		return nil
	})
}

var null = jsonedit.MustParse("null")

func orNull(v *jsonedit.Value) *jsonedit.Value {
	if v == nil {
		return null
	}
	return v
}
