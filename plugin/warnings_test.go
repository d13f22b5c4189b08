package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/jsonedit"
)

// fieldCase is a field of the schema: a value to set, in JSON, which is not the
// default; or, where a request cannot show what it does, the test that does.
type fieldCase struct {
	value string
	held  string
}

// fieldCases are all fields below `targets`, by their paths.
var fieldCases = map[string]fieldCase{
	"route_type": {held: "TestRequestsGoToTheProvidersURL"},

	"auth.header_name":                {held: "auth.header_value"},
	"auth.header_value":               {value: `"Bearer other"`},
	"auth.param_name":                 {held: "credentials.TestHeaderAndParameterAreBothApplied"},
	"auth.param_value":                {held: "credentials.TestHeaderAndParameterAreBothApplied"},
	"auth.param_location":             {held: "credentials.TestHeaderAndParameterAreBothApplied"},
	"auth.allow_override":             {held: "config.TestSettingsOfAnotherAlgorithmGetAWarning, and credentials"},
	"auth.aws_access_key_id":          {held: "config.TestCredentialsThatAreAllUnusedAreRefused, and credentials"},
	"auth.aws_secret_access_key":      {held: "the same"},
	"auth.azure_use_managed_identity": {held: "the same"},
	"auth.azure_client_id":            {held: "the same"},
	"auth.azure_client_secret":        {held: "the same"},
	"auth.azure_tenant_id":            {held: "the same"},
	"auth.gcp_use_service_account":    {held: "the same"},
	"auth.gcp_service_account_json":   {held: "the same"},
	"auth.gcp_metadata_url":           {held: "the same"},
	"auth.gcp_oauth_token_url":        {held: "the same"},

	"model.provider":    {held: "TestRequestsGoToTheProvidersURL"},
	"model.name":        {held: "TestNativeBodiesAreForwardedUnchangedExceptTheModel"},
	"model.model_alias": {held: "TestNativeBodiesAreForwardedUnchangedExceptTheModel"},

	"model.options.max_tokens":                            {value: `7`},
	"model.options.temperature":                           {value: `0.5`},
	"model.options.top_p":                                 {value: `0.25`},
	"model.options.top_k":                                 {value: `3`},
	"model.options.override":                              {held: "TestOverrideDecidesWhoWins"},
	"model.options.service_tier":                          {value: `"priority"`},
	"model.options.input_cost":                            {held: "TestPricesNeedStatistics"},
	"model.options.output_cost":                           {held: "TestPricesNeedStatistics"},
	"model.options.cache_read_cost":                       {held: "TestPricesNeedStatistics"},
	"model.options.cache_write_cost":                      {held: "TestPricesNeedStatistics"},
	"model.options.cache_write_cost_list[].ttl":           {held: "TestPricesNeedStatistics"},
	"model.options.cache_write_cost_list[].cost":          {held: "TestPricesNeedStatistics"},
	"model.options.context_window_factor[].above":         {held: "TestPricesNeedStatistics"},
	"model.options.context_window_factor[].input_factor":  {held: "TestPricesNeedStatistics"},
	"model.options.context_window_factor[].output_factor": {held: "TestPricesNeedStatistics"},
	"model.options.service_tier_factor[].tier":            {held: "TestPricesNeedStatistics"},
	"model.options.service_tier_factor[].factor":          {held: "TestPricesNeedStatistics"},
	"model.options.audio_input_cost":                      {held: "TestPricesNeedStatistics"},
	"model.options.audio_output_cost":                     {held: "TestPricesNeedStatistics"},
	"model.options.image_input_cost":                      {held: "TestPricesNeedStatistics"},
	"model.options.image_output_cost":                     {held: "TestPricesNeedStatistics"},
	"model.options.image_cost":                            {held: "TestPricesNeedStatistics"},
	"model.options.character_cost":                        {held: "TestPricesNeedStatistics"},
	"model.options.minute_cost":                           {held: "TestPricesNeedStatistics"},
	"model.options.search_cost":                           {held: "TestPricesNeedStatistics"},
	"model.options.request_cost":                          {held: "TestPricesNeedStatistics"},
	"model.options.anthropic_version":                     {value: `"2024-01-01"`},
	"model.options.azure_instance":                        {value: `"other"`},
	"model.options.azure_deployment_id":                   {value: `"other"`},
	"model.options.azure_api_version":                     {value: `"2024-10-21"`},
	"model.options.llama2_format":                         {value: `"raw"`},
	"model.options.mistral_format":                        {value: `"ollama"`},
	"model.options.upstream_url":                          {value: `"http://own.test/own/path"`},
	"model.options.upstream_path":                         {value: `"/own/path"`},
	"model.options.embeddings_dimensions":                 {value: `64`},
	"model.options.sagemaker.endpoint_name":               {value: `"other"`},
	"model.options.sagemaker.inference_component":         {value: `"other"`},
	"model.options.sagemaker.target_model":                {value: `"other"`},
	"model.options.sagemaker.target_variant":              {value: `"other"`},
	"model.options.sagemaker.target_container_hostname":   {value: `"other"`},
	"model.options.sagemaker.embeddings_format":           {value: `"huggingface"`},
	"model.options.bedrock.aws_region":                    {value: `"eu-west-3"`},
	"model.options.bedrock.aws_assume_role_arn":           {held: "credentials.TestRoleIsAssumedOnceAndRenewedAhead"},
	"model.options.bedrock.aws_role_session_name":         {value: `"session"`},
	"model.options.bedrock.aws_sts_endpoint_url":          {value: `"http://sts.test"`},
	"model.options.bedrock.embeddings_normalize":          {value: `true`},
	"model.options.bedrock.performance_config_latency":    {value: `"optimized"`},
	"model.options.bedrock.video_output_s3_uri":           {value: `"s3://other/x"`},
	"model.options.bedrock.batch_bucket_prefix":           {value: `"s3://other/x/"`},
	"model.options.bedrock.batch_role_arn":                {value: `"arn:aws:iam::1:role/other"`},
	"model.options.gemini.api_endpoint":                   {held: "TestRequestsGoToTheProvidersURL"},
	"model.options.gemini.project_id":                     {held: "TestRequestsGoToTheProvidersURL"},
	"model.options.gemini.location_id":                    {held: "TestRequestsGoToTheProvidersURL"},
	"model.options.gemini.endpoint_id":                    {value: `"7"`},
	"model.options.huggingface.use_cache":                 {value: `false`},
	"model.options.huggingface.wait_for_model":            {value: `true`},
	"model.options.cohere.embedding_input_type":           {value: `"clustering"`},
	"model.options.cohere.wait_for_model":                 {value: `true`},
	"model.options.dashscope.international":               {value: `false`},
	"model.options.databricks.workspace_instance_id":      {value: `"other"`},

	"logging.log_statistics": {held: "TestPricesNeedStatistics"},
	"logging.log_payloads":   {held: "TestPayloadsAreLoggedWithoutStatistics"},
	"logging.price_file":     {held: "TestCostOfAModelWithoutPricesIsThatOfThePriceList"},
	"weight":                 {held: "balancer, by every policy"},
	"description":            {held: "config.TestSettingsOfAnotherAlgorithmGetAWarning"},
	"fallback_for":           {held: "TestTargetsAreKeptForTheirFailures"},
	"metadata":               {held: "nothing: Kong keeps it for itself"},
}

