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
)

// retryFirst and retryMost are the pauses between attempts to load or to store.
const (
	retryFirst = time.Second
	retryMost  = time.Minute
)

// loadTimeout bounds one attempt.
const loadTimeout = 30 * time.Second

// run gets the descriptions' vectors and keeps the index as it should be.
func (r *Router) run(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			r.o.Log.Error().Interface("panic", p).Msg("semantic routing: loading descriptions")
		}
	}()
	err := r.load(ctx)
	close(r.first)
	for pause := retryFirst; err != nil; pause = min(2*pause, retryMost) {
		why := err.Error()
		r.reason.Store(&why)
		if !sleep(ctx, pause) {
			return
		}
		r.o.Log.Warn().Str("error", why).Msg("semantic routing: the descriptions could not be embedded, trying again")
		err = r.load(ctx)
	}
	if r.o.Index == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.save:
			r.stored.Store(false)
			for pause := retryFirst; r.write(ctx) != nil; pause = min(2*pause, retryMost) {
				if !sleep(ctx, pause) {
					return
				}
			}
		}
	}
}

// load gets the vectors of all descriptions: from the cache, from the index,
// where another process may have put them, or from the embedding model.
func (r *Router) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	vectors := map[string][]float32{}
	var missing []Text
	for _, t := range r.texts {
		if v := r.o.Cache.peek(t.ID); v != nil {
			vectors[t.ID] = v
		} else {
			missing = append(missing, t)
		}
	}
	complete := false
	if r.o.Index != nil {
		stored, err := r.o.Index.Load(ctx)
		if err != nil {
			r.o.Log.Warn().Str("error", err.Error()).Msg("semantic routing: vector database")
			r.indexRest.note(err, 0, time.Second)
		}
		complete = err == nil
		for _, t := range r.texts {
			v := stored[t.ID]
			if len(v) != r.o.Dimensions {
				complete = false
			} else if vectors[t.ID] == nil {
				vectors[t.ID] = v
				r.o.Cache.put(t.ID, v)
			}
		}
	}
	for _, t := range missing {
		if vectors[t.ID] != nil {
			continue
		}
		v, err := r.embed(ctx, t.Text)
		if err != nil {
			return fmt.Errorf("embedding a description: %w", err)
		}
		vectors[t.ID] = v
	}
	r.memory.Store(NewMemory(r.o.Metric, vectors))
	if r.o.Index == nil {
		return nil
	}
	for _, v := range vectors {
		if err := r.fits(v); err != nil {
			r.o.Log.Warn().Str("error", err.Error()).Msg("semantic routing: the vector database cannot be used; vectors are compared in memory")
			return nil
		}
	}
	if complete {
		// The search index may be missing all the same: creating it is cheap.
		complete = r.o.Index.Prepare(ctx) == nil
	}
	if !complete && r.write(ctx) != nil {
		r.store()
		return nil
	}
	r.stored.Store(true)
	return nil
}

// write stores all vectors in the index.
func (r *Router) write(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	err := r.o.Index.Save(ctx, r.memory.Load().vectors)
	r.stored.Store(err == nil)
	if err != nil && ctx.Err() == nil {
		r.o.Log.Warn().Str("error", err.Error()).Msg("semantic routing: storing the descriptions' vectors failed, trying again")
	}
	return err
}

// store asks for the index to be written again.
func (r *Router) store() {
	select {
	case r.save <- struct{}{}:
	default:
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
