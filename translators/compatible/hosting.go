package compatible

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// The tables of hosted tools, as those of models: a fact is a row with its document.

// kimiTools is Kimi's search, whose calls the client has to answer with their own arguments:
// a client of chat/completions may offer it, and it is forwarded; nobody else knows it.
var kimiTools = provider.Hostings{{
	Kinds: []chat.Hosted{chat.WebSearch}, Elsewhere: "as its builtin_function $web_search, whose calls a chat client answers itself",
	Document: "https://platform.moonshot.cn/docs/guide/use-web-search", Read: "2026-11",
}}

// mistralTools are Mistral's own tools. Its chat runs them since 2026, with answers of
// several messages in a choice, which only its SDK reads.
var mistralTools = provider.Hostings{{
	Kinds: []chat.Hosted{chat.WebSearch, chat.CodeExecution, chat.ImageGeneration}, Elsewhere: "in its Conversations API, and in chat with answers of another shape",
	Document: "https://docs.mistral.ai/cookbooks/mistral-connectors-05-connectors-in-completions", Read: "2026-11",
}}

// groqTools are what Groq runs. Its compound systems search and run code unless told
// otherwise, so that what the client does not offer is turned off.
var groqTools = provider.Hostings{
	{
		Prefix: "gpt-oss-", Kinds: []chat.Hosted{chat.WebSearch, chat.CodeExecution}, Tool: groqTool,
		Choice: func(*chat.Tool) string { return `"required"` }, Alone: true, NoSchema: true,
		Document: "https://console.groq.com/docs/tool-use/built-in-tools", Read: "2026-11",
	},
	{
		Prefix: "compound", Kinds: []chat.Hosted{chat.WebSearch, chat.CodeExecution}, Members: compoundTools,
		Document: "https://console.groq.com/docs/compound/built-in-tools", Read: "2026-11",
	},
}

func groqTool(dst []byte, t *chat.Tool) []byte {
	if t.Hosted == chat.WebSearch {
		return append(dst, `{"type":"browser_search"}`...)
	}
	return append(dst, `{"type":"code_interpreter"}`...)
}

func compoundTools(dst []byte, r *chat.Request) []byte {
	var enabled []string
	search := r.Hosts(chat.WebSearch)
	if search != nil {
		enabled = append(enabled, "web_search")
	}
	if r.Hosts(chat.CodeExecution) != nil {
		enabled = append(enabled, "code_interpreter")
	}
	if enabled == nil {
		return dst
	}
	dst = append(jsonedit.AppendTexts(append(jsonedit.AppendName(dst, "compound_custom"), `{"tools":{`...), "enabled_tools", enabled), "}}"...)
	if search == nil || search.Search == nil || len(search.Search.Allowed)+len(search.Search.Blocked) == 0 {
		return dst
	}
	dst = jsonedit.AppendTexts(append(jsonedit.AppendName(dst, "search_settings"), '{'), "include_domains", search.Search.Allowed)
	return append(jsonedit.AppendTexts(dst, "exclude_domains", search.Search.Blocked), '}')
}

// openRouterTools are OpenRouter's, which any model may call.
var openRouterTools = provider.Hostings{{
	Kinds: []chat.Hosted{chat.WebSearch, chat.WebFetch}, Tool: openRouterTool,
	Choice:   func(t *chat.Tool) string { return `{"type":"` + openRouterNames[t.Hosted] + `"}` },
	Document: "https://openrouter.ai/docs/guides/features/server-tools", Read: "2026-11",
}}

var openRouterNames = map[chat.Hosted]string{chat.WebSearch: "openrouter:web_search", chat.WebFetch: "openrouter:web_fetch"}

func openRouterTool(dst []byte, t *chat.Tool) []byte {
	dst = jsonedit.AppendText(append(dst, '{'), "type", openRouterNames[t.Hosted])
	if s := t.Search; s != nil {
		dst = append(jsonedit.AppendName(dst, "parameters"), '{')
		dst = jsonedit.AppendTexts(dst, "allowed_domains", s.Allowed)
		dst = jsonedit.AppendTexts(dst, "excluded_domains", s.Blocked)
		dst = jsonedit.AppendOptional(dst, "search_context_size", s.Context)
		dst = jsonedit.AppendRaw(dst, "max_uses", s.MaxUses)
		if s.Somewhere() {
			dst = append(jsonedit.AppendName(dst, "user_location"), `{"type":"approximate"`...)
			dst = append(jsonedit.AppendOptional(appendPlace(dst, s), "timezone", s.Timezone), '}')
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// appendPlace writes the members of the place that a search is made from.
func appendPlace(dst []byte, s *chat.Search) []byte {
	for _, m := range [...][2]string{{"city", s.City}, {"region", s.Region}, {"country", s.Country}} {
		dst = jsonedit.AppendOptional(dst, m[0], m[1])
	}
	return dst
}

// databricksTools is the search of Gemini at Databricks. OpenAI's models search in the
// Responses API there, Claude with a server of the client's. That functions exclude it is
// Google's rule.
var databricksTools = provider.Hostings{
	{Prefix: "databricks-gemini-", Kinds: []chat.Hosted{chat.WebSearch}, Members: databricksSearch, NoFunctions: true, Document: databricksSearchPage, Read: "2026-11"},
	{Prefix: "system.ai.gemini-", Kinds: []chat.Hosted{chat.WebSearch}, Members: databricksSearch, NoFunctions: true, Document: databricksSearchPage, Read: "2026-11"},
}

const databricksSearchPage = "https://docs.databricks.com/gcp/en/machine-learning/model-serving/web-search"

func databricksSearch(dst []byte, r *chat.Request) []byte {
	if r.Hosts(chat.WebSearch) == nil {
		return dst
	}
	return append(dst, `,"google_search":{}`...)
}

// sonarTools is the search that Perplexity's models make for each answer.
var sonarTools = provider.Hostings{{
	Kinds: []chat.Hosted{chat.WebSearch}, Members: sonarSearch, Always: true,
	Document: "https://docs.perplexity.ai/api-reference/chat-completions-post", Read: "2026-11",
}}

func sonarSearch(dst []byte, r *chat.Request) []byte {
	tool := r.Hosts(chat.WebSearch)
	if tool == nil {
		return dst
	}
	dst = append(jsonedit.AppendName(dst, "web_search_options"), '{')
	s := tool.Search
	if s == nil {
		return append(dst, '}')
	}
	dst = jsonedit.AppendOptional(dst, "search_context_size", s.Context)
	if s.City+s.Region+s.Country != "" {
		dst = append(appendPlace(append(jsonedit.AppendName(dst, "user_location"), '{'), s), '}')
	}
	dst = append(dst, '}')
	domains := append([]string(nil), s.Allowed...)
	for _, blocked := range s.Blocked {
		domains = append(domains, "-"+blocked)
	}
	return jsonedit.AppendTexts(dst, "search_domain_filter", domains)
}
