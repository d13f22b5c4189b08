package config

import (
	"slices"
	"strings"
	"testing"
)

// warned are the warnings of a configuration that Check lets pass.
func warned(t *testing.T, config string) []string {
	t.Helper()
	c, err := load(object(t, config))
	if err != nil {
		t.Errorf("%s is refused: %v", config, err)
		return nil
	}
	return lines(c.Warnings())
}

func TestCredentialsThatAreAllUnusedAreRefused(t *testing.T) {
	for _, c := range []struct{ provider, auth, want string }{
		{"openai", `"aws_access_key_id":"a"`, "aws_access_key_id: is not used for provider openai, only for bedrock, sagemaker: set header_name and header_value"},
		{"openai", `"aws_secret_access_key":"a"`, "aws_secret_access_key: is not used for provider openai, only for bedrock, sagemaker: set header_name and header_value"},
		{"bedrock", `"azure_use_managed_identity":true`, "azure_use_managed_identity: is not used for provider bedrock, only for azure: set header_name and header_value"},
		{"openai", `"gcp_use_service_account":true`, "gcp_use_service_account: is not used for provider openai, only for gemini: set header_name and header_value"},
		{"azure", `"azure_client_id":"i","azure_client_secret":"s","azure_tenant_id":"t"`, "azure_client_id: is not used: set azure_use_managed_identity to true"},
		{"azure", `"azure_client_secret":"s"`, "azure_client_secret: is not used: set azure_use_managed_identity to true"},
		{"azure", `"azure_tenant_id":"t"`, "azure_tenant_id: is not used: set azure_use_managed_identity to true"},
		{"gemini", `"gcp_service_account_json":"{}"`, "gcp_service_account_json: is not used: set gcp_use_service_account to true"},
		{"gemini", `"gcp_metadata_url":"http://h"`, "gcp_metadata_url: is not used: set gcp_use_service_account to true"},
		{"gemini", `"gcp_oauth_token_url":"http://h"`, "gcp_oauth_token_url: is not used: set gcp_use_service_account to true"},
	} {
		conf := served(c.provider)
		conf["auth"] = object(t, "{"+c.auth+"}")
		_, err := load(conf)
		if got := lines(err); !slices.Equal(got, []string{"config.auth." + c.want}) {
			t.Errorf("%s %s:\n got %q\nwant %q", c.provider, c.auth, got, c.want)
		}
		conf["auth"] = object(t, `{"header_name":"Authorization","header_value":"Bearer k",`+c.auth+"}")
		loaded, err := load(conf)
		if err != nil {
			t.Errorf("beside a key it is refused: %v", err)
		} else if got := lines(loaded.Warnings()); !slices.Equal(got, []string{"config.auth." + c.want}) {
			t.Errorf("%s %s beside a key: warnings %q", c.provider, c.auth, got)
		}
	}
}

func TestUsedCredentialsGetNoWarning(t *testing.T) {
	for _, c := range []struct{ provider, auth string }{
		{"openai", `"header_name":"Authorization","header_value":"Bearer k","allow_override":true`},
		{"openai", `"param_name":"k","param_value":"v","param_location":"query","allow_override":true`},
		{"bedrock", `"aws_access_key_id":"a","aws_secret_access_key":"s"`},
		{"azure", `"azure_use_managed_identity":true,"azure_client_id":"i"`},
		{"gemini", `"gcp_use_service_account":true,"gcp_service_account_json":"{}","gcp_oauth_token_url":"http://h"`},
		{"ollama", `"allow_override":false`},
	} {
		conf := served(c.provider, change{"model.options.upstream_url", "http://h/x"})
		conf["auth"] = object(t, "{"+c.auth+"}")
		loaded, err := load(conf)
		if err != nil || len(loaded.Warnings()) > 0 {
			t.Errorf("%s %s: %v", c.provider, c.auth, err)
		}
	}
}

