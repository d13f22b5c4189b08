package config

import (
	"errors"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// values is a source of values for templates, by "source.key".
type values map[string]string

func (v values) Header(name string) (string, bool) {
	value, ok := v["headers."+name]
	return value, ok
}

func (v values) Capture(name string) (string, bool) {
	value, ok := v["uri_captures."+name]
	return value, ok
}

func (v values) Query(name string) (string, bool) {
	value, ok := v["query_params."+name]
	return value, ok
}

// model makes a target out of a provider, a model's name and an option.
func model(t testing.TB, name, modelName, option, value string) *Target {
	t.Helper()
	c := served(name)
	set(c, "model.name", nil)
	if modelName != "" {
		set(c, "model.name", modelName)
	}
	if option != "" {
		set(c, "model.options."+option, value)
	}
	if strings.HasPrefix(option, "gemini.") {
		for _, name := range []string{"gemini.api_endpoint", "gemini.project_id", "gemini.location_id"} {
			if name != option {
				set(c, "model.options."+name, "x")
			}
		}
	}
	config, err := load(c)
	if err != nil {
		t.Fatal(err)
	}
	return &config.Targets[0]
}

func TestTemplatesAreResolvedEverywhere(t *testing.T) {
	c, err := load(served("azure",
		change{"model.name", "$(headers.from_header_1)"},
		change{"model.options.max_tokens", 256},
		change{"model.options.azure_instance", "$(uri_captures.uri_cap_1)"},
		change{"model.options.azure_api_version", "$(query_params.arg_1)"},
		change{"model.options.azure_deployment_id", "west-europe-$(headers.x-model-name)"},
		change{"model.options.upstream_url", "https://$(uri_captures.uri_cap_1).example.com"},
	))
	if err != nil {
		t.Fatal(err)
	}
	configured := c.Targets[0].Model.Options
	got, err := c.Targets[0].Resolve(values{
		"headers.from_header_1": "gpt-4", "headers.x-model-name": "gpt-4o",
		"uri_captures.uri_cap_1": "cap1", "query_params.arg_1": "2024-10-01",
	}, "ignored")
	if err != nil {
		t.Fatal(err)
	}
	o := got.Options
	if got.Model != "gpt-4" || got.Provider != "azure" || got.Route != "llm/v1/chat" || *o.MaxTokens != 256 || o.AzureInstance != "cap1" ||
		o.AzureAPIVersion != "2024-10-01" || o.AzureDeploymentID != "west-europe-gpt-4o" || o.UpstreamURL != "https://cap1.example.com" {
		t.Errorf("got %+v with %+v", got, o)
	}
	if !reflect.DeepEqual(configured, c.Targets[0].Model.Options) {
		t.Error("the configuration was changed")
	}

	nested := model(t, "bedrock", "m", "bedrock.aws_region", "$(uri_captures.region)")
	got, err = nested.Resolve(values{"uri_captures.region": "eu-west-3"}, "")
	if err != nil || got.Options.Bedrock.AWSRegion != "eu-west-3" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// How much of the client's path a capture holds is what the route's pattern
// says; it has room for that where nothing of the path follows.
func TestCaptureAtTheEndOfAPathMayHaveSlashes(t *testing.T) {
	const bad = "refused"
	for _, c := range []struct{ option, template, value, want string }{
		{"upstream_url", "https://example.com/v1/$(uri_captures.v)", "chat/completions", "https://example.com/v1/chat/completions"},
		{"upstream_url", "https://example.com/v1/$(uri_captures.v)?a=b", "chat/completions", "https://example.com/v1/chat/completions?a=b"},
		{"upstream_url", "https://example.com/v1/$(uri_captures.v)", "two words", "https://example.com/v1/two%20words"},
		{"upstream_path", "/v1/$(uri_captures.v)", "chat/completions", "/v1/chat/completions"},
		{"upstream_url", "https://example.com/$(uri_captures.v)/x", "a/b", bad},
		{"upstream_url", "https://example.com/$(uri_captures.v)$(uri_captures.v)", "a/b", bad},
		{"upstream_url", "https://example.com/v1/$(headers.v)", "a/b", bad},
		{"upstream_url", "https://example.com/v1/$(query_params.v)", "a/b", bad},
		{"upstream_url", "https://$(uri_captures.v)", "evil.com/x", bad},
		{"upstream_url", "https://example.com/v1/$(uri_captures.v)", "../admin", bad},
		{"upstream_url", "https://example.com/v1/$(uri_captures.v)", "a/./b", bad},
		{"upstream_url", "https://example.com/v1/$(uri_captures.v)", "a//b", bad},
		{"upstream_url", "https://example.com/v1/$(uri_captures.v)", "/a", bad},
		{"upstream_url", "https://example.com/v1/$(uri_captures.v)", "a?b", bad},
		{"upstream_url", "https://example.com/v1/$(uri_captures.v)", "a%2e%2e", bad},
	} {
		resolved, err := model(t, "openai", "m", c.option, c.template).Resolve(values{"uri_captures.v": c.value, "headers.v": c.value, "query_params.v": c.value}, "")
		if c.want == bad {
			if err == nil {
				t.Errorf("%s with %q became %+v", c.template, c.value, resolved.Options)
			}
			continue
		}
		if err != nil || resolved.Options.UpstreamURL+resolved.Options.UpstreamPath != c.want {
			t.Errorf("%s with %q: %+v, %v", c.template, c.value, resolved, err)
		}
	}
}

func TestTemplateErrorsHaveKongsWords(t *testing.T) {
	for name, want := range map[string]string{
		"$(uri_captures.uri_cap_3)":      "uri_captures key uri_cap_3 was not provided",
		"$(headers.x-model)":             "headers key x-model was not provided",
		"$(query_params.empty)":          "query_params key empty was not provided",
		"$(uri_captures_uri_cap_1)":      "cannot parse expression for field '$(uri_captures_uri_cap_1)'",
		"a-$(headers.a.b)-c":             "cannot parse expression for field 'a-$(headers.a.b)-c'",
		"$()":                            "cannot parse expression for field '$()'",
		"$(headers.)":                    "cannot parse expression for field '$(headers.)'",
		"$(cookies.x)":                   "source 'cookies' is not supported",
		"$(headers.given)/$(cookies.x)":  "source 'cookies' is not supported",
		"$(headers.given)$(headers.not)": "headers key not was not provided",
	} {
		_, err := model(t, "openai", name, "", "").Resolve(values{"headers.given": "v", "query_params.empty": ""}, "")
		var refused *chat.RequestError
		if !errors.As(err, &refused) || refused.Error() != want {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

func TestTemplateValuesMustFitTheirField(t *testing.T) {
	const bad = "refused"
	for _, c := range []struct{ provider, option, template, value, want string }{
		{"openai", "", "$(headers.v)", "gpt-4", "gpt-4"},
		{"openai", "", "$(headers.v)", "ft:gpt-4:org::id", "ft:gpt-4:org::id"},
		{"openai", "", "$(headers.v)", "../../evil", bad},
		{"openai", "", "$(headers.v)", "gpt\r\nX-Evil: 1", bad},
		{"openai", "", "$(headers.v)", "gpt-4\xff", bad},
		{"gemini", "", "$(headers.v)", "gemini-2.0-flash", "gemini-2.0-flash"},
		{"gemini", "", "$(headers.v)", "../../evil", bad},
		{"gemini", "", "$(headers.v)", "a/b", bad},
		{"gemini", "", "$(headers.v)", "a:x?key=1", bad},
		{"gemini", "", "$(headers.v)", "..", bad},
		{"gemini", "", "$(headers.v)", "%2e%2e", bad},
		{"gemini", "", "$(headers.v)", "a#", bad},
		{"gemini", "", ".$(headers.v)", ".", bad}, // two harmless dots make a step up
		{"huggingface", "", "$(headers.v)", "org/model", "org/model"},
		{"huggingface", "", "$(headers.v)", "org/../model", bad},
		{"huggingface", "", "$(headers.v)", "/org", bad},
		{"bedrock", "", "$(headers.v)", "arn:aws:bedrock:us-east-1:1:inference-profile/a.b-v1:0", "arn:aws:bedrock:us-east-1:1:inference-profile/a.b-v1:0"},
		{"bedrock", "", "$(headers.v)", "a/./b", bad},
		{"bedrock", "", "$(headers.v)", "a//b", bad},
		{"bedrock", "bedrock.aws_region", "$(headers.v)", "us-east-1", "us-east-1"},
		{"bedrock", "bedrock.aws_region", "$(headers.v)", "x.evil.com/", bad},
		{"bedrock", "bedrock.aws_region", "$(headers.v)", "us@evil", bad},
		{"bedrock", "bedrock.aws_sts_endpoint_url", "https://sts.$(headers.v).amazonaws.com", "eu-west-3", "https://sts.eu-west-3.amazonaws.com"},
		{"bedrock", "bedrock.aws_sts_endpoint_url", "https://sts.$(headers.v)", "evil.com/?", bad},
		{"azure", "azure_instance", "$(headers.v)", "evil.com#", bad},
		{"azure", "azure_deployment_id", "d-$(headers.v)", "x", "d-x"},
		{"azure", "azure_deployment_id", "d-$(headers.v)", "x/../y", bad},
		{"azure", "azure_api_version", "$(headers.v)", "2024&a=b", bad},
		{"databricks", "databricks.workspace_instance_id", "$(headers.v)", "adb-1.2", "adb-1.2"},
		{"databricks", "databricks.workspace_instance_id", "$(headers.v)", "evil:80", bad},
		{"gemini", "gemini.api_endpoint", "$(headers.v)", "us-aiplatform.googleapis.com", "us-aiplatform.googleapis.com"},
		{"gemini", "gemini.api_endpoint", "$(headers.v)", "evil.com/x", bad},
		{"gemini", "gemini.project_id", "$(headers.v)", "p/locations/x", bad},
		{"anthropic", "anthropic_version", "$(headers.v)", "2023-06-01", "2023-06-01"},
		{"anthropic", "anthropic_version", "$(headers.v)", "1\nx-api-key: k", bad},
		{"openai", "upstream_path", "/$(headers.v)/x", "one", "/one/x"},
		{"openai", "upstream_path", "/$(headers.v)/x", "two words", "/two%20words/x"},
		{"openai", "upstream_path", "/$(headers.v)/x", "a/b", bad},
		{"openai", "upstream_path", "/v1/$(headers.v)", "..", bad},
		{"openai", "upstream_path", "$(headers.v)", "/v1/chat", "/v1/chat"},
		{"openai", "upstream_path", "/$(headers.v)", "v1/chat", "/v1/chat"},
		{"openai", "upstream_path", "/$(headers.v)", "/evil.com/x", bad},
		{"openai", "upstream_path", "$(headers.v)", "/v1/../admin", bad},
		{"openai", "upstream_path", "$(headers.v)", "/v1?a=b", bad},
		{"openai", "upstream_url", "https://$(headers.v).example.com/x", "eu", "https://eu.example.com/x"},
		{"openai", "upstream_url", "https://$(headers.v).example.com/x", "evil.com/", bad},
		{"openai", "upstream_url", "https://$(headers.v).example.com/x", "evil.com#", bad},
		{"openai", "upstream_url", "https://$(headers.v).example.com/x", "a@evil.com", bad},
		{"openai", "upstream_url", "https://$(headers.v)/x", "..", bad},
		{"openai", "upstream_url", "https://example.com/$(headers.v)", "@evil.com", "https://example.com/@evil.com"},
		{"openai", "upstream_url", "https://example.com/$(headers.v)", "..", bad},
		{"openai", "upstream_url", "https://example.com/$(headers.v)", "//evil.com", bad},
		{"openai", "upstream_url", "https://example.com/$(headers.v)", "a?b", bad},
		{"openai", "upstream_url", "https://example.com/x?m=$(headers.v)", "a&b=c d", "https://example.com/x?m=a%26b%3Dc+d"},
		{"openai", "upstream_url", "https://example.com/x?u=http://y/$(headers.v)", "a/b", "https://example.com/x?u=http://y/a%2Fb"},
	} {
		m, name := "m", ""
		if c.option == "" {
			m = c.template
		} else {
			name = c.option
		}
		tgt := model(t, c.provider, m, name, c.template)
		resolved, err := tgt.Resolve(values{"headers.v": c.value}, "")
		if c.want == bad {
			var refused *chat.RequestError
			if !errors.As(err, &refused) || refused.Field == "" {
				t.Errorf("%s %s %s with %q: got %v, %v", c.provider, name, c.template, c.value, resolved, err)
			} else if len(c.value) > 2 && strings.Contains(err.Error(), c.value) {
				t.Errorf("the error shows the value: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %s %s with %q: %v", c.provider, name, c.template, c.value, err)
			continue
		}
		got := resolved.Model
		for _, o := range templated {
			if o.Name == name {
				got = *o.Text(resolved.Options)
			}
		}
		if got != c.want {
			t.Errorf("%s %s %s with %q: got %q, want %q", c.provider, name, c.template, c.value, got, c.want)
		}
	}
}

func TestRequestsModelIsUsedWhenNoneIsConfigured(t *testing.T) {
	tgt := model(t, "openai", "", "", "")
	for _, name := range []string{"gpt-4", "gpt-3.5", "some/../thing"} { // it goes into a body only
		got, err := tgt.Resolve(values{}, name)
		if err != nil || got.Model != name {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	named := model(t, "openai", "gpt-4", "", "")
	if got, err := named.Resolve(values{}, "gpt-3.5"); err != nil || got.Model != "gpt-4" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRequestsModelCannotChangeTheURL(t *testing.T) {
	for _, c := range []struct {
		provider, model string
		ok              bool
	}{
		{"gemini", "gemini-2.0-flash", true}, {"gemini", "models/gemini-2.0-flash", true}, {"gemini", "", true},
		{"gemini", "../../x", false}, {"gemini", "a/b", false}, {"gemini", "a?key=x", false}, {"gemini", "models/../x", false},
		{"huggingface", "org/model", true}, {"huggingface", "org/../../x", false},
		{"bedrock", "arn:aws:bedrock:us-east-1::foundation-model/x", true}, {"bedrock", "x#y", false},
	} {
		_, err := model(t, c.provider, "", "", "").Resolve(values{}, c.model)
		if (err == nil) != c.ok {
			t.Errorf("%s %q: %v", c.provider, c.model, err)
		}
	}
}

func TestEveryStringOptionMayBeATemplate(t *testing.T) {
	table := map[*string]string{}
	var o target.Options
	for _, row := range templated {
		table[row.Text(&o)] = row.Name
	}
	lists := map[string]bool{"llama2_format": true, "mistral_format": true, "cohere.embedding_input_type": true, "sagemaker.embeddings_format": true}
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for f, value := range v.Fields() {
			name := prefix + f.Tag.Get("json")
			switch value.Kind() {
			case reflect.Struct:
				walk(name+".", value)
			case reflect.String:
				if got := table[value.Addr().Interface().(*string)]; got != name && !lists[name] {
					t.Errorf("%s: the table says %q", name, got)
				}
			}
		}
	}
	walk("", reflect.ValueOf(&o).Elem())
	for name := range lists {
		if f := fields()["config.model.options."+name]; f == nil || f.OneOf == nil {
			t.Errorf("%s: could be a template", name)
		}
	}
}

func TestStaticTargetIsResolvedWithoutAllocation(t *testing.T) {
	tgt := model(t, "openai", "gpt-4", "", "")
	if !tgt.Static() {
		t.Fatal("not static")
	}
	src := values{}
	first, _ := tgt.Resolve(src, "x")
	if n := testing.AllocsPerRun(100, func() {
		if again, err := tgt.Resolve(src, "x"); err != nil || again != first {
			t.Error("another target")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if model(t, "openai", "$(headers.x)", "", "").Static() || model(t, "azure", "m", "azure_api_version", "$(headers.x)").Static() {
		t.Error("a template is not static")
	}
}

func TestUnterminatedTemplateIsLiteral(t *testing.T) {
	c := parse(t, `{"route_type":"llm/v1/chat","model":{"provider":"openai","name":"$(headers.a)-$(headers.b"}}`)
	got, err := c.Targets[0].Resolve(values{"headers.a": "x"}, "")
	if err != nil || got.Model != "x-$(headers.b" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Whatever the template and the value, a URL keeps its scheme, and its host
// where no template stands in the host; and nothing panics.
func FuzzTemplate(f *testing.F) {
	f.Add("https://example.com/$(headers.v)", "../x")
	f.Add("https://$(headers.v).example.com/a?b=$(headers.v)#$(headers.v)", "a@b:c/d")
	f.Add("https://example.com:80$(headers.v)", "/x")
	f.Add("https://u@example.com/?u=http://$(headers.v)", "\\evil")
	f.Add("https://example.com$(headers.v", "%2f")
	f.Add("https://x/$(headers.v).$(headers.v)", ".")
	f.Fuzz(func(t *testing.T, template, value string) {
		defer workload.Linear(t, len(template)+len(value))()
		for _, land := range []landing{inText, inHost, inSegment, inModel, inURLSegment, inPath} {
			if x, err := parseText("f", template, land); err == nil {
				_, _ = x.expand(values{"headers.v": value})
			}
		}
		x, err := parseText("f", template, inURL)
		if err != nil || !strings.HasPrefix(template, "https://") {
			return
		}
		before, err := url.Parse(provider.WithoutTemplates(template))
		if err != nil {
			return
		}
		text, err := x.expand(values{"headers.v": value})
		if err != nil {
			return
		}
		after, err := url.Parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		authority, _, _ := strings.Cut(strings.TrimPrefix(regexp.MustCompile(`\$\([^)]*\)`).ReplaceAllString(template, "\x00"), "https://"), "/")
		authority, _, _ = strings.Cut(authority, "?")
		authority, _, _ = strings.Cut(authority, "#")
		if after.Scheme != "https" || !strings.Contains(authority, "\x00") && (after.Host != before.Host || after.User.String() != before.User.String()) {
			t.Fatalf("%q with %q became %q", template, value, text)
		}
		if strings.Count(after.Path, "/") != strings.Count(before.Path, "/") {
			t.Fatalf("%q with %q has another path: %q", template, value, text)
		}
	})
}
