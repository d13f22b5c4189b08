package credentials

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// fetchTimeout is the limit for one fetch with all its round trips, since the
	// client waits for it.
	fetchTimeout = 5 * time.Second
	// refreshAhead is how long before it expires a credential is renewed in the
	// background, but at most half of its lifetime.
	refreshAhead = 5 * time.Minute
	// expiryMargin is how long before it expires a credential is no longer sent, so
	// that it does not expire on the way, but at most a quarter of its lifetime.
	expiryMargin = 10 * time.Second
	// firstPause and longestPause are the limits of how long a failed token source is
	// not called again. The pause grows with each failure in a row.
	firstPause   = time.Second
	longestPause = time.Minute
)

// fetchFunc fetches a credential. It returns the time when it expires, or the zero
// time if it never does.
type fetchFunc[V any] func(context.Context) (V, time.Time, error)

// cache keeps one credential fresh. Only one fetch runs at a time. It is independent
// of the request that started it, so that a client that goes away does not fail the
// others.
type cache[V any] struct {
	fetch fetchFunc[V]
	lease atomic.Pointer[lease[V]]

	mu     sync.Mutex
	flight *flight[V]
	// Until retryAt, requests get this error at once. So an endpoint that hangs
	// delays only one of them, and an endpoint that refuses is not called by each.
	failure  error
	failures int // in a row
	retryAt  time.Time
}

// lease is a credential, with the times when it is renewed and when it can no longer
// be used.
type lease[V any] struct {
	value           V
	renew, unusable time.Time // zero: never
}

// flight is a running fetch. Its results may be read when done is closed.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
}

func newLease[V any](value V, began, expires time.Time) *lease[V] {
	l := &lease[V]{value: value}
	if !expires.IsZero() {
		life := expires.Sub(began)
		l.renew = expires.Add(-min(refreshAhead, life/2))
		l.unusable = expires.Add(-min(expiryMargin, life/4))
	}
	return l
}

func (l *lease[V]) fresh(now time.Time) bool {
	return l != nil && (l.renew.IsZero() || now.Before(l.renew))
}

func (l *lease[V]) usable(now time.Time) bool {
	return l != nil && (l.unusable.IsZero() || now.Before(l.unusable))
}

// get returns a credential that is valid now. It only waits if there is none; a
// credential that is still usable is renewed in the background.
func (c *cache[V]) get(ctx context.Context) (V, error) {
	l, f, err := c.current()
	if l != nil {
		return l.value, nil
	}
	var zero V
	if err != nil {
		return zero, err
	}
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	}
}

// warm starts a fetch if one is due, and does not wait for it.
func (c *cache[V]) warm() { c.current() }

// current returns a usable lease, or the flight to wait for, or the error of a recent
// failure.
func (c *cache[V]) current() (*lease[V], *flight[V], error) {
	now := time.Now()
	if l := c.lease.Load(); l.fresh(now) {
		return l, nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lease.Load()
	if l.fresh(now) {
		return l, nil, nil
	}
	resting := c.failure != nil && now.Before(c.retryAt)
	if c.flight == nil && !resting {
		c.flight = &flight[V]{done: make(chan struct{})}
		go c.run(c.flight)
	}
	switch {
	case l.usable(now):
		return l, nil, nil
	case c.flight != nil:
		return nil, c.flight, nil
	}
	return nil, nil, fmt.Errorf("%w; it is asked again in %v", c.failure, c.retryAt.Sub(now).Round(100*time.Millisecond))
}

// run fetches the credential for all that wait for f.
func (c *cache[V]) run(f *flight[V]) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	began := time.Now()
	value, expires, err := guard(ctx, c.fetch)
	ended := time.Now()
	if err == nil && !expires.IsZero() && !ended.Before(expires) {
		err = errors.New("the credential had expired when it arrived: check the clocks")
	}
	c.mu.Lock()
	if err == nil {
		c.lease.Store(newLease(value, began, expires))
		f.value, c.failures = value, 0
	} else {
		c.retryAt = ended.Add(pauseAfter(c.failures, ended.Sub(began)))
		c.failures++
	}
	f.err, c.failure, c.flight = err, err, nil
	c.mu.Unlock()
	close(f.done)
}

// pauseAfter returns how long a source is not called again. before is its number of
// earlier failures in a row, took how long this one took. The pause is 3/4 to 5/4 of
// twice the pause before, so that nodes do not all call at the same time.
func pauseAfter(before int, took time.Duration) time.Duration {
	pause := min(firstPause<<min(before, 10), longestPause)
	pause += time.Duration(float64(pause) * (rand.Float64() - .5) / 2)
	return max(pause, took)
}

// guard turns a panic of fetch into an error, since it runs in a goroutine of its
// own.
func guard[V any](ctx context.Context, fetch fetchFunc[V]) (v V, expires time.Time, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("fetching a credential panicked: %T", p) // the value might hold a secret
		}
	}()
	return fetch(ctx)
}

// fingerprint identifies whose credential it is, so that targets and reloaded
// configurations with the same identity share it.
type fingerprint [sha256.Size]byte

func fingerprintOf(parts ...string) (fp fingerprint) {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	h.Sum(fp[:0])
	return fp
}

// registry shares caches by identity. When it is full, the least recently requested
// one is removed; those that still hold it continue with it, but no longer share it.
type registry[V any] struct {
	limit int

	mu     sync.Mutex
	clock  uint64 // counts gets
	shared map[fingerprint]*sharedCache[V]
}

type sharedCache[V any] struct {
	cache *cache[V]
	used  uint64
}

func newRegistry[V any](limit int) *registry[V] {
	return &registry[V]{limit: limit, shared: map[fingerprint]*sharedCache[V]{}}
}

// get returns the cache of an identity. A new one uses fetch.
func (r *registry[V]) get(id fingerprint, fetch fetchFunc[V]) *cache[V] {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock++
	if s := r.shared[id]; s != nil {
		s.used = r.clock
		return s.cache
	}
	if len(r.shared) >= r.limit {
		var oldest fingerprint
		least := r.clock
		for id, s := range r.shared {
			if s.used < least {
				oldest, least = id, s.used
			}
		}
		delete(r.shared, oldest)
	}
	c := &cache[V]{fetch: fetch}
	r.shared[id] = &sharedCache[V]{cache: c, used: r.clock}
	return c
}
