package config

import (
	"encoding/json"
	"fmt"
	"go-ai-proxy/translators/route"
	"slices"
	"strings"
	"testing"
)

func parse(t testing.TB, text string) *Config {
	t.Helper()
	c, err := schema.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return c
}

// load takes a configuration the way standalone does.
func load(raw map[string]any) (*Config, error) {
	processed, err := schema.Process(raw)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(processed)
	if err != nil {
		return nil, err
	}
	c, err := schema.Parse(data)
	if err != nil {
		return nil, err
	}
	if p := c.check().problems; len(p) > 0 {
		return c, p
	}
	return c, nil
}

const minimal = `{"route_type":"llm/v1/chat","model":{"provider":"openai"}}`

func TestParseReadsWhatKongSends(t *testing.T) {
	c := parse(t, `{
		"__plugin_id": "7d8f", "__key__": "plugins:go-ai-proxy:r1::::ws", "__seq__": 3, "__ws_id": "ws",
		"route_id": "r1", "service_id": "s1",
		"route_type": "llm/v1/chat", "genai_category": "text/generation", "llm_format": "openai",
		"response_streaming": "deny", "max_request_body_size": 100, "model_name_header": false,
		"auth": {"header_name": "Authorization", "header_value": "Bearer resolved", "allow_override": false,
			"$refs": {"header_value": "{vault://env/key}"}},
		"model": {"provider": "openai", "name": "gpt-4", "options": {"max_tokens": 256, "temperature": 0, "bedrock": {}, "gemini": {}}},
		"logging": {"log_statistics": true},
		"balancer": {"failover_criteria": {}}
	}`)
	if c.PluginID != "7d8f" {
		t.Errorf("identity %q", c.PluginID)
	}
	if c.Advanced || len(c.Targets) != 1 || c.ResponseStreaming != "deny" || c.MaxRequestBodySize != 100 || c.ModelNameHeader {
		t.Errorf("got %+v", c)
	}
	target := &c.Targets[0]
	if target.Auth.HeaderValue != "Bearer resolved" || !target.Logging.Statistics || target.Logging.Payloads || target.RouteType != "llm/v1/chat" {
		t.Errorf("target %+v", target)
	}
	if o := target.Model.Options; *o.MaxTokens != 256 || *o.Temperature != 0 || o.TopP != nil {
		t.Errorf("options %+v", o)
	}
	// Lua's empty table is an object in JSON, whatever it was meant to be.
	if len(c.Balancer.FailoverCriteria) != 0 {
		t.Errorf("failover_criteria %v", c.Balancer.FailoverCriteria)
	}
}

func TestParseFillsInTheDefaultsOfKong(t *testing.T) {
	c := parse(t, minimal)
	if c.GenAICategory != "text/generation" || c.LLMFormat != "openai" || c.ResponseStreaming != "allow" || c.MaxRequestBodySize != 1048576 || !c.ModelNameHeader {
		t.Errorf("got %+v", c)
	}
	b := c.Balancer
	want := Balancer{
		Algorithm: "round-robin", Retries: 5, ConnectTimeout: 60000, ReadTimeout: 60000, WriteTimeout: 60000, Slots: 10000,
		HashOnHeader: "X-Kong-LLM-Request-ID", LatencyStrategy: "tpot", TokensCountStrategy: "total-tokens", FailTimeout: 10000,
		FailoverCriteria: b.FailoverCriteria,
	}
	if fmt.Sprint(b) != fmt.Sprint(want) || !slices.Equal(b.FailoverCriteria, []string{"error", "timeout"}) {
		t.Errorf("balancer %+v", b)
	}
	o := c.Targets[0].Model.Options
	if o.AzureAPIVersion != "2023-05-15" || o.Cohere.EmbeddingInputType != "classification" || !*o.Dashscope.International || o.Huggingface.UseCache != nil {
		t.Errorf("options %+v", o)
	}

	a := parse(t, `{"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"}}],
		"embeddings":{"model":{"provider":"azure","name":"e"}},
		"vectordb":{"strategy":"redis","dimensions":3,"distance_metric":"cosine","redis":{"cluster_nodes":[{}]},"pgvector":{}}}`)
	if !a.Advanced || a.Targets[0].Weight != 100 || a.Targets[0].Model.Options.AzureAPIVersion != "2023-05-15" {
		t.Errorf("target %+v", a.Targets[0])
	}
	if a.Embeddings.Model.Options.AzureAPIVersion != "2023-05-15" {
		t.Errorf("embeddings %+v", a.Embeddings)
	}
	if r := a.VectorDB.Redis; r.Host != "127.0.0.1" || r.Port != 6379 || !r.SSLVerify || r.KeepalivePoolSize != 256 || r.ReadTimeout != 2000 || r.ClusterNodes[0] != (IPPort{"127.0.0.1", 6379}) {
		t.Errorf("redis %+v", r)
	}
	if p := a.VectorDB.PGVector; p.Port != 5432 || p.Database != "kong-pgvector" || p.User != "postgres" || p.SSLVersion != "tlsv1_2" || p.Timeout != 5000 {
		t.Errorf("pgvector %+v", p)
	}
}

