package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// change is a dotted path and the value that is set there; nil removes it.
type change struct {
	path  string
	value any
}

func set(m map[string]any, path string, value any) {
	head, tail, nested := strings.Cut(path, ".")
	switch {
	case nested:
		next, ok := m[head].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[head] = next
		}
		set(next, tail, value)
	case value == nil:
		delete(m, head)
	default:
		m[head] = value
	}
}

// provider returns a configuration with all that the provider demands.
func served(name string, changes ...change) map[string]any {
	m := map[string]any{}
	set(m, "route_type", "llm/v1/chat")
	set(m, "model.provider", name)
	set(m, "model.name", "m")
	demands := map[string]map[string]any{
		"llama2":    {"llama2_format": "raw", "upstream_url": "http://localhost:11434/x"},
		"mistral":   {"mistral_format": "openai"},
		"anthropic": {"anthropic_version": "2023-06-01"},
		"azure":     {"azure_instance": "i", "azure_deployment_id": "d"},
	}
	for option, value := range demands[name] {
		set(m, "model.options."+option, value)
	}
	for _, c := range changes {
		set(m, c.path, c.value)
	}
	return m
}

// targets returns a configuration with one target.
func targets(target []change, changes ...change) map[string]any {
	m := map[string]any{"targets": []any{served("openai", target...)}}
	for _, c := range changes {
		set(m, c.path, c.value)
	}
	return m
}

