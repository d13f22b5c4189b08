package gemini

import (
	"fmt"
	"strings"

	"go-ai-proxy/translators/provider"
)

// model is what must be known of a model to ask it nothing that it refuses.
type model struct {
	prefix string // of the names that the row is for
	// noSystem: a system prompt is refused. systemAsWords: it becomes the first
	// words of the user.
	noSystem, systemAsWords bool
	thinks                  thinks
	least, most             int      // of a budget
	output                  int      // the most tokens that it writes, 0 if that is not known
	off                     bool     // a budget of 0 turns thinking off
	levels                  []string // of thinkingLevel, from the least on
	// noJSON: the model has no JSON mode at all. noTools: it calls no functions.
	noJSON, noTools bool
	// joins: functions may stand beside hosted tools, and beside a JSON answer.
	joins bool
	// noPenalties: presencePenalty and frequencyPenalty are refused.
	noPenalties bool
	// signs: calls in the history need a thought signature, and results may hold media.
	signs bool
	// searchesAsOne: all searches of an answer are paid for as one.
	searchesAsOne bool
	// documents of the row, beside the pages of all.
	document string
}

// thinks is how a model is told how much to think.
type thinks uint8

const (
	never    thinks = iota // it does not think; thinkingConfig is refused
	byBudget               // thinkingBudget, in tokens
	byLevel                // thinkingLevel
)

var (
	fourLevels  = []string{"MINIMAL", "LOW", "MEDIUM", "HIGH"}
	threeLevels = []string{"LOW", "MEDIUM", "HIGH"}
)

const (
	thinkingPage = "https://ai.google.dev/gemini-api/docs/thinking"
	neonPage     = "https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/guides/gemini-4-neon" // read 2026-11
	modelsPage   = "https://ai.google.dev/gemini-api/docs/models"
	imagePage    = "https://ai.google.dev/gemini-api/docs/image-generation" // read 2026-11
	gemmaPage    = "https://ai.google.dev/gemma/docs/core/gemma_on_gemini_api"
)

