package bedrock

import (
	"fmt"
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
)

// model is a row of the table of models: what they take of Converse, beside messages
// and the limits of inferenceConfig. What a row does not have is not asked for, so that
// the zero value is asked for what all models have.
type model struct {
	part string // of the id, which ids of inference profiles and ARNs contain, too
	// unnamed: the id does not say whose model it is, perhaps Claude.
	unnamed bool
	claude  bool // its settings are those of Anthropic's format
	nova    bool // it takes a part of JSON Schema, and caches no tools
	// nineIDs: ids of calls have nine letters and digits, as Mistral's own API wants
	// them. https://docs.vllm.ai/en/stable/features/tool_calling/#mistral-models
	nineIDs bool

	output   int           // the most tokens that it writes, 0 if that is not known
	noSystem bool          // system prompts are refused
	caches   bool          // it has cache points
	choice   choice        // what toolConfig.toolChoice may be
	schema   bool          // outputConfig.textFormat
	strict   bool          // toolSpec.strict
	hosted   []chat.Hosted // system tools, see systemTools
	topK     string        // path of top_k below additionalModelRequestFields, "" for none
	effort   effort
	efforts  []string // from the least on
	// plain: inferenceConfig has no temperature, topP and stopSequences.
	plain    bool
	document string
	read     string // when that was read last, as year and month
}

// effort says which member tells a model how much to reason.
type effort uint8

const (
	effortNowhere effort = iota // it does not reason, or always
	effortConfig                // outputConfig.effort
	effortField                 // additionalModelRequestFields.reasoning_effort
	effortNested                // additionalModelRequestFields.reasoning.effort
	effortNova                  // additionalModelRequestFields.reasoningConfig
)

// paths of the members, for docs/models.md.
var effortPaths = map[effort][]string{
	effortConfig: {"outputConfig.effort"},
	effortField:  {fieldsName + ".reasoning_effort"},
	effortNested: {fieldsName + ".reasoning.effort"},
	effortNova:   {fieldsName + ".reasoningConfig.maxReasoningEffort"},
}

const fieldsName = "additionalModelRequestFields"

// choice is what a model takes of toolChoice.
type choice uint8

const (
	noChoice  choice = iota // none: it decides itself
	anyChoice               // auto and any
	allChoice               // a tool by its name, too
)

var (
	threeEfforts = []string{"low", "medium", "high"}
	fiveEfforts  = []string{"low", "medium", "high", "xhigh", "max"}
)

const (
	featuresPage = "https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html"
	choicePage   = "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolChoice.html"
	schemaPage   = "https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html"
	cachingPage  = "https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html"
	claudePage   = "https://platform.claude.com/docs/en/build-with-claude/structured-outputs"
	novaPage     = "https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html"
	pagesRead    = "2026-11"
)