// The numbers are those of group A of the acceptance list.
func TestAcceptanceOfConfigurations(t *testing.T) {
	type changes = []change
	const options = "model.options."
	tier := func(name string) change {
		return change{options + "service_tier_factor", []any{map[string]any{"tier": name, "factor": 2.0}}}
	}
	for _, c := range []struct {
		number int
		name   string
		config map[string]any
		refuse string // a part of the message, "" for accepted
	}{
		{1, "llama2 without upstream_url", served("llama2", change{options + "upstream_url", nil}), "must set 'model.options.upstream_url' for self-hosted providers/models"},
		{2, "llama2 in the raw format, no auth", served("llama2"), ""},
		{2, "mistral in the ollama format, no auth", served("mistral", change{options + "mistral_format", "ollama"}, change{options + "upstream_url", "http://localhost/x"}), ""},
		{3, "llama2 without llama2_format", served("llama2", change{options + "llama2_format", nil}), "must set 'model.options.llama2_format' for llama2 provider"},
		{4, "mistral without mistral_format", served("mistral", change{options + "mistral_format", nil}), "must set 'model.options.mistral_format' for mistral provider"},
		{5, "anthropic without anthropic_version", served("anthropic", change{options + "anthropic_version", nil}), "must set 'model.options.anthropic_version' for anthropic provider"},
		{6, "anthropic completions with statistics", served("anthropic", change{"route_type", "llm/v1/completions"}, change{"logging.log_statistics", true}), "anthropic does not support statistics when route_type is llm/v1/completions"},
		{7, "azure without azure_instance", served("azure", change{options + "azure_instance", nil}), "must set 'model.options.azure_instance' for azure provider"},
		{8, "azure without azure_deployment_id", served("azure", change{options + "azure_deployment_id", nil}), "must set 'model.options.azure_deployment_id' for azure provider"},
		{9, "header_name only", served("openai", change{"auth.header_name", "a"}), "all or none of these fields must be set: 'header_name', 'header_value'"},
		{10, "header pair", served("openai", change{"auth.header_name", "a"}, change{"auth.header_value", "b"}), ""},
		{11, "param without location", served("openai", change{"auth.param_name", "a"}, change{"auth.param_value", "b"}), "all or none of these fields must be set: 'param_name', 'param_value', 'param_location'"},
		{12, "param triple", served("openai", change{"auth.param_name", "a"}, change{"auth.param_value", "b"}, change{"auth.param_location", "query"}), ""},
		{13, "header pair and param triple", served("openai", change{"auth.header_name", "a"}, change{"auth.header_value", "b"}, change{"auth.param_name", "a"}, change{"auth.param_value", "b"}, change{"auth.param_location", "body"}), ""},
		{14, "bedrock with allow_override", served("bedrock", change{"auth.allow_override", true}), "bedrock and gemini only support auth.allow_override = false"},
		{15, "gemini with allow_override", served("gemini", change{"auth.allow_override", true}), "bedrock and gemini only support auth.allow_override = false"},
		{16, "llm_format bedrock on openai", served("openai", change{"llm_format", "bedrock"}), "native llm_format 'bedrock' can only be used with the 'bedrock' model.provider"},
		{17, "llm_format gemini on openai", served("openai", change{"llm_format", "gemini"}), "native llm_format 'gemini' can only be used with the 'gemini' model.provider"},
		{18, "llm_format gemini on completions", served("gemini", change{"llm_format", "gemini"}, change{"route_type", "llm/v1/completions"}), "native provider options in llm_format can only be used with the 'llm/v1/chat' route_type"},
		{18, "llm_format gemini on its own embeddings", served("gemini", change{"llm_format", "gemini"}, change{"route_type", "llm/v1/embeddings"}), ""},
		{19, "gemini options incomplete", served("gemini", change{options + "gemini.api_endpoint", "h"}, change{options + "gemini.location_id", "l"}), "all or none of these fields must be set: 'api_endpoint', 'project_id', 'location_id'"},
		{20, "temperature 5.1", served("openai", change{options + "temperature", 5.1}), "config.model.options.temperature: value should be between 0 and 5"},
		{20, "top_p 1.1", served("openai", change{options + "top_p", 1.1}), "config.model.options.top_p: value should be between 0 and 1"},
		{20, "top_k 501", served("openai", change{options + "top_k", 501}), "config.model.options.top_k: value should be between 0 and 500"},
		{20, "5, 1, 500", served("openai", change{options + "temperature", 5}, change{options + "top_p", 1}, change{options + "top_k", 500}), ""},
		{21, "weight 0", targets(changes{{"weight", 0}}), "config.targets[1].weight: value should be between 1 and 65535"},
		{21, "weight 65536", targets(changes{{"weight", 65536}}), "config.targets[1].weight: value should be between 1 and 65535"},
		{21, "slots 9", targets(nil, change{"balancer.slots", 9}), "config.balancer.slots: value should be between 10 and 65536"},
		{21, "retries 32768", targets(nil, change{"balancer.retries", 32768}), "config.balancer.retries: value should be between 0 and 32767"},
		{21, "max_fails 32768", targets(nil, change{"balancer.max_fails", 32768}), "config.balancer.max_fails: value should be between 0 and 32767"},
		{22, "an empty tier", served("openai", tier("")), "config.model.options.service_tier_factor[1].tier: length must be at least 1"},
		{22, "a tier", served("openai", tier("priority")), ""},
		{23, "acls.allow empty", targets(nil, change{"acls.allow", []any{}}), "config.acls.allow: length must be at least 1"},
		{24, "llm_format anthropic on openai", served("openai", change{"llm_format", "anthropic"}), ""},
		{24, "llm_format anthropic on azure", served("azure", change{"llm_format", "anthropic"}), ""},
		{24, "llm_format anthropic on bedrock", served("bedrock", change{"llm_format", "anthropic"}), ""},
		{24, "llm_format anthropic on gemini", served("gemini", change{"llm_format", "anthropic"}), ""},
		{24, "llm_format anthropic on dashscope", served("dashscope", change{"llm_format", "anthropic"}), ""},
		{24, "llm_format anthropic on huggingface", served("huggingface", change{"llm_format", "anthropic"}), ""},
	} {
		t.Run(fmt.Sprintf("%d %s", c.number, c.name), func(t *testing.T) {
			_, err := load(c.config)
			switch {
			case c.refuse == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.refuse != "" && !slices.ContainsFunc(lines(err), func(l string) bool { return strings.Contains(l, c.refuse) }):
				t.Errorf("got %v, want %q", err, c.refuse)
			}
		})
	}
}
