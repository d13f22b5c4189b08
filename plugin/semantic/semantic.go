// Package semantic ranks targets by the meaning of a prompt: by the distance of
// the prompt's embedding to those of the targets' descriptions. It knows neither
// HTTP nor providers: the caller passes the function that embeds a text.
//
// Start with Router.Rank. embedder.go calls an embedding model, load.go gets the
// descriptions' vectors, cache.go keeps those of prompts, index.go says where
// vectors are stored and searched: in redis.go or pgvector.go, and always in
// memory, too, so that a failing database costs a warning and no request.
package semantic

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// CatchAll is the description of a target for prompts that match no other.
const CatchAll = "CATCHALL"

// Target is a target as the router sees it.
type Target struct {
	Name        string // for reasons: "openai/gpt-4o"
	Description string
	Weight      int
}

// Embed returns the vector of a text. Its errors must not quote the text, since they
// are logged.
type Embed func(ctx context.Context, text string) ([]float32, error)

// Options configure a Router.
type Options struct {
	Targets []Target
	// Model names the embedding model for reasons, "openai/text-embedding-3-small".
	Model string
	// Space identifies the embedding model and its settings, whose vectors cannot be
	// compared with others.
	Space      string
	Dimensions int
	Metric     Metric
	// Threshold is the largest distance of a match. If it is nil, the nearest target
	// always matches.
	Threshold *float64
	Embed     Embed
	Cache     *Cache
	// Index stores and searches vectors; nil means in memory only. The router closes
	// it.
	Index Index
	// Timeout is the longest time that a request waits for its ranking.
	Timeout time.Duration
	Log     zerolog.Logger
}

// Router ranks a fixed set of targets. It is safe for concurrent use.
type Router struct {
	o        Options
	groups   []group
	catchAll []int // by weight
	texts    []Text

	memory atomic.Pointer[memory] // nil until all descriptions have vectors
	first  chan struct{}          // closed when loading has succeeded or failed once
	reason atomic.Pointer[string] // of the last failure to load
	failed chan error             // tells the loader that the index failed
	index  atomic.Pointer[error]  // why the index cannot be searched; a pointer to nil if it can

	modelRest rest
	stop      context.CancelFunc
	done      sync.WaitGroup
}

// group holds the targets with one description, the heaviest first.
type group struct {
	id      string
	targets []int
}

// Text is a description to be embedded; ID identifies it and the space of its vector.
type Text struct{ ID, Text string }

// Texts returns the descriptions of targets, each once, without CATCHALL.
func Texts(targets []Target, space string) (texts []Text) {
	seen := map[string]bool{}
	for _, t := range targets {
		description := strings.TrimSpace(t.Description)
		id := identify(space, description)
		if description == CatchAll || seen[id] {
			continue
		}
		seen[id] = true
		texts = append(texts, Text{ID: id, Text: description})
	}
	return texts
}

// identify returns the id of a text's vector.
func identify(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// New returns a router, which starts to load the descriptions' vectors in the
// background. Close ends it.
func New(o Options) *Router {
	r := &Router{o: o, first: make(chan struct{}), failed: make(chan error, 1), texts: Texts(o.Targets, o.Space)}
	r.index.Store(&errNotStored)
	for i, t := range o.Targets {
		description := strings.TrimSpace(t.Description)
		if description == CatchAll {
			r.catchAll = append(r.catchAll, i)
			continue
		}
		id := identify(o.Space, description)
		at := slices.IndexFunc(r.groups, func(g group) bool { return g.id == id })
		if at < 0 {
			at = len(r.groups)
			r.groups = append(r.groups, group{id: id})
		}
		r.groups[at].targets = append(r.groups[at].targets, i)
	}
	for _, g := range r.groups {
		r.byWeight(g.targets)
	}
	r.byWeight(r.catchAll)
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.done.Go(func() { r.run(ctx) })
	return r
}

func (r *Router) byWeight(targets []int) {
	slices.SortStableFunc(targets, func(a, b int) int { return cmp.Compare(r.o.Targets[b].Weight, r.o.Targets[a].Weight) })
}

// Close ends the router. Rankings that are under way continue in memory.
func (r *Router) Close() {
	r.stop()
	r.done.Wait()
	if r.o.Index != nil {
		r.o.Index.Close()
	}
}

// Choice is a ranking and the reasons for it. Neither text quotes the prompt.
type Choice struct {
	// Ranked holds the candidates, the best first. It is empty if they could not be
	// ranked.
	Ranked []int
	Reason string
	// Warnings say what was decided without the information for it.
	Warnings []string
}

// Rank orders candidates by the distance of their descriptions to text: those that
// match, then CATCHALL targets, then the others. Only the end of a long text counts.
// Rank waits no longer than Options.Timeout.
func (r *Router) Rank(ctx context.Context, text string, candidates []int) (c Choice) {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	select {
	case <-r.first:
	case <-ctx.Done():
	}
	memory := r.memory.Load()
	if memory == nil {
		return c.blind(r.notReady())
	}
	v, err := r.embed(ctx, clip(text))
	if err != nil {
		return c.blind("the prompt was not embedded: " + err.Error())
	}
	where := ""
	distances, err := r.search(ctx, v)
	if err != nil {
		distances = memory.distances(v)
		c.Warnings = append(c.Warnings, "semantic: vector database: "+err.Error()+"; compared in memory")
		where = ", in memory"
	}
	r.rank(&c, candidates, distances)
	c.Reason += " (" + r.o.Model + where + ")"
	return c
}

// blind returns a choice without a ranking.
func (c Choice) blind(why string) Choice {
	c.Reason = "semantic: by weight"
	c.Warnings = append(c.Warnings, "semantic: "+why+"; chosen by weight")
	return c
}

func (r *Router) notReady() string {
	if why := r.reason.Load(); why != nil {
		return "the descriptions have no vectors: " + *why
	}
	return "the descriptions have no vectors yet"
}

// rank fills in c from the distances of descriptions by id.
func (r *Router) rank(c *Choice, candidates []int, distances map[string]float64) {
	may := make([]bool, len(r.o.Targets))
	for _, i := range candidates {
		may[i] = true
	}
	groups := slices.DeleteFunc(slices.Clone(r.groups), func(g group) bool {
		return !slices.ContainsFunc(g.targets, func(i int) bool { return may[i] })
	})
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(distances[a.id], distances[b.id]) })
	matching := len(groups)
	if r.o.Threshold != nil {
		matching = 0
		for matching < len(groups) && distances[groups[matching].id] <= *r.o.Threshold {
			matching++
		}
	}
	add := func(targets []int) {
		for _, i := range targets {
			if may[i] {
				c.Ranked = append(c.Ranked, i)
			}
		}
	}
	for _, g := range groups[:matching] {
		add(g.targets)
	}
	add(r.catchAll)
	caught := matching == 0 && len(c.Ranked) > 0
	for _, g := range groups[matching:] {
		add(g.targets)
	}
	r.explain(c, groups, matching, caught, distances)
}

