package anthropic

import (
	"bytes"
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// defaultMaxTokens is sent for a model whose name does not tell how much it writes, if
// the client sets no max_tokens, which Anthropic requires and OpenAI does not.
const defaultMaxTokens = 4096

// maxUnstreamed is how many tokens a model writes in the ten minutes that an answer
// may take that is not streamed, by the rate that Anthropic's SDKs reckon with: 128,000
// an hour.
// https://platform.claude.com/docs/en/api/errors#long-requests
const maxUnstreamed = 128000 / 6

// natives lists Anthropic's own top-level members that the internal form has no field
// for. A client may send them in any dialect.
var natives = []string{
	"cache_control", "compaction", "container", "context_management", "diagnostics",
	"fallback_credit_token", "fallbacks", "inference_geo", "speed",
}

// leastTopP is the lowest top_p that is accepted together with thinking.
// https://platform.claude.com/docs/en/build-with-claude/extended-thinking
const leastTopP = 0.95

type messages struct{}

// AppendRequest writes r as a Messages body. As the API requires, system messages are
// joined in order, consecutive messages of one role are merged, and tool results are
// moved to directly after their calls.
func (messages) AppendRequest(dst []byte, t *target.Target, r *chat.Request) ([]byte, error) {
	if len(r.Messages) == 0 {
		return nil, &chat.RequestError{Field: "messages", Message: "must have at least one message"}
	}
	r = r.NameProperties()
	turns := chat.Arrange(r.Messages, chat.CallIDs{Prefix: "toolu_"})
	if len(turns) == 0 {
		turns = []chat.Turn{chat.OpeningTurn()}
	}
	m := modelOf(t.Model)
	if m.userLast {
		turns = chat.UserLast(turns)
	}
	th := decideThinking(m, r, turns)

	dst = append(dst, `{"model":`...)
	dst = jsonedit.AppendString(dst, t.Model)
	dst = append(dst, `,"messages":[`...)
	var err error
	for i := range turns {
		dst = jsonedit.AppendComma(dst)
		if dst, err = appendTurn(dst, &turns[i], i == len(turns)-1); err != nil {
			return nil, err
		}
	}
	dst = append(dst, ']')
	if dst, err = appendSystem(dst, m, r); err != nil {
		return nil, err
	}
	dst = appendTools(dst, m, r, turns)
	dst = appendSampling(dst, m, r, th)
	dst = th.append(dst)
	dst = appendOutputConfig(dst, m, r, th.effort)
	dst = appendIdentity(dst, r)
	dst = appendServers(dst, r)
	for _, name := range natives {
		dst = jsonedit.AppendRaw(dst, name, r.Lookup(name))
	}
	dst = jsonedit.AppendBool(dst, "stream", r.Stream)
	return append(dst, '}'), nil
}

// appendSystem joins all system messages: as a string while they are only
// text, as blocks where one of them has a cache_control to keep.
func appendSystem(dst []byte, m *model, r *chat.Request) ([]byte, error) {
	var texts []*chat.Part
	cached := false
	for i := range r.Messages {
		if r.Messages[i].Role != chat.System {
			continue
		}
		for j := range r.Messages[i].Parts {
			p := &r.Messages[i].Parts[j]
			if p.Kind != chat.Text && p.Kind != chat.Refusal {
				return nil, &chat.RequestError{Field: chat.PartField(i, j), Message: "a system message can only be text"}
			}
			if !p.Text.Blank() {
				texts = append(texts, p)
				cached = cached || p.CacheControl != nil
			}
		}
	}
	if form := r.ResponseFormat.Instruction(); form != "" && schemaFor(m, &r.ResponseFormat) == nil {
		texts = append(texts, &chat.Part{Text: jsonedit.Plain(form)})
	}
	if m.unforced && len(r.Tools) > 0 {
		if demand := r.Demand(chosen(r)); demand != "" {
			texts = append(texts, &chat.Part{Text: jsonedit.Plain(demand)})
		}
	}
	if len(texts) == 0 {
		return dst, nil
	}
	dst = append(dst, `,"system":`...)
	if cached {
		return appendBlocks(dst, len(texts), func(dst []byte, i int) []byte {
			return appendTextBlock(dst, texts[i].Text, texts[i].CacheControl)
		}), nil
	}
	if len(texts) == 1 {
		return texts[0].Text.Append(dst), nil
	}
	dst = append(dst, '"')
	for i, p := range texts {
		if i > 0 {
			dst = append(dst, `\n\n`...)
		}
		dst = p.Text.AppendInside(dst)
	}
	return append(dst, '"'), nil
}

// Untuned returns those of the tuning options that a Claude model refuses.
func Untuned(t *target.Target) []string {
	if modelOf(t.Model).sampling == noSampler {
		return []string{"temperature", "top_p", "top_k"}
	}
	return nil
}

// caveats returns what of r the model is not asked for as the client wants it, in words
// for the record.
func caveats(t *target.Target, r *chat.Request) []string {
	if !modelOf(t.Model).unforced {
		return nil
	}
	return r.DemandCaveat()
}

// defaultLimit is the max_tokens of a request that sets none: all that the model can
// write in such an answer, with the room that its thinking needs.
func (m *model) defaultLimit(streamed bool, room int) int {
	switch {
	case m.output == 0:
		return defaultMaxTokens + room
	case streamed:
		return m.output
	}
	return min(m.output, max(maxUnstreamed, defaultMaxTokens+room))
}

// appendSampling writes max_tokens and the sampling parameters that the model
// takes in the state it is asked to be in.
func appendSampling(dst []byte, m *model, r *chat.Request, th thinking) []byte {
	limit := r.MaxTokens
	if n, ok := limit.Int(); limit == "" || ok && th.mode == "enabled" && n <= th.budget {
		if limit == "" {
			limit = chat.Number(strconv.Itoa(m.defaultLimit(r.Stream, th.room(m))))
		} else {
			limit = chat.Number(strconv.Itoa(n + th.room(m)))
		}
	}
	dst = jsonedit.AppendRaw(dst, "max_tokens", limit.AtMost(m.output))
	dst = jsonedit.AppendTexts(dst, "stop_sequences", r.StopsNotBlank())
	if m.sampling == noSampler {
		return dst
	}
	// With thinking, temperature and top_k must keep their defaults.
	p, hasTopP := r.TopP.Float()
	if th.on() {
		if hasTopP && p >= leastTopP {
			dst = jsonedit.AppendRaw(dst, "top_p", r.TopP)
		}
		return dst
	}
	temperature := r.Temperature
	if f, ok := temperature.Float(); ok && f > 1 {
		temperature = "1"
	}
	dst = jsonedit.AppendRaw(dst, "temperature", temperature)
	if hasTopP && (temperature == "" || m.sampling == allSamplers) {
		dst = jsonedit.AppendRaw(dst, "top_p", r.TopP)
	}
	dst = jsonedit.AppendRaw(dst, "top_k", r.TopK)
	return dst
}

// appendOutputConfig writes effort and format beside what the client has in an
// output_config of its own (task_budget), which wins.
func appendOutputConfig(dst []byte, m *model, r *chat.Request, effort string) []byte {
	own := r.Lookup("output_config")
	format := schemaFor(m, &r.ResponseFormat)
	if own == nil && effort == "" && format == nil {
		return dst
	}
	var v *jsonedit.Value
	if own != nil {
		v, _ = jsonedit.Parse(own)
	}
	var o []byte
	v.GetObject().Visit(func(key []byte, v *jsonedit.Value) {
		if string(key) == "effort" && m.levels == nil && m != &unknown || string(key) == "format" && m.noSchema {
			return
		}
		o = jsonedit.AppendValue(jsonedit.AppendKey(o, key), v)
	})
	if effort != "" && !v.Has("effort") {
		o = jsonedit.AppendText(o, "effort", effort)
	}
	if format != nil && !v.Has("format") {
		o = append(jsonedit.AppendName(o, "format"), `{"type":"json_schema","schema":`...)
		o = append(append(o, format...), '}')
	}
	if len(o) == 0 {
		return dst
	}
	return append(append(append(dst, `,"output_config":{`...), bytes.TrimPrefix(o, []byte(","))...), '}')
}

// schemaFor is the schema that the model enforces for a format; nil where it is
// asked for in words, or not at all.
func schemaFor(m *model, f *chat.ResponseFormat) chat.Raw {
	if f.Type != "json_schema" || m.noSchema {
		return nil
	}
	if s := strictOf(f.Schema); s != nil {
		return s.text
	}
	return nil
}

// appendIdentity writes who asks and at which priority.
func appendIdentity(dst []byte, r *chat.Request) []byte {
	user := []byte(r.Lookup("safety_identifier"))
	if r.User != "" {
		user = jsonedit.AppendString(nil, r.User)
	} else if !jsonedit.IsString(user) {
		user = jsonedit.Lookup(r.Metadata, "user_id")
	}
	if jsonedit.IsString(user) {
		dst = append(dst, `,"metadata":{"user_id":`...)
		dst = append(dst, user...)
		dst = append(dst, '}')
	}
	return jsonedit.AppendOptional(dst, "service_tier", serviceTier(r.ServiceTier))
}

// serviceTier is a tier of OpenAI's in Anthropic's words, "" if it has none: auto takes
// priority capacity where there is some.
// https://platform.claude.com/docs/en/api/service-tiers
func serviceTier(tier string) string {
	switch tier {
	case "auto", "priority":
		return "auto"
	case "default", "standard", "standard_only":
		return "standard_only"
	}
	return ""
}
