package config

import (
	"encoding/json"
	"fmt"
	"strings"

	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Embeddings is the model that turns prompts into vectors.
type Embeddings struct {
	Auth  Auth            `json:"auth"`
	Model EmbeddingsModel `json:"model"`
}

// EmbeddingsModel is `embeddings.model`.
type EmbeddingsModel struct {
	Provider string            `json:"provider"`
	Name     string            `json:"name"`
	Options  EmbeddingsOptions `json:"options"`
}

// EmbeddingsOptions is `embeddings.model.options`: some of a target's options, under
// the names that their rows of target.List have as Embedding.
type EmbeddingsOptions target.Options

// UnmarshalJSON implements json.Unmarshaler.
func (o *EmbeddingsOptions) UnmarshalJSON(data []byte) error {
	for i := range target.List {
		option := &target.List[i]
		if option.Embedding == "" {
			continue
		}
		record, name, nested := strings.Cut(option.Embedding, ".")
		raw := jsonedit.Lookup(data, record)
		if nested {
			raw = jsonedit.Lookup(raw, name)
		}
		if raw == nil {
			continue
		}
		if err := json.Unmarshal(raw, option.Pointer((*target.Options)(o))); err != nil {
			return fmt.Errorf("embeddings.model.options.%s: %w", option.Embedding, err)
		}
	}
	return nil
}

// Target returns the embedding model as a target whose route is llm/v1/embeddings.
// dimensions, unless nil, is the length that its vectors must have.
func (e *Embeddings) Target(dimensions *int) *Target {
	t := &Target{RouteType: route.Embeddings, Auth: e.Auth, Weight: 1, Model: Model{
		Provider: e.Model.Provider, Name: e.Model.Name, Options: target.Options(e.Model.Options),
	}}
	t.Model.Options.EmbeddingsDimensions = dimensions
	if p := translators.Lookup(t.Model.Provider); p != nil && p.Embedding != nil {
		p.Embedding(&t.Model.Options)
	}
	t.compile()
	return t
}

// VectorDB is the database of the vectors.
type VectorDB struct {
	Strategy       string    `json:"strategy"` // redis or pgvector
	Dimensions     int       `json:"dimensions"`
	DistanceMetric string    `json:"distance_metric"` // cosine or euclidean
	Threshold      *float64  `json:"threshold"`       // the largest distance of a match
	Redis          *Redis    `json:"redis"`
	PGVector       *PGVector `json:"pgvector"`
}

// Redis is `vectordb.redis`. Times are milliseconds.
type Redis struct {
	Host                string             `json:"host"`
	Port                int                `json:"port"`
	Username            string             `json:"username"`
	Password            string             `json:"password"`
	Database            int                `json:"database"`
	SSL                 bool               `json:"ssl"`
	SSLVerify           bool               `json:"ssl_verify"`
	ServerName          string             `json:"server_name"`
	ConnectTimeout      int                `json:"connect_timeout"`
	SendTimeout         int                `json:"send_timeout"`
	ReadTimeout         int                `json:"read_timeout"`
	KeepalivePoolSize   int                `json:"keepalive_pool_size"`
	KeepaliveBacklog    *int               `json:"keepalive_backlog"`
	ConnectionIsProxied bool               `json:"connection_is_proxied"`
	SentinelMaster      string             `json:"sentinel_master"`
	SentinelRole        string             `json:"sentinel_role"` // master, slave or any
	SentinelNodes       []HostPort         `json:"sentinel_nodes"`
	SentinelUsername    string             `json:"sentinel_username"`
	SentinelPassword    string             `json:"sentinel_password"`
	ClusterNodes        []IPPort           `json:"cluster_nodes"`
	ClusterRedirections int                `json:"cluster_max_redirections"`
	CloudAuth           *credentials.Cloud `json:"cloud_authentication"`
}

// HostPort is a node of Redis Sentinel.
type HostPort struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

// IPPort is a node of Redis Cluster.
type IPPort struct {
	IP   string `json:"ip"`
	Port int    `json:"port"`
}

// PGVector is `vectordb.pgvector`. Timeout is in milliseconds.
type PGVector struct {
	Host        string  `json:"host"`
	Port        int     `json:"port"`
	Database    string  `json:"database"`
	User        string  `json:"user"`
	Password    string  `json:"password"`
	SSL         bool    `json:"ssl"`
	SSLRequired bool    `json:"ssl_required"`
	SSLVerify   bool    `json:"ssl_verify"`
	SSLVersion  string  `json:"ssl_version"` // any, tlsv1_2 or tlsv1_3
	SSLCert     string  `json:"ssl_cert"`
	SSLCertKey  string  `json:"ssl_cert_key"`
	Timeout     float64 `json:"timeout"`
}
