package semantic

import (
	"context"
	"fmt"
	"math"

	"go-ai-proxy/plugin/config"
)

// Index stores the vectors of one configuration's descriptions and searches them.
type Index interface {
	// Prepare creates what a search needs, if it does not exist. Many processes may
	// do so at the same time.
	Prepare(ctx context.Context) error
	// Load returns the vectors that are stored, by id.
	Load(ctx context.Context) (map[string][]float32, error)
	// Save replaces all vectors of the namespace.
	Save(ctx context.Context, vectors map[string][]float32) error
	// Search returns the distances of v to the stored vectors, by id.
	Search(ctx context.Context, v []float32) (map[string]float64, error)
	Close()
}

// Metric is `vectordb.distance_metric`.
type Metric string

// The metrics: 1 - cos, and the length of the difference.
const (
	Cosine    Metric = "cosine"
	Euclidean Metric = "euclidean"
)

// Open returns the configured index. namespace separates plugins. The index connects
// when it is first used.
func Open(c *config.VectorDB, namespace string, texts []Text) (Index, error) {
	ids := make([]string, len(texts))
	for i, t := range texts {
		ids[i] = t.ID
	}
	s := space{namespace: namespace, set: identify(ids...), ids: ids, dimensions: c.Dimensions, metric: Metric(c.DistanceMetric)}
	switch {
	case c.Strategy == "redis" && c.Redis != nil:
		return newRedis(c.Redis, s)
	case c.Strategy == "pgvector" && c.PGVector != nil:
		return newPGVector(c.PGVector, s)
	}
	return nil, fmt.Errorf("vectordb.strategy: %q needs the record of that name", c.Strategy)
}

// space is the contents of an index. set identifies the descriptions of one
// configuration among those of earlier ones in the same namespace.
type space struct {
	namespace  string
	set        string
	ids        []string
	dimensions int
	metric     Metric
}

// memory is an index in memory. A search compares with each description, since there
// are few.
type memory struct {
	metric  Metric
	vectors map[string][]float32
}

// newMemory returns an index of vectors, which must not change any more.
func newMemory(metric Metric, vectors map[string][]float32) *memory {
	return &memory{metric, vectors}
}

func (m *memory) distances(v []float32) map[string]float64 {
	d := make(map[string]float64, len(m.vectors))
	for id, x := range m.vectors {
		d[id] = m.metric.distance(v, x)
	}
	return d
}

// distance returns the distance of vectors of equal length. The distance to a zero
// vector, which has no direction, is 1.
func (m Metric) distance(a, b []float32) float64 {
	var dot, aa, bb, square float64
	for i := range min(len(a), len(b)) {
		x, y := float64(a[i]), float64(b[i])
		dot += x * y
		aa += x * x
		bb += y * y
		square += (x - y) * (x - y)
	}
	switch {
	case m == Euclidean:
		return math.Sqrt(square)
	case aa == 0 || bb == 0:
		return 1
	}
	return 1 - dot/math.Sqrt(aa*bb)
}
