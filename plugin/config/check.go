package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// Check applies the rules that a schema cannot hold: rules over more than two fields,
// over several targets, and fields that would have no effect. A configuration that
// fails it must not serve requests. The error is Problems, each of which names the
// field and what to do.
func (c *Config) Check() error {
	problems := c.check().problems
	if len(problems) == 0 {
		return nil
	}
	return problems
}

// Warnings names settings that have no effect, in configurations that work without
// them, as they do with Kong's plugins.
func (c *Config) Warnings() Problems { return c.check().warnings }

func (c *Config) check() *checker {
	k := &checker{c: c, problems: slices.Clone(c.literals)}
	for _, name := range c.unused {
		k.fail(name, "has no effect beside targets: set it in each of targets")
	}
	if c.Balancer.Algorithm != "semantic" {
		const remedy = "has no effect: set balancer.algorithm to semantic, or remove it"
		if c.Embeddings != nil {
			k.fail("config.embeddings", remedy)
		}
		if c.VectorDB != nil {
			k.fail("config.vectordb", remedy)
		}
	}
	k.semantic()
	k.acls()
	k.budgets()
	k.balancer()
	k.failover()
	for i := range c.Targets {
		k.target(c.Path(i), &c.Targets[i])
	}
	return k
}

// Path returns the place of target i in the configuration, as Kong writes it: the
// first of several is config.targets[1].
func (c *Config) Path(i int) string {
	if c.Advanced {
		return fmt.Sprintf("config.targets[%d]", i+1)
	}
	return "config"
}

// semantic applies the rules about the semantic algorithm, in addition to the
// schema's, which requires embeddings and vectordb.
func (k *checker) semantic() {
	if k.c.Balancer.Algorithm != "semantic" {
		return
	}
	if k.c.Embeddings != nil {
		for _, one := range k.c.Embeddings.Target(nil).Model.texts() {
			if strings.Contains(one.text, "$(") {
				k.fail("config.embeddings."+one.field, "cannot be a template: descriptions are embedded before there is a request")
			}
		}
		k.auth("config.embeddings.auth", k.c.Embeddings.Model.Provider, &k.c.Embeddings.Auth)
		k.noUser("config.embeddings.model.options.upstream_url", k.c.Embeddings.Model.Options.UpstreamURL)
	}
	if v := k.c.VectorDB; v != nil && (v.Dimensions < 1 || v.Dimensions > maxDimensions) {
		k.fail("config.vectordb.dimensions", "must be between 1 and %d, the length of the embedding model's vectors", maxDimensions)
	}
}

// maxDimensions is the limit of pgvector. Models have a few thousand dimensions.
const maxDimensions = 16000

// checker collects problems.
type checker struct {
	c                  *Config
	problems, warnings Problems
}

