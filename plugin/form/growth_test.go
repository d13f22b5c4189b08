package form

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"go-ai-proxy/translators/conformance/growth"
)

// Ten times the form takes about ten times as long: many parts, one long part, and
// content that keeps beginning like a boundary.
func TestFormsAreReadInLinearTime(t *testing.T) {
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
			return fmt.Sprintf(head, 0) + strings.Repeat("\r\n--a\r\n-", n*40) + "\r\n"
		},
		"one long value": func(n int) string { return fmt.Sprintf(head, 0) + strings.Repeat("x", n*500) + "\r\n" },
	} {
		growth.Linear(t, name, func(n int) func() {
			body := build(n) + "--b--\r\n"
			return func() {
				f, err := New(strings.NewReader(body), "multipart/form-data; boundary=b")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, f); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		})
	}
}
