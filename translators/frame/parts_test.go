package frame

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func framed(kind string, payload string) []byte {
	message := "event"
	name := ":event-type"
	if kind == "ModelStreamError" {
		message, name = "exception", ":exception-type"
	}
	return AppendEventStream(nil, []Header{{Name: name, Value: kind}, {Name: ":content-type", Value: "application/octet-stream"}, {Name: ":message-type", Value: message}}, []byte(payload))
}

func TestPartsAreOneStreamWhereverTheyAreCut(t *testing.T) {
	const inner = "data: {\"a\":1}\n\ndata: {\"b\":\"\xe2\x82\xac\"}\n\ndata: [DONE]\n\n"
	for size := 1; size <= len(inner); size++ {
		outer := framed("initial-response", "{}")
		for rest := inner; rest != ""; {
			n := min(size, len(rest))
			outer = append(outer, framed("PayloadPart", rest[:n])...)
			rest = rest[n:]
		}
		for at := 0; at <= len(outer); at += 7 {
			r := io.MultiReader(bytes.NewReader(outer[:at]), iotest.OneByteReader(bytes.NewReader(outer[at:])))
			got, err := io.ReadAll(Parts(r))
			if err != nil || string(got) != inner {
				t.Fatalf("parts of %d bytes, cut at %d: %q, %v", size, at, got, err)
			}
		}
	}
}

func TestExceptionAmongPartsEndsTheStream(t *testing.T) {
	outer := bytes.Join([][]byte{framed("PayloadPart", "data: 1\n\nda"), framed("ModelStreamError", `{"Message":"too slow"}`), framed("PayloadPart", "ta: 2\n\n")}, nil)
	events := New(SSE, Parts(bytes.NewReader(outer)), 0)
	defer events.Release()
	if ev, err := events.Next(); err != nil || string(ev.Data) != "1" {
		t.Fatalf("the event before the exception: %q, %v", ev.Data, err)
	}
	_, err := events.Next()
	var told *ExceptionError
	if !errors.As(err, &told) || told.Type != "ModelStreamError" || string(told.Data) != `{"Message":"too slow"}` {
		t.Errorf("the exception: %v", err)
	}
}

func TestPartsThatAreCutOffAreAnError(t *testing.T) {
	outer := framed("PayloadPart", "data: 1\n\n")
	if _, err := io.ReadAll(Parts(bytes.NewReader(outer[:len(outer)-1]))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a frame without its end: %v", err)
	}
	if _, err := io.ReadAll(Parts(bytes.NewReader([]byte("data: not framed at all\n\n")))); err == nil {
		t.Error("bytes that are no frames are taken")
	}
}
