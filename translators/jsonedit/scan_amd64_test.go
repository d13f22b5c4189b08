package jsonedit

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// pieces are what strings are made of here: most of it is usual, some is wrong.
var pieces = []string{
	`\n`, `\t`, `\"`, `\\`, `\r`, `\b`, `\f`, `\/`, `\u00e9`, `\ud83d\ude00`, "a", "func main() {", " ", "é", "☺", "\xff", "nrtbf/u",
	"the quick brown fox jumps over", "\\\\\\\\\\\\", "\x7f", "\x80", "v", "d", "2", "\"", "\x1f", "\n", `\x`, `\v`, `\u12`, "\\",
}

// skipBlocks and the code that stands in for it elsewhere read every string alike.
func TestStringsAreReadTheSameWithVectors(t *testing.T) {
	if !vectors {
		t.Skip("this processor has none")
	}
	defer func() { vectors = true }()
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 30_000 {
		var b strings.Builder
		b.WriteString(strings.Repeat("x", random.IntN(40)) + `"`)
		start := b.Len() - 1
		usual := len(pieces) - random.IntN(len(pieces)) // the wrong ones are the last
		for range random.IntN(40) {
			b.WriteString(pieces[random.IntN(usual)])
		}
		b.WriteString(`"` + strings.Repeat(" ", random.IntN(70)))
		text := []byte(b.String())
		vectors = true
		end, flags, err := scanString(text, start)
		vectors = false
		wantEnd, wantFlags, wantErr := scanString(text, start)
		flags, wantFlags = flags&^wide, wantFlags&^wide // it may be set for what follows the string
		if end != wantEnd || flags != wantFlags || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%d: %q from %d: got %d %b %v, want %d %b %v", n, text, start, end, flags, err, wantEnd, wantFlags, wantErr)
		}
		if err != nil {
			continue
		}
		vectors = true
		_, flags, _ = scanString(text, start)
		for _, c := range text[start:end] {
			if c >= 0x80 && flags&wide == 0 {
				t.Fatalf("%q: is not ASCII", text)
			}
		}
	}
}
