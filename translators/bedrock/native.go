package bedrock

import (
	"bytes"
	"encoding/base64"
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// native holds the operations for clients with AWS's SDKs. They are at three
// endpoints.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/welcome.html
var native = map[provider.Format]*provider.Operation{
	provider.BedrockConverse: operation,
	provider.BedrockInvoke:   {Path: invokePath, Format: provider.BedrockInvoke, Meter: Meter, MeterHeaders: meterHeaders, Tune: tuneInvoke, Header: servingHeaders},
	provider.BedrockRetrieve: {
		Base: endpoint("bedrock-agent-runtime"), Format: provider.BedrockRetrieve, Tune: tuneRetrieve,
		Path: func(_ *target.Target, stream bool) (string, error) {
			if stream {
				return "/retrieveAndGenerateStream", nil
			}
			return "/retrieveAndGenerate", nil
		},
	},
	provider.BedrockCount:  {Path: countPath, Format: provider.BedrockCount, Counter: &counter, NoStream: true},
	provider.BedrockRerank: {Base: endpoint("bedrock-agent-runtime"), Path: always("/rerank"), Format: provider.BedrockRerank, NoStream: true},
	provider.BedrockAsync:  {Path: always("/async-invoke"), Format: provider.BedrockAsync, NoStream: true},
	provider.BedrockJobs:   {Base: endpoint("bedrock"), Path: always("/model-invocation-job"), Format: provider.BedrockJobs, NoStream: true},
}

func always(path string) func(*target.Target, bool) (string, error) {
	return func(*target.Target, bool) (string, error) { return path, nil }
}

// endpoint returns the Base of another service in the target's region.
func endpoint(service string) func(*target.Target) (string, error) {
	return func(t *target.Target) (string, error) {
		runtime, err := base(t)
		return strings.Replace(runtime, "bedrock-runtime", service, 1), err
	}
}

func invokePath(t *target.Target, stream bool) (string, error) {
	at, err := pathOf(t, false)
	at = strings.TrimSuffix(at, "/converse")
	if stream {
		return at + "/invoke-with-response-stream", err
	}
	return at + "/invoke", err
}

// variant returns Bedrock with InvokeModel for clients of Anthropic's format if the
// model is Anthropic's. An ARN does not tell that, but anthropic_version does. The
// configured URL may also be that of another vendor's API.
func variant(t *target.Target) *provider.Provider {
	if p := elsewhere(t); p != nil {
		return p
	}
	if isClaude(t) {
		return withClaude
	}
	return plain
}

func isClaude(t *target.Target) bool {
	arn := strings.HasPrefix(t.Model, "arn:") && t.Options != nil && t.Options.AnthropicVersion != ""
	return arn || modelOf(t.Model).claude
}

// withClaude forwards Anthropic's Messages unchanged, except for the model, which is
// in the path, the version, and the betas, which are in the body.
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
var withClaude = func() *provider.Provider {
	p := *plain
	p.Native = map[provider.Format]*provider.Operation{provider.AnthropicMessages: {
		Path:    invokePath,
		Format:  provider.AnthropicMessages,
		Chat:    anthropic.Messages,
		Origin:  originOf,
		Meter:   anthropic.Meter,
		Tune:    anthropic.Tune,
		Untuned: anthropic.Untuned,
		Caching: &provider.Caching{Marks: marksOf, Mark: anthropic.Mark},
		Header:  servingHeaders,
		Edit: provider.Edit{
			Drop:    []string{"model", "stream"},
			Set:     setVersion,
			Fit:     &provider.Fit{Header: "Anthropic-Beta", Member: "anthropic_beta", Body: claudeHere.Fit},
			Request: anthropic.OwnThinking,
			Refusals: append([]provider.Refusal{
				{Words: []string{uncached}, What: "cache_control", Without: func(body []byte, _ string) []byte { return anthropic.WithoutCaching(body) }, Document: cachingPage},
				{Status: 400, Words: []string{"invalid beta flag"}, What: "anthropic_beta", Without: provider.WithoutMember("anthropic_beta"), Document: "https://github.com/anthropics/claude-code/issues/49370"},
			}, anthropic.Refusals...),
		},
		Unwrap:    unwrap,
		OwnErrors: true,
	}}
	for format, op := range native {
		p.Native[format] = op
	}
	p.Counter = native[provider.BedrockCount]
	return &p
}()

// claudeHere is what Bedrock takes of Anthropic's format: InvokeModel of Claude.
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html
// https://platform.claude.com/docs/en/build-with-claude/claude-on-amazon-bedrock
var claudeHere = anthropic.Cloud{
	Members: []string{
		"anthropic_version", "anthropic_beta", "max_tokens", "messages", "system", "temperature", "top_p", "top_k", "stop_sequences", "thinking",
		"tools", "tool_choice", "output_config", "model", "stream", "amazon-bedrock-guardrailConfig",
	},
	Gated: map[string]string{"context_management": "context-management-2025-06-27"},
	Betas: []string{
		"claude-code-20250219", "compact-2026-01-12", "computer-use-2024-10-22", "computer-use-2025-01-24", "computer-use-2025-11-24",
		"context-1m-2025-08-07", "context-management-2025-06-27", "dev-full-thinking-2025-05-14", "effort-2025-11-24",
		"fine-grained-tool-streaming-2025-05-14", "interleaved-thinking-2025-05-14", "output-128k-2025-02-19", "search-results-2025-06-09",
		"structured-outputs-2025-12-15", "token-efficient-tools-2025-02-19", "tool-examples-2025-10-29", "tool-search-tool-2025-10-19",
	},
	Tools:       []string{"bash_", "text_editor_", "computer_", "memory_", "tool_search_tool_"},
	Blocks:      []string{"tool_search_tool_result"},
	ToolMembers: []string{"type", "name", "description", "input_schema", "cache_control", "strict", "input_examples"},
	Output:      outputOf,
	Keeps: func(id string) anthropic.Keeps {
		switch {
		case !modelOf(id).caches:
			return anthropic.KeepsNothing
		case isMinutely(id):
			return anthropic.KeepsMinutes
		}
		return anthropic.KeepsHour
	},
}

// outputOf is what the table has of a model. An ARN does not tell it.
func outputOf(id string) anthropic.Output {
	m := modelOf(id)
	if m.unnamed {
		return anthropic.Output{Schema: true, Strict: true, Effort: true}
	}
	return anthropic.Output{Schema: m.schema, Strict: m.strict, Effort: m.effort == effortConfig}
}

// anthropicVersion is the version that InvokeModel requires of Claude.
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html
const anthropicVersion = "bedrock-2023-05-31"

func setVersion(t *target.Target) []chat.Member {
	version := anthropicVersion
	if t.Options != nil && strings.HasPrefix(t.Options.AnthropicVersion, "bedrock-") {
		version = t.Options.AnthropicVersion
	}
	return []chat.Member{{Name: "anthropic_version", Value: jsonedit.AppendString(nil, version)}}
}

// unwrap returns Anthropic's own event from a chunk of InvokeModelWithResponseStream.
// An exception becomes an error event.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_PayloadPart.html
func unwrap(dst []byte, ev frame.Event) (kind, data []byte) {
	if ev.Exception {
		failure := exception(ev)
		return []byte("error"), anthropic.Dialect.AppendError(dst, &failure)
	}
	if string(ev.Type) != "chunk" {
		return nil, nil
	}
	coded, ok := plainString(jsonedit.Lookup(ev.Data, "bytes"))
	if !ok {
		return nil, nil
	}
	data, err := base64.StdEncoding.AppendDecode(dst, coded)
	if err != nil {
		return nil, nil
	}
	kind, _ = plainString(jsonedit.Lookup(data[len(dst):], "type"))
	return kind, data
}

// plainString returns the text of a JSON string. If it has no escapes, as in base64
// and names, nothing is copied.
func plainString(value []byte) ([]byte, bool) {
	if !jsonedit.IsString(value) {
		return nil, false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], true
	}
	return jsonedit.AppendUnquoted(nil, value)
}
