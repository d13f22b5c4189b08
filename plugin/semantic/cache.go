package semantic

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Cache keeps the most recently used vectors of texts, in a limited amount of memory.
// Routers share one, so that it outlives a configuration. Only one caller at a time
// gets the vector of a text; the others wait for it.
type Cache struct {
	max int // numbers, of 4 bytes each
	ttl time.Duration

	mu      sync.Mutex
	used    int
	order   *list.List // of *cached, the last used first
	entries map[string]*list.Element
	flights map[string]*flight
}

type cached struct {
	id      string
	vector  []float32
	expires time.Time
}

// flight is a vector that is being fetched. vector and err may be read when done is
// closed.
type flight struct {
	done    chan struct{}
	vector  []float32
	err     error
	waiting int
	cancel  context.CancelFunc
}

// NewCache returns a cache of at most max numbers, each kept for ttl.
func NewCache(max int, ttl time.Duration) *Cache {
	return &Cache{max: max, ttl: ttl, order: list.New(), entries: map[string]*list.Element{}, flights: map[string]*flight{}}
}

// Get returns the vector with an id, or the result of fetch. fetch is cancelled when
// nobody waits for it any longer. The vector must not be changed.
func (c *Cache) Get(ctx context.Context, id string, fetch func(context.Context) ([]float32, error)) ([]float32, error) {
	c.mu.Lock()
	if v := c.lookup(id); v != nil {
		c.mu.Unlock()
		return v, nil
	}
	f := c.flights[id]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		detached := context.WithoutCancel(ctx)
		if deadline, ok := ctx.Deadline(); ok {
			detached, f.cancel = context.WithDeadline(detached, deadline)
		} else {
			detached, f.cancel = context.WithCancel(detached)
		}
		c.flights[id] = f
		go c.run(detached, id, f, fetch)
	}
	f.waiting++
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.vector, f.err
	case <-ctx.Done():
		c.leave(id, f, errors.Is(ctx.Err(), context.Canceled))
		return nil, context.Cause(ctx)
	}
}

// leave stops waiting for a flight. When the last one leaves, the flight is
// cancelled, except by a caller whose time is up: the flight has a deadline of its
// own.
func (c *Cache) leave(id string, f *flight, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.waiting--; f.waiting > 0 || !gone {
		return
	}
	f.cancel()
	if c.flights[id] == f {
		delete(c.flights, id)
	}
}

func (c *Cache) run(ctx context.Context, id string, f *flight, fetch func(context.Context) ([]float32, error)) {
	defer func() {
		if p := recover(); p != nil {
			f.err = fmt.Errorf("embedding panicked: %T", p) // its value might hold the prompt
		}
		c.mu.Lock()
		if f.err == nil {
			c.keep(id, f.vector)
		}
		if c.flights[id] == f {
			delete(c.flights, id)
		}
		c.mu.Unlock()
		f.cancel()
		close(f.done)
	}()
	f.vector, f.err = fetch(ctx)
	if f.err == nil && len(f.vector) == 0 {
		f.err = errors.New("the embedding model returned no vector")
	}
}

// peek returns the vector kept under id, or nil.
func (c *Cache) peek(id string) []float32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lookup(id)
}

func (c *Cache) put(id string, v []float32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(id, v)
}

func (c *Cache) lookup(id string) []float32 {
	e := c.entries[id]
	if e == nil {
		return nil
	}
	x := e.Value.(*cached)
	if time.Now().After(x.expires) {
		c.drop(e)
		return nil
	}
	c.order.MoveToFront(e)
	return x.vector
}

func (c *Cache) keep(id string, v []float32) {
	if e := c.entries[id]; e != nil {
		c.drop(e)
	}
	c.entries[id] = c.order.PushFront(&cached{id: id, vector: v, expires: time.Now().Add(c.ttl)})
	for c.used += len(v); c.used > c.max; {
		c.drop(c.order.Back())
	}
}

func (c *Cache) drop(e *list.Element) {
	x := c.order.Remove(e).(*cached)
	delete(c.entries, x.id)
	c.used -= len(x.vector)
}