// With a default (max_request_body_size, model_name_header), without one
// (temperature), and in a record (log_statistics).
func TestNullIsAbsentAndZeroIsAValue(t *testing.T) {
	with := func(size, header, temperature, logging string) *Config {
		return parse(t, fmt.Sprintf(`{"route_type":"llm/v1/chat"%s%s,"model":{"provider":"openai","options":{%s}}%s}`, size, header, temperature, logging))
	}
	for name, c := range map[string]*Config{
		"absent": with("", "", "", ""),
		"null":   with(`,"max_request_body_size":null`, `,"model_name_header":null`, `"temperature":null`, `,"logging":null`),
	} {
		if c.MaxRequestBodySize != 1048576 || !c.ModelNameHeader || c.Targets[0].Model.Options.Temperature != nil || c.Targets[0].Logging.Statistics {
			t.Errorf("%s: %+v", name, c)
		}
	}
	c := with(`,"max_request_body_size":0`, `,"model_name_header":false`, `"temperature":0`, `,"logging":{}`)
	if o := c.Targets[0].Model.Options; c.MaxRequestBodySize != 0 || c.ModelNameHeader || o.Temperature == nil || *o.Temperature != 0 {
		t.Errorf("zero: %+v", c)
	}
}

func TestParseRefusesWhatKongNeverSends(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `{}`, `{"model":null}`, `{"targets":[]}`, `{"targets":{}}`,
		`{"route_type":"llm/v1/chat","model":{"provider":"openai"},"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"}}]}`,
		`{"route_type":"llm/v1/chat","model":{"provider":"openai","options":{"max_tokens":"many"}}}`,
	} {
		if c, err := schema.Parse([]byte(text)); err == nil {
			t.Errorf("%s: accepted as %+v", text, c)
		}
	}
}

func TestPrintingAConfigurationShowsNoSecret(t *testing.T) {
	for _, text := range []string{
		`{"route_type":"llm/v1/chat","model":{"provider":"openai"},"auth":{"header_name":"a","header_value":"s3cret"}}`,
		`{"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"}}],"auth":{"header_name":"a","header_value":"s3cret"}}`,
	} {
		c := parse(t, text)
		data, _ := json.Marshal(c)
		if all := fmt.Sprintf("%v %+v %s %v", c, *c, data, c.Check()); strings.Contains(all, "s3cret") {
			t.Errorf("got %s", all)
		}
	}
}

