package dashscope

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
)

// searching are the models that search the web for chat/completions. Newer ones do so in
// the Responses API: responses.go.
var searching = provider.Hostings{
	{Prefix: "qwen-plus-", Kinds: []chat.Hosted{chat.WebSearch}, Members: search, Always: true, Document: searchPage, Read: "2026-11"},
	{Prefix: "qwen3-max-", Kinds: []chat.Hosted{chat.WebSearch}, Members: search, Always: true, Document: searchPage, Read: "2026-11"},
}

const searchPage = "https://www.alibabacloud.com/help/en/model-studio/web-search"

func search(dst []byte, r *chat.Request) []byte {
	if r.Hosts(chat.WebSearch) == nil {
		return dst
	}
	dst = append(dst, `,"enable_search":true`...)
	if r.ForcesHosted() {
		dst = append(dst, `,"search_options":{"forced_search":true}`...)
	}
	return dst
}
