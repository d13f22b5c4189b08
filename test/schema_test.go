package test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/translators"
	providers "go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// The parts of schema.json that follow from what the providers declare.

// schemaLists are the lists of schema.json that are made from the code, by what
// stands before them.
var schemaLists = []struct {
	before *regexp.Regexp
	values func() []string
}{
	{regexp.MustCompile(`"provider": \{"type": "string", "description": "The provider, which [^{}]*"one_of": `), translators.Names},
	{regexp.MustCompile(`"provider": \{"type": "string", "description": "The provider of the embedding model\.[^{}]*"one_of": `), embedders},
	{regexp.MustCompile(`"route_type": \{[^{}]*"one_of": `), func() []string {
		return strings.Split(route.Join(route.All, " "), " ")
	}},
	{regexp.MustCompile(`"llm_format": \{[^{}]*"one_of": `), routes.Formats},
}

// withLists is schema.json with its lists as the code has them.
func withLists(schema string) string {
	for _, l := range schemaLists {
		text := listOf(l.values())
		ends := l.before.FindAllStringIndex(schema, -1)
		for _, end := range slices.Backward(ends) {
			rest := schema[end[1]:]
			schema = schema[:end[1]] + text + rest[strings.IndexByte(rest, ']')+1:]
		}
	}
	return schema
}

// namesOf returns the names of the providers that have something, sorted.
func namesOf(has func(*providers.Provider) bool) []string {
	return slices.DeleteFunc(translators.Names(), func(name string) bool { return !has(translators.Lookup(name)) })
}

func embedders() []string { return namesOf(func(p *providers.Provider) bool { return p.Embeds }) }

// ruleOfProviders matches a cross-field rule about single providers or formats.
var ruleOfProviders = regexp.MustCompile(`(?:[ ]+\{"[a-z_]+": \{"if_field": "(?:auth\.allow_override|model\.provider|llm_format)".*\n)+`)

// withRules is schema with the cross-field rules that the code demands: for a single
// model, whose rules also are about llm_format, and for each of targets.
func withRules(schema string) string {
	return ruleOfProviders.ReplaceAllStringFunc(schema, func(old string) string {
		rules := providerRules()
		if strings.Contains(old, "llm_format") {
			rules = append(rules, formatRules()...)
		}
		indent := old[:strings.IndexByte(old, '{')]
		text := indent + strings.Join(rules, ",\n"+indent)
		if strings.HasSuffix(old, ",\n") {
			text += ","
		}
		return text + "\n"
	})
}

// providerRules are Kong's rules about what a provider needs, in Kong's words.
func providerRules() []string {
	noOverride := namesOf(func(p *providers.Provider) bool { return p.OwnKey && p.Identity != providers.KeyOnly })
	rules := []string{fmt.Sprintf(`{"conditional": {"if_field": "auth.allow_override", "if_match": {"eq": true}, "then_field": "model.provider", "then_match": {"required": false, "not_one_of": %s}, "then_err": "%s only support auth.allow_override = false"}}`,
		listOf(noOverride), strings.Join(noOverride, " and "))}
	for i := range target.List {
		option := &target.List[i]
		fields := []string{"model.options." + option.Name}
		if option.Unless != "" {
			fields = append(fields, "model.options."+option.Unless)
		}
		for _, name := range option.Required {
			rules = append(rules, needs([]string{name}, fields, name+" provider"))
		}
		if option.Name == "upstream_url" {
			selfHosted := namesOf(func(p *providers.Provider) bool { return p.Base == nil })
			rules = append(rules, needs(selfHosted, fields, "self-hosted providers/models"))
		}
	}
	return rules
}

func needs(names, fields []string, who string) string {
	verb := "set"
	if len(fields) > 1 {
		verb = "set one of"
	}
	return fmt.Sprintf(`{"conditional_at_least_one_of": {"if_field": "model.provider", "if_match": {"one_of": %s}, "then_at_least_one_of": %s, "then_err": "must %s %%s for %s"}}`,
		listOf(names), listOf(fields), verb, who)
}

// formatRules are Kong's rules about a native llm_format, in Kong's words.
func formatRules() []string {
	native := slices.DeleteFunc(routes.Formats(), func(name string) bool { return name == translators.Client.Name })
	rules := []string{fmt.Sprintf(`{"conditional": {"if_field": "llm_format", "if_match": {"one_of": %s}, "then_field": "route_type", "then_match": {"required": false, "not_one_of": %s}, "then_err": "native provider options in llm_format can only be used with the 'llm/v1/chat' route_type"}}`,
		listOf(native), listOf(strings.Split(route.Join(route.OfDefaultFormat, " "), " ")))}
	for _, name := range native {
		if p := translators.Native(name); p.Client.Bound {
			rules = append(rules, fmt.Sprintf(`{"conditional": {"if_field": "llm_format", "if_match": {"eq": "%[1]s"}, "then_field": "model.provider", "then_match": {"required": false, "one_of": ["%[2]s"]}, "then_err": "native llm_format '%[1]s' can only be used with the '%[2]s' model.provider"}}`, name, p.Name))
		}
	}
	return rules
}

// listOf writes a list of names as schema.json has it.
func listOf(names []string) string {
	text, _ := json.Marshal(names)
	return strings.ReplaceAll(string(text), `","`, `", "`)
}