func TestSettingsOfAnotherAlgorithmGetAWarning(t *testing.T) {
	const target = `"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"}}]`
	for _, c := range []struct{ config, want string }{
		{`{"balancer":{"hash_on_header":"X"},` + target + `}`, "config.balancer.hash_on_header: has no effect: only the algorithm consistent-hashing reads it"},
		{`{"balancer":{"hash_on_header":"X","algorithm":"consistent-hashing"},` + target + `}`, ""},
		{`{"balancer":{"slots":1000},` + target + `}`, "config.balancer.slots: has no effect: only the algorithm consistent-hashing reads it"},
		{`{"balancer":{"slots":1000,"algorithm":"consistent-hashing"},` + target + `}`, ""},
		{`{"balancer":{"slots":1000,"algorithm":"affinity","affinity":{"headers":["X-A"],"bound":2}},` + target + `}`, ""},
		{`{"response_cache":{"ttl":60,"redis":true,"max_entries":5},` + target + `}`, "config.response_cache.redis: max_entries and max_bytes have no effect: Redis bounds its memory itself"},
		{`{"response_cache":{"ttl":60,"max_entries":5,"per":[]},` + target + `}`, ""},
		{`{"cache":{"ttl":"1h"},` + target + `}`, "config.cache: has no effect without auto: true"},
		{`{"cache":{"auto":true,"ttl":"1h","min_tokens":2000},` + target + `}`, ""},
		{`{"balancer":{"affinity":{"bound":2}},` + target + `}`, "config.balancer.affinity.bound: has no effect: only the algorithm affinity reads it"},
		{`{"balancer":{"affinity":{"headers":["X-A"]}},` + target + `}`, "config.balancer.affinity.headers: has no effect: only the algorithm affinity reads it"},
		{`{"balancer":{"latency_strategy":"e2e"},` + target + `}`, "config.balancer.latency_strategy: has no effect: only the algorithm lowest-latency reads it"},
		{`{"balancer":{"latency_strategy":"e2e","algorithm":"lowest-latency"},` + target + `}`, ""},
		{`{"balancer":{"tokens_count_strategy":"cost"},` + target + `}`, "config.balancer.tokens_count_strategy: has no effect: only the algorithm lowest-usage reads it"},
		{`{"balancer":{"tokens_count_strategy":"prompt-tokens","algorithm":"lowest-usage"},` + target + `}`, ""},
		{`{"balancer":{"fail_timeout":1},` + target + `}`, "config.balancer.fail_timeout: has no effect without max_fails"},
		{`{"balancer":{"fail_timeout":1,"max_fails":1},` + target + `}`, ""},
		{`{"balancer":{"algorithm":"priority"},"route_type":"llm/v1/chat","model":{"provider":"openai"}}`, "config.balancer.algorithm: has no effect for a single model"},
		{`{"targets":[{"description":"d","route_type":"llm/v1/chat","model":{"provider":"openai"}}]}`, "config.targets[1].description: has no effect: only the semantic algorithm reads it"},
		{`{"acls":{"allow":[{"match":[{"type":"path","key":"k","values":["/"]},{"type":"header","key":"k","values":["x"]}]}]},` + target + `}`,
			"config.acls.allow[1].match[1].key: has no effect for type path"},
		{`{"route_type":"llm/v1/chat","model":{"provider":"openai"},"auth":{"allow_override":true}}`, "config.auth.allow_override: has no effect without header_name or param_name"},
		{`{"route_type":"llm/v1/chat","model":{"provider":"huggingface"},"auth":{"allow_override":true,"header_name":"Authorization","header_value":"k"}}`,
			"config.auth.allow_override: has no effect for provider huggingface: the configured value always wins"},
		{`{"balancer":{"algorithm":"semantic"},"embeddings":{"model":{"provider":"openai","name":"e"}},"vectordb":{"strategy":"redis","dimensions":3,"distance_metric":"cosine","redis":{},"pgvector":{}},
			"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"},"description":"d"}]}`, "config.vectordb.pgvector: has no effect: vectordb.strategy is redis"},
		{`{"balancer":{"algorithm":"semantic"},"embeddings":{"model":{"provider":"openai","name":"e"}},"vectordb":{"strategy":"pgvector","dimensions":3,"distance_metric":"cosine","redis":{},"pgvector":{}},
			"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"},"description":"d"}]}`, "config.vectordb.redis: has no effect: vectordb.strategy is pgvector"},
	} {
		if got := strings.Join(warned(t, c.config), "\n"); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.config, got, c.want)
		}
	}
}

