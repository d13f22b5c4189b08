package responsecache

import (
	"context"
	"encoding/hex"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/resp"
)

// Redis is the connection to a Redis that nodes share. A request waits for it at most
// for patience, and is answered by a provider if it does not answer.
type Redis struct {
	client *redis.Client
	log    zerolog.Logger
	away   atomic.Bool // it did not answer last time
}

var patience = 100 * time.Millisecond // longer in tests, whose machine may be busy

// OpenRedis returns a connection to the Redis at url (redis://, rediss:// for TLS). It
// does not wait for Redis. Close ends it.
func OpenRedis(url string, log zerolog.Logger) (*Redis, error) {
	o, err := resp.Options(url, patience)
	if err != nil {
		return nil, err
	}
	o.PoolTimeout, o.ContextTimeoutEnabled = patience, true
	return &Redis{client: redis.NewClient(o), log: log}, nil
}

// Close ends the connection.
func (r *Redis) Close() { _ = r.client.Close() }

// note logs when Redis begins and ceases not to answer.
func (r *Redis) note(err error) {
	switch failed := err != nil && !errors.Is(err, redis.Nil) && !errors.Is(err, context.Canceled); {
	case failed && !r.away.Swap(true):
		r.log.Warn().Msg("Redis does not answer: no answers are kept")
	case err == nil && r.away.Swap(false):
		r.log.Info().Msg("Redis answers again: answers are kept")
	}
}

// inRedis keeps entries in Redis.
type inRedis struct {
	*Redis
	ttl time.Duration
}

func name(k Key) string { return "go-ai-proxy:answer:" + hex.EncodeToString(k[:]) }

func (s *inRedis) get(ctx context.Context, k Key) *Entry {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	b, err := s.client.Get(ctx, name(k)).Bytes()
	s.note(err)
	if err != nil {
		return nil
	}
	return decode(b)
}

func (s *inRedis) put(ctx context.Context, k Key, e *Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	s.note(s.client.Set(ctx, name(k), encode(e), s.ttl).Err())
}

func (s *inRedis) close() {} // the connection is the relay's
