package standalone

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}

func TestEntriesThatComeTogetherGoOutInOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writes
		b := &batch{out: &out}
		for _, entry := range []string{"a\n", "b\n", "c\n"} {
			if n, err := b.Write([]byte(entry)); n != len(entry) || err != nil {
				t.Fatal(n, err)
			}
		}
		b.mu.Lock()
		if len(out) != 0 {
			t.Fatalf("written at once: %q", out)
		}
		b.mu.Unlock()
		time.Sleep(2 * holdEntries)
		synctest.Wait()
		_, _ = b.Write([]byte("d\n"))
		time.Sleep(2 * holdEntries)
		synctest.Wait()
		if got := strings.Join(out, "|"); got != "a\nb\nc\n|d\n" {
			t.Errorf("written: %q", got)
		}
	})
}

func TestALargeBatchIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writes
		b := &batch{out: &out}
		payload := strings.Repeat("x", 3*maxHeld)
		_, _ = b.Write([]byte(payload))
		if len(out) != 1 || out[0] != payload {
			t.Fatalf("%d writes", len(out))
		}
		if cap(b.held) > maxHeld {
			t.Errorf("%d bytes are kept", cap(b.held))
		}
		b.flush()
		if len(out) != 1 {
			t.Errorf("an empty write")
		}
	})
}
