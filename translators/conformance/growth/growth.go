// Package growth tests that code which reads untrusted bytes takes linear time. It
// grows a document at every place and in every way that may slow down a parser,
// and compares the times for two sizes, one ten times the other. It is for tests
// only.
//
// Start with Check.
package growth

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"go-ai-proxy/translators/jsonedit"
)

// The sizes that are compared, in members, elements or escapes, and how much
// longer the larger may take.
const (
	small = 200
	large = 10 * small
	limit = 20 // what does not fit in the caches takes up to twice as long
)

// floor is a time below which nothing is compared with: what the smaller size
// takes may be too little to be measured.
const floor = 30 * time.Microsecond

// tries are how often a parser may do better: other work on the machine, and
// memory that is touched for the first time, take their part of the first ones.
const tries = 12

// Check calls read with docs grown at each of their places in each way, and
// fails for a place where ten times the size takes more than twenty times as
// long. docs are valid JSON; what is grown need not make sense to its reader.
// Objects and strings that one of them has like another before it are not grown
// again.
func Check(t *testing.T, read func(doc []byte), docs ...[]byte) {
	t.Helper()
	done := map[string]bool{}
	for _, doc := range docs {
		for _, shape := range Shapes(doc) {
			if done[shape.Name] && !shape.list {
				continue
			}
			done[shape.Name] = true
			Linear(t, shape.Name, func(n int) func() {
				grown := shape.Of(n)
				return func() { read(grown) }
			})
		}
	}
}

// Linear fails unless what work makes for ten times the size runs at most
// twenty times as long. Time is that of the thread, not of the clock.
func Linear(t *testing.T, name string, work func(n int) func()) {
	t.Helper()
	few, many := work(small), work(large)
	if less, more := compare(few, many); more > limit*less {
		t.Errorf("%s: %d take %v, and %d take %v: %.0f times as long, allowed are %d times",
			name, small, less, large, more, float64(more)/float64(less), limit)
	}
}

// compare is the least time that each of both takes.
func compare(few, many func()) (less, more time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	less, more = math.MaxInt64, math.MaxInt64
	for try := range tries {
		if try > 0 {
			runtime.GC()
		}
		rounds := 2 // mostly enough to see that all is well
		if try > 0 {
			rounds = large / small // as much memory that is touched for the first time
		}
		less = min(less, max(took(func() {
			for range rounds {
				few()
			}
		})/time.Duration(rounds), floor))
		more = min(more, took(many))
		if more <= limit*less {
			break
		}
	}
	return less, more
}

func took(f func()) time.Duration {
	before := threadTime()
	f()
	return threadTime() - before
}

var start = time.Now()

// Shape is a document that grows at one place.
type Shape struct {
	Name string
	Of   func(n int) []byte
	list bool // an array grows
}

// Shapes are the ways to grow doc. Objects get unknown members, with names that
// come once, twice and often, and the last of their own members again and again;
// arrays their elements again, every other one with ids of its own; strings get
// escapes. Two arrays grow
// together, and each with the outermost object, so that neither is looked
// through for each element of the other.
func Shapes(doc []byte) []Shape {
	var all []Shape
	found := places("", doc, 0)
	arrays := 0
	for _, p := range found {
		if p.kind == '[' {
			arrays++
		}
	}
	for i, p := range found {
		for _, w := range ways[p.kind] {
			if w.grow(doc[p.from:p.to], 1) != nil {
				all = append(all, Shape{Name: p.path + " with " + w.name, list: p.kind == '[', Of: func(n int) []byte { return w.at(doc, p, n) }})
			}
		}
		if p.kind != '[' || elements.grow(doc[p.from:p.to], 1) == nil {
			continue
		}
		if doc[0] == '{' {
			all = append(all, Shape{Name: p.path + " and unknown members", list: true, Of: func(n int) []byte {
				grown := elements.at(doc, p, n)
				return unknown.at(grown, place{to: len(grown)}, n)
			}})
		}
		for _, q := range found[i+1:] {
			if arrays > maxPairs {
				break
			}
			if q.kind == '[' && q.from > p.to && elements.grow(doc[q.from:q.to], 1) != nil {
				all = append(all, Shape{Name: p.path + " and " + q.path, list: true, Of: func(n int) []byte {
					return elements.at(elements.at(doc, q, n), p, n)
				}})
			}
		}
	}
	return all
}

// maxPairs is the number of arrays in a document above which they do not grow in
// pairs: that would be too many.
const maxPairs = 6

// at is doc with the value at p grown.
func (w *way) at(doc []byte, p place, n int) []byte {
	out := append([]byte{}, doc[:p.from]...)
	out = append(out, w.grow(doc[p.from:p.to], n)...)
	return append(out, doc[p.to:]...)
}

// place is a value in a document that can be grown.
type place struct {
	path     string
	kind     byte // its first: { [ "
	from, to int
}

func places(path string, value []byte, from int) []place {
	all := []place{{path + "$", 0, from, from + len(value)}}
	switch {
	case jsonedit.IsObject(value):
		all[0].kind = '{'
		for _, m := range jsonedit.Members(value, nil) {
			all = append(all, places(path+"."+string(m.Key), m.Value, from+m.End-len(m.Value))...)
		}
	case jsonedit.IsArray(value):
		all[0].kind = '['
		at := 1
		for i, e := range jsonedit.Elements(value, nil) {
			for value[at] != e[0] {
				at++ // a comma, white space
			}
			if i < 3 { // more of the same tell nothing new
				all = append(all, places(path+"[]", e, from+at)...)
			}
			at += len(e)
		}
	case jsonedit.IsString(value):
		all[0].kind = '"'
	default:
		return nil
	}
	return all
}