func (r *Router) explain(c *Choice, groups []group, matching int, caught bool, distances map[string]float64) {
	if len(groups) == 0 {
		c.Reason = "semantic: only CATCHALL targets may serve the request"
		return
	}
	best := groups[0]
	// c.Ranked may begin with a CATCHALL target; the nearest target is the best
	// group's.
	name := r.o.Targets[best.targets[0]].Name
	c.Reason = fmt.Sprintf("semantic: nearest is %s at distance %.4f", name, distances[best.id])
	if r.o.Threshold == nil {
		return
	}
	switch {
	case matching > 0:
		c.Reason += fmt.Sprintf(", within %g", *r.o.Threshold)
	case caught:
		c.Reason += fmt.Sprintf(", beyond %g: CATCHALL", *r.o.Threshold)
	default:
		c.Reason += fmt.Sprintf(", beyond %g, no CATCHALL", *r.o.Threshold)
		c.Warnings = append(c.Warnings, fmt.Sprintf("semantic: no description is within %g and no target is CATCHALL; took the nearest", *r.o.Threshold))
	}
}

// embed returns the vector of a text, from the cache if it is there.
func (r *Router) embed(ctx context.Context, text string) ([]float32, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errEmpty
	}
	return r.o.Cache.Get(ctx, identify(r.o.Space, text), func(ctx context.Context) ([]float32, error) {
		if why := r.modelRest.resting(); why != nil {
			return nil, why
		}
		began := time.Now()
		v, err := r.o.Embed(ctx, text)
		if !errors.Is(ctx.Err(), context.Canceled) { // nobody waits for it any longer, which is not the model's failure
			r.modelRest.note(err, time.Since(began))
		}
		return v, err
	})
}

// search returns the distances of all descriptions from the index. After an error, or
// if some are missing, the index is used again when the loader has stored all
// vectors.
func (r *Router) search(ctx context.Context, v []float32) (map[string]float64, error) {
	if r.o.Index == nil {
		return r.memory.Load().distances(v), nil
	}
	if err := r.fits(v); err != nil {
		return nil, err
	}
	if why := r.index.Load(); *why != nil {
		return nil, *why
	}
	distances, err := r.o.Index.Search(ctx, v)
	for _, t := range r.texts {
		if _, ok := distances[t.ID]; err == nil && !ok {
			err = errLost
		}
	}
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		select {
		case r.failed <- err:
		default: // the loader knows already
		}
	}
	return distances, err
}

// fits returns an error if the index cannot take v.
func (r *Router) fits(v []float32) error {
	if len(v) != r.o.Dimensions {
		return fmt.Errorf("vectordb.dimensions is %d, but %s gives %d", r.o.Dimensions, r.o.Model, len(v))
	}
	return nil
}

// rest prevents requests from waiting, one after the other, for a model that does not
// answer.
type rest struct {
	mu    sync.Mutex
	until time.Time
	why   error
}

// maxRest is the longest rest.
const maxRest = 10 * time.Second

func (s *rest) resting() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.until) {
		return s.why
	}
	return nil
}

// note records how a call ended. After one that failed after a second or more, no
// other is made for as long as it took.
func (s *rest) note(err error, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.until = time.Time{}
	case took >= time.Second:
		s.until, s.why = time.Now().Add(min(took, maxRest)), err
	}
}