// models are the families. The first row whose part is in the id counts. Of Claude,
// Bedrock's own copy of the schema refuses output_config.format and strict from 4.7 on.
// https://github.com/vercel/ai/issues/14773 https://github.com/vercel/ai/issues/19988
var models = []model{
	{part: "anthropic.claude-v", claude: true, topK: "top_k", document: featuresPage, read: pagesRead},
	{part: "anthropic.claude-instant", claude: true, topK: "top_k", document: featuresPage, read: pagesRead},
	{part: "anthropic.claude-3-5-haiku", claude: true, choice: allChoice, topK: "top_k", caches: true, document: cachingPage, read: pagesRead},
	{part: "anthropic.claude-3-7", claude: true, choice: allChoice, topK: "top_k", caches: true, document: cachingPage, read: pagesRead},
	{part: "anthropic.claude-3-5-sonnet-20240620", claude: true, output: 4096, choice: allChoice, topK: "top_k", document: "https://github.com/vercel/ai/issues/2772", read: pagesRead},
	{part: "anthropic.claude-3", claude: true, choice: allChoice, topK: "top_k", document: cachingPage, read: pagesRead},
	{part: "anthropic.claude-sonnet-4-5", claude: true, choice: allChoice, topK: "top_k", caches: true, schema: true, strict: true, document: claudePage, read: pagesRead},
	{part: "anthropic.claude-opus-4-5", claude: true, choice: allChoice, topK: "top_k", caches: true, schema: true, strict: true, document: claudePage, read: pagesRead},
	{part: "anthropic.claude-haiku-4-5", claude: true, choice: allChoice, topK: "top_k", caches: true, strict: true, document: "https://github.com/vercel/ai/pull/20128", read: pagesRead},
	{part: "anthropic.claude-opus-4-6", claude: true, choice: allChoice, topK: "top_k", caches: true, schema: true, strict: true, effort: effortConfig, document: claudePage, read: pagesRead},
	{part: "anthropic.claude-sonnet-4-6", claude: true, choice: allChoice, topK: "top_k", caches: true, schema: true, strict: true, effort: effortConfig, document: claudePage, read: pagesRead},
	{part: "anthropic.claude-sonnet-4-2025", claude: true, choice: allChoice, topK: "top_k", caches: true, document: claudePage, read: pagesRead},
	{part: "anthropic.claude-opus-4-2025", claude: true, choice: allChoice, topK: "top_k", caches: true, document: claudePage, read: pagesRead},
	{part: "anthropic.claude-opus-4-1", claude: true, choice: allChoice, topK: "top_k", caches: true, document: claudePage, read: pagesRead},
	{part: "anthropic.claude", claude: true, choice: allChoice, caches: true, effort: effortConfig, document: claudePage, read: pagesRead},

	// The first version. Of it Premier alone has Web Grounding.
	{part: "amazon.nova-premier", nova: true, output: 10000, choice: allChoice, caches: true, topK: "inferenceConfig.topK", hosted: []chat.Hosted{chat.WebSearch}, document: "https://docs.aws.amazon.com/nova/latest/userguide/grounding.html", read: pagesRead},
	{part: "amazon.nova-pro", nova: true, output: 10000, choice: allChoice, caches: true, topK: "inferenceConfig.topK", document: choicePage, read: pagesRead},
	{part: "amazon.nova-lite", nova: true, output: 10000, choice: allChoice, caches: true, topK: "inferenceConfig.topK", document: choicePage, read: pagesRead},
	{part: "amazon.nova-micro", nova: true, output: 10000, choice: allChoice, caches: true, topK: "inferenceConfig.topK", document: choicePage, read: pagesRead},
	{part: "amazon.nova", nova: true, output: 65535, choice: allChoice, caches: true, topK: "inferenceConfig.topK", hosted: []chat.Hosted{chat.WebSearch, chat.CodeExecution}, effort: effortNova, efforts: threeEfforts, document: novaPage, read: pagesRead},
	{part: "amazon.titan", noSystem: true, document: featuresPage, read: pagesRead},

	{part: "openai.gpt-oss", choice: anyChoice, schema: true, effort: effortField, efforts: threeEfforts, document: schemaPage, read: pagesRead},
	// "Unknown parameter: 'reasoning_effort'", "This model doesn't support the
	// temperature field".
	{part: "openai.gpt-5.4", choice: anyChoice, effort: effortNested, efforts: []string{"none", "low", "medium", "high", "xhigh"}, plain: true, document: "https://github.com/anomalyco/opencode/pull/48195", read: pagesRead},
	{part: "openai.gpt-5.5", choice: anyChoice, effort: effortNested, efforts: []string{"none", "low", "medium", "high", "xhigh"}, plain: true, document: "https://github.com/anomalyco/opencode/pull/48195", read: pagesRead},
	{part: "openai.gpt-5", choice: anyChoice, effort: effortNested, efforts: append([]string{"none"}, fiveEfforts...), plain: true, document: "https://github.com/anomalyco/opencode/pull/48195", read: pagesRead},
	{part: "openai.", choice: anyChoice, effort: effortNested, efforts: fiveEfforts, plain: true, document: "https://github.com/anomalyco/opencode/pull/48195", read: pagesRead},
	{part: "moonshotai.", choice: anyChoice, schema: true, topK: "top_k", effort: effortField, efforts: []string{"low", "high", "max"}, document: "https://github.com/langchain-ai/langchain-aws/issues/1262", read: pagesRead},
	{part: "moonshot.", choice: anyChoice, schema: true, topK: "top_k", effort: effortField, efforts: []string{"low", "high", "max"}, document: "https://github.com/langchain-ai/langchain-aws/pull/1188", read: pagesRead},
	{part: "deepseek.r1", document: featuresPage, read: pagesRead},
	{part: "deepseek.", choice: anyChoice, schema: true, document: schemaPage, read: pagesRead},
	{part: "qwen.", choice: anyChoice, schema: true, topK: "top_k", document: schemaPage, read: pagesRead},
	{part: "google.gemma", choice: anyChoice, schema: true, topK: "top_k", document: schemaPage, read: pagesRead},
	{part: "nvidia.nemotron", choice: anyChoice, schema: true, topK: "top_k", document: schemaPage, read: pagesRead},
	{part: "minimax.", choice: anyChoice, schema: true, topK: "top_k", document: schemaPage, read: pagesRead},

	{part: "mistral.mistral-7b-instruct", nineIDs: true, noSystem: true, topK: "top_k", document: featuresPage, read: pagesRead},
	{part: "mistral.mixtral-8x7b-instruct", nineIDs: true, noSystem: true, topK: "top_k", document: featuresPage, read: pagesRead},
	{part: "mistral.mistral-large-240", nineIDs: true, choice: anyChoice, document: choicePage, read: pagesRead},
	{part: "mistral.mistral-small-240", nineIDs: true, choice: anyChoice, document: choicePage, read: pagesRead},
	{part: "mistral.pixtral", nineIDs: true, choice: anyChoice, document: choicePage, read: pagesRead},
	{part: "mistral.", nineIDs: true, choice: anyChoice, schema: true, document: schemaPage, read: pagesRead},

	{part: "cohere.command-text", noSystem: true, topK: "k", document: featuresPage, read: pagesRead},
	{part: "cohere.command-light-text", noSystem: true, topK: "k", document: featuresPage, read: pagesRead},
	{part: "cohere.", topK: "k", document: choicePage, read: pagesRead},
	// "This model doesn't support the toolConfig.toolChoice.any field".
	{part: "meta.llama", document: choicePage, read: pagesRead},
	{part: "ai21.", document: choicePage, read: pagesRead},

	// The ARN of an application inference profile tells nothing: what the newest models
	// of Claude have is tried.
	{part: "arn:", unnamed: true, choice: allChoice, caches: true, effort: effortConfig, efforts: fiveEfforts, topK: "top_k", document: featuresPage, read: pagesRead},
	// A family that is not here.
	{document: featuresPage, read: pagesRead},
}