func TestFailoverThatCannotHappenIsNamed(t *testing.T) {
	const one, two = `{"route_type":"llm/v1/chat","model":{"provider":"openai"}}`, `{"fallback_for":["context_length"],"route_type":"llm/v1/chat","model":{"provider":"openai"}}`
	for _, c := range []struct{ config, want string }{
		{`{"balancer":{"failover_criteria":["context_length"]},"targets":[` + one + `,` + two + `]}`, ""},
		{`{"targets":[` + one + `,` + two + `]}`, "config.targets[2].fallback_for: context_length is never met: add it to balancer.failover_criteria"},
		{`{"balancer":{"retries":0,"failover_criteria":["context_length"]},"targets":[` + one + `,` + two + `]}`, "config.targets[2].fallback_for: has no effect: balancer.retries is 0"},
		{`{"balancer":{"failover_criteria":["slow_start"]},"targets":[` + one + `,` + one + `]}`, "config.balancer.failover_criteria: slow_start has no effect without first_token_timeout"},
		{`{"balancer":{"first_token_timeout":5},"targets":[` + one + `,` + one + `]}`, "config.balancer.first_token_timeout: has no effect: add slow_start to failover_criteria"},
		{`{"balancer":{"first_token_timeout":5,"failover_criteria":["slow_start"]},"targets":[` + one + `,` + one + `]}`, ""},
		{`{"balancer":{"first_token_timeout":5,"failover_criteria":["slow_start"]},"targets":[` + one + `]}`, "config.balancer.first_token_timeout: has no effect: there is no other target that could be asked"},
	} {
		if got := strings.Join(warned(t, c.config), "\n"); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.config, got, c.want)
		}
	}
	for config, want := range map[string]string{
		`{"balancer":{"hedge":{"after":"p95","budget":"5%"}},"targets":[` + one + `,` + one + `]}`:               "",
		`{"balancer":{"hedge":{"after":"p95","budget":"5%"}},"targets":[` + one + `]}`:                           "config.balancer.hedge: has no effect: there is no other target that could be asked",
		`{"balancer":{"hedge":{"after":"p95","budget":"5%","images":true}},"targets":[` + one + `,` + one + `]}`: "config.balancer.hedge.images: has no effect: no target makes images",
	} {
		if got := strings.Join(warned(t, config), "\n"); got != want {
			t.Errorf("%s\n got %s\nwant %s", config, got, want)
		}
	}
	const own = `{"route_type":"llm/v1/chat","model":{"provider":"openai","options":{"upstream_url":"http://h/v1"}}}`
	for config, want := range map[string]string{
		`{"balancer":{"healthchecks":{"active":{"interval":1000}}},"targets":[` + own + `]}`: "",
		`{"balancer":{"healthchecks":{"active":{"interval":1000}}},"targets":[` + one + `]}`: "config.balancer.healthchecks.active: has no effect: only targets with model.options.upstream_url are checked",
	} {
		if got := strings.Join(warned(t, config), "\n"); got != want {
			t.Errorf("%s\n got %s\nwant %s", config, got, want)
		}
	}
	for _, config := range []string{
		`{"balancer":{"healthchecks":{"active":{"interval":1000}}},"llm_format":"anthropic","targets":[` + own + `]}`,
		`{"balancer":{"healthchecks":{"active":{"interval":1000}}},"targets":[` + strings.Replace(own, "llm/v1/chat", "llm/v1/embeddings", 1) + `]}`,
		`{"balancer":{"healthchecks":{"active":{"interval":1}}},"targets":[` + own + `]}`,
		`{"balancer":{"healthchecks":{"active":{}}},"targets":[` + own + `]}`,
		`{"balancer":{"healthchecks":{}},"targets":[` + own + `]}`,
		`{"balancer":{"healthchecks":{"active":{"interval":1000,"path":"health"}}},"targets":[` + own + `]}`,
	} {
		if _, err := load(object(t, config)); err == nil {
			t.Errorf("%s is accepted", config)
		}
	}
	for _, hedge := range []string{`"after":"p95"`, `"budget":"5%"`, `"after":"95","budget":"5%"`, `"after":"p0","budget":"5%"`, `"after":"p95","budget":"5"`, `"after":"p95","budget":5`} {
		if _, err := load(object(t, `{"balancer":{"hedge":{`+hedge+`}},"targets":[`+one+`,`+one+`]}`)); err == nil {
			t.Errorf("%s is accepted", hedge)
		}
	}
	if _, err := load(object(t, `{"balancer":{"failover_criteria":["context_length"]},"targets":[`+two+`]}`)); err == nil || !strings.Contains(err.Error(), "none would be asked first") {
		t.Errorf("a target of last resort alone: %v", err)
	}
}

