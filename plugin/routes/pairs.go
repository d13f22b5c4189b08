package plugin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Pair is what a client of a format gets from a provider. An API that is in both
// lists passes for the models that speak it, and is translated for others.
type Pair struct {
	Format     string            // llm_format
	Provider   string            // model.provider
	AsIs       []provider.Format // APIs whose bodies pass
	Translated []provider.Format // APIs that are answered through the provider's chat
}

// Pairs are all that there are, by format and provider, made from the tables
// that serve requests.
func Pairs() (pairs []Pair) {
	for _, format := range Formats() {
		for _, name := range translators.Names() {
			if p := pair(format, translators.Lookup(name)); len(p.AsIs)+len(p.Translated) > 0 {
				pairs = append(pairs, p)
			}
		}
	}
	return pairs
}

// Formats are the client formats, llm_format, OpenAI's first.
func Formats() []string {
	formats := []string{}
	for name := range natives {
		formats = append(formats, name)
	}
	slices.Sort(formats)
	return append([]string{"openai"}, formats...)
}

// kinds are targets for which some provider has a variant of its own.
var kinds = []target.Options{
	{},
	{Llama2Format: "openai", MistralFormat: "openai"},
	{Gemini: target.Gemini{APIEndpoint: "aiplatform.googleapis.com", ProjectID: "p", LocationID: "l"}},
}

// models are names that make a provider turn to a variant, and one that does not.
var models = []string{"", "claude-sonnet-4-5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"}

// variants are the providers that p may turn out to be.
func variants(p *provider.Provider) []*provider.Provider {
	all := []*provider.Provider{p}
	if p.Variant == nil {
		return all
	}
	for i := range kinds {
		for _, model := range models {
			v := p.Variant(&target.Target{Provider: p.Name, Model: model, Options: &kinds[i]})
			if v != nil && !slices.Contains(all, v) {
				all = append(all, v)
			}
		}
	}
	return all
}

func pair(format string, p *provider.Provider) Pair {
	found := Pair{Format: format, Provider: p.Name}
	bound := format == "cohere" || format == "huggingface" // no dialect for other providers
	for _, v := range variants(p) {
		for _, s := range surfacesOf(format) {
			op := v.Find(s.surface.format, s.route)
			if format == "openai" && op == nil && s.surface.format == provider.OpenAIResponses {
				op = v.Operations[route.Chat]
			}
			switch {
			case op == nil:
			case op.Format == s.surface.format && (!bound || p.Name == format):
				add(&found.AsIs, s.surface.format)
			case op.Chat != nil && s.surface.dialect != nil, op.Body != nil && format == "openai":
				add(&found.Translated, s.surface.format)
			}
		}
	}
	return found
}

func add(list *[]provider.Format, f provider.Format) {
	if !slices.Contains(*list, f) {
		*list = append(*list, f)
	}
}

// offer is a surface and the route type of the operation that answers it.
type offer struct {
	route   route.Type
	surface *surface
}

func surfacesOf(format string) (offers []offer) {
	if n := natives[format]; n != nil {
		for i := range n.apis {
			offers = append(offers, offer{route.Chat, n.apis[i].surface})
		}
		return offers
	}
	for wanted, s := range openAISurfaces {
		if s.take != takeRaw {
			offers = append(offers, offer{wanted, s})
		}
	}
	slices.SortFunc(offers, func(a, b offer) int { return cmp.Compare(a.route, b.route) })
	return offers
}

// impossible names the targets whose provider has nothing of their route type.
func (inst *Instance) impossible() error {
	var problems config.Problems
	for i, t := range inst.targets {
		if inst.native() != nil || t.RouteType == route.Preserve || serves(t.served(), t.RouteType) {
			continue
		}
		var routes []route.Type
		for wanted := range openAISurfaces {
			if wanted == route.Preserve || serves(t.served(), wanted) {
				routes = append(routes, wanted)
			}
		}
		slices.Sort(routes)
		problems = append(problems, config.Problem{
			Field:   inst.config.Path(i) + ".route_type",
			Message: fmt.Sprintf("provider %s has nothing of %s: use one of %s", t.Model.Provider, t.RouteType, route.Join(routes, ", ")),
		})
	}
	if problems == nil {
		return nil
	}
	return problems
}

// served are the providers that the target may turn out to be: one, where its
// model is known before there is a request.
func (t *endpoint) served() []*provider.Provider {
	if t.provider.Variant == nil {
		return []*provider.Provider{t.provider}
	}
	names := models
	if name := t.Model.Name; name != "" && !strings.Contains(name, "$(") {
		names = []string{name}
	}
	var all []*provider.Provider
	for _, name := range names {
		all = append(all, t.provider.Variant(&target.Target{Provider: t.Model.Provider, Route: t.RouteType, Model: name, Options: &t.Model.Options}))
	}
	return all
}

// operationOf is a provider's operation for a route type of OpenAI's format.
// Responses are answered through chat where the provider has no such API.
func operationOf(p *provider.Provider, wanted route.Type) *provider.Operation {
	op := p.Operations[wanted]
	if op == nil && openAISurfaces[wanted].format == provider.OpenAIResponses {
		return p.Operations[route.Chat]
	}
	return op
}

// serves says whether one of the providers has an operation for OpenAI's route type.
func serves(providers []*provider.Provider, wanted route.Type) bool {
	s := openAISurfaces[wanted]
	return slices.ContainsFunc(providers, func(p *provider.Provider) bool {
		op := operationOf(p, wanted)
		return op != nil && (op.Format == s.format || op.Chat != nil && s.dialect != nil || op.Body != nil || op.Resource != nil)
	})
}

// speakable refuses a format, a route type and a provider that do not come
// together.
func speakable(format string, wanted route.Type, p *provider.Provider) error {
	n := natives[format]
	if n == nil {
		return nil // the route type of OpenAI's format is looked up per request
	}
	var routes []route.Type
	for i := range n.apis {
		if !slices.Contains(routes, n.apis[i].route) {
			routes = append(routes, n.apis[i].route)
		}
	}
	if !slices.Contains(routes, wanted) {
		return fmt.Errorf("llm_format %s has nothing of route_type %s: use one of %s", format, wanted, route.Join(routes, ", "))
	}
	if found := pair(format, p); len(found.AsIs)+len(found.Translated) > 0 {
		return nil
	}
	var partners []string
	for _, name := range translators.Names() {
		if found := pair(format, translators.Lookup(name)); len(found.AsIs)+len(found.Translated) > 0 {
			partners = append(partners, name)
		}
	}
	return fmt.Errorf("llm_format %s cannot be spoken to provider %s: use one of %s", format, p.Name, strings.Join(partners, ", "))
}
