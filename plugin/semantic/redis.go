package semantic

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/plugin/resp"
)

// redisIndex keeps vectors as hashes of Redis or Valkey and searches them with
// its search module, in the part of the query language that both have:
// https://redis.io/docs/latest/develop/ai/search-and-query/vectors/
// https://valkey.io/topics/search/
//
// A plugin's hashes lie under one prefix, which one search index covers; the
// tag `set` tells configurations apart, so that nodes that still have the old
// one and nodes that have the new one do not find each other's.
type redisIndex struct {
	client redis.UniversalClient
	// reader is used for searches. It is a replica's client if the configuration asks
	// for one, since a replica refuses writes.
	reader redis.UniversalClient
	space
	name   string // of the search index
	prefix string // of the keys
	sets   string // the key of the hash that names the sets in the namespace
}

func newRedis(c *config.Redis, s space) (*redisIndex, error) {
	base := "go-ai-proxy:semantic:" + s.namespace
	var login credentials.Login
	if c.CloudAuth != nil && c.CloudAuth.Provider != "" {
		var err error
		if login, err = credentials.NewLogin(c.CloudAuth, c.Username, nil); err != nil {
			return nil, err
		}
	}
	client, reader := redisClients(c, login)
	return &redisIndex{
		client: client, reader: reader, space: s,
		name:   fmt.Sprintf("%s:%d:%s", base, s.dimensions, s.metric),
		prefix: base + ":vector:",
		sets:   base + ":sets",
	}, nil
}

// redisClients returns the configured client, of one server, of a cluster or of the
// master that Sentinel names, and the client for searches: the same, or a replica's.
func redisClients(c *config.Redis, login credentials.Login) (client, reader redis.UniversalClient) {
	o := redisOptions(c)
	if login != nil {
		o.CredentialsProviderContext, o.ConnMaxLifetime = login, credentials.LoginLife
	}
	address := func(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
	switch {
	case len(c.SentinelNodes) > 0:
		for _, n := range c.SentinelNodes {
			o.Addrs = append(o.Addrs, address(n.Host, n.Port))
		}
		o.MasterName, o.SentinelUsername, o.SentinelPassword = c.SentinelMaster, c.SentinelUsername, c.SentinelPassword
		client = redis.NewFailoverClient(o.Failover())
		if c.SentinelRole != "slave" {
			return client, client
		}
		f := o.Failover()
		f.ReplicaOnly = true
		return client, redis.NewFailoverClient(f)
	case len(c.ClusterNodes) > 0:
		for _, n := range c.ClusterNodes {
			o.Addrs = append(o.Addrs, address(n.IP, n.Port))
		}
		client = redis.NewClusterClient(o.Cluster())
		return client, client
	}
	o.Addrs = []string{address(c.Host, c.Port)}
	client = redis.NewClient(o.Simple())
	return client, client
}

func redisOptions(c *config.Redis) *redis.UniversalOptions {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	o := &redis.UniversalOptions{
		Username: c.Username, Password: c.Password, DB: c.Database,
		DialTimeout: ms(c.ConnectTimeout), WriteTimeout: ms(c.SendTimeout), ReadTimeout: ms(c.ReadTimeout),
		ContextTimeoutEnabled: true,
		MaxIdleConns:          c.KeepalivePoolSize, PoolTimeout: ms(c.ConnectTimeout),
		MaxRetries:      1,
		DialerRetries:   1,
		Protocol:        2, // answers of the search module differ in RESP3
		DisableIdentity: true,
		MaxRedirects:    c.ClusterRedirections,
	}
	if c.KeepaliveBacklog != nil { // as in nginx: the pool's size is then the limit, and others wait
		o.PoolSize = c.KeepalivePoolSize
	}
	if c.ConnectionIsProxied {
		o.DB = 0 // a proxy has one database and does not support SELECT
	}
	if c.SSL {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName, InsecureSkipVerify: !c.SSLVerify}
	}
	o.Dialer = resp.Dialer(o.DialTimeout, o.TLSConfig)
	return o
}

func (x *redisIndex) Close() {
	_ = x.client.Close()
	_ = x.reader.Close() // usually the same; closing twice does no harm
}

