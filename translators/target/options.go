package target

import (
	"reflect"
	"slices"
	"strings"

	"go-ai-proxy/translators/route"
)

// Landing says where the value of a template in an option is used. That decides
// which characters the value, which comes from the request, may have.
type Landing uint8

// The landings.
const (
	Nowhere      Landing = iota // the option cannot be a template
	InText                      // a header or a JSON string: anything but control characters
	InHost                      // a host name or a part of one
	InSegment                   // an id that becomes one path segment; escaped by the code that builds the URL
	InModel                     // a model's name, which may have slashes (org/model); also escaped by that code
	InURLSegment                // a path segment, or a part of one, of a URL that is used unchanged
	InPath                      // a whole path that is used unchanged
	InQuery                     // a query of a URL that is used unchanged
	InURL                       // a whole URL: the value may be in its host, path or query
)

// Option is one setting of `model.options`, with all that the plugin has to know
// about it. Each option is a row in List, a field of Options and a field of
// schema.json.
type Option struct {
	Name string // "bedrock.aws_region"
	// Providers are those that read the option; nil means all. Others refuse it.
	Providers []string
	// Tolerated means that other providers warn about the option instead of refusing
	// it. That is so for options with a default, since it is unknown whether they
	// were set.
	Tolerated bool
	Default   string // of schema.json, where there is one
	// Required lists the providers whose targets must set the option. The schema
	// refuses one that sets neither it nor Unless.
	Required []string
	// Embedding is the option's name in `embeddings.model.options`; "" if an
	// embedding model cannot have it.
	Embedding string
	// Lands says where the value of a template in the option is used.
	Lands Landing
	// Identity means that targets with different values of the option are different
	// targets, across configurations.
	Identity bool

	Tuning bool // it overrides the client's request
	// Contested means that clients can set the same; the option override says who wins.
	Contested bool
	Price     bool // it is a price, or a factor of one
	// Routes are the route types that use the option; nil means all.
	Routes []route.Type
	// Translated means that the option only affects translated requests. Clients of
	// a native format set the value themselves.
	Translated bool
	Needs      string // another option that it has no effect without
	Unless     string // another option that it has no effect together with
	// Unread, if set, says why nothing reads the option.
	Unread string

	// Env lists the environment variables that are used if the option is not set.
	// The first one that is set wins.
	Env []string
	// Identification means that the option says how to get credentials from a party
	// other than the provider. It is not used with a mock of the provider, where its
	// value is Mock.
	Identification bool
	Mock           string
	Logged         string // the field of the log entry that holds its value

	index []int // of the field in Options
}

// ReadBy reports whether the provider called name reads the option.
func (o *Option) ReadBy(name string) bool {
	return o.Providers == nil || slices.Contains(o.Providers, name)
}

