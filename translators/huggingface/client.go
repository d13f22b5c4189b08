package huggingface

import (
	"strings"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// Client lists what clients of a text generation server (TGI) may call.
// https://huggingface.github.io/text-generation-inference
var Client = provider.ClientFormat{
	Name:   "huggingface",
	Bound:  true,
	Errors: Errors,
	Paths: []provider.ClientPath{
		{Path: "/generate", Route: route.Chat, API: generateAPI},
		{Path: "/generate_stream", Route: route.Chat, API: generateAPI, Stream: true},
	},
}

var generateAPI = &provider.API{
	Format: provider.HuggingfaceTGI, Check: provider.Needs("inputs"), Streams: true, Model: provider.ModelIgnored, Prose: inputWords,
}

// inputWords counts the words of a text-generation prompt.
func inputWords(body []jsonedit.Member) int {
	inputs, _ := jsonedit.String(jsonedit.Find(body, "inputs"))
	return len(strings.Fields(inputs))
}
