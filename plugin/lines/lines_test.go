package lines

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// output collects writes. While it is stuck they stand still; while it fails
// they are refused.
type output struct {
	mu     sync.Mutex
	writes []string
	stuck  chan struct{}
	fails  bool
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	stuck, fails := o.stuck, o.fails
	o.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	if fails {
		return 0, errors.New("broken pipe")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes = append(o.writes, string(p))
	return len(p), nil
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.writes, "|")
}

func (o *output) set(stuck chan struct{}, fails bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stuck, o.fails = stuck, fails
}

// told remembers what Lost was told.
type told struct {
	mu   sync.Mutex
	what []int
}

func (l *told) lost(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.what = append(l.what, n)
}

func (l *told) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprint(l.what)
}

// pass lets the time pass in which lines are held.
func pass() {
	time.Sleep(2 * holdTime)
	synctest.Wait()
}

func write(t *testing.T, w io.Writer, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if n, err := w.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
}

func TestConcurrentLinesAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &output{}
		w := &Writer{Out: out}
		write(t, w, "a\n", "b\n", "c\n")
		if got := out.text(); got != "" {
			t.Fatalf("written at once: %q", got)
		}
		pass()
		write(t, w, "d\n")
		pass()
		if got := out.text(); got != "a\nb\nc\n|d\n" {
			t.Errorf("written: %q", got)
		}
	})
}

func TestLargeBatchIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &output{}
		w := &Writer{Out: out}
		large := strings.Repeat("x", maxHeld+1) // one line may be larger than all that may wait
		write(t, w, large)
		synctest.Wait() // no time passes
		if got := out.text(); got != large {
			t.Fatalf("%d bytes are written", len(got))
		}
		if w.spare != nil {
			t.Errorf("%d bytes are kept", cap(w.spare))
		}
		write(t, w, "a\n")
		pass()
		if got := out.text(); got != large+"|a\n" {
			t.Error("the next line is not written")
		}
	})
}

func TestBlockedOutputDoesNotBlockWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, lost, reader := &output{}, &told{}, make(chan struct{})
		out.set(reader, false)
		w := &Writer{Out: out, Lost: lost.lost}
		write(t, w, "first\n")
		pass() // it is being written from now on
		line := strings.Repeat("x", maxHeld/4-1) + "\n"
		write(t, w, line, line, line, line)
		if got := lost.String(); got != "[]" {
			t.Fatalf("lost %s while there was room", got)
		}
		write(t, w, "dropped\n", line, "dropped\n", "two\nlines\n")
		if got := lost.String(); got != "[0]" {
			t.Errorf("lost %s, want the beginning only", got)
		}
		if len(w.held) != maxHeld {
			t.Errorf("%d bytes are held", len(w.held))
		}
		out.set(nil, false)
		close(reader)
		pass()
		write(t, w, "last\n")
		pass()
		if got := lost.String(); got != "[0 5]" {
			t.Errorf("lost %s, want five lines", got)
		}
		if got := out.text(); got != "first\n|"+line+line+line+line+"|last\n" {
			t.Errorf("%d bytes are written", len(got))
		}
		w.Close(time.Second)
		if got := lost.String(); got != "[0 5]" {
			t.Errorf("lost %s after the end", got)
		}
	})
}

func TestRefusedLinesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, lost := &output{}, &told{}
		out.set(nil, true)
		w := &Writer{Out: out, Lost: lost.lost}
		for range 3 {
			write(t, w, "a\n", "b\n")
			pass()
		}
		if got := lost.String(); got != "[0]" {
			t.Errorf("lost %s, want the beginning once", got)
		}
		out.set(nil, false)
		write(t, w, "c\n")
		pass()
		if got := lost.String(); got != "[0 6]" {
			t.Errorf("lost %s, want six lines", got)
		}
	})
}

func TestWriterMayReportLostLinesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, reader := &output{}, make(chan struct{})
		out.set(reader, false)
		w := &Writer{Out: out}
		w.Lost = func(n int) { fmt.Fprintf(w, "lost %d\n", n) }
		write(t, w, "a\n")
		pass()
		full := strings.Repeat("x", maxHeld-1) + "\n"
		write(t, w, full, "b\n")
		out.set(nil, false)
		close(reader)
		pass()
		if got := out.text(); got != "a\n|"+full+"|lost 2\n" { // the word that lines begin to be lost is one of them
			t.Errorf("%.20q… of %d bytes is written", got, len(got))
		}
		out.set(nil, true)
		write(t, w, "c\n")
		pass()
		out.set(nil, false)
		w.Close(time.Second)
		if got := out.text(); !strings.HasSuffix(got, "|lost 2\n|lost 2\n") {
			t.Errorf("at the end: %q", got[len(got)-30:])
		}
	})
}

func TestCloseWritesHeldLinesWithinABoundedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, lost, reader := &output{}, &told{}, make(chan struct{})
		w := &Writer{Out: out, Lost: lost.lost}
		w.Close(time.Minute) // with nothing to write
		write(t, w, "a\n")
		began := time.Now()
		w.Close(time.Minute)
		if got := out.text(); got != "a\n" || time.Since(began) > 0 {
			t.Errorf("%q is written, after %s", got, time.Since(began))
		}
		out.set(reader, false)
		write(t, w, "b\n")
		pass()
		write(t, w, "c\n", "d\n")
		began = time.Now()
		w.Close(time.Minute)
		if d := time.Since(began); d != time.Minute {
			t.Errorf("it waited %s", d)
		}
		if got := lost.String(); got != "[2]" {
			t.Errorf("lost %s", got)
		}
		close(reader)
		pass()
	})
}
