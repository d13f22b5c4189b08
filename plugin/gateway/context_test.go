package gateway

import (
	"fmt"
	"testing"

	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/conformance/workload"
)

func TestContextIsDecodedAsItWasEncoded(t *testing.T) {
	want := wire.Context{Shim: true, Traced: true, Path: "/a b/%2F?x=1&y", ClientIP: "::1", RequestID: "r", Captures: map[string]string{"m&n": "ü=%"},
		Consumer: wire.Consumer{ID: "i", Username: "u s", CustomID: "c"}, Groups: []string{"g1", "g2"}, GroupIDs: []string{"1"}}
	got, err := decodeContext(encodeContext(&want))
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v\n%v\n%v", err, got, want)
	}
}

func FuzzContext(f *testing.F) {
	f.Add("shim=1&path=%2F&c.model=x&groups=a&groups=b")
	f.Add("%zz=1&&=&c.=")
	f.Fuzz(func(t *testing.T, s string) {
		defer workload.Linear(t, len(s))()
		c, err := decodeContext(s)
		if err != nil {
			return
		}
		again, err := decodeContext(encodeContext(&c))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(c) {
			t.Errorf("%q: %v, then %v (%v)", s, c, again, err)
		}
	})
}
