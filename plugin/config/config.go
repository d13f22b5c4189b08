package config

import (
	"encoding/json"
	"fmt"
	"strings"

	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Config is one configuration of the plugin. It is immutable: a changed configuration
// is another Config.
//
// Absent and null mean the same: the default of schema.json, or "not configured" if
// there is none. A given zero (0, false) is a value. Empty strings never occur, since
// Kong refuses them.
type Config struct {
	PluginID string `json:"__plugin_id"` // Kong's id of the plugin, "" standalone

	// Targets holds one target for a configuration with `model`. Otherwise it holds
	// those of `targets`, and Advanced is set. There is at least one.
	Targets  []Target `json:"targets"`
	Advanced bool     `json:"-"`

	GenAICategory      string `json:"genai_category"`
	LLMFormat          string `json:"llm_format"`
	ResponseStreaming  string `json:"response_streaming"`    // allow, deny or always
	MaxRequestBodySize int    `json:"max_request_body_size"` // bytes, 0: no limit
	ModelNameHeader    bool   `json:"model_name_header"`
	Debug              bool   `json:"debug"`           // clients may ask for the choice of a target
	PropagateTrace     bool   `json:"propagate_trace"` // trace headers go to the provider

	Balancer      Balancer       `json:"balancer"`
	Cache         PromptCache    `json:"cache"`
	ResponseCache *ResponseCache `json:"response_cache"` // nil: answers are not kept
	Embeddings    *Embeddings    `json:"embeddings"`
	VectorDB      *VectorDB      `json:"vectordb"`
	ACLs          *ACLs          `json:"acls"`
	Budgets       []Budget       `json:"budgets"`

	// unused names fields of a single target that are set although there are targets.
	unused []string
	// literals holds the references and placeholders that were not replaced by a
	// value.
	literals Problems
}

// Target is one configured model.
type Target struct {
	RouteType   route.Type      `json:"route_type"`
	Auth        Auth            `json:"auth"`
	Model       Model           `json:"model"`
	Logging     Logging         `json:"logging"`
	Weight      int             `json:"weight"`
	Description string          `json:"description"`
	Metadata    json.RawMessage `json:"metadata"` // accepted, but not used
	// FallbackFor names the failures for which the target is used, and no others; nil
	// is any request.
	FallbackFor []string `json:"fallback_for"`

	template *template // of the strings under Model
}

// Model is a model and its provider. All strings in it except Provider and Alias may
// be templates: Target.Resolve returns the values.
type Model struct {
	Provider string         `json:"provider"`
	Name     string         `json:"name"`        // "": the request's own
	Alias    string         `json:"model_alias"` // see Aliases
	Options  target.Options `json:"options"`
}

// Auth says how to authenticate with a provider; printing it shows no secret.
type Auth = credentials.Config

// Logging says what goes into the log entry.
type Logging struct {
	Statistics bool `json:"log_statistics"`
	Payloads   bool `json:"log_payloads"`
	// PriceFile names the price list for models without prices: built_in, a path, or
	// "" for none.
	PriceFile string `json:"price_file"`
}

// Balancer says how a target is chosen. Times are milliseconds.
type Balancer struct {
	Algorithm           string   `json:"algorithm"`
	Retries             int      `json:"retries"`
	ConnectTimeout      int      `json:"connect_timeout"`
	ReadTimeout         int      `json:"read_timeout"`
	WriteTimeout        int      `json:"write_timeout"`
	Slots               int      `json:"slots"`
	HashOnHeader        string   `json:"hash_on_header"`
	Affinity            Affinity `json:"affinity"`
	LatencyStrategy     string   `json:"latency_strategy"`
	TokensCountStrategy string   `json:"tokens_count_strategy"`
	FailoverCriteria    []string `json:"failover_criteria"`
	MaxFails            int      `json:"max_fails"`
	FailTimeout         int      `json:"fail_timeout"`
	FirstTokenTimeout   int      `json:"first_token_timeout"` // 0: none
	Hedge               *Hedge   `json:"hedge"`
	Healthchecks        *struct {
		Active Active `json:"active"`
	} `json:"healthchecks"`
}

// PromptCache says whether providers are asked to cache prompts for clients that do not.
type PromptCache struct {
	Auto      bool   `json:"auto"`
	MinTokens int    `json:"min_tokens"` // 0: the default
	TTL       string `json:"ttl"`        // 5m or 1h, "": the default
}

// ResponseCache says how answers are kept for requests that are repeated exactly.
type ResponseCache struct {
	TTL            float64   `json:"ttl"`         // seconds
	MaxEntries     int       `json:"max_entries"` // 0: the default, as of the next
	MaxBytes       int       `json:"max_bytes"`
	Redis          bool      `json:"redis"` // in the Redis of GO_AI_PROXY_REDIS
	Per            *[]string `json:"per"`   // nil: consumer; empty: all clients share them
	AnyTemperature bool      `json:"any_temperature"`
}

// Affinity says how requests of one conversation are told and kept together.
type Affinity struct {
	Headers []string `json:"headers"` // nil: those that agents are known to send
	Bound   float64  `json:"bound"`   // of a target's load, relative to the mean; 0: the default
}

// Active says how targets are checked without requests of clients. Times are
// milliseconds; 0 is the default.
type Active struct {
	Interval  int    `json:"interval"`
	Timeout   int    `json:"timeout"`
	Path      string `json:"path"` // "": a request for one token
	Failures  int    `json:"failures"`
	Successes int    `json:"successes"`
}

// Checked says whether the target is one that health checks ask: a server of its own,
// whose address does not depend on the request.
func (t *Target) Checked() bool {
	u := t.Model.Options.UpstreamURL
	return u != "" && !strings.Contains(u, "$(")
}

// Hedge says when a request is sent to a second target: see package hedge.
type Hedge struct {
	After  string `json:"after"`  // p95, or 800ms
	Budget string `json:"budget"` // 5%
	Images bool   `json:"images"` // requests for images, too
}

// ACLs say who may use the models. A deny rule wins over an allow rule.
type ACLs struct {
	Allow []ACLRule `json:"allow"`
	Deny  []ACLRule `json:"deny"`
}

// ACLRule matches if all its conditions do.
type ACLRule struct {
	Match []ACLCondition `json:"match"`
}

// ACLCondition matches if the value of Type (and Key) is one of Values.
type ACLCondition struct {
	Type   string   `json:"type"`
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// Parse reads a configuration as Kong sends it to a plugin (or as Schema.Process
// returns it, encoded) and fills in the defaults of schema.json. It does not apply
// the schema's rules again; Check applies the others.
func (s *Schema) Parse(data []byte) (*Config, error) {
	var raw map[string]any
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	filled, err := json.Marshal(s.config.fill(withoutNulls(raw)))
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	var w wire
	if err := json.Unmarshal(filled, &w); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	c := &w.Config
	c.literals = s.literals(raw)
	switch {
	case w.Model != nil && len(c.Targets) > 0, w.Model == nil && len(c.Targets) == 0:
		return nil, Problems{{Field: "config", Message: "exactly one of these fields must be non-empty: 'model', 'targets'"}}
	case w.Model != nil:
		c.Targets = []Target{{RouteType: w.RouteType, Auth: w.Auth, Model: *w.Model, Logging: w.Logging, Weight: 1}}
	default:
		c.Advanced = true
		if w.Auth != (Auth{}) {
			c.unused = append(c.unused, "config.auth")
		}
		if w.Logging != (Logging{}) {
			c.unused = append(c.unused, "config.logging")
		}
	}
	for i := range c.Targets {
		c.Targets[i].compile()
	}
	return c, nil
}

// wire is a configuration as Kong sends it, with the fields of a single target next
// to the list of targets.
type wire struct {
	Config
	RouteType route.Type `json:"route_type"`
	Auth      Auth       `json:"auth"`
	Model     *Model     `json:"model"`
	Logging   Logging    `json:"logging"`
}