func TestCheckFindsWhatTheSchemaCannot(t *testing.T) {
	for _, c := range []struct{ name, config, want string }{
		{"statistics of anthropic completions",
			`{"route_type":"llm/v1/completions","model":{"provider":"anthropic","options":{"anthropic_version":"2023-06-01"}},"logging":{"log_statistics":true}}`,
			"config.logging.log_statistics: anthropic does not support statistics when route_type is llm/v1/completions"},
		{"llm_format of another provider among targets",
			`{"llm_format":"cohere","targets":[{"route_type":"llm/v1/chat","model":{"provider":"cohere"}},{"route_type":"llm/v1/chat","model":{"provider":"openai"}}]}`,
			"config.targets[2].model.provider: native llm_format 'cohere' can only be used with the 'cohere' model.provider"},
		{"llm_format with another operation among targets",
			`{"llm_format":"anthropic","targets":[{"route_type":"llm/v1/responses","model":{"provider":"openai"}}]}`,
			"config.targets[1].route_type: native provider options in llm_format can only be used with the 'llm/v1/chat' route_type"},
		{"auth beside targets",
			`{"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"}}],"auth":{"gcp_use_service_account":true}}`,
			"config.auth: has no effect beside targets: set it in each of targets"},
		{"logging beside targets",
			`{"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"}}],"logging":{"log_payloads":true}}`,
			"config.logging: has no effect beside targets: set it in each of targets"},
		{"embeddings without the semantic algorithm",
			`{"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"}}],"embeddings":{"model":{"provider":"openai","name":"e"}}}`,
			"config.embeddings: has no effect: set balancer.algorithm to semantic, or remove it"},
		{"a target without description",
			`{"balancer":{"algorithm":"semantic"},"embeddings":{"model":{"provider":"openai","name":"e"}},"vectordb":{"strategy":"redis","dimensions":3,"distance_metric":"cosine","redis":{}},
			"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"},"description":"code"},{"route_type":"llm/v1/chat","model":{"provider":"openai"}}]}`,
			"config.targets[2].description: must be set on every target for the semantic algorithm"},
		{"vectors without a length",
			`{"balancer":{"algorithm":"semantic"},"embeddings":{"model":{"provider":"openai","name":"e"}},"vectordb":{"strategy":"redis","dimensions":0,"distance_metric":"cosine","redis":{}},
			"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"},"description":"code"}]}`,
			"config.vectordb.dimensions: must be between 1 and 16000, the length of the embedding model's vectors"},
		{"an embedding model that depends on the request",
			`{"balancer":{"algorithm":"semantic"},"embeddings":{"model":{"provider":"openai","name":"$(headers.x)"}},"vectordb":{"strategy":"redis","dimensions":3,"distance_metric":"cosine","redis":{}},
			"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"},"description":"code"}]}`,
			"config.embeddings.model.name: cannot be a template: descriptions are embedded before there is a request"},
		{"upstream_url with a bad port", `{"route_type":"llm/v1/chat","model":{"provider":"openai","options":{"upstream_url":"https://h:port/x"}}}`,
			"config.model.options.upstream_url: must be an http or https URL, such as https://example.com/v1/chat/completions"},
		{"api_endpoint with a scheme", `{"route_type":"llm/v1/chat","model":{"provider":"gemini","options":{"gemini":{"api_endpoint":"https://h","project_id":"p","location_id":"l"}}}}`,
			"config.model.options.gemini.api_endpoint: must be a host name without scheme and path, such as us-central1-aiplatform.googleapis.com"},
		{"api_endpoint with a user", `{"route_type":"llm/v1/chat","model":{"provider":"gemini","options":{"gemini":{"api_endpoint":"us-aiplatform.googleapis.com@evil.example","project_id":"p","location_id":"l"}}}}`,
			"config.model.options.gemini.api_endpoint: must be a host name without scheme and path, such as us-central1-aiplatform.googleapis.com"},
		{"api_endpoint with a path", `{"route_type":"llm/v1/chat","model":{"provider":"gemini","options":{"gemini":{"api_endpoint":"h/x","project_id":"p","location_id":"l"}}}}`,
			"config.model.options.gemini.api_endpoint: must be a host name without scheme and path, such as us-central1-aiplatform.googleapis.com"},
		{"api_endpoint with a query", `{"route_type":"llm/v1/chat","model":{"provider":"gemini","options":{"gemini":{"api_endpoint":"h?x","project_id":"p","location_id":"l"}}}}`,
			"config.model.options.gemini.api_endpoint: must be a host name without scheme and path, such as us-central1-aiplatform.googleapis.com"},
		{"api_endpoint with a fragment", `{"route_type":"llm/v1/chat","model":{"provider":"gemini","options":{"gemini":{"api_endpoint":"h#x","project_id":"p","location_id":"l"}}}}`,
			"config.model.options.gemini.api_endpoint: must be a host name without scheme and path, such as us-central1-aiplatform.googleapis.com"},
		{"videos of bedrock without a place", `{"route_type":"video/v1/videos/generations","model":{"provider":"bedrock"}}`,
			"config.model.options.bedrock.video_output_s3_uri: must be set for videos of bedrock"},
		{"a bucket that is none", `{"route_type":"llm/v1/batches","model":{"provider":"bedrock","options":{"bedrock":{"batch_bucket_prefix":"/tmp"}}}}`,
			"config.model.options.bedrock.batch_bucket_prefix: must be an S3 URI, such as s3://bucket/prefix/"},
		{"a window of no number", `{"route_type":"llm/v1/chat","model":{"provider":"openai","options":{"context_window_factor":[{"above":"200k","input_factor":2,"output_factor":2},{"above":"many","input_factor":2,"output_factor":2}]}}}`,
			"config.model.options.context_window_factor[2].above: must be a number of tokens, such as 200000 or 200k"},
		{"an option of another provider", `{"route_type":"llm/v1/chat","model":{"provider":"openai","options":{"azure_deployment_id":"d"}}}`,
			"config.model.options.azure_deployment_id: has no effect for provider openai: only azure reads it"},
		{"a template without an end", `{"route_type":"llm/v1/chat","model":{"provider":"openai","name":"$(headers.a)-$(headers.b"}}`,
			"config.model.name: has a template without an end: close it as in $(headers.name)"},
		{"an alias from the request", `{"route_type":"llm/v1/chat","model":{"provider":"openai","model_alias":"$(headers.a)"}}`,
			"config.model.model_alias: cannot be a template: it is what the client's model is compared with"},
		{"an alias without a name between its commas", `{"route_type":"llm/v1/chat","model":{"provider":"openai","model_alias":"claude-*,,fast"}}`,
			"config.model.model_alias: has an empty name between its commas: write it as in claude-sonnet-*,claude-opus-*"},
		{"an alias that ends in a comma", `{"route_type":"llm/v1/chat","model":{"provider":"openai","model_alias":"fast, "}}`,
			"config.model.model_alias: has an empty name between its commas: write it as in claude-sonnet-*,claude-opus-*"},
		{"a price from the request", `{"route_type":"llm/v1/chat","model":{"provider":"openai","options":{"service_tier_factor":[{"tier":"$(headers.a)","factor":2}]}}}`,
			"config.model.options.service_tier_factor[1].tier: cannot be a template: prices do not depend on the request"},
		{"addresses that are none", `{"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"}}],"acls":{"deny":[{"match":[{"type":"ip","values":["10.0.0.0/8","::1"]},{"type":"ip","values":["10.0.0"]}]}]}}`,
			"config.acls.deny[1].match[2].values: must be IP addresses or ranges, such as 10.0.0.0/8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(object(t, c.config))
			if got := lines(err); !slices.Equal(got, []string{c.want}) {
				t.Errorf("\n got %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestTemplatesPassTheChecks(t *testing.T) {
	_, err := load(object(t, `{"route_type":"llm/v1/chat","model":{"provider":"gemini","name":"$(headers.m)","options":{
		"upstream_url":"https://$(uri_captures.host).example.com:8443/$(query_params.a)",
		"gemini":{"api_endpoint":"$(headers.x_gcp_endpoint)","project_id":"$(headers.p)","location_id":"$(headers.l)"}}}}`))
	if err != nil {
		t.Error(err)
	}
}

func TestCheckAcceptsEveryRouteType(t *testing.T) {
	for _, value := range fields()["config.route_type"].OneOf {
		c := parse(t, minimal)
		c.Targets[0].RouteType = route.Type(value)
		if err := c.Check(); err != nil {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestSchemaWithoutAConfigurationIsRefused(t *testing.T) {
	if _, err := NewSchema([]byte(`{}`)); err == nil {
		t.Error("a schema without config was taken")
	}
}
