package semantic

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	errEmpty     = errors.New("it has no text")
	errNotStored = errors.New("the vectors are not stored yet")
	errLost      = errors.New("it has lost vectors, they are stored again")
	errNone      error
)

// Pauses between attempts to embed the descriptions and to store their vectors.
const (
	retryFirst = time.Second
	retryEmbed = time.Minute
	retryStore = 10 * time.Second
)

// attemptTime is the limit for one attempt.
const attemptTime = 30 * time.Second

// run loads the descriptions' vectors and keeps the index complete.
func (r *Router) run(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			r.o.Log.Error().Interface("panic", p).Msg("semantic routing: loading descriptions")
		}
	}()
	ok := r.load(ctx)
	close(r.first)
	for pause := retryFirst; !ok; pause = min(2*pause, retryEmbed) {
		if !sleep(ctx, pause) {
			return
		}
		ok = r.load(ctx)
	}
	for r.usable() {
		select {
		case <-ctx.Done():
			return
		case err := <-r.failed:
			r.lost(err)
			for pause := retryFirst; !r.store(ctx); pause = min(2*pause, retryStore) {
				if !sleep(ctx, pause) {
					return
				}
			}
			r.o.Log.Info().Msg("semantic routing: the vector database is in use again")
		}
	}
}

// load gets the vectors of all descriptions: from the cache, from the index, where
// another process may have stored them, or from the embedding model.
func (r *Router) load(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	vectors, complete, failure := r.known(ctx)
	for _, t := range r.texts {
		if vectors[t.ID] != nil {
			continue
		}
		v, err := r.embed(ctx, t.Text)
		if err != nil {
			why := fmt.Sprintf("embedding %d of %d: %v", len(vectors)+1, len(r.texts), err)
			r.reason.Store(&why)
			r.o.Log.Warn().Str("error", why).Msg("semantic routing: the descriptions are not embedded, trying again")
			return false
		}
		vectors[t.ID] = v
	}
	r.memory.Store(newMemory(r.o.Metric, vectors))
	switch {
	case !r.usable():
	case failure != nil: // requests should not wait for the next attempt
		r.failed <- failure // the first: there is room
	case complete && r.o.Index.Prepare(ctx) == nil:
		r.index.Store(&errNone)
	case !r.store(ctx):
		r.failed <- *r.index.Load()
	}
	return true
}

// known returns the vectors that are known without the model, whether the index has
// all of them, and its error.
func (r *Router) known(ctx context.Context) (vectors map[string][]float32, complete bool, failure error) {
	vectors = map[string][]float32{}
	if r.o.Index != nil {
		var stored map[string][]float32
		if stored, failure = r.o.Index.Load(ctx); failure != nil {
			r.lost(failure)
		}
		for _, t := range r.texts {
			if v := stored[t.ID]; len(v) == r.o.Dimensions {
				vectors[t.ID] = v
				r.o.Cache.put(t.ID, v)
			}
		}
		complete = failure == nil && len(vectors) == len(r.texts)
	}
	for _, t := range r.texts {
		if v := r.o.Cache.peek(t.ID); v != nil && vectors[t.ID] == nil {
			vectors[t.ID] = v
		}
	}
	return vectors, complete, failure
}

// usable reports whether there is an index that can take the vectors.
func (r *Router) usable() bool {
	if r.o.Index == nil {
		return false
	}
	for _, v := range r.memory.Load().vectors {
		if err := r.fits(v); err != nil {
			r.index.Store(&err)
			r.o.Log.Warn().Str("error", err.Error()).Msg("semantic routing: the vector database is not used")
			return false
		}
	}
	return true
}

// store puts all vectors into the index.
func (r *Router) store(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	err := r.o.Index.Save(ctx, r.memory.Load().vectors)
	if err != nil {
		r.lost(err)
		return false
	}
	r.index.Store(&errNone)
	return true
}

// lost records that the index cannot be searched, and logs it once.
func (r *Router) lost(err error) {
	before := *r.index.Swap(&err)
	if before == nil || errors.Is(before, errNotStored) {
		r.o.Log.Warn().Str("error", err.Error()).Msg("semantic routing: the vector database failed; vectors are compared in memory meanwhile")
	}
}

// sleep returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