// models are the families, newest first; the first match counts, and a name that
// none matches is taken for the newest.
//
//	https://docs.cloud.google.com/vertex-ai/generative-ai/docs/thinking
//	https://ai.google.dev/gemini-api/docs/structured-output (JSON beside functions: from Gemini 3 on)
//	https://ai.google.dev/gemini-api/docs/tool-combination
//	https://ai.google.dev/gemini-api/docs/thought-signatures
//	https://ai.google.dev/gemma/docs/core/prompt-structure (before Gemma 4: no system role)
var models = []model{
	{prefix: "gemini-4-neon", thinks: byLevel, levels: []string{"LOW", "MEDIUM", "HIGH", "XHIGH"}, joins: true, signs: true, noPenalties: true, document: neonPage},
	{prefix: "gemini-3-pro-image", joins: true, signs: true, document: imagePage},
	{prefix: "gemini-3.1-flash-image", thinks: byLevel, levels: []string{"MINIMAL", "HIGH"}, joins: true, signs: true, document: imagePage},
	{prefix: "gemini-3.5-flash", output: 65535, thinks: byLevel, levels: fourLevels, joins: true, signs: true, document: "https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/guides/gemini-3-5-flash"},
	{prefix: "gemini-3-flash", output: 65535, thinks: byLevel, levels: fourLevels, joins: true, signs: true, document: thinkingPage},
	{prefix: "gemini-3.1-flash-lite", output: 65535, thinks: byLevel, levels: fourLevels, joins: true, signs: true, document: thinkingPage},
	{prefix: "gemini-3-pro", output: 65535, thinks: byLevel, levels: []string{"LOW", "HIGH"}, joins: true, signs: true, document: thinkingPage},
	{prefix: "gemini-3", output: 65535, thinks: byLevel, levels: threeLevels, joins: true, signs: true, document: thinkingPage},
	{prefix: "gemini-2.5-pro", output: 65535, thinks: byBudget, least: 128, most: 32768, searchesAsOne: true, document: thinkingPage},
	{prefix: "gemini-2.5-flash-image", searchesAsOne: true, document: imagePage},
	{prefix: "gemini-2.5-flash-lite", output: 65535, thinks: byBudget, least: 512, most: 24576, off: true, searchesAsOne: true, document: thinkingPage},
	{prefix: "gemini-2.5", output: 65535, thinks: byBudget, least: 1, most: 24576, off: true, searchesAsOne: true, document: thinkingPage},
	{prefix: "gemini-1.0", output: 8192, noSystem: true, searchesAsOne: true, document: modelsPage},
	{prefix: "gemini-1", output: 8192, searchesAsOne: true, document: modelsPage},
	{prefix: "gemini-2", output: 8192, searchesAsOne: true, document: modelsPage},
	{prefix: "gemma-4", thinks: byLevel, levels: []string{"MINIMAL", "HIGH"}, document: gemmaPage},
	{prefix: "gemma-3", output: 8192, systemAsWords: true, noJSON: true, noTools: true, document: gemmaPage},
	{prefix: "gemma-2", output: 8192, systemAsWords: true, noJSON: true, noTools: true, document: gemmaPage},
	{prefix: "gemma-", thinks: byLevel, levels: []string{"MINIMAL", "HIGH"}, document: gemmaPage},
	{prefix: "gemini-", thinks: byLevel, levels: threeLevels, joins: true, signs: true, noPenalties: true, document: neonPage}, // the newest
	{thinks: byLevel, levels: threeLevels, joins: true, signs: true, document: thinkingPage},                                   // tuned models, aliases
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
	const config = "generationConfig."
	f := provider.Facts{
		Names: "all others", Example: "gemini-to-come", Efforts: m.levels, EffortAt: []string{config + "thinkingConfig.thinkingLevel"},
		Document: m.document,
	}
	if m.prefix != "" {
		f.Names, f.Example = "`"+m.prefix+"…`", m.prefix+"-x"
	}
	switch m.thinks {
	case never:
		f.Without = append(f.Without, config+"thinkingConfig")
	case byBudget:
		f.Without = append(f.Without, config+"thinkingConfig.thinkingLevel")
		f.Notes = append(f.Notes, fmt.Sprintf("thinks within %d to %d tokens", m.least, m.most))
		if m.off {
			f.Notes = append(f.Notes, "or not at all")
		}
	case byLevel:
		f.Without = append(f.Without, config+"thinkingConfig.thinkingBudget")
	}
	if m.output > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("writes %d tokens at most", m.output))
	}
	if m.searchesAsOne {
		f.Notes = append(f.Notes, "the searches of an answer are paid for as one")
	}
	if m.noSystem || m.systemAsWords {
		f.Without = append(f.Without, "systemInstruction")
	}
	if m.systemAsWords {
		f.Notes = append(f.Notes, "a system prompt is the user's first words")
	}
	if m.noPenalties {
		f.Without = append(f.Without, config+"presencePenalty", config+"frequencyPenalty")
	}
	if m.noTools {
		f.Without = append(f.Without, "tools", "toolConfig")
	}
	if m.noJSON {
		f.Without = append(f.Without, config+"responseMimeType", config+"responseSchema", config+"responseJsonSchema")
		f.Notes = append(f.Notes, "a schema goes in words")
	} else if !m.joins {
		f.Apart = append(f.Apart, [2]string{"tools", config + "responseMimeType"})
		f.Notes = append(f.Notes, "a schema goes in words beside tools; functions exclude hosted tools")
	}
	return f
}

// modelOf reads a model's name in any of its spellings: gemini-2.5-flash,
// models/gemini-2.5-flash, publishers/google/models/gemini-2.5-flash.
func modelOf(name string) *model {
	name = name[strings.LastIndexByte(name, '/')+1:]
	for i := range models {
		if strings.HasPrefix(name, models[i].prefix) {
			return &models[i]
		}
	}
	return &models[len(models)-1]
}