func (x *redisIndex) key(id string) string { return x.prefix + x.set + ":" + id }

// Prepare implements Index.
func (x *redisIndex) Prepare(ctx context.Context) error {
	metric := "COSINE"
	if x.metric == Euclidean {
		metric = "L2"
	}
	err := x.client.Do(ctx, "FT.CREATE", x.name, "ON", "HASH", "PREFIX", 1, x.prefix, "SCHEMA",
		"set", "TAG",
		"vector", "VECTOR", "FLAT", 6, "TYPE", "FLOAT32", "DIM", x.dimensions, "DISTANCE_METRIC", metric).Err()
	if err != nil && !strings.Contains(strings.ToLower(err.Error()), "already exists") {
		return fmt.Errorf("redis: creating the search index: %w", err)
	}
	return nil
}

// Load implements Index.
func (x *redisIndex) Load(ctx context.Context) (map[string][]float32, error) {
	p := x.client.Pipeline()
	answers := make([]*redis.StringCmd, len(x.ids))
	for i, id := range x.ids {
		answers[i] = p.HGet(ctx, x.key(id), "vector")
	}
	if _, err := p.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("redis: %w", err)
	}
	found := map[string][]float32{}
	for i, a := range answers {
		if b, err := a.Bytes(); err == nil {
			found[x.ids[i]] = decodeVector(b)
		}
	}
	return found, nil
}

// Save implements Index.
func (x *redisIndex) Save(ctx context.Context, vectors map[string][]float32) error {
	if err := x.Prepare(ctx); err != nil {
		return err
	}
	p := x.client.Pipeline()
	for id, v := range vectors {
		p.HSet(ctx, x.key(id), "set", x.set, "id", id, "vector", encodeVector(v))
	}
	p.HSet(ctx, x.sets, x.set, strings.Join(x.ids, ","))
	if _, err := p.Exec(ctx); err != nil {
		return fmt.Errorf("redis: storing vectors: %w", err)
	}
	x.forget(ctx)
	return nil
}

// forget removes the vectors of earlier configurations. Vectors that it cannot remove
// do no harm, since searches do not find them.
func (x *redisIndex) forget(ctx context.Context) {
	sets, err := x.client.HGetAll(ctx, x.sets).Result()
	if err != nil || len(sets) < 2 {
		return
	}
	p := x.client.Pipeline()
	for set, ids := range sets {
		if set == x.set {
			continue
		}
		for _, id := range strings.Split(ids, ",") {
			p.Del(ctx, x.prefix+set+":"+id)
		}
		p.HDel(ctx, x.sets, set)
	}
	_, _ = p.Exec(ctx)
}

// Search implements Index.
func (x *redisIndex) Search(ctx context.Context, v []float32) (map[string]float64, error) {
	query := fmt.Sprintf("(@set:{%s})=>[KNN %d @vector $prompt AS distance]", x.set, len(x.ids))
	answer, err := x.reader.Do(ctx, "FT.SEARCH", x.name, query, "PARAMS", 2, "prompt", encodeVector(v),
		"RETURN", 1, "distance", "LIMIT", 0, len(x.ids), "DIALECT", 2).Slice()
	if err != nil {
		return nil, fmt.Errorf("redis: search: %w", err)
	}
	distances := map[string]float64{}
	for i := 1; i+1 < len(answer); i += 2 {
		key, _ := answer[i].(string)
		id, ours := strings.CutPrefix(key, x.prefix+x.set+":")
		fields, _ := answer[i+1].([]any)
		for j := 0; ours && j+1 < len(fields); j += 2 {
			if name, _ := fields[j].(string); name != "distance" {
				continue
			}
			text, _ := fields[j+1].(string)
			d, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, errors.New("redis: search: a distance is not a number")
			}
			if x.metric == Euclidean {
				// The module returns the square:
				// https://github.com/RediSearch/RediSearch/issues/3416
				d = math.Sqrt(max(d, 0))
			}
			distances[id] = d
		}
	}
	return distances, nil
}

// encodeVector returns v as FLOAT32, little endian.
func encodeVector(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func decodeVector(b []byte) []float32 {
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}
