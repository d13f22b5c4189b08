package workload

import (
	"bytes"
	"testing"
)

// failed counts failures.
type failed int

func (*failed) Helper()                 {}
func (f *failed) Errorf(string, ...any) { *f++ }

// copied keeps the compiler from leaving the copies out.
var copied []byte

func TestQuadraticReaderFailsAndLinearOneDoesNot(t *testing.T) {
	in := bytes.Repeat([]byte("x"), 8<<10)
	quadratic := func() {
		for n := range in {
			copied = append([]byte(nil), in[:n]...)
		}
	}
	linear := func() {
		for range 20 {
			copied = append([]byte(nil), in...)
		}
	}
	for _, c := range []struct {
		name string
		read func()
		want failed
	}{{"quadratic", quadratic, 1}, {"linear", linear, 0}} {
		var got failed
		end := Linear(&got, len(in))
		c.read()
		if end(); got != c.want {
			t.Errorf("%s: %d failures, want %d", c.name, got, c.want)
		}
	}
}
