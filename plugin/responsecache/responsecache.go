// Package responsecache keeps whole answers for requests that are repeated exactly. It
// decides which requests may be answered from it (key.go), copies answers on their way
// to the client (capture.go), and keeps them in memory (memory.go) or in Redis (redis.go).
// It knows no provider. Start with Cache.Key.
package responsecache

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/translators/chat"
)

// Entry is a kept answer. It must not be changed.
type Entry struct {
	Header map[string][]string `json:"header"`
	Body   []byte              `json:"body"`
	Stream bool                `json:"stream"` // it was sent as a stream
	// What the record of the answer said.
	Provider      string     `json:"provider"`
	Model         string     `json:"model"`
	ResponseModel string     `json:"response_model"`
	Usage         chat.Usage `json:"usage"`
	Cost          float64    `json:"cost"`
}

// MaxEntry is the largest answer that is kept, in bytes.
const MaxEntry = 2 << 20

// size is about how many bytes an entry takes.
func (e *Entry) size() int {
	n := len(e.Body) + 1024
	for name, values := range e.Header {
		n += len(name)
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}

// Key identifies a request: the SHA-256 of all that its answer depends on.
type Key [32]byte

// store keeps entries for a time. A store that fails has no entry.
type store interface {
	get(ctx context.Context, k Key) *Entry
	put(ctx context.Context, k Key, e *Entry)
	close()
}

// Options configure a Cache.
type Options struct {
	TTL time.Duration
	// Entries and Bytes bound what is kept in memory; 0 is the default.
	Entries, Bytes int
	// Redis, if set, is where entries are kept instead.
	Redis *Redis
	// Scope is what tells the configuration from all others.
	Scope []byte
	// Consumer and Group say that answers are kept apart by the client's.
	Consumer, Group bool
	// AnyTemperature means that requests need not have temperature 0.
	AnyTemperature bool
}

// The bounds of memory if none are configured.
const (
	defaultEntries = 10_000
	defaultBytes   = 64 << 20
)

// Cache is the cache of one configuration. It is safe for concurrent use.
type Cache struct {
	o     Options
	store store
}

// Open returns the cache that c asks for. redis is where it keeps answers if c wants them
// there; nil keeps them in memory.
func Open(c *config.ResponseCache, scope []byte, redis *Redis) *Cache {
	o := Options{
		TTL: time.Duration(c.TTL * float64(time.Second)), Entries: c.MaxEntries, Bytes: c.MaxBytes, Scope: scope,
		Consumer: c.Per == nil || slices.Contains(*c.Per, "consumer"), Group: c.Per != nil && slices.Contains(*c.Per, "consumer_group"),
		AnyTemperature: c.AnyTemperature,
	}
	if c.Redis {
		o.Redis = redis
	}
	return New(o)
}

// New returns a cache. Close releases it.
func New(o Options) *Cache {
	c := &Cache{o: o}
	if o.Redis != nil {
		c.store = &inRedis{o.Redis, o.TTL}
		return c
	}
	if o.Entries == 0 {
		o.Entries = defaultEntries
	}
	if o.Bytes == 0 {
		o.Bytes = defaultBytes
	}
	c.store = newMemory(o.Entries, o.Bytes, o.TTL)
	return c
}

// Get returns the kept answer, or nil.
func (c *Cache) Get(ctx context.Context, k Key) *Entry { return c.store.get(ctx, k) }

// Put keeps an answer, unless it is too large.
func (c *Cache) Put(ctx context.Context, k Key, e *Entry) {
	if len(e.Body) <= MaxEntry {
		c.store.put(ctx, k, e)
	}
}

// Close releases what is kept in memory.
func (c *Cache) Close() { c.store.close() }

func encode(e *Entry) []byte {
	b, _ := json.Marshal(e) // strings and numbers only: it cannot fail
	return b
}

func decode(b []byte) *Entry {
	e := &Entry{}
	if json.Unmarshal(b, e) != nil {
		return nil
	}
	return e
}
