package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"sort"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
)

// sample is a field of OpenAI's chat request with a value other than its default, and
// the other fields that it requires.
type sample struct {
	value string
	with  string // further members, ",…"
}

// aTool holds the members that fields about tools require.
const aTool = `,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]`

// samples lists all fields of OpenAI's chat request, and top_k, which clients send
// although it is not one of them.
// https://platform.openai.com/docs/api-reference/chat/create
var samples = map[string]sample{
	"messages":               {value: `[{"role":"user","content":"other"}]`},
	"model":                  {value: `"other-model"`},
	"audio":                  {value: `{"voice":"alloy","format":"wav"}`, with: `,"modalities":["text","audio"]`},
	"frequency_penalty":      {value: `0.7`},
	"function_call":          {value: `{"name":"f"}`, with: `,"functions":[{"name":"f"}]`},
	"functions":              {value: `[{"name":"f","description":"d"}]`},
	"logit_bias":             {value: `{"50256":-100}`},
	"logprobs":               {value: `true`},
	"max_completion_tokens":  {value: `77`},
	"max_tokens":             {value: `78`},
	"metadata":               {value: `{"team":"a"}`},
	"modalities":             {value: `["text","image"]`},
	"n":                      {value: `2`},
	"parallel_tool_calls":    {value: `false`, with: aTool},
	"prediction":             {value: `{"type":"content","content":"x"}`},
	"presence_penalty":       {value: `0.6`},
	"prompt_cache_key":       {value: `"key"`},
	"prompt_cache_retention": {value: `"24h"`},
	"reasoning_effort":       {value: `"high"`},
	"response_format":        {value: `{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{}}}}`},
	"safety_identifier":      {value: `"id"`},
	"seed":                   {value: `42`},
	"service_tier":           {value: `"priority"`},
	"stop":                   {value: `["END"]`},
	"store":                  {value: `true`},
	"stream":                 {value: `true`},
	"stream_options":         {value: `{"include_usage":true}`, with: `,"stream":true`},
	"temperature":            {value: `0.3`},
	"tool_choice":            {value: `{"type":"function","function":{"name":"f"}}`, with: aTool},
	"tools":                  {value: `[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]`},
	"top_k":                  {value: `5`},
	"top_logprobs":           {value: `3`, with: `,"logprobs":true`},
	"top_p":                  {value: `0.9`},
	"user":                   {value: `"u"`},
	"verbosity":              {value: `"low"`},
	"web_search_options":     {value: `{}`},
}

// mergedLater is merged into the provider's body after that was written.
const mergedLater = "extra_body"

// Fields returns the names of the fields that a provider's table must have, sorted.
func Fields() []string {
	names := make([]string, 0, len(samples))
	for name := range samples {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// checkFields checks the field law: each field is treated as the table says.
func checkFields(t *testing.T, r *run) {
	for name := range r.op.Fields {
		if _, ok := samples[name]; !ok && name != mergedLater {
			t.Errorf("%s: has a rule and is no field of the API", name)
		}
	}
	for _, name := range Fields() {
		rule, ok := r.op.Fields[name]
		if !ok {
			t.Errorf("%s: has no rule", name)
			continue
		}
		if rule.Note == "" && rule.Treatment != provider.Mapped {
			t.Errorf("%s: is %s and its note does not say why", name, rule.Treatment)
		}
		checkField(t, r, name, rule.Treatment)
	}
}

func checkField(t *testing.T, r *run, name string, treatment provider.Treatment) {
	t.Helper()
	s := samples[name]
	before, err := r.sent(t, name, "", s.with)
	if err != nil {
		// The fields that this one requires are refused themselves: nothing to compare.
		if treatment != provider.Refused {
			t.Logf("%s: cannot be tried: %v", name, err)
		}
		return
	}
	after, err := r.sent(t, name, s.value, s.with)
	switch treatment {
	case provider.Mapped:
		if err != nil {
			t.Errorf("%s: is mapped by the table, and refused: %v", name, err)
		} else if bytes.Equal(before, after) {
			t.Errorf("%s: is mapped by the table, and changes nothing: %s", name, clip(after))
		}
	case provider.Dropped:
		if err != nil {
			t.Errorf("%s: is dropped by the table, and refused: %v", name, err)
		} else if !bytes.Equal(before, after) {
			t.Errorf("%s: is dropped by the table, and changes the request:\n%s\n%s", name, clip(before), clip(after))
		}
	case provider.Refused:
		if searches := (&chat.Tool{Hosted: chat.WebSearch}); name == "web_search_options" && r.op.Hosts != nil && r.op.Hosts(&r.target, &chat.Request{}, searches) {
			checkField(t, r, name, provider.Mapped) // the models differ
			return
		}
		var refused *chat.RequestError
		switch {
		case err == nil:
			t.Errorf("%s: is refused by the table, and sent: %s", name, clip(after))
		case !errors.As(err, &refused):
			t.Errorf("%s: is refused with a %T, want *chat.RequestError", name, err)
		case !strings.Contains(err.Error(), name):
			t.Errorf("%s: the refusal does not name it: %v", name, err)
		}
	default:
		t.Errorf("%s: %q is no treatment", name, treatment)
	}
}

// pathAndBody is the part of a request that is compared at the provider.
func (r *run) pathAndBody(body []byte, stream bool) ([]byte, error) {
	path, err := r.op.Path(&r.target, stream)
	if err != nil {
		return nil, err
	}
	if r.same() {
		edited, err := r.edited(body, stream)
		return append([]byte(path+"\n"), edited...), err
	}
	req, err := chat.ParseRequest(r.dialect, body)
	if err != nil {
		return nil, err
	}
	req.Model = r.target.Model
	if _, err := r.op.Offer(&r.target, req); err != nil {
		return nil, err
	}
	return r.op.Chat.AppendRequest([]byte(path+"\n"), &r.target, req)
}

// sent returns the path and the body of a request with a field, or without the field
// when value is "".
func (r *run) sent(t *testing.T, name, value, with string) ([]byte, error) {
	t.Helper()
	members := map[string]json.RawMessage{}
	must(t, json.Unmarshal([]byte(`{"messages":[{"role":"user","content":"hello"}]`+with+`}`), &members))
	if value != "" {
		members[name] = json.RawMessage(value)
	}
	other := *r
	if name == "model" && value != "" {
		other.target.Model = "other-model"
	}
	return other.pathAndBody(asJSON(t, members), string(members["stream"]) == "true")
}
