package plugin

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/promptcache"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// warningsOf names the options that have no effect at their target because of its
// provider's operations, and targets that clients will hardly reach. Package config
// checks the rules that do not depend on those.
func warningsOf(inst *Instance) (problems config.Problems) {
	for i, t := range inst.targets {
		path := inst.config.Path(i)
		if bareURL(inst, t) {
			problems = append(problems, config.Problem{Field: path + ".model.options.upstream_url", Message: "has no path, so that requests go to /: write the whole URL, as the provider's documentation has it"})
		}
		if otherModel(inst, t) {
			problems = append(problems, config.Problem{Field: path + ".model.name", Message: fmt.Sprintf("clients of llm_format %s name models of their own, and are refused: use targets, with model_alias", inst.config.LLMFormat)})
		}
		if t.prices != nil && t.Static() && t.Model.Name != "" && !t.Model.Options.Known() && priceOfModel(t) == nil {
			problems = append(problems, config.Problem{Field: path + ".logging.price_file", Message: fmt.Sprintf("has no price of %s/%s, so that its cost is not known: set model.options.input_cost and output_cost", t.Model.Provider, t.Model.Name)})
		}
		for i := range target.List {
			o := &target.List[i]
			if !o.Set(&t.Model.Options) {
				continue
			}
			why := ""
			switch {
			case o.Tuning:
				why = tuning(inst, t, o.Name)
			case o.Name == "upstream_path":
				why = upstreamPath(inst, t)
			case o.Name == "override" && !contested(&t.Model.Options):
				why = "no option is set that clients can set, too"
			}
			if why != "" {
				problems = append(problems, config.Problem{Field: path + ".model.options." + o.Name, Message: "has no effect: " + why})
			}
		}
	}
	if c := inst.config; c.ResponseStreaming != "allow" && !slices.ContainsFunc(inst.targets, func(t *endpoint) bool { return canStream(inst, t) }) {
		problems = append(problems, config.Problem{Field: "config.response_streaming", Message: "has no effect: nothing of the route types streams"})
	}
	if c := inst.config.ResponseCache; c != nil && c.Redis && inst.relay.answers == nil {
		problems = append(problems, config.Problem{Field: "config.response_cache.redis", Message: "has no effect: " + RedisEnv + " is not set, and answers are kept in memory"})
	}
	if c := inst.config.ResponseCache; c != nil && !slices.ContainsFunc(inst.targets, func(t *endpoint) bool { return keepsAnswers(t.RouteType) }) {
		problems = append(problems, config.Problem{Field: "config.response_cache", Message: "has no effect: answers of no route type of the targets are kept"})
	}
	if inst.prompts != nil && !slices.ContainsFunc(inst.targets, func(t *endpoint) bool { return cachesPrompts(inst, t) }) {
		problems = append(problems, config.Problem{Field: "config.cache.auto", Message: "has no effect: no target's prompt cache can be asked for"})
	}
	return problems
}

// contested says whether an option is set that clients can set, too.
func contested(o *target.Options) bool {
	return slices.ContainsFunc(target.List, func(one target.Option) bool { return one.Contested && one.Set(o) })
}

// cachesPrompts says whether the target's provider can be asked to cache prompts.
func cachesPrompts(inst *Instance, t *endpoint) bool {
	to := target.Target{Provider: t.Model.Provider, Route: t.RouteType, Model: t.Model.Name, Options: &t.Model.Options}
	return slices.ContainsFunc(t.served(), func(p *provider.Provider) bool {
		op := p.Operations[t.RouteType]
		if n := inst.native(); n != nil {
			op = p.Find(n.Paths[0].API.Format, t.RouteType)
		}
		return op != nil && promptcache.Helps(op.Caching, &to)
	})
}

// bareURL says whether a target's URL lacks the path that its provider needs.
func bareURL(inst *Instance, t *endpoint) bool {
	u, err := url.Parse(t.Model.Options.UpstreamURL)
	if err != nil || u.Host == "" || u.Path != "" && u.Path != "/" || inst.native() != nil || t.RouteType == route.Preserve || !routes.Serves(t.served(), t.RouteType) {
		return false
	}
	return t.provider.Base != nil && t.Model.Options.UpstreamPath == "" // that has a warning of its own
}

// otherModel says whether the clients' format belongs to another provider, whose
// models they name, and the target has but one name, which is none of those.
func otherModel(inst *Instance, t *endpoint) bool {
	return inst.native() != nil && !inst.config.Advanced && inst.config.LLMFormat != t.Model.Provider &&
		t.RouteType == route.Chat && t.Static() && t.Model.Name != "" && t.Model.Alias == ""
}

// impossible names the targets whose provider has no operation of their route
// type.
func impossible(inst *Instance) error {
	var problems config.Problems
	for i, t := range inst.targets {
		if inst.native() != nil || t.RouteType == route.Preserve || routes.Serves(t.served(), t.RouteType) {
			continue
		}
		problems = append(problems, config.Problem{
			Field:   inst.config.Path(i) + ".route_type",
			Message: fmt.Sprintf("provider %s has nothing of %s: use one of %s", t.Model.Provider, t.RouteType, route.Join(routes.Served(t.served()), ", ")),
		})
	}
	if problems == nil {
		return nil
	}
	return problems
}

// canStream says whether clients of the target's route type may ask for a stream.
func canStream(inst *Instance, t *endpoint) bool {
	s := routes.Of(t.RouteType)
	return inst.native() != nil || s != nil && s.Streams
}

// upstreamPath says why the option upstream_path does not replace the provider's
// path; "" when it does.
func upstreamPath(inst *Instance, t *endpoint) string {
	if op := t.provider.Operations[t.RouteType]; inst.native() == nil && op != nil && op.Resource != nil {
		return "the provider has several paths for route_type " + string(t.RouteType)
	}
	_, at, _ := strings.Cut(t.Model.Options.UpstreamURL, "://")
	_, path, _ := strings.Cut(at, "/")
	switch {
	case at == "", t.provider.PathOverURL:
	case path == "" && (t.RouteType == route.Preserve || t.provider.Base == nil || inst.native() != nil):
	case t.RouteType == route.Preserve && !t.OwnPath(): // instead of the client's path, the URL's path is used
	default:
		return "upstream_url has the path"
	}
	return ""
}

// tuning says why a tuning option, by its name in OpenAI's format, is not sent; ""
// when it is.
func tuning(inst *Instance, t *endpoint, name string) string {
	if n := inst.native(); n != nil {
		format := n.Paths[0].API.Format
		for _, p := range t.served() {
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
	for _, p := range t.served() {
		if op := routes.Operation(p, t.RouteType); op == nil || !refuses(op, name) && tunes(t, op, name) {
			return ""
		}
	}
	return "provider " + t.Model.Provider + " does not take it, or not with this model"
}

// tunes says whether the target's model takes a tuning option, as far as is known.
func tunes(t *endpoint, op *provider.Operation, name string) bool {
	return !t.Static() || t.Model.Name == "" || op.Tunes(&target.Target{Provider: t.Model.Provider, Model: t.Model.Name, Options: &t.Model.Options}, name)
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
