package responsecache

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// memory keeps the entries that were used last, within bounds of number and bytes.
type memory struct {
	entries, bytes int
	ttl            time.Duration

	mu    sync.Mutex
	used  int        // bytes
	order *list.List // of *kept, the last used first
	byKey map[Key]*list.Element
}

type kept struct {
	key     Key
	entry   *Entry
	expires time.Time
}

func newMemory(entries, bytes int, ttl time.Duration) *memory {
	return &memory{entries: entries, bytes: bytes, ttl: ttl, order: list.New(), byKey: map[Key]*list.Element{}}
}

func (m *memory) get(_ context.Context, k Key) *Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.byKey[k]
	if at == nil {
		return nil
	}
	one := at.Value.(*kept)
	if !time.Now().Before(one.expires) {
		m.remove(at)
		return nil
	}
	m.order.MoveToFront(at)
	return one.entry
}

func (m *memory) put(_ context.Context, k Key, e *Entry) {
	size := e.size()
	if size > m.bytes {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if at := m.byKey[k]; at != nil {
		m.remove(at)
	}
	m.byKey[k] = m.order.PushFront(&kept{k, e, time.Now().Add(m.ttl)})
	m.used += size
	for m.used > m.bytes || len(m.byKey) > m.entries {
		m.remove(m.order.Back())
	}
}

// remove forgets an entry. The lock is held.
func (m *memory) remove(at *list.Element) {
	one := at.Value.(*kept)
	m.order.Remove(at)
	delete(m.byKey, one.key)
	m.used -= one.entry.size()
}

func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.order.Init()
	clear(m.byKey)
	m.used = 0
}
