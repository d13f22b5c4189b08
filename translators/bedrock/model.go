package bedrock

import "strings"

// model is what a model accepts. The zero value is for names that do not tell (the
// ARN of an application inference profile, a future model): such a model is taken to
// accept all that the API has today.
type model struct {
	claude bool // its settings are those of Anthropic's format
	effort effort
	topK   string // path of top_k below additionalModelRequestFields; "" is top_k

	noTopK   bool
	noSystem bool // https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html
	noSchema bool // https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
	noChoice bool // toolConfig.toolChoice is refused
	noCache  bool // https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
	// nineIDs means that ids of calls have nine letters and digits, as in Mistral's
	// own API. https://docs.vllm.ai/en/stable/features/tool_calling/#mistral-models
	nineIDs bool
	nova    bool // it accepts only a part of JSON Schema, and does not cache tools
}

// effort says which member tells a model how much to reason.
type effort uint8

const (
	effortConfig  effort = iota // outputConfig.effort
	effortField                 // additionalModelRequestFields.reasoning_effort
	effortNova                  // additionalModelRequestFields.reasoningConfig
	effortNowhere               // the model does not reason, or always does
)

// models lists models by a part of their id, which is also in ids of inference
// profiles and ARNs. The first match counts.
var models = []struct {
	part string
	model
}{
	// Structured outputs came with Claude 4.5.
	{"anthropic.claude-v", model{claude: true, noSchema: true, noCache: true}},
	{"anthropic.claude-instant", model{claude: true, noSchema: true, noCache: true}},
	{"anthropic.claude-3", model{claude: true, noSchema: true}},
	{"anthropic.claude-sonnet-4-2025", model{claude: true, noSchema: true}},
	{"anthropic.claude-opus-4-2025", model{claude: true, noSchema: true}},
	{"anthropic.claude-opus-4-1", model{claude: true, noSchema: true}},
	{"anthropic.claude", model{claude: true}},

	{"amazon.nova-2", model{nova: true, effort: effortNova, topK: "inferenceConfig.topK", noSchema: true}},
	{"amazon.nova", model{nova: true, effort: effortNowhere, topK: "inferenceConfig.topK", noSchema: true}},
	{"amazon.titan", model{effort: effortNowhere, noTopK: true, noSystem: true, noSchema: true, noChoice: true, noCache: true}},

	{"openai.", model{effort: effortField, noTopK: true, noCache: true}},
	{"moonshotai.", model{effort: effortField, noCache: true}},
	{"moonshot.", model{effort: effortField, noCache: true}},
	{"deepseek.r1", model{effort: effortNowhere, noTopK: true, noSchema: true, noChoice: true, noCache: true}},
	{"deepseek.", model{effort: effortField, noTopK: true, noCache: true}},

	{"mistral.mistral-7b-instruct", model{nineIDs: true, effort: effortNowhere, noSystem: true, noSchema: true, noChoice: true, noCache: true}},
	{"mistral.mixtral-8x7b-instruct", model{nineIDs: true, effort: effortNowhere, noSystem: true, noSchema: true, noChoice: true, noCache: true}},
	{"mistral.mistral-large-240", model{nineIDs: true, effort: effortNowhere, noSchema: true, noCache: true}},
	{"mistral.mistral-small-240", model{nineIDs: true, effort: effortNowhere, noSchema: true, noCache: true}},
	{"mistral.pixtral", model{nineIDs: true, effort: effortNowhere, noSchema: true, noCache: true}},
	{"mistral.", model{nineIDs: true, effort: effortNowhere, noCache: true}},

	{"cohere.command-text", model{effort: effortNowhere, topK: "k", noSystem: true, noSchema: true, noChoice: true, noCache: true}},
	{"cohere.command-light-text", model{effort: effortNowhere, topK: "k", noSystem: true, noSchema: true, noChoice: true, noCache: true}},
	{"cohere.", model{effort: effortNowhere, topK: "k", noSchema: true, noChoice: true, noCache: true}},
	{"meta.llama", model{effort: effortNowhere, noTopK: true, noSchema: true, noChoice: true, noCache: true}},
	{"ai21.", model{effort: effortNowhere, noTopK: true, noSchema: true, noChoice: true, noCache: true}},
}

func modelOf(id string) model {
	for i := range models {
		if strings.Contains(id, models[i].part) {
			return models[i].model
		}
	}
	return model{}
}
