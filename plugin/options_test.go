package plugin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
)

func TestMistralHasItsOwnNameForEmbeddingDimensions(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{"data":[]}`))
	for _, c := range []struct{ provider, options, body, want string }{
		{"mistral", `"mistral_format":"openai","embeddings_dimensions":512`, `{"input":["a"],"user":"u","dimensions":9}`, `{"input":["a"],"model":"m","output_dimension":512}`},
		{"mistral", `"mistral_format":"openai","embeddings_dimensions":512`, `{"input":["a"],"output_dimension":9}`, `{"input":["a"],"output_dimension":512,"model":"m"}`},
		{"mistral", `"mistral_format":"openai"`, `{"input":["a"],"dimensions":9,"encoding_format":"float"}`, `{"input":["a"],"encoding_format":"float","model":"m","output_dimension":9}`},
		{"openai", `"embeddings_dimensions":512`, `{"input":["a"],"user":"u","dimensions":9}`, `{"input":["a"],"user":"u","dimensions":512,"model":"m"}`},
	} {
		out, _ := s.post(s.instance(confOf("openai", "llm/v1/embeddings", c.provider, "m", c.options)), "/embeddings", "", []byte(c.body))
		if out.status != 200 || len(s.sent) != 1 || string(s.sent[0]) != c.want {
			t.Errorf("%s %s: %d %s\n got %s\nwant %s", c.provider, c.body, out.status, out.body.String(), s.sent, c.want)
		}
	}
}

// loggedWarnings are the fields that a configuration is warned of, once, in the log.
func loggedWarnings(t *testing.T, conf string) (fields []string) {
	t.Helper()
	var logs bytes.Buffer
	inst, err := NewRelay(testSchema, zerolog.New(&logs), enginetest.Kind).NewInstance([]byte(conf))
	if err != nil {
		t.Errorf("%v\n%s", err, conf)
	}
	defer inst.Close()
	for line := range strings.Lines(logs.String()) {
		var entry struct{ Level, Field, Message string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level != "warn" || entry.Message == "" {
			t.Errorf("log line %s: %v", line, err)
		}
		fields = append(fields, entry.Field)
	}
	slices.Sort(fields)
	return fields
}

func TestPricesNeedStatistics(t *testing.T) {
	const prices = `"input_cost":1,"output_cost":1,"cache_read_cost":1,"cache_write_cost":1,"cache_write_cost_list":[{"ttl":"5m","cost":1}],
		"context_window_factor":[{"above":"1k","input_factor":2,"output_factor":2}],"service_tier_factor":[{"tier":"flex","factor":0.5}],
		"audio_input_cost":1,"audio_output_cost":1,"image_input_cost":1,"image_output_cost":1,"image_cost":1,"character_cost":1,"minute_cost":1,"search_cost":1,"request_cost":1`
	target := `{"route_type":"llm/v1/chat","logging":{"log_statistics":%v},"model":{"provider":"openai","options":{` + prices + `}}}`
	all := []string{"audio_input_cost", "audio_output_cost", "cache_read_cost", "cache_write_cost", "cache_write_cost_list", "character_cost", "context_window_factor", "image_cost",
		"image_input_cost", "image_output_cost", "input_cost", "minute_cost", "output_cost", "request_cost", "search_cost", "service_tier_factor"}
	for i := range all {
		all[i] = "config.targets[1].model.options." + all[i]
	}
	for _, c := range []struct {
		balancer   string
		statistics bool
		want       []string
	}{
		{`{}`, false, all},
		{`{}`, true, nil},
		{`{"algorithm":"lowest-usage","tokens_count_strategy":"cost"}`, false, nil},
		{`{"algorithm":"lowest-usage"}`, false, all},
	} {
		got := loggedWarnings(t, `{"balancer":`+c.balancer+`,"targets":[`+fmt.Sprintf(target, c.statistics)+`]}`)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s, statistics %v: warned of %q", c.balancer, c.statistics, got)
		}
	}
}

func TestOptionsWithoutEffectGetAWarning(t *testing.T) {
	const options = "config.targets[1].model.options."
	for _, c := range []struct{ format, route, provider, model, more, want string }{
		{"anthropic", chatRoute, "anthropic", "m", `"max_tokens":1,"top_k":1`, ""},
		{"gemini", "llm/v1/embeddings", "gemini", "m", `"max_tokens":1`, "max_tokens"},
		{"openai", chatRoute, "openai", "m", `"top_k":1`, "top_k"},
		{"openai", chatRoute, "vllm", "m", `"top_k":1`, ""},
		{"openai", "llm/v1/responses", "openai", "m", `"top_k":1`, "top_k"},
		{"openai", chatRoute, "openai", "m", `"embeddings_dimensions":1`, "embeddings_dimensions"},
		{"openai", chatRoute, "openai", "m", `"anthropic_version":"x"`, "anthropic_version"},
		{"openai", chatRoute, "gemini", "claude-x", `"anthropic_version":"vertex-1",` + vertexOptions, ""},
		{"openai", chatRoute, "gemini", "claude-x", `"anthropic_version":"2023-06-01",` + vertexOptions, "anthropic_version"},
		{"openai", "video/v1/videos/generations", "azure", "m", `"azure_api_version":"2024-10-21"`, "azure_api_version"},
		{"openai", chatRoute, "openai", "m", `"upstream_url":"http://h/x","upstream_path":"/y"`, "upstream_path"},
		{"openai", chatRoute, "openai", "m", `"upstream_url":"http://h","upstream_path":"/y"`, "upstream_path"},
		{"openai", "preserve", "openai", "m", `"upstream_url":"http://h","upstream_path":"/y"`, ""},
		{"openai", "preserve", "openai", "m", `"upstream_url":"http://h/x","upstream_path":"/y"`, ""},
		{"openai", "preserve", "openai", "m", `"upstream_url":"http://h/$(headers.x)","upstream_path":"/y"`, "upstream_path"},
		{"openai", chatRoute, "gemini", "m", `"upstream_url":"http://h/x","upstream_path":"/y"`, ""},
		{"openai", "llm/v1/embeddings", "bedrock", "cohere.embed-english-v3", `"cohere":{"embedding_input_type":"clustering"}`, ""},
		{"openai", "llm/v1/embeddings", "bedrock", "$(headers.m)", `"cohere":{"embedding_input_type":"clustering"}`, ""},
		{"openai", "llm/v1/embeddings", "bedrock", "amazon.titan-embed-text-v2:0", `"cohere":{"embedding_input_type":"clustering"}`, "cohere.embedding_input_type"},
		{"openai", chatRoute, "cohere", "m", `"cohere":{"embedding_input_type":"clustering"}`, "cohere.embedding_input_type"},
		{"openai", chatRoute, "gemini", "m", `"gemini":{"endpoint_id":"7"}`, "gemini.endpoint_id"},
		{"openai", chatRoute, "dashscope", "m", `"upstream_url":"http://h/x","dashscope":{"international":false}`, "dashscope.international"},
		{"openai", chatRoute, "databricks", "m", `"upstream_url":"http://h/x"`, "databricks.workspace_instance_id"},
	} {
		got := loggedWarnings(t, confOf(c.format, c.route, c.provider, c.model, c.more))
		var want []string
		if c.want != "" {
			want = []string{options + c.want}
		}
		if c.provider == "azure" {
			got = slices.Compact(got)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s %s %s %s: warned of %q", c.format, c.provider, c.route, c.more, got)
		}
	}
	for route, want := range map[string]string{"llm/v1/embeddings": "config.response_streaming", "preserve": "config.response_streaming", chatRoute: ""} {
		if got := loggedWarnings(t, `{"response_streaming":"deny","route_type":"`+route+`","model":{"provider":"openai"}}`); strings.Join(got, " ") != want {
			t.Errorf("response_streaming for %s: %q", route, got)
		}
	}
}

// A pair of provider and route type that no request can be served by is named
// when it is loaded. Its requests are refused, those of other targets are not.
func TestImpossiblePairsAreReportedAtLoad(t *testing.T) {
	for _, c := range []struct{ provider, route, options, want string }{
		{"anthropic", "llm/v1/embeddings", `"anthropic_version":"x"`, "provider anthropic has nothing of llm/v1/embeddings: use one of llm/v1/batches, llm/v1/chat"},
		{"vllm", "audio/v1/audio/speech", `"upstream_url":"http://h/x"`, "provider vllm has nothing of audio/v1/audio/speech: use one of audio/v1/audio/transcriptions, audio/v1/audio/translations, llm/v1/chat, llm/v1/completions, llm/v1/embeddings, llm/v1/responses, preserve"},
		{"llama2", "llm/v1/embeddings", `"llama2_format":"raw","upstream_url":"http://h/x"`, "provider llama2 has nothing of llm/v1/embeddings: use one of llm/v1/chat, llm/v1/completions, llm/v1/responses, preserve"},
		{"llama2", "llm/v1/embeddings", `"llama2_format":"openai","upstream_url":"http://h/x"`, ""},
		{"cerebras", "llm/v1/responses", "", ""}, // through its chat
		{"cerebras", "preserve", "", ""},
		{"gemini", "llm/v1/files", "", ""},
		{"gemini", "llm/v1/files", vertexOptions, "provider gemini has nothing of llm/v1/files"},
	} {
		for _, model := range []string{"", "m", "$(headers.m)"} {
			conf := fmt.Sprintf(`{"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"}},{"route_type":%q,"model":{"provider":%q,"name":%q,"options":{%s}}}]}`, c.route, c.provider, model, c.options)
			conf = strings.Replace(conf, `"name":"",`, "", 1)
			inst, err := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind).NewInstance([]byte(conf))
			if inst.broken != nil || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), "config.targets[2].route_type: "+c.want) {
				t.Errorf("%s %s, model %q: %v", c.provider, c.route, model, err)
			}
			inst.Close()
		}
	}

	s := newStage(t, says(200, "application/json", `{"choices":[]}`))
	inst, err := s.relay.NewInstance([]byte(confOf("openai", "llm/v1/embeddings", "anthropic", "m", "")))
	t.Cleanup(inst.Close)
	if out, _ := s.post(inst, "/embeddings", "", []byte(`{"input":"hi"}`)); err == nil || out.status != 400 || !strings.Contains(out.body.String(), `"no transformer for anthropic://llm/v1/embeddings"`) || len(s.sent) != 0 {
		t.Errorf("%v %d %s", err, out.status, out.body.String())
	}
}

// The client is told Kong's text and the field; log and record say it in words.
func TestMissingRegionIsReported(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	const field = "config.targets[1].model.options.bedrock.aws_region"
	const why = field + ": must be set, or AWS_REGION in the environment"
	var logs bytes.Buffer
	s := newStage(t, says(200, "application/json", `{}`))
	s.relay.log = zerolog.New(&logs)
	for _, c := range []struct{ format, options, path, body, message string }{
		{"openai", `"bedrock":{}`, "/chat", `{"messages":[{"role":"user","content":"hi"}]}`, textBeforeProxy},
		{"openai", `"bedrock":{},"upstream_url":"http://vpce.test/x"`, "/chat", `{"messages":[{"role":"user","content":"hi"}]}`, textBeforeProxy},
		{"bedrock", `"bedrock":{}`, "/model/m/converse", `{"messages":[1]}`, textBeforeProxy + ": " + why},
		{"anthropic", `"bedrock":{}`, "/v1/messages", `{"messages":[{"role":"user","content":"hi"}],"max_tokens":9}`, textBeforeProxy + ": " + why},
	} {
		logs.Reset()
		conf := strings.Replace(confOf(c.format, chatRoute, "bedrock", "m", ""), options["bedrock"], c.options, 1)
		out, rec := s.post(s.instance(conf), c.path, "", []byte(c.body))
		answer := out.body.String()
		if out.status != 500 || !strings.Contains(answer, fmt.Sprintf("%q", c.message)) || !strings.Contains(answer, field) || len(s.sent) != 0 {
			t.Errorf("%s: the client is told %d %s", c.format, out.status, answer)
		}
		if rec.Data().Message != why || !strings.Contains(logs.String(), why) {
			t.Errorf("%s: the record says %q, the log %s", c.format, rec.Data().Message, logs.String())
		}
	}
}

func TestGenAICategoryIsLogged(t *testing.T) {
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for _, c := range []struct{ set, route, want string }{
		{"", chatRoute, "text/generation"},
		{`"genai_category":"text/generation",`, "llm/v1/embeddings", "text/embeddings"},
		{`"genai_category":"image/generation",`, chatRoute, "image/generation"},
		{"", "image/v1/images/edits", "image/generation"},
		{"", "video/v1/videos/generations", "video/generation"},
		{"", "realtime/v1/realtime", "realtime/generation"},
		{"", "audio/v1/audio/speech", "audio/speech"},
		{"", "audio/v1/audio/translations", "audio/transcription"},
		{"", "llm/v1/files", ""},
		{"", "llm/v1/batches", ""},
		{"", "preserve", ""},
	} {
		inst := s.instance(`{` + c.set + `"route_type":"` + c.route + `","logging":{"log_statistics":true},"model":{"provider":"openai","name":"m"}}`)
		_, rec := s.post(inst, "/x", "", []byte(`{}`))
		want := `,"genai_category":"` + c.want + `"`
		if c.want == "" {
			want = `"request_mode":"oneshot","outcome"`
		}
		if got := string(rec.Append(nil)); !strings.Contains(got, want) {
			t.Errorf("%s %s: record %s", c.set, c.route, got)
		}
	}
}

// Of a configuration that cannot work, every client is told the field as Kong
// writes it, and nothing is sent.
func TestUnresolvedReferenceIsReportedToTheClient(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	for _, c := range []struct{ auth, want string }{
		{`"header_value":"","$refs":{"header_value":"{vault://env/NAME}"}`, "config.targets[1].auth.header_value: the reference to a vault could not be resolved"},
		{`"header_value":"{vault://env/NAME}"`, "config.targets[1].auth.header_value: the reference to a vault could not be resolved"},
		{`"header_value":"Bearer {vault://env/NAME}"`, "config.targets[1].auth.header_value: has a reference to a vault inside"},
		{`"header_value":"Bearer ${{ env \"NAME\" }}"`, "config.targets[1].auth.header_value: has a placeholder"},
	} {
		inst, err := s.relay.NewInstance([]byte(`{"targets":[{"route_type":"llm/v1/chat","auth":{"header_name":"Authorization",` + c.auth + `},"model":{"provider":"openai","name":"m"}}]}`))
		out, _ := s.post(inst, "/chat", "", []byte(`{"messages":[{"role":"user","content":"hi"}]}`))
		if err == nil || out.status != 500 || !strings.Contains(out.body.String(), c.want) || strings.Contains(out.body.String(), "NAME") || len(s.sent) != 0 {
			t.Errorf("%s: %v, %d %s", c.auth, err, out.status, out.body.String())
		}
		inst.Close()
	}
}

// What is configured wins, zero as well, under the one name that the route has
// for it; what is not is the client's. Operations below the route's have none.
func TestConfiguredOptionsWinOverTheClients(t *testing.T) {
	const all = `"max_tokens":7,"temperature":0,"top_p":0,"top_k":0`
	const theirs = `"max_tokens":9,"temperature":1,"top_p":1,"top_k":9`
	s := newStage(t, says(200, "application/json", `{"choices":[]}`))
	for _, c := range []struct{ route, provider, model, options, path, body, want string }{
		{chatRoute, "vllm", "m", all, "/chat", `{"messages":[1],` + theirs + `}`, `{"messages":[1],"max_tokens":7,"temperature":0,"top_p":0,"top_k":0,"model":"m","stream":false}`},
		{chatRoute, "vllm", "m", "", "/chat", `{"messages":[1],` + theirs + `}`, `{"messages":[1],` + theirs + `,"model":"m","stream":false}`},
		{chatRoute, "vllm", "m", `"temperature":0.5`, "/chat", `{"messages":[1],` + theirs + `}`, `{"messages":[1],"max_tokens":9,"temperature":0.5,"top_p":1,"top_k":9,"model":"m","stream":false}`},
		{chatRoute, "openai", "m", all, "/chat", `{"messages":[1],"max_completion_tokens":9,"top_k":9}`, `{"messages":[1],"model":"m","max_tokens":7,"temperature":0,"top_p":0,"stream":false}`},
		{chatRoute, "openai", "gpt-5", `"max_tokens":7`, "/chat", `{"messages":[1],"max_completion_tokens":9}`, `{"messages":[1],"max_completion_tokens":7,"model":"gpt-5","stream":false}`},
		{"llm/v1/completions", "openai", "m", all, "/completions", `{"prompt":"x","max_tokens":9}`, `{"prompt":"x","max_tokens":7,"model":"m","temperature":0,"top_p":0,"stream":false}`},
		{"llm/v1/responses", "openai", "m", all, "/responses", `{"input":"x","max_output_tokens":9}`, `{"input":"x","max_output_tokens":7,"model":"m","temperature":0,"top_p":0}`},
		{"llm/v1/responses", "openai", "m", all, "/responses/input_tokens", `{"input":"x","temperature":1}`, `{"input":"x","temperature":1,"model":"m"}`},
		{"llm/v1/embeddings", "openai", "m", all, "/embeddings", `{"input":"x"}`, `{"input":"x","model":"m"}`},
	} {
		out, _ := s.post(s.instance(confOf("openai", c.route, c.provider, c.model, c.options)), c.path, "", []byte(c.body))
		if len(s.sent) != 1 || string(s.sent[0]) != c.want {
			t.Errorf("%s %s %s: %d %s\n got %s\nwant %s", c.provider, c.route, c.options, out.status, out.body.String(), s.sent, c.want)
		}
	}
}
