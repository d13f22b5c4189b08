package target

import (
	"reflect"
	"slices"
	"strings"

	"go-ai-proxy/translators/route"
)

// Landing is where a value of the request ends up that a template in an option
// stands for: what it may hold follows from that.
type Landing uint8

// The landings.
const (
	Nowhere      Landing = iota // the option cannot be a template
	InText                      // a header, a JSON string: all but control characters
	InHost                      // a host name or a part of one
	InSegment                   // an id that becomes one path segment; escaped by whoever builds the URL
	InModel                     // a model's name, which may have slashes, as in org/model; escaped later, too
	InURLSegment                // a path segment, or a part of one, of a URL that is used as it is
	InPath                      // a whole path that is used as it is
	InQuery                     // a query of a URL that is used as it is
	InURL                       // a whole URL: values land in its host, path or query
)

// Option is one setting below `model.options`, and all that the plugin has to
// know of it: it is a row in List, a field of Options and one of schema.json.
type Option struct {
	Name string // "bedrock.aws_region"
	// Providers are those that read it; nil where it is for all. It is refused
	// at others.
	Providers []string
	// Tolerated: at others it is warned of, not refused. That is so for options
	// with a default, of which nobody can tell whether they were set.
	Tolerated bool
	Default   string // of schema.json, where there is one
	// Lands is where the value of a template in it lands.
	Lands Landing
	// Identity: targets that differ in it are not the same one, across
	// configurations.
	Identity bool

	Tuning bool // it is laid over the client's request
	Price  bool // it is a price, or a factor on one
	// Routes are the route types that it is for; nil is all of them.
	Routes []route.Type
	// Translated: it changes only what is translated; clients of a native format
	// say it themselves.
	Translated bool
	Needs      string // another option, without which it does nothing
	Unless     string // another option, beside which it does nothing
	// Unread says why nothing reads it at all.
	Unread string

	// Env are the variables of the environment that stand in for it, the first
	// one first.
	Env []string
	// Identification: it says how to get credentials from somebody who is not the
	// provider. A mock of the provider does without; Mock is its value there.
	Identification bool
	Mock           string
	Logged         string // the field of the log entry that has it

	index []int // of the field in Options
}

// Of says whether the provider called name reads the option.
func (o *Option) Of(name string) bool {
	return o.Providers == nil || slices.Contains(o.Providers, name)
}

// Set says whether values has the option set, to something else than its default.
func (o *Option) Set(values *Options) bool {
	v := o.in(values)
	switch {
	case v.IsZero():
		return false
	case v.Kind() == reflect.Slice:
		return v.Len() > 0
	case v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Bool:
		return o.Default == "" || v.Elem().Bool() != (o.Default == "true")
	}
	return v.Kind() != reflect.String || v.String() != o.Default
}

// Text is where values has the option, which is a string.
func (o *Option) Text(values *Options) *string { return o.in(values).Addr().Interface().(*string) }

func (o *Option) in(values *Options) reflect.Value {
	return reflect.ValueOf(values).Elem().FieldByIndex(o.index)
}

// FromEnvironment puts what the environment says in the options of a provider
// that have no value.
func (o *Options) FromEnvironment(provider string, getenv func(string) string) {
	for i := range List {
		option := &List[i]
		if option.Env == nil || !option.Of(provider) {
			continue
		}
		for _, name := range option.Env {
			if at := option.Text(o); *at == "" {
				*at = getenv(name)
			}
		}
	}
}

var (
	azure      = []string{"azure"}
	bedrock    = []string{"bedrock"}
	gemini     = []string{"gemini"}
	chats      = []route.Type{route.Chat, route.Completions, route.Responses}
	anthropics = []string{"anthropic", "bedrock", "gemini"}
)

