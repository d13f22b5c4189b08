package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// templated lists the options that may be templates: all strings, except those with a
// list of values in schema.json, and price lists.
var templated = func() (options []*target.Option) {
	for i := range target.List {
		if target.List[i].Lands != target.Nowhere {
			options = append(options, &target.List[i])
		}
	}
	return options
}()

// options applies the rules about single options: those for all, those of
// target.List's rows, and the provider's own.
func (k *checker) options(path string, t *Target) {
	own := k.own(path, t)
	path += ".model.options."
	o := &t.Model.Options
	if raw := o.UpstreamURL; raw != "" {
		u, err := url.Parse(provider.WithoutTemplates(raw))
		socket := t.RouteType == route.Realtime && u != nil && (u.Scheme == "ws" || u.Scheme == "wss")
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && !socket {
			k.fail(path+"upstream_url", "must be an http or https URL, such as https://example.com/v1/chat/completions")
		}
	}
	k.noUser(path+"upstream_url", o.UpstreamURL)
	for i, f := range o.ContextWindowFactor {
		if !above.MatchString(f.Above) {
			k.fail(fmt.Sprintf("%scontext_window_factor[%d].above", path, i+1), "must be a number of tokens, such as 200000 or 200k")
		}
	}
	refused := map[string]bool{}
	for i := range target.List {
		option := &target.List[i]
		if !option.IsSet(o) {
			continue
		}
		record, _, _ := strings.Cut(option.Name, ".")
		switch {
		case option.Unread != "":
			k.fail(path+option.Name, "has no effect: %s; remove it", option.Unread)
		case !option.ReadBy(t.Model.Provider) && !option.Tolerated:
			if !refused[record] {
				k.fail(path+record, "has no effect for provider %s: only %s reads it", t.Model.Provider, strings.Join(option.Providers, ", "))
			}
			refused[record] = true
		case !own[path+option.Name]:
			if why := k.idle(option, t); why != "" {
				k.warn(path+option.Name, "has no effect: %s", why)
			}
		}
	}
}

// own applies the provider's own rules. It returns the fields that they name.
func (k *checker) own(path string, t *Target) map[string]bool {
	p := translators.Lookup(t.Model.Provider)
	if p == nil || p.Check == nil {
		return nil
	}
	named := map[string]bool{}
	for _, f := range p.Check(&provider.Use{
		Target: &target.Target{Provider: t.Model.Provider, Route: t.RouteType, Model: t.Model.Name, Options: &t.Model.Options},
		Client: k.c.LLMFormat, Native: k.c.Native(), Fixed: t.Static(), Statistics: t.Logging.Statistics,
	}) {
		say := k.fail
		if f.Warning {
			say = k.warn
		}
		say(path+"."+f.Field, "%s", f.Message)
		named[path+"."+f.Field] = true
	}
	return named
}

// idle returns the reason why an option that is set has no effect for a target, or
// "". It does not know what each API accepts.
func (k *checker) idle(option *target.Option, t *Target) string {
	o := &t.Model.Options
	switch {
	case !option.ReadBy(t.Model.Provider) && len(option.Providers) == 1:
		return "only " + option.Providers[0] + " reads it"
	case !option.ReadBy(t.Model.Provider):
		return "provider " + t.Model.Provider + " does not read it"
	case option.Price && !k.priced(t):
		return "costs are for log_statistics, for the algorithm lowest-usage by cost, for budgets of cost, and for GO_AI_PROXY_STATUS"
	case option.Translated && k.c.Native():
		return "a client of llm_format " + k.c.LLMFormat + " says it itself"
	case option.Routes != nil && !slices.Contains(option.Routes, t.RouteType):
		return "it is for route_type " + route.Join(option.Routes, ", ")
	case option.Needs != "" && !target.Named(option.Needs).IsSet(o):
		_, name, _ := strings.Cut(option.Needs, ".")
		return "there is no " + name
	case option.Unless != "" && target.Named(option.Unless).IsSet(o):
		return option.Unless + " says where requests go"
	}
	return ""
}

// priced reports whether costs of requests to a target are used.
func (k *checker) priced(t *Target) bool {
	b := &k.c.Balancer
	for i := range k.c.Budgets {
		if k.c.Budgets[i].Limit.Cost != nil {
			return true
		}
	}
	return t.Logging.Statistics || b.Algorithm == "lowest-usage" && b.TokensCountStrategy == "cost"
}

// above is the form of context_window_factor.above.
var above = regexp.MustCompile(`^[0-9]+[kKmM]?$`)

// Native reports whether clients use a provider's own format.
func (c *Config) Native() bool { return c.LLMFormat != translators.Client.Name }
