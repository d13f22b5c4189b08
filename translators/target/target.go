// Package target defines what a translator may know about the target it works for:
// the provider, the resolved model and its options. It holds values only. The
// options mirror `model.options` of the Kong schema, in the same order, with
// templates already resolved.
package target

import (
	"strconv"
	"strings"

	"go-ai-proxy/translators/route"
)

// Target is one configured model as a translator sees it. It is immutable.
type Target struct {
	Provider string     // model.provider
	Route    route.Type // what the client asked for, e.g. route.Chat
	Model    string     // resolved model.name, or the client's own model
	Options  *Options
}

// OptionError reports an option that must be set, or whose value cannot work.
type OptionError struct {
	Field   string // "model.options.bedrock.aws_region"
	Message string
}

func (e *OptionError) Error() string { return e.Field + ": " + e.Message }

// Options holds `model.options`. A nil pointer, an empty string and an absent
// record all mean "not configured".
type Options struct {
	MaxTokens   *int     `json:"max_tokens"`
	Temperature *float64 `json:"temperature"`
	TopP        *float64 `json:"top_p"`
	TopK        *int     `json:"top_k"`
	// Override says whether the configured values win over the client's; nil is true.
	Override *bool `json:"override"`
	// ServiceTier is asked of the provider, in OpenAI's words or in its own.
	ServiceTier string `json:"service_tier"`

	Prices

	AnthropicVersion  string `json:"anthropic_version"`
	AzureInstance     string `json:"azure_instance"`
	AzureDeploymentID string `json:"azure_deployment_id"`
	AzureAPIVersion   string `json:"azure_api_version"`
	Llama2Format      string `json:"llama2_format"`
	MistralFormat     string `json:"mistral_format"`

	UpstreamURL  string `json:"upstream_url"`
	UpstreamPath string `json:"upstream_path"`

	EmbeddingsDimensions *int `json:"embeddings_dimensions"`

	Bedrock     Bedrock     `json:"bedrock"`
	Sagemaker   Sagemaker   `json:"sagemaker"`
	Gemini      Gemini      `json:"gemini"`
	Huggingface Huggingface `json:"huggingface"`
	Cohere      Cohere      `json:"cohere"`
	Dashscope   Dashscope   `json:"dashscope"`
	Databricks  Databricks  `json:"databricks"`
}

// Overrides reports whether configured values of options that clients can set, too, win
// over theirs.
func (o *Options) Overrides() bool { return o.Override == nil || *o.Override }

// Prices are what a model costs: the price options of `model.options`, which a row of
// a price file (package prices) has under the same names. A nil price is not known.
// Prices of tokens, and of characters, are per million.
type Prices struct {
	// InputCost and OutputCost are those of all tokens for which there is no other
	// price. Tokens are priced only if both are set.
	InputCost           *float64        `json:"input_cost,omitempty"`
	OutputCost          *float64        `json:"output_cost,omitempty"`
	CacheReadCost       *float64        `json:"cache_read_cost,omitempty"`
	CacheWriteCost      *float64        `json:"cache_write_cost,omitempty"`
	CacheWriteCostList  []TTLCost       `json:"cache_write_cost_list,omitempty"`
	ContextWindowFactor []ContextFactor `json:"context_window_factor,omitempty"`
	ServiceTierFactor   []TierFactor    `json:"service_tier_factor,omitempty"`

	AudioInputCost  *float64 `json:"audio_input_cost,omitempty"`
	AudioOutputCost *float64 `json:"audio_output_cost,omitempty"`
	ImageInputCost  *float64 `json:"image_input_cost,omitempty"`
	ImageOutputCost *float64 `json:"image_output_cost,omitempty"`
	ImageCost       *float64 `json:"image_cost,omitempty"`     // of an image
	CharacterCost   *float64 `json:"character_cost,omitempty"` // of a million characters
	MinuteCost      *float64 `json:"minute_cost,omitempty"`    // of a minute of sound
	SearchCost      *float64 `json:"search_cost,omitempty"`    // of a thousand search units
	RequestCost     *float64 `json:"request_cost,omitempty"`   // of a request that was answered
}

// Known says whether there is a price of anything.
func (p *Prices) Known() bool {
	return p.InputCost != nil && p.OutputCost != nil || p.ImageCost != nil || p.CharacterCost != nil ||
		p.MinuteCost != nil || p.SearchCost != nil || p.RequestCost != nil
}

// TTLCost is the price of a cache write kept for a time such as "5m" or "1h".
type TTLCost struct {
	TTL  string  `json:"ttl"`
	Cost float64 `json:"cost"`
}

// ContextFactor multiplies prices above a number of prompt tokens ("200000", "200k").
type ContextFactor struct {
	Above        string  `json:"above"`
	InputFactor  float64 `json:"input_factor"`
	OutputFactor float64 `json:"output_factor"`
}

// TierFactor multiplies the whole cost where the provider reports the tier.
type TierFactor struct {
	Tier   string  `json:"tier"`
	Factor float64 `json:"factor"`
}

// Bedrock is `model.options.bedrock`.
type Bedrock struct {
	AWSRegion                string `json:"aws_region"`
	AWSAssumeRoleARN         string `json:"aws_assume_role_arn"`
	AWSRoleSessionName       string `json:"aws_role_session_name"`
	AWSSTSEndpointURL        string `json:"aws_sts_endpoint_url"`
	EmbeddingsNormalize      bool   `json:"embeddings_normalize"`
	PerformanceConfigLatency string `json:"performance_config_latency"`
	VideoOutputS3URI         string `json:"video_output_s3_uri"`
	BatchBucketPrefix        string `json:"batch_bucket_prefix"`
	BatchRoleARN             string `json:"batch_role_arn"`
}

// Sagemaker is `model.options.sagemaker`.
type Sagemaker struct {
	EndpointName            string `json:"endpoint_name"`
	InferenceComponent      string `json:"inference_component"`
	TargetModel             string `json:"target_model"`
	TargetVariant           string `json:"target_variant"`
	TargetContainerHostname string `json:"target_container_hostname"`
	EmbeddingsFormat        string `json:"embeddings_format"`
}

// Gemini is `model.options.gemini`; it is Vertex when APIEndpoint is set.
type Gemini struct {
	APIEndpoint string `json:"api_endpoint"`
	ProjectID   string `json:"project_id"`
	LocationID  string `json:"location_id"`
	EndpointID  string `json:"endpoint_id"`
}

// Huggingface is `model.options.huggingface`.
type Huggingface struct {
	UseCache     *bool `json:"use_cache"`
	WaitForModel *bool `json:"wait_for_model"`
}

// Cohere is `model.options.cohere`.
type Cohere struct {
	EmbeddingInputType string `json:"embedding_input_type"`
	WaitForModel       *bool  `json:"wait_for_model"`
}

// Dashscope is `model.options.dashscope`.
type Dashscope struct {
	International *bool `json:"international"` // default true
}

// Databricks is `model.options.databricks`.
type Databricks struct {
	WorkspaceInstanceID string `json:"workspace_instance_id"`
}

// ParseTokens reads a number of tokens as the configuration writes it:
// "200000", "200k", "1M".
func ParseTokens(s string) (int, bool) {
	s = strings.TrimSpace(s)
	unit := 1
	switch {
	case strings.HasSuffix(s, "k"), strings.HasSuffix(s, "K"):
		unit = 1e3
	case strings.HasSuffix(s, "m"), strings.HasSuffix(s, "M"):
		unit = 1e6
	}
	if unit > 1 {
		s = s[:len(s)-1]
	}
	n, err := strconv.Atoi(s)
	return n * unit, err == nil && n >= 0
}