// List are all options, in the order of schema.json.
var List = []Option{
	{Name: "max_tokens", Tuning: true},
	{Name: "temperature", Tuning: true},
	{Name: "top_p", Tuning: true},
	{Name: "top_k", Tuning: true},

	{Name: "input_cost", Price: true},
	{Name: "output_cost", Price: true},
	{Name: "cache_read_cost", Price: true},
	{Name: "cache_write_cost", Price: true},
	{Name: "cache_write_cost_list", Price: true},
	{Name: "context_window_factor", Price: true},
	{Name: "service_tier_factor", Price: true},

	{Name: "anthropic_version", Providers: anthropics, Tolerated: true, Lands: InText},
	{Name: "azure_instance", Providers: azure, Lands: InHost, Identity: true, Logged: "azure_instance_id"},
	{Name: "azure_deployment_id", Providers: azure, Lands: InSegment, Identity: true, Logged: "azure_deployment_id"},
	{Name: "azure_api_version", Providers: azure, Tolerated: true, Default: "2023-05-15", Lands: InSegment, Logged: "azure_api_version"},
	{Name: "llama2_format", Providers: []string{"llama2"}},
	{Name: "mistral_format", Providers: []string{"mistral"}},

	{Name: "upstream_url", Lands: InURL, Identity: true},
	{Name: "upstream_path", Lands: InURLSegment, Identity: true},

	{Name: "embeddings_dimensions", Routes: []route.Type{route.Embeddings}, Translated: true},

	{Name: "bedrock.aws_region", Providers: bedrock, Lands: InHost, Identity: true, Env: []string{"AWS_REGION", "AWS_DEFAULT_REGION"}, Mock: "us-east-1"},
	{Name: "bedrock.aws_assume_role_arn", Providers: bedrock, Lands: InText, Identification: true},
	{Name: "bedrock.aws_role_session_name", Providers: bedrock, Lands: InText, Identification: true, Needs: "bedrock.aws_assume_role_arn"},
	{Name: "bedrock.aws_sts_endpoint_url", Providers: bedrock, Lands: InURL, Identification: true, Needs: "bedrock.aws_assume_role_arn"},
	{Name: "bedrock.embeddings_normalize", Providers: bedrock, Routes: []route.Type{route.Embeddings}, Translated: true},
	{Name: "bedrock.performance_config_latency", Providers: bedrock, Lands: InText, Routes: chats},
	{Name: "bedrock.video_output_s3_uri", Providers: bedrock, Lands: InText, Routes: []route.Type{route.Videos}, Translated: true},
	{Name: "bedrock.batch_bucket_prefix", Providers: bedrock, Lands: InText, Routes: []route.Type{route.Batches}, Translated: true},
	{Name: "bedrock.batch_role_arn", Providers: bedrock, Lands: InText, Routes: []route.Type{route.Batches}, Translated: true},
	{Name: "gemini.api_endpoint", Providers: gemini, Lands: InHost, Identity: true},
	{Name: "gemini.project_id", Providers: gemini, Lands: InSegment, Identity: true},
	{Name: "gemini.location_id", Providers: gemini, Lands: InHost, Identity: true},
	{Name: "gemini.endpoint_id", Providers: gemini, Lands: InSegment},
	{Name: "huggingface.use_cache", Providers: []string{"huggingface"}},
	{Name: "huggingface.wait_for_model", Providers: []string{"huggingface"}},
	{Name: "cohere.embedding_input_type", Providers: []string{"cohere", "bedrock"}, Tolerated: true, Default: "classification", Routes: []route.Type{route.Embeddings}, Translated: true},
	{Name: "cohere.wait_for_model", Unread: "Cohere's API has nothing like it"},
	{Name: "dashscope.international", Providers: []string{"dashscope"}, Tolerated: true, Default: "true", Unless: "upstream_url"},
	{Name: "databricks.workspace_instance_id", Providers: []string{"databricks"}, Lands: InHost, Identity: true, Unless: "upstream_url"},
}

// Named is the option of a name, which must be one of List.
func Named(name string) *Option {
	return &List[slices.IndexFunc(List, func(o Option) bool { return o.Name == name })]
}

// Logged are the options that stand in the log entry.
var Logged = logged()

func logged() (options []*Option) {
	for i := range List {
		if List[i].Logged != "" {
			options = append(options, &List[i])
		}
	}
	return options
}

func init() {
	for i := range List {
		List[i].index = indexOf(reflect.TypeFor[Options](), List[i].Name)
	}
}

// indexOf finds a field by its names in JSON, with dots.
func indexOf(of reflect.Type, name string) []int {
	head, rest, nested := strings.Cut(name, ".")
	for i := range of.NumField() {
		if of.Field(i).Tag.Get("json") != head {
			continue
		}
		if !nested {
			return []int{i}
		}
		return append([]int{i}, indexOf(of.Field(i).Type, rest)...)
	}
	panic("target: Options has no " + name)
}
