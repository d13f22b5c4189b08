// Package warnings names the options of a configuration that have no effect at their
// target because of its provider's operations, targets that clients will hardly reach, and
// targets that can serve nothing. Package config checks the rules that do not depend on
// providers. Start with Of.
package warnings

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/promptcache"
	"go-ai-proxy/plugin/responsecache"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Target is a target of the configuration.
type Target struct {
	*config.Target
	Provider *provider.Provider
	Unpriced bool // it has a price list, in which its model is not
}

// Of names the options without effect, and targets that clients will hardly reach.
func Of(c *config.Config, targets []Target) (problems config.Problems) {
	for i := range targets {
		t := &targets[i]
		path := c.Path(i)
		if bareURL(c, t) {
			problems = append(problems, config.Problem{Field: path + ".model.options.upstream_url", Message: "has no path, so that requests go to /: write the whole URL, as the provider's documentation has it"})
		}
		if otherModel(c, t) {
			problems = append(problems, config.Problem{Field: path + ".model.name", Message: fmt.Sprintf("clients of llm_format %s name models of their own, and are refused: use targets, with model_alias", c.LLMFormat)})
		}
		if t.Unpriced && t.Static() && t.Model.Name != "" && !t.Model.Options.Known() {
			problems = append(problems, config.Problem{Field: path + ".logging.price_file", Message: fmt.Sprintf("has no price of %s/%s, so that its cost is not known: set model.options.input_cost and output_cost", t.Model.Provider, t.Model.Name)})
		}
		for i := range target.List {
			o := &target.List[i]
			if !o.IsSet(&t.Model.Options) {
				continue
			}
			why := ""
			switch {
			case o.Tuning:
				why = tuning(c, t, o.Name)
			case o.Name == "upstream_path":
				why = upstreamPath(c, t)
			case o.Name == "override" && !contested(&t.Model.Options):
				why = "no option is set that clients can set, too"
			}
			if why != "" {
				problems = append(problems, config.Problem{Field: path + ".model.options." + o.Name, Message: "has no effect: " + why})
			}
		}
	}
	if c.ResponseStreaming != "allow" && !some(targets, func(t *Target) bool { return canStream(c, t) }) {
		problems = append(problems, config.Problem{Field: "config.response_streaming", Message: "has no effect: nothing of the route types streams"})
	}
	if c.ResponseCache != nil && !some(targets, func(t *Target) bool { return responsecache.Keeps(t.RouteType) }) {
		problems = append(problems, config.Problem{Field: "config.response_cache", Message: "has no effect: answers of no route type of the targets are kept"})
	}
	if promptcache.New(c.Cache, c.Balancer.Affinity.Headers) != nil && !some(targets, func(t *Target) bool { return cachesPrompts(c, t) }) {
		problems = append(problems, config.Problem{Field: "config.cache.auto", Message: "has no effect: no target's prompt cache can be asked for"})
	}
	return problems
}

func some(targets []Target, is func(*Target) bool) bool {
	for i := range targets {
		if is(&targets[i]) {
			return true
		}
	}
	return false
}

// served returns the providers that the target may use: exactly one when its model
// does not depend on the request.
func served(t *Target) []*provider.Provider {
	name := t.Model.Name
	if strings.Contains(name, "$(") {
		name = ""
	}
	return routes.Variants(t.Provider, target.Target{Provider: t.Model.Provider, Route: t.RouteType, Model: name, Options: &t.Model.Options})
}

// contested says whether an option is set that clients can set, too.
func contested(o *target.Options) bool {
	return slices.ContainsFunc(target.List, func(one target.Option) bool { return one.Contested && one.IsSet(o) })
}

// cachesPrompts says whether the target's provider can be asked to cache prompts.
func cachesPrompts(c *config.Config, t *Target) bool {
	to := target.Target{Provider: t.Model.Provider, Route: t.RouteType, Model: t.Model.Name, Options: &t.Model.Options}
	return slices.ContainsFunc(served(t), func(p *provider.Provider) bool {
		op := p.Operations[t.RouteType]
		if n := routes.Native(c.LLMFormat); n != nil {
			op = p.Find(n.Paths[0].API.Format, t.RouteType)
		}
		return op != nil && promptcache.Helps(op.Caching, &to)
	})
}

