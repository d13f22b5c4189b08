package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

<<<<<<< HEAD
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
=======
	"go-ai-proxy/translators/provider"
>>>>>>> 2e2c265 (config: options and credentials are checked by the rows of target.List and by what providers declare)
)

// Check says what the schema cannot: rules over more than two fields, over
// several targets, and fields that would have no effect. A configuration that
// fails it must not serve requests. The error is Problems, each of which names
// the field and what to do.
func (c *Config) Check() error {
	problems := append(c.check().problems, c.unsupported()...)
	if len(problems) == 0 {
		return nil
	}
	return problems
}

// Warnings names what is set and has no effect where it stands, though the
// configuration works without it, as it does with Kong's plugins.
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
	k.balancer()
	for i := range c.Targets {
		k.target(c.Path(i), &c.Targets[i])
	}
	return k
}

// Path is where target i stands in the configuration, as Kong writes it: the
// first of several is config.targets[1].
func (c *Config) Path(i int) string {
	if c.Advanced {
		return fmt.Sprintf("config.targets[%d]", i+1)
	}
	return "config"
}

// semantic are the rules about the semantic algorithm, beside that of the
// schema that embeddings and vectordb must be there.
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

// maxDimensions is what pgvector stores at the most; models make some thousand.
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
	switch semantic := k.c.Balancer.Algorithm == "semantic"; {
	case semantic && t.Description == "":
		k.fail(path+".description", "must be set on every target for the semantic algorithm")
	case !semantic && t.Description != "":
		k.warn(path+".description", "has no effect: only the semantic algorithm reads it")
	}
}

// balancer warns of settings that belong to another algorithm. Those that have
// their default may not have been set.
func (k *checker) balancer() {
	b := &k.c.Balancer
	for _, one := range []struct {
		set             bool
		name, algorithm string
	}{
		{b.HashOnHeader != "X-Kong-LLM-Request-ID", "hash_on_header", "consistent-hashing"},
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

// formats are the rules about the client's format and the operation.
func (k *checker) formats(path string, t *Target) {
	format := k.c.LLMFormat
	switch format {
	case "bedrock", "cohere", "gemini", "huggingface":
		// AI Proxy's rule. Among targets, the formats that are chats are
		// translated for other providers, too.
		translated := k.c.Advanced && (format == "bedrock" || format == "gemini")
		if t.Model.Provider != format && !translated {
			k.fail(path+".model.provider", "native llm_format '%s' can only be used with the '%s' model.provider", format, format)
		}
	}
<<<<<<< HEAD
	if format != "openai" && slices.Contains([]route.Type{route.Completions, route.Responses, route.Assistants, route.Preserve}, t.RouteType) {
		k.fail(path+".route_type", "native provider options in llm_format can only be used with the 'llm/v1/chat' route_type")
	}
	if provider == "anthropic" && t.RouteType == route.Completions && t.Logging.Statistics {
		k.fail(path+".logging.log_statistics", "anthropic does not support statistics when route_type is llm/v1/completions")
	}
	if format == "openai" && provider == "bedrock" && t.RouteType == route.Videos && t.Model.Options.Bedrock.VideoOutputS3URI == "" {
		k.fail(path+".model.options.bedrock.video_output_s3_uri", "must be set for videos of bedrock")
	}
}

// options are the rules about single options.
func (k *checker) options(path string, t *Target) {
	o := &t.Model.Options
	if raw := o.UpstreamURL; raw != "" {
		u, err := url.Parse(placeholders.ReplaceAllString(raw, "x"))
		socket := t.RouteType == route.Realtime && u != nil && (u.Scheme == "ws" || u.Scheme == "wss")
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && !socket {
			k.fail(path+".upstream_url", "must be an http or https URL, such as https://example.com/v1/chat/completions")
		}
	}
	k.noUser(path+".upstream_url", o.UpstreamURL)
	if o.Cohere.WaitForModel != nil {
		k.fail(path+".cohere.wait_for_model", "has no effect: Cohere's API has nothing like it; remove it")
	}
	if strings.ContainsAny(placeholders.ReplaceAllString(o.Gemini.APIEndpoint, "x"), "/?#@ ") {
		k.fail(path+".gemini.api_endpoint", "must be a host name without scheme and path, such as us-central1-aiplatform.googleapis.com")
	}
	k.s3(path+".bedrock.video_output_s3_uri", o.Bedrock.VideoOutputS3URI)
	k.s3(path+".bedrock.batch_bucket_prefix", o.Bedrock.BatchBucketPrefix)
	for i, f := range o.ContextWindowFactor {
		if !above.MatchString(f.Above) {
			k.fail(fmt.Sprintf("%s.context_window_factor[%d].above", path, i+1), "must be a number of tokens, such as 200000 or 200k")
		}
	}
	for _, one := range exclusiveOptions {
		if one.provider != t.Model.Provider && one.set(o) {
			k.fail(path+"."+one.name, "has no effect for provider %s: only %s reads it", t.Model.Provider, one.provider)
		}
	}
}

func (k *checker) s3(field, uri string) {
	if uri != "" && !strings.HasPrefix(uri, "s3://") && !strings.HasPrefix(uri, "$(") {
		k.fail(field, "must be an S3 URI, such as s3://bucket/prefix/")
	}
}

// above is the form of context_window_factor.above.
var above = regexp.MustCompile(`^[0-9]+[kKmM]?$`)

// placeholders are templates, for checks of the text around them.
var placeholders = regexp.MustCompile(`\$\([^)]*\)`)

// exclusiveOptions are read for one provider only. Options with a default are
// not among them: nobody can tell whether they were set.
var exclusiveOptions = []struct {
	name, provider string
	set            func(*target.Options) bool
}{
	{"llama2_format", "llama2", func(o *target.Options) bool { return o.Llama2Format != "" }},
	{"mistral_format", "mistral", func(o *target.Options) bool { return o.MistralFormat != "" }},
	{"azure_instance", "azure", func(o *target.Options) bool { return o.AzureInstance != "" }},
	{"azure_deployment_id", "azure", func(o *target.Options) bool { return o.AzureDeploymentID != "" }},
	{"bedrock", "bedrock", func(o *target.Options) bool { return o.Bedrock != target.Bedrock{} }},
	{"gemini", "gemini", func(o *target.Options) bool { return o.Gemini != target.Gemini{} }},
	{"huggingface", "huggingface", func(o *target.Options) bool { return o.Huggingface != target.Huggingface{} }},
	{"databricks", "databricks", func(o *target.Options) bool { return o.Databricks != target.Databricks{} }},
=======
	if k.c.Native() && slices.Contains([]string{"llm/v1/completions", "llm/v1/responses", "llm/v1/assistants", "preserve"}, t.RouteType) {
		k.fail(path+".route_type", "native provider options in llm_format can only be used with the 'llm/v1/chat' route_type")
	}
>>>>>>> 2e2c265 (config: options and credentials are checked by the rows of target.List and by what providers declare)
}

// templates are refused where nothing would put values in their place, or
// where they have no end. Other mistakes in them are answered per request, with
// Kong's texts.
func (k *checker) templates(path string, t *Target) {
	if strings.Contains(t.Model.Alias, "$(") {
		k.fail(path+".model.model_alias", "cannot be a template: it is what the client's model is compared with")
	}
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

// acls are the rules about addresses, and about keys that say nothing.
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
