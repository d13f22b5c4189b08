package plugin

import (
	"fmt"
	"slices"
	"strings"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// warnings name the options that change nothing at their target's provider, route
// type and client's format. config knows the rules that need no provider's table.
func (inst *Instance) warnings() (problems config.Problems) {
	for i, t := range inst.targets {
		for _, rule := range effects {
			if !rule.set(&t.Model.Options) {
				continue
			}
			if why := rule.idle(inst, t); why != "" {
				problems = append(problems, config.Problem{Field: inst.config.Path(i) + ".model.options." + rule.name, Message: "has no effect: " + why})
			}
		}
	}
	if c := inst.config; c.ResponseStreaming != "allow" && !slices.ContainsFunc(inst.targets, inst.streams) {
		problems = append(problems, config.Problem{Field: "config.response_streaming", Message: "has no effect: nothing of the route types streams"})
	}
	return problems
}

// impossible names the targets whose provider has nothing of their route type.
func (inst *Instance) impossible() error {
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

// served are the providers that the target may turn out to be: one, where its
// model is known before there is a request.
func (t *endpoint) served() []*provider.Provider {
	name := t.Model.Name
	if strings.Contains(name, "$(") {
		name = ""
	}
	return routes.Variants(t.provider, target.Target{Provider: t.Model.Provider, Route: t.RouteType, Model: name, Options: &t.Model.Options})
}

// streams says whether clients of the target's route type may ask for a stream.
func (inst *Instance) streams(t *endpoint) bool {
	s := routes.Of(t.RouteType)
	return inst.native() != nil || s != nil && s.Streams
}

// effect is an option and when it is idle: idle says why it changes nothing for
// a target, "" where it does. An option that has its default is not set.
type effect struct {
	name string
	set  func(o *target.Options) bool
	idle func(inst *Instance, t *endpoint) string
}

// effects are the options of which the schema cannot say where they count. Those
// of one provider alone are refused at others by config.
var effects = []effect{
	{"max_tokens", func(o *target.Options) bool { return o.MaxTokens != nil }, tuning("max_tokens")},
	{"temperature", func(o *target.Options) bool { return o.Temperature != nil }, tuning("temperature")},
	{"top_p", func(o *target.Options) bool { return o.TopP != nil }, tuning("top_p")},
	{"top_k", func(o *target.Options) bool { return o.TopK != nil }, tuning("top_k")},

	{"input_cost", func(o *target.Options) bool { return o.InputCost != nil }, pricing},
	{"output_cost", func(o *target.Options) bool { return o.OutputCost != nil }, pricing},
	{"cache_read_cost", func(o *target.Options) bool { return o.CacheReadCost != nil }, pricing},
	{"cache_write_cost", func(o *target.Options) bool { return o.CacheWriteCost != nil }, pricing},
	{"cache_write_cost_list", func(o *target.Options) bool { return len(o.CacheWriteCostList) > 0 }, pricing},
	{"context_window_factor", func(o *target.Options) bool { return len(o.ContextWindowFactor) > 0 }, pricing},
	{"service_tier_factor", func(o *target.Options) bool { return len(o.ServiceTierFactor) > 0 }, pricing},

	{"anthropic_version", func(o *target.Options) bool { return o.AnthropicVersion != "" }, anthropicVersion},
	{"azure_api_version", func(o *target.Options) bool { return o.AzureAPIVersion != "2023-05-15" && o.AzureAPIVersion != "" }, func(inst *Instance, t *endpoint) string {
		if v := t.Model.Options.AzureAPIVersion; t.RouteType == route.Videos && v[0] >= '0' && v[0] <= '9' {
			return "videos have no dated versions: use preview"
		}
		return only("azure")(inst, t)
	}},
	{"upstream_path", func(o *target.Options) bool { return o.UpstreamPath != "" }, upstreamPath},
	{"embeddings_dimensions", func(o *target.Options) bool { return o.EmbeddingsDimensions != nil }, translatedOn(route.Embeddings)},

	{"bedrock.embeddings_normalize", func(o *target.Options) bool { return o.Bedrock.EmbeddingsNormalize }, translatedOn(route.Embeddings)},
	{"bedrock.performance_config_latency", func(o *target.Options) bool { return o.Bedrock.PerformanceConfigLatency != "" }, onRoutes(route.Chat, route.Completions, route.Responses)},
	{"bedrock.video_output_s3_uri", func(o *target.Options) bool { return o.Bedrock.VideoOutputS3URI != "" }, translatedOn(route.Videos)},
	{"bedrock.batch_bucket_prefix", func(o *target.Options) bool { return o.Bedrock.BatchBucketPrefix != "" }, translatedOn(route.Batches)},
	{"bedrock.batch_role_arn", func(o *target.Options) bool { return o.Bedrock.BatchRoleARN != "" }, translatedOn(route.Batches)},
	{"bedrock.aws_role_session_name", func(o *target.Options) bool { return o.Bedrock.AWSRoleSessionName != "" }, withRole},
	{"bedrock.aws_sts_endpoint_url", func(o *target.Options) bool { return o.Bedrock.AWSSTSEndpointURL != "" }, withRole},
	{"gemini.endpoint_id", func(o *target.Options) bool { return o.Gemini.EndpointID != "" }, func(_ *Instance, t *endpoint) string {
		if t.Model.Options.Gemini.APIEndpoint != "" {
			return ""
		}
		return "it is of Vertex AI, which is chosen by gemini.api_endpoint"
	}},
	{"cohere.embedding_input_type", func(o *target.Options) bool {
		return o.Cohere.EmbeddingInputType != "classification" && o.Cohere.EmbeddingInputType != ""
	}, func(inst *Instance, t *endpoint) string {
		p, model := t.Model.Provider, t.Model.Name
		if p != "cohere" && (p != "bedrock" || t.Static() && model != "" && !strings.Contains(model, "cohere.")) {
			return "only cohere reads it, and bedrock for models of Cohere"
		}
		return translatedOn(route.Embeddings)(inst, t)
	}},
	{"dashscope.international", func(o *target.Options) bool { return o.Dashscope.International != nil && !*o.Dashscope.International }, func(inst *Instance, t *endpoint) string {
		if t.Model.Options.UpstreamURL != "" {
			return "upstream_url says where requests go"
		}
		return only("dashscope")(inst, t)
	}},
	{"databricks.workspace_instance_id", func(o *target.Options) bool { return o.Databricks.WorkspaceInstanceID != "" }, func(_ *Instance, t *endpoint) string {
		if t.Model.Options.UpstreamURL == "" {
			return ""
		}
		return "upstream_url says where requests go"
	}},
}

// anthropicVersion says why a version is not sent: Vertex and Bedrock have
// versions of their own, Vertex for Claude only.
func anthropicVersion(inst *Instance, t *endpoint) string {
	switch o := &t.Model.Options; {
	case t.Model.Provider == "anthropic":
		return ""
	case t.Model.Provider == "bedrock" && inst.native() != nil:
		// Of an ARN it says that the model is Claude.
		unknown := t.Model.Name == "" || strings.HasPrefix(t.Model.Name, "arn:") || !t.Static()
		claude := t.served()[0].Native[provider.AnthropicMessages] != nil
		if unknown || inst.config.LLMFormat == "anthropic" && (!claude || strings.HasPrefix(o.AnthropicVersion, "bedrock-")) {
			return ""
		}
		return "only Claude for clients of llm_format anthropic reads it, where it is such as bedrock-2023-05-31"
	case t.Model.Provider == "bedrock":
		return onRoutes(route.Chat, route.Completions, route.Responses)(inst, t)
	case t.Model.Provider == "gemini" && o.Gemini.APIEndpoint != "" && strings.HasPrefix(o.AnthropicVersion, "vertex-"):
		return ""
	case t.Model.Provider == "gemini":
		return "only Claude on Vertex AI reads it, where it is such as vertex-2023-10-16"
	}
	return "provider " + t.Model.Provider + " does not read it"
}

// upstreamPath says why a path does not replace that of the provider.
func upstreamPath(inst *Instance, t *endpoint) string {
	if op := t.provider.Operations[t.RouteType]; inst.native() == nil && op != nil && op.Resource != nil {
		return "the provider has several paths for route_type " + string(t.RouteType)
	}
	_, at, _ := strings.Cut(t.Model.Options.UpstreamURL, "://")
	_, path, _ := strings.Cut(at, "/")
	switch {
	case at == "", t.provider.PathOverURL:
	case path == "" && (t.RouteType == route.Preserve || t.provider.Base == nil || inst.native() != nil):
	case t.RouteType == route.Preserve && !t.OwnPath(): // instead of the client's path, that of the URL
	default:
		return "upstream_url has the path"
	}
	return ""
}

func only(name string) func(*Instance, *endpoint) string {
	return func(_ *Instance, t *endpoint) string {
		if t.Model.Provider == name {
			return ""
		}
		return "only " + name + " reads it"
	}
}

func onRoutes(types ...route.Type) func(*Instance, *endpoint) string {
	return func(inst *Instance, t *endpoint) string {
		if slices.Contains(types, t.RouteType) {
			return ""
		}
		return "it is for route_type " + route.Join(types, ", ")
	}
}

// translatedOn is onRoutes for what bodies that pass as they are say themselves.
func translatedOn(types ...route.Type) func(*Instance, *endpoint) string {
	return func(inst *Instance, t *endpoint) string {
		if inst.native() != nil {
			return "a client of llm_format " + inst.config.LLMFormat + " says it itself"
		}
		return onRoutes(types...)(inst, t)
	}
}

func withRole(_ *Instance, t *endpoint) string {
	if t.Model.Options.Bedrock.AWSAssumeRoleARN != "" {
		return ""
	}
	return "there is no aws_assume_role_arn"
}

// pricing says why nothing is pricing.
func pricing(inst *Instance, t *endpoint) string {
	b := &inst.config.Balancer
	if t.Logging.Statistics || b.Algorithm == "lowest-usage" && b.TokensCountStrategy == "cost" {
		return ""
	}
	return "costs are for log_statistics, and for the algorithm lowest-usage by cost"
}

// tuning says why a tuning option, by its name in OpenAI's format, is not sent.
func tuning(name string) func(*Instance, *endpoint) string {
	return func(inst *Instance, t *endpoint) string {
		if n := inst.native(); n != nil {
			format := n.Paths[0].API.Format
			for _, p := range t.served() {
				if op := p.Find(format, route.Chat); op == nil || op.Format == format || !refuses(op, name) {
					return onRoutes(route.Chat)(inst, t)
				}
			}
			return "provider " + t.Model.Provider + " does not take it"
		}
		s := routes.Of(t.RouteType)
		if s == nil || !s.Tuned {
			return fmt.Sprintf("requests of route_type %s have no %s", t.RouteType, name)
		}
		for _, p := range t.served() {
			if op := routes.Operation(p, t.RouteType); op == nil || !refuses(op, name) {
				return ""
			}
		}
		return "provider " + t.Model.Provider + " does not take it"
	}
}

// refuses says whether an API takes no member called name.
func refuses(op *provider.Operation, name string) bool {
	if op.Format == provider.OpenAIResponses {
		return name == "top_k"
	}
	if op.Fields != nil {
		return op.Fields[name].Treatment == provider.Dropped
	}
	return slices.Contains(op.Edit.Drop, name)
}