// leaves are the paths of the fields below a record of the schema.
func leaves(path string, field map[string]any, into map[string]bool) {
	if e, ok := field["elements"].(map[string]any); ok && e["type"] == "record" {
		leaves(path+"[]", e, into)
		return
	}
	list, _ := field["fields"].([]any)
	if list == nil {
		into[strings.TrimPrefix(path, ".")] = true
	}
	for _, one := range list {
		for name, f := range one.(map[string]any) {
			leaves(path+"."+name, f.(map[string]any), into)
		}
	}
}

func TestEveryFieldOfATargetHasACase(t *testing.T) {
	data, err := os.ReadFile("../schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct{ Fields []map[string]map[string]any }
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range schema.Fields[1]["config"]["fields"].([]any) {
		if targets, ok := f.(map[string]any)["targets"].(map[string]any); ok {
			leaves("", targets["elements"].(map[string]any), found)
		}
	}
	for path := range found {
		if _, ok := fieldCases[path]; !ok {
			t.Errorf("%s has no case", path)
		}
	}
	for path := range fieldCases {
		if !found[path] {
			t.Errorf("%s is no field", path)
		}
	}
}

// probes are requests that the route types take, and the models that serve them
// where not any name does.
var probes = map[string]struct{ body, path string }{
	"llm/v1/chat":                 {`{"messages":[{"role":"user","content":"hi"}]}`, "/chat"},
	"llm/v1/completions":          {`{"prompt":"hi"}`, "/completions"},
	"llm/v1/embeddings":           {`{"input":"hi"}`, "/embeddings"},
	"llm/v1/responses":            {`{"input":"hi"}`, "/responses"},
	"llm/v1/batches":              {`{"input_file_id":"s3://b/x.jsonl","endpoint":"/v1/chat/completions","completion_window":"24h"}`, "/batches"},
	"llm/v1/assistants":           {`{"instructions":"hi"}`, "/assistants"},
	"audio/v1/audio/speech":       {`{"input":"hi","voice":"v"}`, "/audio/speech"},
	"image/v1/images/generations": {`{"prompt":"hi"}`, "/images/generations"},
	"video/v1/videos/generations": {`{"prompt":"hi"}`, "/videos"},
	"preserve":                    {`{"x":1}`, "/any"},
}

func probeModel(provider, route string) string {
	switch provider + " " + route {
	case "bedrock llm/v1/embeddings":
		return "amazon.titan-embed-text-v2:0"
	case "bedrock image/v1/images/generations":
		return "amazon.nova-canvas-v1:0"
	case "bedrock video/v1/videos/generations":
		return "amazon.nova-reel-v1:1"
	}
	return "m"
}

// setup is a request that a target serves.
type setup struct{ format, provider, route, model, path, body string }

// setups are those of OpenAI's format, at each provider, and of the native ones.
func setups() (all []setup) {
	for _, name := range translators.Names() {
		for route, p := range probes {
			all = append(all, setup{"openai", name, route, probeModel(name, route), p.path, p.body})
		}
	}
	const messages, contents = `{"messages":[{"role":"user","content":"hi"}],"max_tokens":9}`, `{"contents":[{"parts":[{"text":"hi"}]}]}`
	for _, name := range []string{"anthropic", "openai", "gemini", "ollama", "bedrock"} {
		all = append(all, setup{"anthropic", name, chatRoute, "claude-3", "/v1/messages", messages})
	}
	return append(all,
		setup{"anthropic", "bedrock", chatRoute, "anthropic.claude-3", "/v1/messages", messages},
		setup{"bedrock", "bedrock", chatRoute, "m", "/model/m/converse", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`},
		setup{"bedrock", "bedrock", chatRoute, "anthropic.claude-3", "/model/anthropic.claude-3/invoke", messages},
		setup{"bedrock", "bedrock", "llm/v1/embeddings", "amazon.titan-embed-text-v2:0", "/model/amazon.titan-embed-text-v2:0/invoke", `{"inputText":"hi"}`},
		setup{"bedrock", "bedrock", "video/v1/videos/generations", "m", "/async-invoke", `{"modelId":"m"}`},
		setup{"gemini", "gemini", chatRoute, "m", "/v1beta/models/m:generateContent", contents},
		setup{"gemini", "gemini", "llm/v1/embeddings", "m", "/v1beta/models/m:embedContent", `{"content":{}}`},
		setup{"cohere", "cohere", chatRoute, "m", "/v2/chat", messages},
		setup{"cohere", "cohere", "llm/v1/embeddings", "m", "/v2/embed", `{"texts":["hi"]}`},
		setup{"huggingface", "huggingface", chatRoute, "m", "/generate", `{"inputs":"hi"}`},
	)
}

// probe is what goes to the provider for a configuration, "" where nothing does,
// and which fields are named as without effect, or refused.
func probe(t *testing.T, conf map[string]any, p setup) (sent string, named []string) {
	t.Helper()
	data, _ := json.Marshal(conf)
	var logs bytes.Buffer
	relay := NewRelay(testSchema, zerolog.New(&logs), enginetest.Kind)
	up := &sentTo{}
	relay.upstream = up
	inst, err := relay.NewInstance(data)
	if err != nil {
		named = append(named, err.Error())
	}
	defer inst.Close()
	for line := range strings.Lines(logs.String()) {
		var entry struct{ Field string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Field != "" {
			named = append(named, entry.Field+":")
		}
	}
	if inst.broken != nil {
		return "", named
	}
	relay.Serve(t.Context(), inst, &wire.Inbound{Method: "POST", Path: p.path, ContentLength: int64(len(p.body)), Body: strings.NewReader(p.body),
		Header: http.Header{"Content-Type": {"application/json"}}, Kong: wire.Context{Path: p.path}}, nowhere{}, nil)
	return up.sent, named
}

// jobName is made anew for each job.
var jobName = regexp.MustCompile(`"jobName":"[^"]*"`)

// sentTo is an Upstream that keeps what it was sent.
type sentTo struct {
	asked
	sent string
}

func (s *sentTo) Do(ctx context.Context, out *wire.Outgoing) (*wire.Answer, error) {
	h := out.Header.Clone()
	h.Del("X-Amz-Date")
	if auth := h.Get("Authorization"); strings.HasPrefix(auth, "AWS4") {
		before, after, _ := strings.Cut(auth, "/")
		_, region, _ := strings.Cut(after, "/")
		region, _, _ = strings.Cut(region, "/")
		h.Set("Authorization", before+" "+region)
	}
	body := jobName.ReplaceAll(jsonedit.Join(nil, out.Pieces), nil)
	s.sent = fmt.Sprintf("%s %s\n%v\n%s", out.Method, out.URL, h, body)
	return s.asked.Do(ctx, out)
}

// Law 10: whatever the provider and the route type, a field that is set changes
// what is sent, or is named as without effect; and none is named that does.
func TestEveryOptionHasAnEffectOrAWarning(t *testing.T) {
	pairs, checked := 0, 0
	for _, p := range setups() {
		base := map[string]any{}
		place(base, "llm_format", p.format)
		place(base, "route_type", p.route)
		place(base, "auth", map[string]any{"header_name": "Authorization", "header_value": "Bearer k"})
		if p.provider == "bedrock" {
			place(base, "auth", map[string]any{"aws_access_key_id": "AKID", "aws_secret_access_key": "s"})
		}
		place(base, "model.provider", p.provider)
		place(base, "model.name", p.model)
		for _, demand := range strings.Split(demands[p.provider], " ") {
			if path, value, ok := strings.Cut(demand, "="); ok {
				place(base, "model.options."+path, value)
			}
		}
		before, _ := probe(t, base, p)
		if before == "" {
			continue // an impossible pair
		}
		pairs++
		for path, field := range fieldCases {
			if field.value == "" || p.provider == "bedrock" && strings.HasPrefix(path, "auth.header") {
				continue
			}
			checked++
			after, named := probe(t, with(t, base, path, field.value), p)
			group := path
			if parts := strings.Split(path, "."); len(parts) > 3 {
				group = strings.Join(parts[:3], ".") // config names the record of another provider
			}
			says := slices.ContainsFunc(named, func(s string) bool {
				return strings.Contains(s, "config."+path+":") || strings.Contains(s, "config."+group+":") || strings.Contains(s, "config.route_type:")
			})
			demanded := strings.Contains(demands[p.provider], strings.TrimPrefix(path, "model.options.")+"=")
			switch same := before == after; {
			case same && !says && !demanded:
				t.Errorf("%+v: %s changes nothing, and nobody says so", p, path)
			case !same && says && after != "":
				t.Errorf("%+v: %s changes what is sent, but is said to have no effect: %q\n%s\n%s", p, path, named, before, after)
			}
		}
	}
	if pairs < 60 || checked < 1500 {
		t.Errorf("only %d pairs and %d fields", pairs, checked)
	}
}

// demands are the options that a provider must have, as path=value.
var demands = map[string]string{
	"anthropic":  "anthropic_version=2023-06-01",
	"azure":      "azure_instance=i azure_deployment_id=d",
	"bedrock":    "bedrock.aws_region=us-east-1 bedrock.video_output_s3_uri=s3://b/o bedrock.batch_bucket_prefix=s3://b/p/ bedrock.batch_role_arn=arn:aws:iam::1:role/r",
	"databricks": "databricks.workspace_instance_id=dbc-x",
	"llama2":     "llama2_format=openai upstream_url=http://h.test/x",
	"mistral":    "mistral_format=openai",
	"ollama":     "upstream_url=http://h.test/x",
	"vllm":       "upstream_url=http://h.test/x",
}

// with is a copy of a configuration with a value, in JSON, at a path.
func with(t *testing.T, conf map[string]any, path, text string) map[string]any {
	t.Helper()
	data, _ := json.Marshal(conf)
	changed := map[string]any{}
	var value any
	if err := errors.Join(json.Unmarshal(data, &changed), json.Unmarshal([]byte(text), &value)); err != nil {
		t.Fatal(err)
	}
	place(changed, path, value)
	return changed
}

// place sets a value in nested objects, at a path with dots.
func place(object map[string]any, path string, value any) {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		object[head] = value
		return
	}
	inner, ok := object[head].(map[string]any)
	if !ok {
		inner = map[string]any{}
		object[head] = inner
	}
	place(inner, rest, value)
}
