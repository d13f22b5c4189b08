package inflate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"

	"go-ai-proxy/translators/conformance/growth"
)

// Gzip may become so much, and may be next to nothing for so long.
func TestBoundsOfGzip(t *testing.T) {
	read := func(z io.Reader) (int64, error) {
		g := New(z)
		if err := g.Open("gzip"); err != nil {
			t.Fatal(err)
		}
		return io.Copy(io.Discard, g)
	}
	for _, c := range []struct {
		name string
		z    []byte
		want error
	}{
		{"32 MiB of a small size", bomb(32), nil},
		{"a byte more", append(bomb(32), zipped([]byte(" "))...), ErrBomb},
		{"much that is worth its size", bytes.Repeat(stored(1<<20), 40), nil},
		{"some empty members", bytes.Repeat(zipped(nil), 1000), nil},
		{"many empty members", bytes.Repeat(zipped(nil), 100_000), ErrThin},
	} {
		if n, err := read(bytes.NewReader(c.z)); !errors.Is(err, c.want) {
			t.Errorf("%s: %d bytes, %v, want %v", c.name, n, err, c.want)
		}
	}
}

// stored is gzip of n bytes that are not compressed.
func stored(n int) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.NoCompression)
	z.Write(make([]byte, n))
	z.Close()
	return b.Bytes()
}

// bomb is gzip of n MiB of spaces, in about n KiB: members follow each other.
func bomb(n int) []byte {
	return bytes.Repeat(zipped(bytes.Repeat([]byte(" "), 1<<20)), n)
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

func TestZstdIsReadInLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("times say nothing here")
	}
	growth.Linear(t, "zstd", func(n int) func() {
		text := make([]byte, 20_000*n) // hardly repetitive: else it is a test of the memory's speed
		for i := range text {
			text[i] = "abcdefghijklmnop"[rand.IntN(16)]
		}
		z, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		body := z.EncodeAll(text, nil)
		return func() {
			g := New(bytes.NewReader(body))
			if err := g.Open("zstd"); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, g); err != nil {
				t.Fatal(err)
			}
		}
	})
}
