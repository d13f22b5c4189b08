//go:build (linux || darwin) && (amd64 || arm64)

package jsonedit

import (
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"

	"go-ai-proxy/translators/conformance/workload"
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

// blocksPassed is skipBlocks as its comment has it, a byte at a time.
func blocksPassed(text []byte, carry uint32) (skipped int, next uint32, slashes, wide bool) {
	next = carry
	for ; len(text)-skipped >= block; skipped += block {
		after, slash, high := next, false, false
		for _, c := range text[skipped : skipped+block] {
			slash, high = slash || c == '\\', high || c >= 0x80
			switch {
			case c < ' ', after == 1 && !strings.ContainsRune(`"\bfnrt`, rune(c)), after == 0 && c == '"':
				return skipped, next, slashes, wide
			case after == 0 && c == '\\':
				after = 1
			default:
				after = 0
			}
		}
		next, slashes, wide = after, slashes || slash, wide || high
	}
	return skipped, next, slashes, wide
}

func checkBlocks(t *testing.T, text []byte, carry uint32) {
	t.Helper()
	skipped, next, slashes, wide := skipBlocks(&text[0], len(text), carry)
	wantSkipped, wantNext, wantSlashes, wantWide := blocksPassed(text, carry)
	if skipped != wantSkipped || next != wantNext || slashes != 0 != wantSlashes || wide != 0 != wantWide {
		t.Fatalf("%q after %d: got %d, %d, %x, %x; want %d, %d, %v, %v",
			text, carry, skipped, next, slashes, wide, wantSkipped, wantNext, wantSlashes, wantWide)
	}
}

// atTheEnd returns n bytes behind which memory cannot be read: who does is killed.
func atTheEnd(t *testing.T, n int) []byte {
	t.Helper()
	page := os.Getpagesize()
	pages, err := syscall.Mmap(-1, 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(pages) })
	if err := syscall.Mprotect(pages[page:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return pages[page-n : page : page]
}

// Each length, at the end of memory, with each piece at each place, and each byte.
func TestVectorsPassTheBlocksThatTheyShould(t *testing.T) {
	if !vectors {
		t.Skip("this processor has none")
	}
	memory := atTheEnd(t, 200)
	for n := range len(memory) {
		text := memory[n:]
		for _, piece := range append(pieces, "") {
			for at := 0; at < len(text); at += 1 + len(text)/37 {
				for i := range text {
					text[i] = 'x'
				}
				copy(text[at:], piece)
				checkBlocks(t, text, 0)
				checkBlocks(t, text, 1)
				text[0] = 'n' // may be escaped
				checkBlocks(t, text, 1)
			}
		}
	}
	for at := range 2 * block {
		text := memory[len(memory)-2*block:]
		for c := range 256 {
			for i := range text {
				text[i] = 'x'
			}
			text[at] = byte(c)
			checkBlocks(t, text, 0)
			if at > 0 {
				text[at-1] = '\\'
				checkBlocks(t, text, 0)
			}
		}
	}
}

func FuzzBlocks(f *testing.F) {
	if !vectors {
		f.Skip("this processor has none")
	}
	for _, piece := range pieces {
		f.Add([]byte(strings.Repeat(piece, 1+100/len(piece))), false)
		f.Add([]byte(strings.Repeat("plain", 20)+piece+strings.Repeat(`\n`, 40)), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, escaped bool) {
		defer workload.Linear(t, len(text))()
		if len(text) == 0 {
			return
		}
		carry := uint32(0)
		if escaped {
			carry = 1
		}
		checkBlocks(t, text, carry)
	})
}

// findPair finds a pair at each place of each length, at the end of memory, and passes
// what is only half of one.
func TestPairsAreFoundAtEachPlace(t *testing.T) {
	if !vectors {
		t.Skip("this processor has none")
	}
	memory := atTheEnd(t, 200)
	for n := 1; n < 150; n++ {
		for _, gap := range []int{1, 7, 32, 45} {
			text := memory[len(memory)-n-gap:]
			for at := -1; at < n; at++ {
				for i := range text {
					text[i] = 'a'
				}
				want := n / block * block
				if at >= 0 {
					text[at+gap] = 'b'
					want = min(want, at)
				}
				if got := findPair(&text[0], n, 'a', 'b', gap); got != want {
					t.Fatalf("%q, gap %d, pair at %d: got %d, want %d", text, gap, at, got, want)
				}
			}
		}
	}
}
