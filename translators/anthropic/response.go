package anthropic

import (
	"fmt"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// What Kong answers as `usage` if the provider sends none, or one without a counter
// that Kong knows.
var (
	usageMissing   = chat.Raw(`"no usage data returned from upstream"`)
	usageMalformed = chat.Raw(`{}`)
)

// finishReasons maps stop_reason. pause_turn is a stop: it is a server tool's turn
// that could be continued, which a client of another format cannot do.
// https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
var finishReasons = chat.FinishReasons{
	"end_turn":                      chat.Stop,
	"stop_sequence":                 chat.Stop,
	"pause_turn":                    chat.Stop,
	"max_tokens":                    chat.Length,
	"model_context_window_exceeded": chat.Length,
	"tool_use":                      chat.ToolCalls,
	"refusal":                       chat.ContentFilter,
}

// ParseResponse reads a Message. The two blocks of a server tool, which has already run,
// are one part.
func (messages) ParseResponse(t *target.Target, body []byte) (*chat.Response, error) {
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := parseBody(p, t, body)
	if err != nil {
		return nil, err
	}
	content := v.Get("content")
	if content == nil || content.Type() != jsonedit.TypeArray {
		return nil, missing(t, "content")
	}
	r := &chat.Response{ID: v.GetString("id"), Model: v.GetString("model")}
	c := chat.Choice{
		Finish:   finishReasons.Of(v.GetStringBytes("stop_reason")),
		StopText: stopText(v),
	}
	parseContent(&c, content.GetArray())
	r.Choices = []chat.Choice{c}
	usage := v.Get("usage")
	switch {
	case usage == nil || usage.Type() == jsonedit.TypeNull:
		r.NoUsage, r.UsageText = true, usageMissing
	case !mergeUsage(&r.Usage, usage):
		r.NoUsage, r.UsageText = true, usageMalformed
	}
	r.ServiceTier = r.Usage.ServiceTier
	return r, nil
}

// parseBody reads the JSON of a 200, which some gateways also send for errors.
func parseBody(p *jsonedit.Parser, t *target.Target, body []byte) (*jsonedit.Value, error) {
	v, err := p.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: fmt.Sprintf("failed to decode %s response", t.Route)}
	}
	if e := v.Get("error"); e != nil && v.GetString("type") == "error" {
		return nil, &chat.ResponseError{Message: fmt.Sprintf("%s: %s", e.GetString("type"), e.GetString("message"))}
	}
	return v, nil
}

func missing(t *target.Target, member string) error {
	return &chat.ResponseError{Message: fmt.Sprintf("'%s' not in %s://%s response", member, t.Provider, t.Route)}
}

// stopText returns the stop sequence that ended the answer.
func stopText(v *jsonedit.Value) string {
	if string(v.GetStringBytes("stop_reason")) != "stop_sequence" {
		return ""
	}
	return v.GetString("stop_sequence")
}

func parseContent(c *chat.Choice, blocks []*jsonedit.Value) {
	var parts chat.Joiner
	var texts textJoiner
	var cites chat.BlockCitations
	var ran runs
	var places map[*chat.Run]int
	for _, b := range blocks {
		switch b.GetString("type") {
		case "text":
			s := b.GetString("text")
			if texts.gap(b) {
				s = "\n" + s
				cites.Say(newline)
			}
			if s != "" {
				parts.Join(chat.Part{Kind: chat.Text, Text: jsonedit.Plain(s)})
			}
			cites.Begin()
			cites.Say(b.GetStringBytes("text"))
			for _, v := range b.GetArray("citations") {
				cites.Cite(citation(v))
			}
			cites.End()
		case "thinking":
			parts.Add(chat.Part{Kind: chat.Thinking, Text: b.GetText("thinking"), Signature: b.GetString("signature")})
		case "redacted_thinking":
			parts.Add(chat.Part{Kind: chat.RedactedThinking, Text: b.GetText("data")})
		case "tool_use":
			arguments := jsonedit.Plain("{}")
			if input := raw(b, "input"); input != nil {
				arguments = jsonedit.PlainBytes(input)
			}
			parts.Add(chat.Part{Kind: chat.ToolCall, ID: b.GetString("id"), Name: b.GetString("name"), Arguments: arguments})
		case "server_tool_use", "mcp_tool_use":
			if run := ran.begin(b, raw(b, "input")); run != nil {
				if places == nil {
					places = map[*chat.Run]int{}
				}
				places[run] = len(parts.Parts())
				parts.Add(chat.Part{Kind: chat.HostedRun, Run: run})
			}
		default:
			if isRunResult(b.GetStringBytes("type")) {
				if run, token := ran.end(b); run != nil {
					parts.Parts()[places[run]].Signature = token
				}
			}
		}
	}
	c.Parts, c.Citations = parts.Parts(), cites.List
}

