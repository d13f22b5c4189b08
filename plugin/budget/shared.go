package budget

import (
	"context"
	_ "embed"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/resp"
)

// Times. The first two are longer in tests, whose machine may be busy.
var (
	patience = 250 * time.Millisecond // for an answer of Redis
	parting  = time.Second            // for the last settlements
)

const (
	pause = time.Second           // while Redis does not answer, until it is asked again
	again = 50 * time.Millisecond // between two tries of the last settlements
)

//go:embed reserve.lua
var reserveLua string

//go:embed settle.lua
var settleLua string

var reserveScript, settleScript = redis.NewScript(reserveLua), redis.NewScript(settleLua)

// shared counts in Redis.
type shared struct {
	client *redis.Client
	log    zerolog.Logger
	node   string
	wake   chan struct{} // there is something to settle
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	until time.Time            // Redis is not asked before
	alone bool                 // it did not answer last time
	queue map[place]settlement // what has not been sent
	lost  bool                 // queue was full
	seq   uint64
}

// place is where a settlement goes.
type place struct {
	key    string
	window int64
}

// settlement is a change of what is used.
type settlement struct {
	size   int64 // of the window in ms
	change int64
}

// maxQueue bounds the queue while Redis does not answer. Changes of one counter are one
// entry.
const maxQueue = 1 << 17

// Share has budgets counted in the Redis at url, with all nodes that use it. It does
// not wait for Redis. Close ends it. It must be called before the first Reserve.
func (s *Store) Share(url string, log zerolog.Logger) error {
	o, err := resp.Options(url, patience)
	if err != nil {
		return err
	}
	o.DialerRetries = 1
	ctx, stop := context.WithCancel(context.Background())
	s.shared = &shared{client: redis.NewClient(o), log: log, node: strconv.FormatUint(rand.Uint64(), 36), wake: make(chan struct{}, 1), stop: stop, queue: map[place]settlement{}}
	s.shared.done.Go(func() { s.shared.run(ctx) })
	return nil
}

// Close sends what is left to settle, if Redis answers.
func (s *Store) Close() {
	if s.shared == nil {
		return
	}
	s.shared.stop()
	s.shared.done.Wait()
	s.shared.client.Close()
}

// reserve is Store.Reserve in Redis. counted is false when Redis does not answer.
func (r *shared) reserve(s *Store, asks []Ask, parts []part, states []State, now time.Time) (over int, counted bool) {
	if !r.asked(now) {
		return -1, false
	}
	keys, args := make([]string, len(parts)), make([]any, 0, 6*len(parts))
	for i := range parts {
		p := &parts[i]
		known := p.budget.group.known(p.key)
		hard := 0
		if asks[i].hard() {
			hard = 1
		}
		keys[i] = p.key
		args = append(args, p.budget.group.size, p.budget.Limit, p.amount, hard, known.window, known.used)
	}
	// Not by the request's context: what was reserved must be known to be settled.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := reserveScript.Run(ctx, r.client, keys, args...).Int64Slice()
	if err == nil && len(answer) != 1+3*len(parts) {
		err = errors.New("redis answers with something else")
	}
	r.heard(err, now)
	if err != nil {
		return -1, false
	}
	for i := range parts {
		p := &parts[i]
		p.window, states[i].Used, states[i].Reset = answer[1+3*i], answer[2+3*i], time.Duration(answer[3+3*i])*time.Millisecond
		p.budget.group.know(p.key, p.window, states[i].Used)
	}
	return int(answer[0]) - 1, true
}

// asked says whether Redis is to be asked. While it does not answer, one request at a
// time finds out whether it does again.
func (r *shared) asked(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.until) {
		return false
	}
	if r.alone {
		r.until = now.Add(pause)
	}
	return true
}

// heard records whether Redis answered.
func (r *shared) heard(err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		r.until = now.Add(pause)
		if !r.alone {
			r.log.Warn().Str("error", err.Error()).Msg("budgets: Redis does not answer")
		}
	case r.alone:
		r.until = time.Time{}
		r.log.Info().Msg("budgets: Redis answers again")
	}
	r.alone = err != nil
}

// add queues a change for Redis.
func (r *shared) add(p *part, change int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := place{p.key, p.window}
	one, queued := r.queue[at]
	if !queued && len(r.queue) >= maxQueue {
		if !r.lost {
			r.lost = true
			r.log.Error().Msg("budgets: too much to settle while Redis does not answer: some is not counted")
		}
		return
	}
	one.size, one.change = p.budget.group.size, one.change+change
	r.queue[at] = one
	select {
	case r.wake <- struct{}{}:
	default: // run has not looked yet
	}
}

// run settles what is queued, as soon as the last batch has arrived.
func (r *shared) run(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			r.log.Error().Interface("panic", p).Msg("budgets: settling has ended")
		}
	}()
	var batch []sent
	for ctx.Err() == nil {
		var retry <-chan time.Time
		wake := r.wake
		if batch = r.settle(context.Background(), batch); len(batch) > 0 {
			wake, retry = nil, time.After(pause)
		} else if r.queued() {
			continue
		}
		select {
		case <-wake:
		case <-retry:
		case <-ctx.Done():
		}
	}
	last, cancel := context.WithTimeout(context.Background(), parting)
	defer cancel()
	for {
		batch = r.settle(last, batch)
		if len(batch) == 0 && !r.queued() || last.Err() != nil {
			return
		}
		select {
		case <-time.After(again):
		case <-last.Done():
		}
	}
}

func (r *shared) queued() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queue) > 0
}

// sent is a settlement that may have reached Redis. It keeps its number until it is
// known to have been carried out.
type sent struct {
	place
	settlement
	seq   uint64
	reply *redis.Cmd
}

// settle sends a batch, or what is queued if it is empty, and returns what is not known
// to have been carried out.
func (r *shared) settle(ctx context.Context, batch []sent) []sent {
	if len(batch) == 0 {
		batch = r.take()
	}
	if len(batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	err := r.send(ctx, batch)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err = settleScript.Load(ctx, r.client).Err(); err == nil {
			err = r.send(ctx, batch)
		}
	}
	r.heard(err, time.Now())
	left := batch[:0]
	for _, one := range batch {
		if one.reply == nil || one.reply.Err() != nil {
			left = append(left, one)
		}
	}
	return left
}

// maxBatch bounds one pipeline.
const maxBatch = 1000

// take takes settlements out of the queue.
func (r *shared) take() []sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	var batch []sent
	for at, one := range r.queue {
		if len(batch) == maxBatch {
			break
		}
		delete(r.queue, at)
		if one.change != 0 {
			r.seq++
			batch = append(batch, sent{place: at, settlement: one, seq: r.seq})
		}
	}
	return batch
}

func (r *shared) send(ctx context.Context, batch []sent) error {
	p := r.client.Pipeline()
	for i := range batch {
		one := &batch[i]
		one.reply = settleScript.EvalSha(ctx, p, []string{one.key}, one.size, one.window, one.change, r.node, one.seq)
	}
	_, err := p.Exec(ctx)
	return err
}
