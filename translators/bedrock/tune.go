package bedrock

import (
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// ownNames are models' own names of the tuning options, in additionalModelRequestFields.
var ownNames = []provider.Settings{
	{MaxTokens: fieldsName + ".max_tokens", Temperature: fieldsName + ".temperature", TopP: fieldsName + ".top_p"},
	{MaxTokens: fieldsName + ".maxTokens", TopP: fieldsName + ".topP"},
	{MaxTokens: fieldsName + ".max_completion_tokens", TopP: fieldsName + ".p"},
	{MaxTokens: fieldsName + ".max_gen_len"},
	{MaxTokens: fieldsName + ".maxTokenCount"},
}

// tuneConverse returns the edits that set the options of t in a Converse body.
func tuneConverse(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	const fields = fieldsName
	s := provider.Settings{MaxTokens: "inferenceConfig.maxTokens", Temperature: "inferenceConfig.temperature", TopP: "inferenceConfig.topP"}
	m := modelOf(t.Model)
	if m.topK != "" {
		s.TopK = fields + "." + m.topK
	}
	if m.plain {
		s.Temperature, s.TopP = "", ""
	}
	for _, own := range ownNames { // the model's own names are the client's values, too
		t = own.Yielding(t, ms)
	}
	l := provider.Layer{Members: ms}
	if m.claude {
		l.Edits = anthropic.TuneClaude(t, ms, s, jsonedit.Lookup(jsonedit.Find(ms, fields), "thinking"))
	} else {
		l.Edits = s.Tune(t, ms)
	}
	o := t.Options
	for _, own := range ownNames { // they must not bypass the options
		for path, set := range map[string]bool{own.MaxTokens: o.MaxTokens != nil, own.Temperature: o.Temperature != nil, own.TopP: o.TopP != nil} {
			if set {
				l.Set(path, nil)
			}
		}
	}
	if o.Bedrock.PerformanceConfigLatency != "" {
		l.Contest(t, "performanceConfig.latency", jsonedit.AppendString(nil, o.Bedrock.PerformanceConfigLatency))
	}
	if tier := serviceTier(o.ServiceTier); tier != "" {
		l.Contest(t, "serviceTier.type", jsonedit.AppendString(nil, tier))
	}
	return l.Edits
}

// makers holds the names of the tuning options in the bodies of InvokeModel, by a
// part of the model's id. The first match counts. Models that are not here do not
// write text, or are unknown; their bodies are not changed.
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
var makers = []struct {
	part string
	provider.Settings
}{
	{"amazon.nova-canvas", provider.Settings{}},
	{"amazon.nova-reel", provider.Settings{}},
	// https://docs.aws.amazon.com/nova/latest/userguide/complete-request-schema.html
	{"amazon.nova", provider.Settings{MaxTokens: "inferenceConfig.maxTokens", Temperature: "inferenceConfig.temperature", TopP: "inferenceConfig.topP", TopK: "inferenceConfig.topK"}},
	{"amazon.titan-text", provider.Settings{MaxTokens: "textGenerationConfig.maxTokenCount", Temperature: "textGenerationConfig.temperature", TopP: "textGenerationConfig.topP"}},
	{"meta.llama", provider.Settings{MaxTokens: "max_gen_len", Temperature: "temperature", TopP: "top_p"}},
	{"mistral.mistral-7b", provider.Settings{MaxTokens: "max_tokens", Temperature: "temperature", TopP: "top_p", TopK: "top_k"}},
	{"mistral.mixtral", provider.Settings{MaxTokens: "max_tokens", Temperature: "temperature", TopP: "top_p", TopK: "top_k"}},
	{"mistral.", provider.Settings{MaxTokens: "max_tokens", Temperature: "temperature", TopP: "top_p"}},
	{"cohere.command", provider.Settings{MaxTokens: "max_tokens", Temperature: "temperature", TopP: "p", TopK: "k"}},
	{"ai21.jamba", provider.Settings{MaxTokens: "max_tokens", Temperature: "temperature", TopP: "top_p"}},
	{"deepseek.r1", provider.Settings{MaxTokens: "max_tokens", Temperature: "temperature", TopP: "top_p"}},
	{"openai.", provider.Settings{MaxTokens: "max_completion_tokens", Temperature: "temperature", TopP: "top_p"}},
}

// tuneInvoke returns the edits that set the options of t in a body of InvokeModel,
// which has the format of the model's maker.
func tuneInvoke(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	if isClaude(t) {
		return anthropic.Tune(t, ms)
	}
	if v, ok := vectorsOf(t.Model); ok {
		return v.tune(t, ms)
	}
	for i := range makers {
		if strings.Contains(t.Model, makers[i].part) {
			return makers[i].Tune(t, ms)
		}
	}
	return nil
}

// tuneRetrieve returns the edits that set the options of t in a body of
// RetrieveAndGenerate. The model that writes the answer is configured in the part
// about the knowledge base or the documents.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_RetrieveAndGenerate.html
func tuneRetrieve(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	const configuration = "retrieveAndGenerateConfiguration"
	for _, kind := range []string{"knowledgeBaseConfiguration", "externalSourcesConfiguration"} {
		if jsonedit.Lookup(jsonedit.Find(ms, configuration), kind) == nil {
			continue
		}
		at := configuration + "." + kind + ".generationConfiguration."
		text := at + "inferenceConfig.textInferenceConfig."
		s := provider.Settings{MaxTokens: text + "maxTokens", Temperature: text + "temperature", TopP: text + "topP"}
		l := provider.Layer{Members: ms, Edits: s.Tune(t, ms)}
		if latency := t.Options.Bedrock.PerformanceConfigLatency; latency != "" {
			l.Contest(t, at+"performanceConfig.latency", jsonedit.AppendString(nil, latency))
		}
		return l.Edits
	}
	return nil
}

// servingHeaders returns the headers with the latency class and the service tier for
// InvokeModel, whose body has the model's own format.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
func servingHeaders(t *target.Target) (list [][2]string) {
	if t.Route == route.Embeddings {
		return nil // text only
	}
	if latency := t.Options.Bedrock.PerformanceConfigLatency; latency != "" {
		list = append(list, [2]string{"X-Amzn-Bedrock-Performanceconfig-Latency", latency})
	}
	if tier := serviceTier(t.Options.ServiceTier); tier != "" {
		list = append(list, [2]string{"X-Amzn-Bedrock-Service-Tier", tier})
	}
	return list
}
