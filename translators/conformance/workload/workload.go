// Package workload has fuzz targets fail where what they call does more work than is
// linear in its input. Time says nothing for the small inputs of a fuzzer, so the
// measure is the memory that was allocated in all: a text that is copied again and
// again, a list that is made anew for each element, an answer that unfolds. Where
// work is done without allocating, package growth compares times. For tests only.
package workload

import "runtime/metrics"

// What an input may have allocated in all, in bytes, the fuzz target's own checks
// with it: a part that does not depend on it (servers, connections, buffers), and
// one for each of its bytes.
const (
	base    = 4 << 20
	perByte = 1 << 10
)

// tester is what is needed of a testing.TB.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
}

// Linear begins to count; what it returns ends that, and fails the test when more
// was allocated than size bytes of input may. It stands first in a fuzz target:
//
//	defer workload.Linear(t, len(body))()
func Linear(t tester, size int) (end func()) {
	before := allocated()
	return func() {
		t.Helper()
		if got, most := allocated()-before, uint64(base+perByte*size); got > most {
			t.Errorf("%d bytes were allocated for an input of %d, want at most %d", got, size, most)
		}
	}
}

// allocated is how many bytes the program has allocated since it began. What stands
// in a processor's cache is not counted yet; that is far less than base.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