// IsSet reports whether the option is set in values to something other than its
// default.
func (o *Option) IsSet(values *Options) bool {
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

// Text returns a pointer to the option in values; the option must be a string.
func (o *Option) Text(values *Options) *string { return o.Pointer(values).(*string) }

// Pointer returns a pointer to the option in values.
func (o *Option) Pointer(values *Options) any { return o.in(values).Addr().Interface() }

func (o *Option) in(values *Options) reflect.Value {
	return reflect.ValueOf(values).Elem().FieldByIndex(o.index)
}

// FromEnvironment sets those options of a provider that have no value from the
// environment.
func (o *Options) FromEnvironment(provider string, getenv func(string) string) {
	for i := range List {
		option := &List[i]
		if option.Env == nil || !option.ReadBy(provider) {
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
	anthropic  = []string{"anthropic"}
	azure      = []string{"azure"}
	aws        = []string{"bedrock", "sagemaker"}
	bedrock    = []string{"bedrock"}
	gemini     = []string{"gemini"}
	sagemaker  = []string{"sagemaker"}
	chats      = []route.Type{route.Chat, route.Completions, route.Responses}
	tiered     = []string{"openai", "azure", "anthropic", "bedrock", "gemini", "groq"}
	anthropics = []string{"anthropic", "bedrock", "gemini"}
)

// List holds all options, in the order of schema.json.
var List = []Option{
	{Name: "max_tokens", Tuning: true, Contested: true},
	{Name: "temperature", Tuning: true, Contested: true},
	{Name: "top_p", Tuning: true, Contested: true},
	{Name: "top_k", Tuning: true, Contested: true},
	{Name: "override"},
	{Name: "service_tier", Contested: true, Providers: tiered, Lands: InText, Routes: []route.Type{route.Chat, route.Responses}},

	{Name: "input_cost", Price: true},
	{Name: "output_cost", Price: true},
	{Name: "cache_read_cost", Price: true},
	{Name: "cache_write_cost", Price: true},
	{Name: "cache_write_cost_list", Price: true},
	{Name: "context_window_factor", Price: true},
	{Name: "service_tier_factor", Price: true},
	{Name: "audio_input_cost", Price: true},
	{Name: "audio_output_cost", Price: true},
	{Name: "image_input_cost", Price: true},
	{Name: "image_output_cost", Price: true},
	{Name: "image_cost", Price: true},
	{Name: "character_cost", Price: true},
	{Name: "minute_cost", Price: true},
	{Name: "search_cost", Price: true},
	{Name: "request_cost", Price: true},

	{Name: "anthropic_version", Providers: anthropics, Required: anthropic, Tolerated: true, Lands: InText},
	{Name: "azure_instance", Embedding: "azure.instance", Providers: azure, Required: azure, Lands: InHost, Identity: true, Logged: "azure_instance_id"},
	{Name: "azure_deployment_id", Embedding: "azure.deployment_id", Providers: azure, Required: azure, Lands: InSegment, Identity: true, Logged: "azure_deployment_id"},
	{Name: "azure_api_version", Embedding: "azure.api_version", Providers: azure, Required: azure, Tolerated: true, Default: "2023-05-15", Lands: InSegment, Logged: "azure_api_version"},
	{Name: "llama2_format", Providers: []string{"llama2"}, Required: []string{"llama2"}},
	{Name: "mistral_format", Providers: []string{"mistral"}, Required: []string{"mistral"}},

	{Name: "upstream_url", Embedding: "upstream_url", Lands: InURL, Identity: true},
	{Name: "upstream_path", Lands: InURLSegment, Identity: true},

	{Name: "embeddings_dimensions", Contested: true, Routes: []route.Type{route.Embeddings}},

	{Name: "bedrock.aws_region", Embedding: "bedrock.aws_region", Providers: aws, Lands: InHost, Identity: true, Env: []string{"AWS_REGION", "AWS_DEFAULT_REGION"}, Mock: "us-east-1"},
	{Name: "bedrock.aws_assume_role_arn", Embedding: "bedrock.aws_assume_role_arn", Providers: aws, Lands: InText, Identification: true},
	{Name: "bedrock.aws_role_session_name", Embedding: "bedrock.aws_role_session_name", Providers: aws, Lands: InText, Identification: true, Needs: "bedrock.aws_assume_role_arn"},
	{Name: "bedrock.aws_sts_endpoint_url", Embedding: "bedrock.aws_sts_endpoint_url", Providers: aws, Lands: InURL, Identification: true, Needs: "bedrock.aws_assume_role_arn"},
	{Name: "bedrock.embeddings_normalize", Contested: true, Embedding: "bedrock.embeddings_normalize", Providers: bedrock, Routes: []route.Type{route.Embeddings}},
	{Name: "bedrock.performance_config_latency", Contested: true, Embedding: "bedrock.performance_config_latency", Providers: bedrock, Lands: InText, Routes: chats},
	{Name: "bedrock.video_output_s3_uri", Embedding: "bedrock.video_output_s3_uri", Providers: bedrock, Lands: InText, Routes: []route.Type{route.Videos}, Translated: true},
	{Name: "bedrock.batch_bucket_prefix", Embedding: "bedrock.batch_bucket_prefix", Providers: bedrock, Lands: InText, Routes: []route.Type{route.Batches}, Translated: true},
	{Name: "bedrock.batch_role_arn", Embedding: "bedrock.batch_role_arn", Providers: bedrock, Lands: InText, Routes: []route.Type{route.Batches}, Translated: true},
	{Name: "sagemaker.endpoint_name", Providers: sagemaker, Lands: InSegment, Identity: true},
	{Name: "sagemaker.inference_component", Providers: sagemaker, Lands: InText, Identity: true},
	{Name: "sagemaker.target_model", Providers: sagemaker, Lands: InText, Identity: true},
	{Name: "sagemaker.target_variant", Providers: sagemaker, Lands: InText, Identity: true},
	{Name: "sagemaker.target_container_hostname", Providers: sagemaker, Lands: InText, Identity: true},
	{Name: "sagemaker.embeddings_format", Providers: sagemaker, Routes: []route.Type{route.Embeddings}, Translated: true},
	{Name: "gemini.api_endpoint", Embedding: "gemini.api_endpoint", Providers: gemini, Lands: InHost, Identity: true},
	{Name: "gemini.project_id", Embedding: "gemini.project_id", Providers: gemini, Lands: InSegment, Identity: true},
	{Name: "gemini.location_id", Embedding: "gemini.location_id", Providers: gemini, Lands: InHost, Identity: true},
	{Name: "gemini.endpoint_id", Providers: gemini, Lands: InSegment},
	{Name: "huggingface.use_cache", Embedding: "huggingface.use_cache", Providers: []string{"huggingface"}},
	{Name: "huggingface.wait_for_model", Embedding: "huggingface.wait_for_model", Providers: []string{"huggingface"}},
	{Name: "cohere.embedding_input_type", Providers: []string{"cohere", "bedrock"}, Tolerated: true, Default: "classification", Routes: []route.Type{route.Embeddings}, Translated: true},
	{Name: "cohere.wait_for_model", Unread: "Cohere's API has nothing like it"},
	{Name: "dashscope.international", Providers: []string{"dashscope"}, Tolerated: true, Default: "true", Unless: "upstream_url"},
	{Name: "databricks.workspace_instance_id", Providers: []string{"databricks"}, Required: []string{"databricks"}, Lands: InHost, Identity: true, Unless: "upstream_url"},
}

// Named returns the option called name, which must be in List.
func Named(name string) *Option {
	return &List[slices.IndexFunc(List, func(o Option) bool { return o.Name == name })]
}

// Logged holds the options that are written to the log entry.
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
	for _, f := range reflect.VisibleFields(of) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case tag != head:
		case nested:
			return append(slices.Clone(f.Index), indexOf(f.Type, rest)...)
		default:
			return f.Index
		}
	}
	panic("target: Options has no " + name)
}
