package jsonedit

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestIndexFindsWhatBytesIndexFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, word := range []string{`""`, `"a"`, `"reasoning"`, `"a_name_that_is_longer_than_a_block_of_the_scan"`} {
		for n := range 20_000 {
			var b []byte
			for range random.IntN(8) {
				b = append(b, strings.Repeat("x", random.IntN(40))...)
				from := random.IntN(len(word))
				b = append(b, word[from:]...)
				b = append(b, word[:random.IntN(len(word))]...)
			}
			b = b[:len(b)-min(len(b), random.IntN(20))]
			if got, want := Index(b, word), bytes.Index(b, []byte(word)); got != want {
				t.Fatalf("%d: %q in %q: at %d, want %d", n, word, b, got, want)
			}
		}
	}
}

// The last places are looked at in a block that has been looked at before.
func TestIndexFindsTheLastPlaces(t *testing.T) {
	const word = `usage"`
	for n := range 200 {
		for _, like := range []string{"x", "u", `"`, "usage", `usage'`, `u____"`} { // some have the word's first and last byte at its distance
			before := []byte(strings.Repeat(like, n))
			body := append(before, word...)
			if got, want := Index(body, word), bytes.Index(body, []byte(word)); got != want {
				t.Fatalf("after %d of %q: at %d, want %d", n, like, got, want)
			}
			if got := Index(before, word); got != -1 {
				t.Fatalf("%d of %q: found at %d what is not there", n, like, got)
			}
		}
	}
}

// A text that seems to have the word at every place is read in linear time, too.
func TestIndexIsLinear(t *testing.T) {
	word := `"` + strings.Repeat("x", 20) + `"`
	near := strings.Repeat(`"`, 1<<20)
	if Contains([]byte(near), word) {
		t.Error("found what is not there")
	}
	if !Contains([]byte(near+word[1:]), word) {
		t.Error("not found behind its like")
	}
}

func BenchmarkContains(b *testing.B) {
	for name, body := range map[string][]byte{
		"words": []byte(`{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("word ", 20_000) + `"}]}`),
		"code":  bytes.Repeat([]byte(`if err != nil {\n\t\treturn fmt.Errorf(\"read_all: %w\", err)\n\t}\n`), 1500),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if Contains(body, `"reasoning"`) {
					b.Fatal("found")
				}
			}
		})
		b.Run(name+"/bytes", func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if bytes.Contains(body, []byte(`"reasoning"`)) {
					b.Fatal("found")
				}
			}
		})
	}
}
