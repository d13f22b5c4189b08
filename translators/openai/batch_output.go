package openai

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// batchOutput is the output file of a batch: each line has an answer at response.body.
// Other files have no usage.
// https://platform.openai.com/docs/guides/batch#5-retrieve-the-results
var batchOutput = provider.Output{Under: "/content", Line: readOutputLine}

func readOutputLine(line []byte, seen *chat.Seen) {
	body := jsonedit.Lookup(line, "response", "body")
	if body == nil {
		return
	}
	var u chat.Usage
	if !ReadUsage(jsonedit.Lookup(body, "usage"), &u) {
		return
	}
	seen.HasUsage = true
	setText(&seen.Model, jsonedit.Lookup(body, "model"))
	setText(&seen.Usage.ServiceTier, jsonedit.Lookup(body, "service_tier"))
	seen.Usage.Add(&u)
}
