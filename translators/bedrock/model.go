package bedrock

import "strings"

// model is what must be known of a model to ask it nothing that it refuses.
type model struct {
	// unnamed: the id does not say whose model it is, perhaps Claude.
	unnamed bool
	claude  bool // its settings are those of Anthropic's format
	effort  effort
	topK    string // path of top_k below additionalModelRequestFields; "" is top_k

	noTopK   bool
	noSystem bool // https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html
	noSchema bool // https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
	noChoice bool // toolConfig.toolChoice is refused
	caches   bool // https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
	// nineIDs: ids of calls have nine letters and digits, as Mistral's own API wants
	// them. https://docs.vllm.ai/en/stable/features/tool_calling/#mistral-models
	nineIDs bool
	nova    bool // it accepts only a part of JSON Schema, and does not cache tools
}

// effort says which member tells a model how much to reason.
type effort uint8

const (
	effortNowhere effort = iota // it does not reason, or always
	effortConfig                // outputConfig.effort
	effortField                 // additionalModelRequestFields.reasoning_effort
	effortNova                  // additionalModelRequestFields.reasoningConfig
)

// models are known by a part of their id, which ids of inference profiles and
// ARNs contain, too. The first match counts. A model that is not here is asked for
// what all have.
var models = []struct {
	part string
	model
}{
	// Structured outputs came with Claude 4.5.
	{"anthropic.claude-v", model{claude: true, noSchema: true}},
	{"anthropic.claude-instant", model{claude: true, noSchema: true}},
	{"anthropic.claude-3", model{claude: true, caches: true, noSchema: true}},
	{"anthropic.claude-sonnet-4-2025", model{claude: true, caches: true, noSchema: true}},
	{"anthropic.claude-opus-4-2025", model{claude: true, caches: true, noSchema: true}},
	{"anthropic.claude-opus-4-1", model{claude: true, caches: true, noSchema: true}},
	{"anthropic.claude", model{claude: true, caches: true}},

	{"amazon.nova-2", model{nova: true, caches: true, effort: effortNova, topK: "inferenceConfig.topK", noSchema: true}},
	{"amazon.nova", model{nova: true, caches: true, effort: effortNowhere, topK: "inferenceConfig.topK", noSchema: true}},
	{"amazon.titan", model{effort: effortNowhere, noTopK: true, noSystem: true, noSchema: true, noChoice: true}},

	{"openai.", model{effort: effortField, noTopK: true}},
	{"moonshotai.", model{effort: effortField}},
	{"moonshot.", model{effort: effortField}},
	{"deepseek.r1", model{effort: effortNowhere, noTopK: true, noSchema: true, noChoice: true}},
	{"deepseek.", model{effort: effortField, noTopK: true}},

	{"mistral.mistral-7b-instruct", model{nineIDs: true, effort: effortNowhere, noSystem: true, noSchema: true, noChoice: true}},
	{"mistral.mixtral-8x7b-instruct", model{nineIDs: true, effort: effortNowhere, noSystem: true, noSchema: true, noChoice: true}},
	{"mistral.mistral-large-240", model{nineIDs: true, effort: effortNowhere, noSchema: true}},
	{"mistral.mistral-small-240", model{nineIDs: true, effort: effortNowhere, noSchema: true}},
	{"mistral.pixtral", model{nineIDs: true, effort: effortNowhere, noSchema: true}},
	{"mistral.", model{nineIDs: true, effort: effortNowhere}},

	{"cohere.command-text", model{effort: effortNowhere, topK: "k", noSystem: true, noSchema: true, noChoice: true}},
	{"cohere.command-light-text", model{effort: effortNowhere, topK: "k", noSystem: true, noSchema: true, noChoice: true}},
	{"cohere.", model{effort: effortNowhere, topK: "k", noSchema: true, noChoice: true}},
	{"meta.llama", model{effort: effortNowhere, noTopK: true, noSchema: true, noChoice: true}},
	{"ai21.", model{effort: effortNowhere, noTopK: true, noSchema: true, noChoice: true}},

	// The ARN of an application inference profile tells nothing: what the API has
	// today is tried.
	{"arn:", model{unnamed: true, effort: effortConfig, caches: true}},
}

func modelOf(id string) model {
	for i := range models {
		if strings.Contains(id, models[i].part) {
			return models[i].model
		}
	}
	return model{}
}
