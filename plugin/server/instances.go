package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// maxRetired is how many instances may wait for their end at once. If the
// configuration changes faster, the oldest ends early.
const maxRetired = 256

// instances holds the instances that Kong has started.
type instances struct {
	open        func(config []byte) Instance
	end         func(Instance)
	grace, idle time.Duration

	starting sync.Mutex // held while an instance is made: one at a time

	mu      sync.RWMutex
	nextID  int32
	byID    map[int32]*started
	current map[slot]*started
	retired []*started // oldest first
	shared  map[identity]*shared
}

// slot identifies a worker's instance of a plugin.
type slot struct {
	worker int    // process id, 0 if not known
	plugin string // Kong's id of the plugin
}

// identity identifies a configuration: a digest.
type identity [sha256.Size]byte

// started is an instance as a worker knows it.
type started struct {
	id      int32
	slot    slot
	since   time.Time
	used    atomic.Int64 // last use, Unix nanoseconds
	events  atomic.Int32 // being handled
	retired bool         // closed or replaced
	shared  *shared
}

// shared is an instance and how many ids stand for it.
type shared struct {
	Instance
	identity identity
	ids      int
}

func newInstances(open func([]byte) Instance, end func(Instance), grace, idle time.Duration) *instances {
	return &instances{
		open: open, end: end, grace: grace, idle: idle,
		// After a restart Kong still has ids of the previous process: they
		// must not be taken for those of this one.
		nextID:  1 + rand.Int32N(1<<30),
		byID:    make(map[int32]*started),
		current: make(map[slot]*started),
		shared:  make(map[identity]*shared),
	}
}

// start gives worker an instance for config.
func (in *instances) start(worker int, config []byte) *started {
	plugin, identity := identify(config)
	in.starting.Lock()
	defer in.starting.Unlock()
	sh := in.share(identity, config)

	now := time.Now()
	st := &started{slot: slot{worker, plugin}, since: now, shared: sh}
	st.used.Store(now.UnixNano())
	var unused []Instance
	in.mu.Lock()
	st.id = in.newID()
	in.byID[st.id] = st
	before := in.current[st.slot]
	in.current[st.slot] = st
	// Without the worker's id it may be another worker's: then only a changed
	// configuration replaces.
	if before != nil && (worker != 0 || before.shared != sh) {
		unused = in.retire(before)
	}
	in.mu.Unlock()
	in.closeEach(unused)
	return st
}

// share returns the instance for identity, made if there is none, counted for
// one id more.
func (in *instances) share(identity identity, config []byte) *shared {
	in.mu.Lock()
	sh := in.shared[identity]
	if sh != nil {
		sh.ids++
	}
	in.mu.Unlock()
	if sh != nil {
		return sh
	}
	sh = &shared{Instance: in.open(config), identity: identity, ids: 1}
	in.mu.Lock()
	in.shared[identity] = sh
	in.mu.Unlock()
	return sh
}

func (in *instances) newID() int32 {
	for {
		id := in.nextID
		in.nextID = id%(1<<31-1) + 1
		if in.byID[id] == nil {
			return id
		}
	}
}

// acquire returns an instance for the time of an event, nil if id is unknown.
func (in *instances) acquire(id int32) *started {
	in.mu.RLock()
	defer in.mu.RUnlock()
	st := in.byID[id]
	if st != nil {
		st.events.Add(1)
	}
	return st
}

func (in *instances) release(st *started) {
	st.used.Store(time.Now().UnixNano())
	st.events.Add(-1)
}

// status returns an instance without using it, nil if id is unknown.
func (in *instances) status(id int32) *started {
	in.mu.RLock()
	defer in.mu.RUnlock()
	return in.byID[id]
}

// close is called when Kong will begin no further event with id. It returns nil if id
// is unknown.
func (in *instances) close(id int32) *started {
	in.mu.Lock()
	st := in.byID[id]
	var unused []Instance
	if st != nil {
		unused = in.retire(st)
	}
	in.mu.Unlock()
	in.closeEach(unused)
	return st
}

// remove retires the instances of a plugin, of all workers.
func (in *instances) remove(plugin string) {
	in.mu.Lock()
	var unused []Instance
	for slot, st := range in.current {
		if slot.plugin == plugin {
			unused = append(unused, in.retire(st)...)
		}
	}
	in.mu.Unlock()
	in.closeEach(unused)
}

// retire queues st for its end.
func (in *instances) retire(st *started) (unused []Instance) {
	if st.retired {
		return nil
	}
	st.retired = true
	if in.current[st.slot] == st {
		delete(in.current, st.slot)
	}
	in.retired = append(in.retired, st)
	surplus := len(in.retired) - maxRetired
	if surplus <= 0 {
		return nil
	}
	return in.free(func(i int, _ *started) bool { return i < surplus })
}

// sweep frees instances that have been unused for long enough.
func (in *instances) sweep(now time.Time) {
	idle, grace := now.Add(-in.idle), now.Add(-in.grace).UnixNano()
	var unused []Instance
	in.mu.Lock()
	for _, st := range in.byID {
		if st.unusedSince(idle) {
			unused = append(unused, in.retire(st)...)
		}
	}
	unused = append(unused, in.free(func(_ int, st *started) bool { return st.used.Load() < grace })...)
	in.mu.Unlock()
	in.closeEach(unused)
}

// unusedSince tells whether neither Kong nor anybody else used st after t.
func (st *started) unusedSince(t time.Time) bool {
	if st.events.Load() > 0 || st.used.Load() >= t.UnixNano() {
		return false
	}
	usage, ok := st.shared.Instance.(Usage)
	return !ok || usage.LastUsed().Before(t)
}

// free ends those retired instances that may go and handle no event.
func (in *instances) free(may func(i int, st *started) bool) (unused []Instance) {
	var kept []*started
	for i, st := range in.retired {
		if st.events.Load() > 0 || !may(i, st) {
			kept = append(kept, st)
			continue
		}
		delete(in.byID, st.id)
		if st.shared.ids--; st.shared.ids == 0 {
			delete(in.shared, st.shared.identity)
			unused = append(unused, st.shared.Instance)
		}
	}
	in.retired = kept
	return unused
}

// closeAll frees everything, when no event is handled any more.
func (in *instances) closeAll() {
	in.mu.Lock()
	var unused []Instance
	for _, sh := range in.shared {
		unused = append(unused, sh.Instance)
	}
	clear(in.shared)
	clear(in.current)
	clear(in.byID)
	in.retired = nil
	in.mu.Unlock()
	in.closeEach(unused)
}

func (in *instances) closeEach(unused []Instance) {
	for _, instance := range unused {
		in.end(instance)
	}
}

// identify returns Kong's id of the plugin and what tells config from others.
// Workers write the same configuration with its keys in any order and number
// theirs (__seq__).
func identify(config []byte) (plugin string, id identity) {
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return "", sha256.Sum256(config) // refused when it is opened
	}
	delete(fields, "__seq__")
	canonical, err := json.Marshal(fields) // map keys are sorted
	if err != nil {
		return "", sha256.Sum256(config)
	}
	for _, name := range []string{"__plugin_id", "__key__"} {
		if value, ok := fields[name]; ok {
			return fmt.Sprint(value), sha256.Sum256(canonical)
		}
	}
	return "", sha256.Sum256(canonical)
}
