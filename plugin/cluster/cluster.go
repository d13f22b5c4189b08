// Package cluster shares the state of targets between nodes: usage counts, latency
// averages and health, through Redis. No request waits for it: each node uses what
// it knows itself, and a few times a second an exchange sends what happened here
// and receives what happened elsewhere. Without Redis a node works alone.
//
// Start with Join and Node.exchange. exchange.lua is what happens in Redis, one
// target's hash at a time; balancer.State.Merge is what happens here.
package cluster

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/resp"
)

// Times of the exchange.
const (
	interval = 200 * time.Millisecond
	pause    = 2 * time.Second // while Redis does not answer
	patience = time.Second     // for an answer
	keep     = 24 * time.Hour  // a target that no node reports is forgotten
)

//go:embed exchange.lua
var lua string

var script = redis.NewScript(lua)

// Node is this process as one of several nodes.
type Node struct {
	client *redis.Client
	states *balancer.Store
	log    zerolog.Logger
	bases  map[*balancer.State]*base
	alone  bool // Redis did not answer last time
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// base is the state on which this node and the others last agreed.
type base struct {
	key  string
	last balancer.Snapshot
	seen int // the round in which the state was last in use
}

// Join begins to share states through the Redis at url (redis://, rediss://
// for TLS, unix://). It does not wait for Redis. Close ends it.
func Join(url string, states *balancer.Store, log zerolog.Logger) (*Node, error) {
	o, err := resp.Options(url, patience)
	if err != nil {
		return nil, err
	}
	o.PoolSize = 2
	n := &Node{client: redis.NewClient(o), states: states, log: log, bases: map[*balancer.State]*base{}}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	n.done.Go(func() { n.run(ctx) })
	return n, nil
}

// Close sends what the others do not know yet, if Redis answers immediately.
func (n *Node) Close() {
	n.stop()
	n.done.Wait()
	n.client.Close()
}

func (n *Node) run(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			n.log.Error().Interface("panic", p).Msg("sharing with other nodes has ended")
		}
	}()
	for round := 1; ; round++ {
		wait := interval
		if err := n.exchange(ctx, round); err != nil && ctx.Err() == nil {
			wait = pause
			if !n.alone {
				n.log.Warn().Str("error", err.Error()).Msg("Redis does not answer: this node goes by what it knows itself")
			}
			n.alone = true
		} else if n.alone && ctx.Err() == nil {
			n.alone = false
			n.log.Info().Msg("Redis answers again: sharing with other nodes")
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			if !n.alone {
				last, cancel := context.WithTimeout(context.Background(), patience)
				_ = n.exchange(last, round+1) // the node ends: nobody is left to hear of a failure
				cancel()
			}
			return
		}
	}
}

// told is what one exchange sends about a state.
type told struct {
	state *balancer.State
	base  *base
	now   balancer.Snapshot
	reply *redis.Cmd
}

// exchange sends what is new of all states in use to Redis and applies what is known
// there, in one round trip.
func (n *Node) exchange(ctx context.Context, round int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var all []told
	n.states.Each(func(identity string, s *balancer.State) {
		b := n.bases[s]
		if b == nil {
			b = &base{key: key(identity), last: s.Given()}
			n.bases[s] = b
		}
		b.seen = round
		all = append(all, told{state: s, base: b, now: s.Snapshot()})
	})
	for s, b := range n.bases {
		if b.seen != round {
			delete(n.bases, s)
		}
	}
	if len(all) == 0 {
		return n.client.Ping(ctx).Err()
	}
	err := n.send(ctx, all)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err = script.Load(ctx, n.client).Err(); err == nil {
			err = n.send(ctx, all)
		}
	}
	return err
}

func (n *Node) send(ctx context.Context, all []told) error {
	sent := time.Now()
	p := n.client.Pipeline()
	for i := range all {
		t := &all[i]
		t.reply = script.EvalSha(ctx, p, []string{t.base.key}, arguments(t.base.last, t.now, sent)...)
	}
	_, err := p.Exec(ctx)
	for i := range all {
		t := &all[i]
		answer, failed := t.reply.StringSlice()
		if failed != nil {
			if err == nil {
				err = failed
			}
			continue
		}
		joined, failed := read(answer, sent)
		if failed != nil {
			return failed
		}
		t.state.Merge(t.now, joined)
		joined.LastFail, joined.Rest = latest(joined.LastFail, t.now.LastFail), latest(joined.Rest, t.now.Rest)
		t.base.last = joined
	}
	return err
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// key returns a digest of the identity, which contains hosts and names.
func key(identity string) string {
	return "go-ai-proxy:target:" + digest(identity)
}

func digest(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:16])
}

// arguments returns the arguments of exchange.lua, in its order. Times are sent as
// ages, in ms, since the clocks of nodes differ.
func arguments(last, now balancer.Snapshot, sent time.Time) []any {
	whole := func(n int64) string { return strconv.FormatInt(n, 10) }
	float := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	// Only changes are sent: a time that is sent back and forth would change a little
	// each time.
	age := func(t time.Time, news bool) string {
		if t.IsZero() || !news {
			return ""
		}
		return whole(sent.Sub(t).Milliseconds())
	}
	open := "" // failures that are not forgiven, where some were since last time
	if now.Forgiven != last.Forgiven {
		open = whole(int64(now.Fails - now.Forgiven))
	}
	return []any{
		whole(keep.Milliseconds()),
		whole(last.Prompt), whole(now.Prompt - last.Prompt),
		whole(last.Completion), whole(now.Completion - last.Completion),
		float(last.Cost), float(now.Cost - last.Cost),
		whole(int64(last.Fails)), whole(int64(now.Fails - last.Fails)), whole(int64(last.Forgiven)), open,
		age(now.LastFail, !now.LastFail.Equal(last.LastFail)), age(now.Rest, !now.Rest.Equal(last.Rest)),
		float(now.E2E.Value), age(now.E2E.At, now.E2E.Value != last.E2E.Value),
		float(now.TPOT.Value), age(now.TPOT.At, now.TPOT.Value != last.TPOT.Value),
	}
}

// What an answer of Redis may hold: whole numbers that a float can hold exactly, and
// ages in ms of at most a century.
const (
	maxCount = 1 << 53
	maxAge   = 100 * 365 * 24 * 3600 * 1000
)

// read reads the answer of exchange.lua.
func read(answer []string, received time.Time) (s balancer.Snapshot, err error) {
	if len(answer) != 11 {
		return s, fmt.Errorf("redis answers with %d values", len(answer))
	}
	number := func(i int, least, most float64) float64 {
		f, e := strconv.ParseFloat(answer[i], 64)
		if (e != nil || !(f >= least && f <= most)) && err == nil { // NaN is neither
			err = fmt.Errorf("redis answers with %.40q for a number from %g to %g", answer[i], least, most)
		}
		return f
	}
	at := func(i int) time.Time {
		if answer[i] == "" {
			return time.Time{}
		}
		return received.Add(-time.Duration(number(i, -maxAge, maxAge)) * time.Millisecond)
	}
	s = balancer.Snapshot{
		Prompt: int64(number(0, 0, maxCount)), Completion: int64(number(1, 0, maxCount)), Cost: number(2, 0, maxCount),
		Fails: uint32(number(3, 0, math.MaxUint32)), Forgiven: uint32(number(4, 0, math.MaxUint32)),
		LastFail: at(5), Rest: at(6),
		E2E: balancer.Average{Value: number(7, 0, maxCount), At: at(8)}, TPOT: balancer.Average{Value: number(9, 0, maxCount), At: at(10)},
	}
	return s, err
}