// bareURL says whether a target's URL lacks the path that its provider needs.
func bareURL(c *config.Config, t *Target) bool {
	u, err := url.Parse(t.Model.Options.UpstreamURL)
	if err != nil || u.Host == "" || u.Path != "" && u.Path != "/" || routes.Native(c.LLMFormat) != nil || t.RouteType == route.Preserve || !routes.Serves(served(t), t.RouteType) {
		return false
	}
	return t.Provider.Base != nil && t.Model.Options.UpstreamPath == "" // that has a warning of its own
}

// otherModel says whether the clients' format belongs to another provider, whose
// models they name, and the target has but one name, which is none of those.
func otherModel(c *config.Config, t *Target) bool {
	return routes.Native(c.LLMFormat) != nil && !c.Advanced && c.LLMFormat != t.Model.Provider &&
		t.RouteType == route.Chat && t.Static() && t.Model.Name != "" && t.Model.Alias == ""
}

// Impossible is the error that names the targets whose provider has no operation of their
// route type; nil if there are none.
func Impossible(c *config.Config, targets []Target) error {
	var problems config.Problems
	for i := range targets {
		t := &targets[i]
		if routes.Native(c.LLMFormat) != nil || t.RouteType == route.Preserve || routes.Serves(served(t), t.RouteType) {
			continue
		}
		problems = append(problems, config.Problem{
			Field:   c.Path(i) + ".route_type",
			Message: fmt.Sprintf("provider %s has nothing of %s: use one of %s", t.Model.Provider, t.RouteType, route.Join(routes.Served(served(t)), ", ")),
		})
	}
	if problems == nil {
		return nil
	}
	return problems
}

// canStream says whether clients of the target's route type may ask for a stream.
func canStream(c *config.Config, t *Target) bool {
	s := routes.Of(t.RouteType)
	return routes.Native(c.LLMFormat) != nil || s != nil && s.Streams
}

// upstreamPath says why the option upstream_path does not replace the provider's
// path; "" when it does.
func upstreamPath(c *config.Config, t *Target) string {
	if op := t.Provider.Operations[t.RouteType]; routes.Native(c.LLMFormat) == nil && op != nil && op.Resource != nil {
		return "the provider has several paths for route_type " + string(t.RouteType)
	}
	_, at, _ := strings.Cut(t.Model.Options.UpstreamURL, "://")
	_, path, _ := strings.Cut(at, "/")
	switch {
	case at == "", t.Provider.PathOverURL:
	case path == "" && (t.RouteType == route.Preserve || t.Provider.Base == nil || routes.Native(c.LLMFormat) != nil):
	case t.RouteType == route.Preserve && !t.OwnPath(): // instead of the client's path, the URL's path is used
	default:
		return "upstream_url has the path"
	}
	return ""
}

// tuning says why a tuning option, by its name in OpenAI's format, is not sent; ""
// when it is.
func tuning(c *config.Config, t *Target, name string) string {
	if n := routes.Native(c.LLMFormat); n != nil {
		format := n.Paths[0].API.Format
		for _, p := range served(t) {
			if op := p.Find(format, route.Chat); op == nil || (op.Format == format || !refuses(op, name)) && tunes(t, op, name) {
				if t.RouteType != route.Chat {
					return "it is for route_type " + string(route.Chat)
				}
				return ""
			}
		}
		return "provider " + t.Model.Provider + " does not take it, or not with this model"
	}
	s := routes.Of(t.RouteType)
	if s == nil || !s.Tuned {
		return fmt.Sprintf("requests of route_type %s have no %s", t.RouteType, name)
	}
	for _, p := range served(t) {
		op := routes.Operation(p, t.RouteType)
		if op != nil && op.Instead != nil && op.Instead.Leaves && op.Instead.Body(asked(t), nil) { // for all requests
			op = op.Instead.Operation
		}
		if op == nil || !refuses(op, name) && tunes(t, op, name) {
			return ""
		}
	}
	return "provider " + t.Model.Provider + " does not take it, or not with this model"
}

// tunes says whether the target's model takes a tuning option, as far as is known.
func tunes(t *Target, op *provider.Operation, name string) bool {
	return !t.Static() || t.Model.Name == "" || op.Tunes(asked(t), name)
}

// asked is the target as its operations know it.
func asked(t *Target) *target.Target {
	return &target.Target{Provider: t.Model.Provider, Model: t.Model.Name, Options: &t.Model.Options}
}

// refuses says whether an API accepts no member called name.
func refuses(op *provider.Operation, name string) bool {
	if op.Format == provider.OpenAIResponses {
		return name == "top_k"
	}
	if op.Fields != nil {
		return op.Fields[name].Treatment == provider.Dropped
	}
	return slices.Contains(op.Edit.Drop, name)
}
