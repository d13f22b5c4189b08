package routes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Pair is what a client of a format gets from a provider. An API in both lists is
// forwarded to models that speak it and translated for others.
type Pair struct {
	Format     string            // llm_format
	Provider   string            // model.provider
	AsIs       []provider.Format // APIs whose bodies pass
	Translated []provider.Format // APIs that are answered through the provider's chat
}

// Pairs returns all pairs, by format and provider, made from the tables that serve
// requests.
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

// variants are the providers that p may turn out to be.
func variants(p *provider.Provider) []*provider.Provider {
	all := []*provider.Provider{p}
	if p.Variant == nil {
		return all
	}
	for _, kind := range append([]provider.Kind{{}}, p.Kinds...) {
		if v := p.Variant(kind.Target(p)); v != nil && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// Variants returns the providers that may serve t: more than one when t has no
// model, so that it comes with the request.
func Variants(p *provider.Provider, t target.Target) []*provider.Provider {
	if p.Variant == nil {
		return []*provider.Provider{p}
	}
	all := []*provider.Provider{p.Variant(&t)}
	for _, kind := range p.Kinds {
		if t.Model == "" && kind.Model != "" {
			t := t
			t.Model = kind.Model
			all = append(all, p.Variant(&t))
		}
	}
	return all
}

func pair(format string, p *provider.Provider) Pair {
	found := Pair{Format: format, Provider: p.Name}
	native := Native(format)
	// Without a dialect it is for providers that have it themselves.
	bound := native != nil && !native.Translates() && p.Client != native && !p.Speaks(native)
	for _, v := range variants(p) {
		for _, s := range offersOf(native) {
			op := v.Find(s.api.Format, s.route)
			if native == nil && op == nil && s.api.Through != "" {
				op = v.Operations[s.api.Through]
			}
			switch {
			case op == nil:
			case op.Format == s.api.Format && !bound:
				add(&found.AsIs, s.api.Format)
			case op.Chat != nil && s.api.Dialect != nil, op.Body != nil && native == nil:
				add(&found.Translated, s.api.Format)
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

// offer is an API and the route type of the operation that answers it.
type offer struct {
	route route.Type
	api   *provider.API
}

// offersOf are those of a format of a provider's own, or of the default one.
func offersOf(native *provider.ClientFormat) (offers []offer) {
	if native != nil {
		for i := range native.Paths {
			offers = append(offers, offer{route.Chat, native.Paths[i].API})
		}
		return offers
	}
	for i := range translators.Client.Paths {
		if p := &translators.Client.Paths[i]; p.API.Body != provider.TakeRaw {
			offers = append(offers, offer{p.Route, p.API})
		}
	}
	slices.SortFunc(offers, func(a, b offer) int { return cmp.Compare(a.route, b.route) })
	return offers
}

// Operation is a provider's operation for a route type of the default format, or
// the one that answers in its place; nil when it has neither.
func Operation(p *provider.Provider, wanted route.Type) *provider.Operation {
	if op := p.Operations[wanted]; op != nil {
		return op
	}
	if a := Of(wanted); a != nil && a.Through != "" {
		return p.Operations[a.Through]
	}
	return nil
}

// Serves says whether one of the providers has an operation for a route type of
// the default format.
func Serves(providers []*provider.Provider, wanted route.Type) bool {
	a := Of(wanted)
	return slices.ContainsFunc(providers, func(p *provider.Provider) bool {
		op := Operation(p, wanted)
		return op != nil && (op.Format == a.Format || op.Chat != nil && a.Dialect != nil || op.Body != nil || op.Resource != nil)
	})
}

// Served returns the route types of the default format that one of the providers
// serves, sorted. All serve preserve.
func Served(providers []*provider.Provider) []route.Type {
	var types []route.Type
	for _, wanted := range route.All {
		if wanted == route.Preserve || Serves(providers, wanted) {
			types = append(types, wanted)
		}
	}
	slices.Sort(types)
	return types
}

// Speakable returns an error for a format, a route type and a provider that do not
// work together.
func Speakable(format string, wanted route.Type, p *provider.Provider) error {
	n := Native(format)
	if n == nil {
		return nil // the route type of the default format is looked up per request
	}
	var routes []route.Type
	for i := range n.Paths {
		if !slices.Contains(routes, n.Paths[i].Route) {
			routes = append(routes, n.Paths[i].Route)
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