// textJoiner decides whether a new line separates two blocks of text, as in Kong. It
// does not if they are pieces of one sentence that was split for citations.
type textJoiner struct{ any, cited bool }

func (j *textJoiner) gap(block *jsonedit.Value) bool {
	cited := block.Has("citations")
	gap := j.any && !cited && !j.cited
	j.any, j.cited = true, cited
	return gap
}

// mergeUsage replaces the counters of u by those in v, which are totals, and reports
// whether v has any. Other counters are not changed.
//
// Anthropic's input_tokens do not include cached tokens; the internal form's do. With
// compaction or server tools, every step in iterations is billed, while the totals
// are those of the last step only.
// https://platform.claude.com/docs/en/build-with-claude/compaction#understanding-usage
func mergeUsage(u *chat.Usage, v *jsonedit.Value) bool {
	c := counters{input: u.Prompt - u.Cached - u.CacheWrite, cached: u.Cached, written: u.CacheWrite,
		written5m: u.CacheWrite5m, written1h: u.CacheWrite1h, output: u.Completion}
	found := c.read(v)
	if steps := v.GetArray("iterations"); len(steps) > 0 {
		sum := counters{}
		for _, s := range steps {
			one := counters{}
			found = one.read(s) || found
			sum.add(&one)
			u.Largest = max(u.Largest, one.input+one.cached+one.written)
		}
		c, u.Calls = sum, len(steps)
	}
	chat.Counter(&u.SearchUnits, v.Get("server_tool_use", "web_search_requests"))
	chat.Counter(&u.Reasoning, v.Get("output_tokens_details", "thinking_tokens"))
	if string(v.GetStringBytes("speed")) == "fast" {
		u.ServiceTier = "fast"
	} else if tier := v.GetStringBytes("service_tier"); len(tier) > 0 && string(tier) != u.ServiceTier {
		u.ServiceTier = string(tier)
	}
	u.Prompt = c.input + c.cached + c.written
	u.Cached, u.CacheWrite = c.cached, c.written
	u.CacheWrite5m, u.CacheWrite1h = c.written5m, c.written1h
	u.Completion = c.output
	return found
}

// counters are Anthropic's counters. No token is in two of them.
type counters struct{ input, cached, written, written5m, written1h, output int }

// read replaces the counters by those in v. A prompt does not shrink: servers with
// Anthropic's API that count it at the start of a stream have zeros for it at the end.
func (c *counters) read(v *jsonedit.Value) bool {
	before := *c
	found := chat.Counter(&c.input, v.Get("input_tokens"))
	found = chat.Counter(&c.output, v.Get("output_tokens")) || found
	chat.Counter(&c.cached, v.Get("cache_read_input_tokens"))
	chat.Counter(&c.written, v.Get("cache_creation_input_tokens"))
	chat.Counter(&c.written5m, v.Get("cache_creation", "ephemeral_5m_input_tokens"))
	chat.Counter(&c.written1h, v.Get("cache_creation", "ephemeral_1h_input_tokens"))
	if v.GetInt("input_tokens")+v.GetInt("cache_read_input_tokens")+v.GetInt("cache_creation_input_tokens") == 0 {
		before.output = c.output
		*c = before
	}
	return found
}

func (c *counters) add(o *counters) {
	c.input += o.input
	c.cached += o.cached
	c.written += o.written
	c.written5m += o.written5m
	c.written1h += o.written1h
	c.output += o.output
}
