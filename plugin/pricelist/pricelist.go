// Package pricelist keeps the price lists that configurations name: the one that is
// built in, and files of the user's, which are read again when they change. What a
// list says is in package prices.
package pricelist

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/translators/prices"
)

// Store holds the lists that are in use. Its zero value is empty, and it is safe for
// concurrent use.
type Store struct {
	mu    sync.Mutex
	lists map[string]*List
}

// List is a price list, always in its newest form.
type List struct {
	path    string // "" for the built-in list
	log     zerolog.Logger
	table   atomic.Pointer[prices.Table]
	checked atomic.Int64 // unix nanoseconds of the last look at the file
	busy    atomic.Bool  // somebody is looking at it
	stamp   stamp        // of what was read; belongs to who is busy
}

// stamp tells a file's content from another without reading it.
type stamp struct {
	size     int64
	modified time.Time
}

const (
	// every is how often a file is looked at, at most.
	every = 5 * time.Second
	// settled is how long ago a file must have changed: it may still be being written.
	settled = time.Second
	// maxFile bounds a file, in bytes.
	maxFile = 16 << 20
)

// Open returns the list that a configuration calls name: prices.BuiltIn, or the path of
// a file, which must be readable and right.
func (s *Store) Open(name string, log zerolog.Logger) (*List, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lists[name]; l != nil {
		return l, nil
	}
	l := &List{log: log}
	if name == prices.BuiltIn {
		l.table.Store(prices.List())
	} else {
		l.path = name
		if err := l.read(); err != nil {
			return nil, err
		}
	}
	if s.lists == nil {
		s.lists = map[string]*List{}
	}
	s.lists[name] = l
	return l, nil
}

// Table returns the list's table. It waits for nothing: a file that has changed is read
// by another goroutine.
func (l *List) Table() *prices.Table {
	if l.path != "" {
		l.look(time.Now())
	}
	return l.table.Load()
}

// look has the file read again if it has changed, once in a while.
func (l *List) look(now time.Time) {
	if now.UnixNano()-l.checked.Load() < int64(every) || !l.busy.CompareAndSwap(false, true) {
		return
	}
	l.checked.Store(now.UnixNano())
	go func() {
		defer l.busy.Store(false)
		defer func() {
			if p := recover(); p != nil {
				l.log.Error().Interface("panic", p).Msg("price list")
			}
		}()
		if err := l.read(); err != nil {
			l.log.Error().Err(err).Msg("the price list has changed and cannot be used: the old one stays")
		}
	}()
}

// read reads the file, unless it is what was read last. What it lacks is in the list
// that is built in.
func (l *List) read() error {
	f, err := os.Open(l.path)
	if err != nil {
		return fmt.Errorf("price list: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("price list: %w", err)
	}
	now := stamp{info.Size(), info.ModTime()}
	if now == l.stamp || l.table.Load() != nil && time.Since(now.modified) < settled {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return fmt.Errorf("price list: %w", err)
	}
	if len(data) > maxFile {
		return fmt.Errorf("price list: %s has more than %d bytes", l.path, maxFile)
	}
	l.stamp = now // an error is said once
	table, err := prices.Parse(l.path, data)
	if err != nil {
		return fmt.Errorf("price list: %w", err)
	}
	l.table.Store(table.Before(prices.List()))
	return nil
}
