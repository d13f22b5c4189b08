package bedrock

import (
	"slices"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// natives lists Converse's own members that a client may send in any dialect, at the
// top level or in an object `bedrock`.
var natives = []string{
	"additionalModelRequestFields", "additionalModelResponseFieldPaths", "guardrailConfig", "inferenceConfig", "outputConfig",
	"performanceConfig", "promptVariables", "requestMetadata", "serviceTier", "toolConfig",
}

// callIDs says which ids a toolUse may have.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolUseBlock.html
var callIDs = chat.CallIDs{Prefix: "tooluse_", Longest: 64}

// query is a request that is being written for Converse.
type query struct {
	*chat.Request
	model    *model
	turns    []chat.Turn
	settings settings
	forces   bool              // the model can be made to call a tool
	own      []jsonedit.Member // of the client's object `bedrock`
	names    map[string]int    // of documents, which must be unique
}

// AppendRequest writes r as a Converse body; the model and whether to stream are in
// the URL. As the API requires, system messages are kept in order, consecutive
// messages of one role are merged, and tool results are moved to directly after their
// calls.
func (converse) AppendRequest(dst []byte, t *target.Target, r *chat.Request) ([]byte, error) {
	if isClaude(t) {
		r = r.NameProperties()
	}
	q := query{Request: r, model: modelOf(t.Model)}
	if err := q.read(t); err != nil {
		return nil, err
	}
	dst = append(dst, '{')
	dst, err := q.appendMessages(dst)
	if err != nil {
		return nil, err
	}
	if dst, err = q.appendSystem(dst, t.Model); err != nil {
		return nil, err
	}
	if dst, err = q.appendToolConfig(dst); err != nil {
		return nil, err
	}
	for _, write := range []func([]byte) ([]byte, error){q.appendInference, q.appendOutput, q.appendModelFields} {
		if dst, err = write(dst); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"guardrailConfig", "promptVariables", "additionalModelResponseFieldPaths"} {
		dst = jsonedit.AppendRaw(dst, name, q.native(name))
	}
	dst = q.appendMetadata(dst)
	dst = q.appendServing(dst, t)
	if t.Options != nil { // Converse has no such member: only what is configured is sent
		dst = jsonedit.AppendOptional(dst, "anthropic_version", t.Options.AnthropicVersion)
	}
	return append(dst, '}'), nil
}

// read arranges the messages and decides the settings.
func (q *query) read(t *target.Target) (err error) {
	if own := q.Lookup("bedrock"); own != nil {
		if q.own, err = jsonedit.Object(own, nil); err != nil {
			return &chat.RequestError{Field: "bedrock", Message: "must be an object of Converse's members"}
		}
		for _, m := range q.own {
			if name := string(m.Key); !slices.Contains(natives, name) {
				return &chat.RequestError{Field: "bedrock." + name, Message: "is no member that Converse has"}
			}
		}
	}
	if len(q.model.hosted) > 0 && !hostsRuns(q.Request) {
		q.Request = q.RunsInWords()
	}
	ids := callIDs
	if q.model.nineIDs {
		ids = chat.CallIDs{Exactly: 9}
	}
	q.turns = chat.Arrange(q.Messages, ids)
	// A prompt of Bedrock's prompt management brings its own messages.
	if len(q.turns) == 0 && q.native("promptVariables") == nil {
		return &chat.RequestError{Field: "messages", Message: "must have at least one message that says something"}
	}
	if q.model.claude && anthropic.TraitsOf(t.Model).UserLast {
		q.turns = chat.UserLast(q.turns)
	}
	q.forces = q.model.forces(t.Model)
	q.settings, err = q.decide(t)
	return err
}

// native returns the client's own value of a member of Converse, or nil if there is
// none.
func (q *query) native(name string) []byte {
	v := jsonedit.Find(q.own, name)
	if v == nil {
		v = q.Lookup(name)
	}
	if jsonedit.IsNull(v) {
		return nil
	}
	return v
}

// appendMerged writes an object as member name: the client's own merged with ours.
// ownWins says which one wins. An empty object is left out.
func (q *query) appendMerged(dst []byte, name string, ours []byte, ownWins bool) ([]byte, error) {
	own := q.native(name)
	if own == nil {
		if len(ours) <= len("{}") {
			return dst, nil
		}
		return jsonedit.AppendRaw(dst, name, ours), nil
	}
	if name == fieldsName {
		own = q.model.ownFields(own)
	}
	if ownWins {
		own, ours = ours, own
	}
	merged, err := jsonedit.Merge(jsonedit.AppendName(dst, name), own, ours)
	if err != nil {
		return nil, &chat.RequestError{Field: name, Message: "must be an object"}
	}
	return merged, nil
}

// appendSystem writes a block for each system message, with its texts joined, and a
// cache point if the client has one.
func (q *query) appendSystem(dst []byte, id string) ([]byte, error) {
	system := []byte{'['}
	var said []byte // as in a JSON string
	flush := func() {
		if len(said) > 0 {
			system = append(append(append(jsonedit.AppendComma(system), `{"text":"`...), said...), `"}`...)
			said = said[:0]
		}
	}
	say := func(text jsonedit.Text) {
		if len(said) > 0 {
			said = append(said, `\n\n`...)
		}
		said = text.AppendInside(said)
	}
	for i := range q.Messages {
		m := &q.Messages[i]
		for j := range m.Parts {
			p := &m.Parts[j]
			switch {
			case m.Role != chat.System:
				continue
			case p.Kind != chat.Text && p.Kind != chat.Refusal:
				return nil, &chat.RequestError{Field: chat.PartField(i, j), Message: "a system message can only be text"}
			case p.Text.Blank():
				continue
			}
			say(p.Text)
			if p.CacheControl != nil {
				flush()
				system = q.appendCachePoint(system, p.CacheControl)
			}
		}
		flush()
	}
	if q.ResponseFormat.Type == "json_object" || !q.model.schema && !q.formatByTool() {
		if form := q.ResponseFormat.Instruction(); form != "" {
			say(jsonedit.Plain(form))
			flush()
		}
	}
	if demand := q.Demand(demanded(q.Request)); demand != "" && !willing(q.Request, q.forces) && len(q.Tools) > 0 && q.native("toolConfig") == nil {
		say(jsonedit.Plain(demand))
		flush()
	}
	if len(system) == 1 {
		return dst, nil
	}
	if q.model.noSystem {
		return nil, &chat.RequestError{Message: "system prompts are unsupported for model '" + id + "'"}
	}
	return jsonedit.AppendRaw(dst, "system", append(system, ']')), nil
}

// appendInference writes inferenceConfig. The client's own members of it yield to the
// settings, which the gateway may have tuned.
func (q *query) appendInference(dst []byte) ([]byte, error) {
	s := &q.settings
	o := []byte{'{'}
	o = jsonedit.AppendRaw(o, "maxTokens", s.maxTokens)
	if !q.model.plain {
		o = jsonedit.AppendRaw(o, "temperature", s.temperature)
		o = jsonedit.AppendRaw(o, "topP", s.topP)
		o = jsonedit.AppendTexts(o, "stopSequences", q.StopsNotBlank())
	}
	return q.appendMerged(dst, "inferenceConfig", append(o, '}'), false)
}

// appendOutput writes outputConfig: the effort and the schema of the answer.
// https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
func (q *query) appendOutput(dst []byte) ([]byte, error) {
	o := []byte{'{'}
	o = jsonedit.AppendOptional(o, "effort", q.settings.effort)
	if q.settings.schema != nil && q.model.schema {
		o = append(jsonedit.AppendName(o, "textFormat"), `{"type":"json_schema","structure":{"jsonSchema":{`...)
		o = jsonedit.AppendText(o, "schema", string(q.settings.schema))
		o = jsonedit.AppendOptional(o, "name", q.ResponseFormat.Name)
		o = append(o, "}}}"...)
	}
	return q.appendMerged(dst, "outputConfig", append(o, '}'), true)
}

// appendModelFields writes additionalModelRequestFields. The client's own members
// win.
func (q *query) appendModelFields(dst []byte) ([]byte, error) {
	o := q.appendReasoning([]byte{'{'})
	if k := q.settings.topK; k != "" {
		switch q.model.topK {
		case "inferenceConfig.topK":
			o = append(jsonedit.AppendRaw(append(jsonedit.AppendName(o, "inferenceConfig"), '{'), "topK", k), '}')
		default:
			o = jsonedit.AppendRaw(o, q.model.topK, k)
		}
	}
	return q.appendMerged(dst, fieldsName, append(o, '}'), true)
}

// effortMembers are the members of additionalModelRequestFields that tell how much to
// reason. A model is sent its own only: a client may have written them for another.
var effortMembers = map[effort]string{effortField: "reasoning_effort", effortNested: "reasoning", effortNova: "reasoningConfig"}

// ownFields are the client's own additionalModelRequestFields, as the model takes them.
func (m *model) ownFields(own []byte) []byte {
	for at, name := range effortMembers {
		if at != m.effort && !m.unnamed {
			own = jsonedit.With(own, name, nil)
		}
	}
	return own
}

// appendServing writes the members about how the request is served.
func (q *query) appendServing(dst []byte, t *target.Target) []byte {
	own := q.native("performanceConfig")
	if t.Options != nil && t.Options.Bedrock.PerformanceConfigLatency != "" && (own == nil || t.Options.Overrides()) {
		dst = append(jsonedit.AppendText(append(jsonedit.AppendName(dst, "performanceConfig"), '{'), "latency", t.Options.Bedrock.PerformanceConfigLatency), '}')
	} else {
		dst = jsonedit.AppendRaw(dst, "performanceConfig", own)
	}
	configured := t.Options != nil && t.Options.ServiceTier != "" && t.Options.Overrides()
	if own := q.native("serviceTier"); own != nil && !configured {
		return jsonedit.AppendRaw(dst, "serviceTier", own)
	}
	if tier := serviceTier(q.ServiceTier); tier != "" {
		dst = append(jsonedit.AppendText(append(jsonedit.AppendName(dst, "serviceTier"), '{'), "type", tier), '}')
	}
	return dst
}

// serviceTier is tier where Bedrock has it under that name, otherwise "".
// https://docs.aws.amazon.com/bedrock/latest/userguide/service-tiers-inference.html
func serviceTier(tier string) string {
	switch tier {
	case "default", "flex", "priority", "reserved":
		return tier
	}
	return ""
}

// appendMetadata writes requestMetadata, which Bedrock keeps in its invocation logs:
// the client's own, or those members of OpenAI's metadata that Bedrock accepts.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
func (q *query) appendMetadata(dst []byte) []byte {
	if own := q.native("requestMetadata"); own != nil {
		return jsonedit.AppendRaw(dst, "requestMetadata", own)
	}
	members, err := jsonedit.Object(q.Metadata, nil)
	if err != nil {
		return dst
	}
	o := []byte{'{'}
	for _, m := range members {
		value, ok := jsonedit.String(m.Value)
		if ok && len(m.Key) > 0 && loggable(string(m.Key)) && loggable(value) {
			o = jsonedit.AppendText(o, string(m.Key), value)
		}
	}
	if len(o) == 1 {
		return dst
	}
	return jsonedit.AppendRaw(dst, "requestMetadata", append(o, '}'))
}

// loggable reports whether s may be a key or a value of requestMetadata: at most 256
// characters of a limited set.
func loggable(s string) bool {
	if len(s) > 256 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == ' ', c == ':', c == '_', c == '@', c == '$', c == '#', c == '=', c == '/', c == '+', c == ',', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}
