package form

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// Ten times the form takes about ten times as long: many parts, one long part, and
// content that keeps beginning like a boundary.
func TestFormsAreReadInLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	head := "--b\r\nContent-Disposition: form-data; name=\"f%d\"\r\n\r\n"
	for name, build := range map[string]func(n int) string{
		"parts": func(n int) string {
			var s strings.Builder
			for i := range n {
				fmt.Fprintf(&s, head+"v\r\n", i)
			}
			return s.String()
		},
		"beginnings of a boundary": func(n int) string {
			return fmt.Sprintf(head, 0) + strings.Repeat("\r\n--a\r\n-", n*8) + "\r\n"
		},
		"one long value": func(n int) string { return fmt.Sprintf(head, 0) + strings.Repeat("x", n*100) + "\r\n" },
	} {
		took := func(n int) time.Duration {
			body := build(n) + "--b--\r\n"
			best := time.Hour
			for range 12 { // the machine may be busy
				began := time.Now()
				f, err := New(strings.NewReader(body), "multipart/form-data; boundary=b")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, f); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				best = min(best, time.Since(began))
			}
			return best
		}
		if one, ten := took(1000), took(10000); ten > 20*one {
			t.Errorf("%s: %v, and %v for ten times as much", name, one, ten)
		}
	}
}