func modelOf(id string) *model {
	for i := range models {
		if strings.Contains(id, models[i].part) {
			return &models[i]
		}
	}
	return &models[len(models)-1]
}

// level returns the effort of the model for a wanted one: the least that is no less,
// or else its highest; "" if it has none.
func (m *model) level(wanted string) string {
	row := provider.Family{Efforts: m.efforts}
	return row.Effort(wanted)
}

// facts returns the table of models as docs/models.md tells it.
func facts() []provider.Facts {
	rows := make([]provider.Facts, 0, len(models))
	for i := range models {
		rows = append(rows, models[i].facts())
	}
	return rows
}

func (m *model) facts() provider.Facts {
	f := provider.Facts{Names: "`…" + m.part + "…`", Example: m.part + "-x", Efforts: m.efforts, Document: m.document, Read: m.read, Without: []string{"anthropic_version"}}
	if m.part == "" {
		f.Names, f.Example = "all others", "acme.a-model-to-come"
	}
	for _, at := range []effort{effortConfig, effortField, effortNested, effortNova} {
		switch paths := effortPaths[at]; {
		case at == m.effort && !m.claude:
			f.EffortAt = paths
		case at != m.effort && !m.unnamed:
			f.Without = append(f.Without, paths...)
		}
	}
	if m.plain {
		f.Without = append(f.Without, "inferenceConfig.temperature", "inferenceConfig.topP", "inferenceConfig.stopSequences")
		f.Lacks = append(f.Lacks, "temperature", "top_p", "stop")
	}
	for _, one := range []struct {
		lacks   bool
		words   string
		members []string
	}{
		{m.noSystem, "system prompts", []string{"system"}},
		{!m.caches, "cache points", []string{"system.*.cachePoint", "messages.*.content.*.cachePoint", "toolConfig.tools.*.cachePoint"}},
		{m.caches && m.nova, "cache points behind tools", []string{"toolConfig.tools.*.cachePoint"}},
		{m.choice == noChoice, "tool choice", []string{"toolConfig.toolChoice"}},
		{m.choice == anyChoice, "the choice of one tool", []string{"toolConfig.toolChoice.tool"}},
		{!m.schema, "structured output", []string{"outputConfig.textFormat"}},
		{!m.strict, "strict tools", []string{"toolConfig.tools.*.toolSpec.strict"}},
		{m.topK == "", "top_k", nil},
		{m.topK != "top_k", "", []string{fieldsName + ".top_k"}},
	} {
		if !one.lacks {
			continue
		}
		f.Without = append(f.Without, one.members...)
		if one.words != "" {
			f.Lacks = append(f.Lacks, one.words)
		}
	}
	if m.output > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("writes %d tokens at most", m.output))
	}
	if m.claude {
		f.Notes = append(f.Notes, "thinking, sampling and effort as in the table of anthropic")
	}
	if m.nineIDs {
		f.Notes = append(f.Notes, "ids of calls of nine letters")
	}
	if m.nova {
		f.Notes = append(f.Notes, "a part of JSON Schema")
	}
	for _, kind := range m.hosted {
		f.Notes = append(f.Notes, systemToolOf(kind).name)
	}
	return f
}

// forces says whether the model with this id can be made to call a tool.
func (m *model) forces(id string) bool {
	return m.choice != noChoice && (!m.claude || !anthropic.TraitsOf(id).Unforced)
}