func TestFailoverCriteriaAreKongsAndOurs(t *testing.T) {
	for _, c := range []struct {
		criterion string
		fine      bool
	}{
		{"error", true}, {"http_500", true}, {"http_529", true}, {"http_401", true}, {"http_302", true}, {"context_length", true}, {"slow_start", true}, {"non_idempotent", true},
		{"http_200", false}, {"http_4xx", false}, {"http_4000", false}, {"xhttp_400", false}, {"overloaded ", false}, {"refused", false},
	} {
		_, err := load(object(t, `{"balancer":{"first_token_timeout":1,"failover_criteria":["slow_start","`+c.criterion+`"]},"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"}}]}`))
		if (err == nil) != c.fine {
			t.Errorf("%s: %v", c.criterion, err)
		}
	}
}

// What Kong or decK should have replaced by a value is not sent to a provider.
// No message shows the value, which may have a part of a secret.
func TestWhatStandsForAValueIsRefused(t *testing.T) {
	const unresolved = "the reference to a vault could not be resolved"
	const inside = "has a reference to a vault inside a longer text"
	const deck = "has a placeholder ${{ ... }} that nothing has replaced"
	for _, c := range []struct{ name, config, field, want string }{
		{"unresolved: Kong leaves it empty", `{"route_type":"llm/v1/chat","model":{"provider":"openai"},"auth":{"header_name":"A","header_value":"","$refs":{"header_value":"{vault://env/SECRET}"}}}`,
			"config.auth.header_value", unresolved},
		{"unresolved: it is absent", `{"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"}},{"route_type":"llm/v1/chat","model":{"provider":"openai"},"auth":{"header_name":"A","$refs":{"header_value":"{vault://env/SECRET}"}}}]}`,
			"config.targets[2].auth.header_value", unresolved},
		{"unresolved: it stays", `{"route_type":"llm/v1/chat","model":{"provider":"openai"},"auth":{"header_name":"A","header_value":"{vault://env/SECRET}"}}`,
			"config.auth.header_value", unresolved},
		{"where none is resolved", `{"route_type":"llm/v1/chat","model":{"provider":"openai","name":"{vault://env/SECRET}"}}`, "config.model.name", "cannot be a reference to a vault"},
		{"inside", `{"route_type":"llm/v1/chat","model":{"provider":"openai"},"auth":{"header_name":"A","header_value":"Bearer {vault://env/SECRET}"}}`, "config.auth.header_value", inside},
		{"inside, in a model's name", `{"route_type":"llm/v1/chat","model":{"provider":"openai","name":"x{vault://env/SECRET}"}}`, "config.model.name", inside},
		{"decK's", `{"route_type":"llm/v1/chat","model":{"provider":"openai"},"auth":{"header_name":"A","header_value":"Bearer ${{ env \"SECRET\" }}"}}`, "config.auth.header_value", deck},
		{"in a list", `{"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai"}}],"acls":{"deny":[{"match":[{"type":"path","values":["/","${{ env \"SECRET\" }}"]}]}]}}`,
			"config.acls.deny[1].match[1].values[2]", deck},
	} {
		parsed, err := schema.Parse([]byte(c.config))
		if err == nil {
			err = parsed.Check()
		}
		got := lines(err)
		if len(got) != 1 || !strings.HasPrefix(got[0], c.field+": "+c.want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: got %q", c.name, got)
		}
	}
	for name, config := range map[string]string{
		"resolved":         `{"route_type":"llm/v1/chat","model":{"provider":"openai"},"auth":{"header_name":"A","header_value":"k","$refs":{"header_value":"{vault://env/SECRET}"}}}`,
		"not a reference":  `{"route_type":"llm/v1/chat","model":{"provider":"openai","name":"vault://x"}}`,
		"not read by us":   `{"targets":[{"route_type":"llm/v1/chat","metadata":{"a":"${{ x }}"},"model":{"provider":"openai"}}]}`,
		"another brackets": `{"route_type":"llm/v1/chat","model":{"provider":"openai","name":"${x}"}}`,
	} {
		parsed, err := schema.Parse([]byte(config))
		if err == nil {
			err = parsed.Check()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnusedOptionsAreRefused(t *testing.T) {
	for _, c := range []struct{ provider, option, want string }{
		{"cohere", `{"cohere":{"wait_for_model":true}}`, "config.model.options.cohere.wait_for_model: has no effect: Cohere's API has nothing like it; remove it"},
		{"cohere", `{"cohere":{"wait_for_model":false}}`, "config.model.options.cohere.wait_for_model: has no effect: Cohere's API has nothing like it; remove it"},
		{"openai", `{"upstream_url":"https://user:SECRET@h/x"}`, "config.model.options.upstream_url: cannot have a user name or password: set auth.header_name and auth.header_value"},
		{"openai", `{"upstream_url":"https://user@$(headers.h)/x"}`, "config.model.options.upstream_url: cannot have a user name or password: set auth.header_name and auth.header_value"},
		{"openai", `{"upstream_url":"https://h/x@y?a@b"}`, ""},
		{"openai", `{"upstream_url":"https://h?a@b"}`, ""},
		{"gemini", `{"gemini":{"api_endpoint":"user@h","project_id":"p","location_id":"l"}}`,
			"config.model.options.gemini.api_endpoint: must be a host name without scheme and path, such as us-central1-aiplatform.googleapis.com"},
		{"gemini", `{"gemini":{"api_endpoint":"h:443","project_id":"p","location_id":"l"}}`, ""},
	} {
		conf := served(c.provider)
		conf["model"].(map[string]any)["options"] = object(t, c.option)
		_, err := load(conf)
		if got := strings.Join(lines(err), "\n"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.option, got, c.want)
		}
	}
}

// TestLoginsOfRedisAreThoseThatKongHas: with an OAuth server as Kong 3.16 has it.
func TestLoginsOfRedisAreThoseThatKongHas(t *testing.T) {
	vectors := func(login map[string]any) map[string]any {
		return map[string]any{"vectordb": map[string]any{"strategy": "redis", "dimensions": 3.0, "distance_metric": "cosine", "threshold": 0.2,
			"redis": map[string]any{"host": "h", "cloud_authentication": login}}}
	}
	if _, err := schema.Process(vectors(map[string]any{"auth_provider": "oauth2"})); err == nil || !strings.Contains(err.Error(), "must be aws, azure, gcp or oauth") {
		t.Errorf("%v", err)
	}
	if _, err := schema.Process(vectors(map[string]any{"auth_provider": "oauth", "oauth": map[string]any{"token_post_args": map[string]any{"n": 1.0}}})); err == nil || !strings.Contains(err.Error(), "expected a string") {
		t.Errorf("a number for an argument: %v", err)
	}
	target := served("openai")
	target["description"] = "all"
	conf := map[string]any{
		"targets": []any{target}, "balancer": map[string]any{"algorithm": "semantic"},
		"embeddings": map[string]any{"model": map[string]any{"provider": "openai", "name": "m"}},
	}
	conf["vectordb"] = vectors(map[string]any{"auth_provider": "oauth", "oauth": map[string]any{"token_endpoint": "https://login.test/token", "client_id": "c", "client_secret": "s", "token_headers": []any{}, "token_post_args": map[string]any{"resource": "r"}}})["vectordb"]
	c, err := load(conf)
	if err != nil {
		t.Fatal(err)
	}
	if o := c.VectorDB.Redis.CloudAuth.OAuth; o == nil || o.GrantType != "client_credentials" || o.AuthMethod != "client_secret_post" || o.ClientSecretJWTAlg != "HS512" || !o.SSLVerify || o.Timeout != 10000 || o.TokenPostArgs["resource"] != "r" {
		t.Errorf("%+v", o)
	}
}