func (k *checker) fail(field, format string, args ...any) {
	k.problems = append(k.problems, Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}

func (k *checker) warn(field, format string, args ...any) {
	k.warnings = append(k.warnings, Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}

func (k *checker) target(path string, t *Target) {
	k.formats(path, t)
	k.auth(path+".auth", t.Model.Provider, &t.Auth)
	k.options(path, t)
	k.templates(path, t)
	switch {
	case t.Logging.PriceFile == "":
	case t.Model.Options.Known():
		k.warn(path+".logging.price_file", "has no effect: model.options has the prices")
	case !k.priced(t):
		k.warn(path+".logging.price_file", "has no effect: costs are for log_statistics, for the algorithm lowest-usage by cost, for budgets of cost, and for GO_AI_PROXY_STATUS")
	}
	switch semantic := k.c.Balancer.Algorithm == "semantic"; {
	case semantic && t.Description == "":
		k.fail(path+".description", "must be set on every target for the semantic algorithm")
	case !semantic && t.Description != "":
		k.warn(path+".description", "has no effect: only the semantic algorithm reads it")
	}
}

// balancer warns of settings that belong to another algorithm. A setting with its
// default value may not have been set.
func (k *checker) balancer() {
	b := &k.c.Balancer
	for _, one := range []struct {
		set             bool
		name, algorithm string
	}{
		{b.HashOnHeader != "X-Kong-LLM-Request-ID", "hash_on_header", "consistent-hashing"},
		{b.Slots != 10000 && b.Algorithm != "affinity", "slots", "consistent-hashing"},
		{b.Affinity.Headers != nil, "affinity.headers", "affinity"},
		{b.Affinity.Bound != 0, "affinity.bound", "affinity"},
		{b.LatencyStrategy != "tpot", "latency_strategy", "lowest-latency"},
		{b.TokensCountStrategy != "total-tokens", "tokens_count_strategy", "lowest-usage"},
	} {
		if one.set && b.Algorithm != one.algorithm {
			k.warn("config.balancer."+one.name, "has no effect: only the algorithm %s reads it", one.algorithm)
		}
	}
	if b.MaxFails == 0 && b.FailTimeout != 10000 {
		k.warn("config.balancer.fail_timeout", "has no effect without max_fails")
	}
	for i, name := range b.Affinity.Headers {
		if !httpguts.ValidHeaderFieldName(name) {
			k.fail(fmt.Sprintf("config.balancer.affinity.headers[%d]", i+1), "%q cannot be the name of a header", name)
		}
	}
	if c := k.c.ResponseCache; c != nil && c.Redis && (c.MaxEntries != 0 || c.MaxBytes != 0) {
		k.warn("config.response_cache.redis", "max_entries and max_bytes have no effect: Redis bounds its memory itself")
	}
	if c := k.c.Cache; !c.Auto && (c.MinTokens != 0 || c.TTL != "") {
		k.warn("config.cache", "has no effect without auto: true")
	}
	if !k.c.Advanced && b.Algorithm != "round-robin" {
		k.warn("config.balancer.algorithm", "has no effect for a single model")
	}
	if v := k.c.VectorDB; v != nil {
		if v.Strategy != "redis" && v.Redis != nil {
			k.warn("config.vectordb.redis", "has no effect: vectordb.strategy is %s", v.Strategy)
		}
		if v.Strategy != "pgvector" && v.PGVector != nil {
			k.warn("config.vectordb.pgvector", "has no effect: vectordb.strategy is %s", v.Strategy)
		}
	}
}

// formats applies the rules about the client's format and the operation.
func (k *checker) formats(path string, t *Target) {
	// This is AI Proxy's rule. With targets, chats are also translated for other
	// providers, and some have an API of the format themselves.
	own := translators.Native(k.c.LLMFormat)
	if own != nil && own.Client.Bound && own.Name != t.Model.Provider && !(k.c.Advanced && own.Client.Translates()) && !speaks(t.Model.Provider, own.Client) {
		k.fail(path+".model.provider", "native llm_format '%s' can only be used with the '%s' model.provider", own.Client.Name, own.Name)
	}
	if k.c.Native() && slices.Contains(route.OfDefaultFormat, t.RouteType) {
		k.fail(path+".route_type", "native provider options in llm_format can only be used with the 'llm/v1/chat' route_type")
	}
}

// speaks reports whether the provider called name has an API of a client's format.
func speaks(name string, f *provider.ClientFormat) bool {
	p := translators.Lookup(name)
	return p != nil && p.Speaks(f)
}

// templates refuses templates in fields that cannot have them, and templates without
// an end. Other mistakes in templates are reported per request, with Kong's texts.
func (k *checker) templates(path string, t *Target) {
	k.alias(path, &t.Model)
	for _, one := range t.Model.texts() {
		if strings.Contains(provider.WithoutTemplates(one.text), "$(") {
			k.fail(path+"."+one.field, "has a template without an end: close it as in $(headers.name)")
		}
	}
	o := &t.Model.Options
	for i, one := range o.CacheWriteCostList {
		k.noTemplate(fmt.Sprintf("%s.model.options.cache_write_cost_list[%d].ttl", path, i+1), one.TTL)
	}
	for i, one := range o.ServiceTierFactor {
		k.noTemplate(fmt.Sprintf("%s.model.options.service_tier_factor[%d].tier", path, i+1), one.Tier)
	}
}

func (k *checker) noTemplate(field, text string) {
	if strings.Contains(text, "$(") {
		k.fail(field, "cannot be a template: prices do not depend on the request")
	}
}

// acls applies the rules about addresses, and warns of keys without effect.
func (k *checker) acls() {
	if k.c.ACLs == nil {
		return
	}
	for _, list := range []struct {
		name  string
		rules []ACLRule
	}{{"allow", k.c.ACLs.Allow}, {"deny", k.c.ACLs.Deny}} {
		for i, rule := range list.rules {
			for j, cond := range rule.Match {
				field := fmt.Sprintf("config.acls.%s[%d].match[%d]", list.name, i+1, j+1)
				if cond.Key != "" && !slices.Contains([]string{"consumer", "consumer_group", "header"}, cond.Type) {
					k.warn(field+".key", "has no effect for type %s", cond.Type)
				}
				if cond.Type == "ip" && slices.ContainsFunc(cond.Values, notAddress) {
					k.fail(field+".values", "must be IP addresses or ranges, such as 10.0.0.0/8")
				}
			}
		}
	}
}

func notAddress(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return false
	}
	_, err := netip.ParsePrefix(s)
	return err != nil
}
