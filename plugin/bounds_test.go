package plugin

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/wire"
)

// bomb is gzip of n MiB of spaces, in about n KiB: members follow each other.
func bomb(n int) []byte {
	return bytes.Repeat(zipped(bytes.Repeat([]byte(" "), 1<<20)), n)
}

// allocated is what f allocates, in bytes.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// A megabyte of gzip that would become a gigabyte is refused in words, when it
// has become 32 MiB. 1024 MiB were allocated for it before.
func TestGzippedAnswerIsBoundedWhileItIsInflated(t *testing.T) {
	gigabyte := bomb(1024)
	for _, status := range []int{200, 500} {
		b := newBench(t, chatConf, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(status)
			w.Write(gigabyte)
		})
		var resp *http.Response
		var body string
		took := allocated(func() { resp, body = b.post(hello) })
		if resp.StatusCode != 502 || !strings.Contains(body, "more than 32 MiB and 32 times its size") {
			t.Errorf("%d: answered %d %.200s", status, resp.StatusCode, body)
		}
		t.Logf("%d bytes of gzip: %d MiB allocated", len(gigabyte), took>>20)
		if took > 80<<20 {
			t.Errorf("%d MiB were allocated for an answer of a megabyte", took>>20)
		}
		if rec := b.record(); at(rec, "meta.outcome") != "failed" {
			t.Errorf("record %v", rec)
		}
	}
}

func TestAnswerGzippedTwiceIsRefusedWithAReason(t *testing.T) {
	for _, label := range []string{"gzip", "gzip, gzip"} {
		for _, ask := range []string{hello, helloStream} {
			for _, contentType := range []string{"application/json", "text/event-stream"} {
				b := newBench(t, chatConf, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", contentType)
					w.Header().Set("Content-Encoding", label)
					w.Write(zipped(zipped([]byte(answerJSON))))
				})
				if resp, body := b.post(ask); resp.StatusCode != 502 || !strings.Contains(body, "gzip") || !strings.Contains(body, "not asked for") {
					t.Errorf("labelled %q, %s: %d %s", label, contentType, resp.StatusCode, body)
				}
				b.record()
			}
		}
	}
}

// repeating gives the same again and again, and counts.
type repeating struct {
	again []byte
	given int
}

func (e *repeating) Read(p []byte) (int, error) {
	if e.given > 64<<20 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, e.again[e.given%len(e.again):])
	e.given += n
	return n, nil
}

// inZstd is b in zstd.
func inZstd(b []byte) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	defer z.Close()
	return z.EncodeAll(b, nil)
}

// skippable is a frame of zstd with n bytes that a decoder passes over (RFC 8878 §3.1.2).
func skippable(n int) []byte {
	frame := binary.LittleEndian.AppendUint32([]byte{0x50, 0x2a, 0x4d, 0x18}, uint32(n))
	return append(frame, make([]byte, n)...)
}

// A compressed body of unknown length is refused before much of it is read, also
// where it becomes nothing, and where there is no limit.
func TestCompressedBodyOfUnknownLengthIsBounded(t *testing.T) {
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	for _, c := range []struct {
		name   string
		again  []byte
		limit  int
		status int
		read   int // bytes of it, at most
	}{
		{"spaces", zipped(bytes.Repeat([]byte(" "), 1<<20)), 10_000, 413, 64 << 10},
		{"spaces without a limit", zipped(bytes.Repeat([]byte(" "), 1<<20)), 0, 413, 64 << 10},
		{"nothing", zipped(nil), 10_000, 400, 400 << 10},
		{"nothing without a limit", zipped(nil), 0, 400, 400 << 10},
		{"zstd: spaces", inZstd(spaces), 10_000, 413, 64 << 10},
		{"zstd: spaces without a limit", inZstd(spaces), 0, 413, 64 << 10},
		{"zstd: nothing", skippable(1000), 10_000, 400, 400 << 10},
		{"zstd: nothing without a limit", skippable(100_000), 0, 400, 600 << 10},
	} {
		conf := strings.Replace(chatConf, `{"route_type"`, fmt.Sprintf(`{"max_request_body_size":%d,"route_type"`, c.limit), 1)
		b := newBench(t, conf, answer)
		body := &repeating{again: c.again}
		status, rec := b.serve(b.instance, "", func(in *wire.Inbound) {
			in.Header.Set("Content-Encoding", "gzip")
			if strings.HasPrefix(c.name, "zstd") {
				in.Header.Set("Content-Encoding", "zstd")
			}
			in.Body, in.ContentLength = body, -1
		})
		if status != c.status || body.given > c.read || len(b.upstreamBodies()) > 0 {
			t.Errorf("%s: %d after %d bytes, %v", c.name, status, body.given, rec)
		}
	}
}

// max_request_body_size is what the body may have when it is inflated, to the byte.
func TestBodyLimitIsExact(t *testing.T) {
	body := []byte(hello)
	for _, over := range []int{0, 1} {
		conf := strings.Replace(chatConf, `{"route_type"`, fmt.Sprintf(`{"max_request_body_size":%d,"route_type"`, len(body)-over), 1)
		for _, kind := range []string{"sized", "chunked", "gzip", "zstd"} {
			b := newBench(t, conf, answer)
			status, _ := b.serve(b.instance, hello, func(in *wire.Inbound) {
				switch kind {
				case "chunked":
					in.ContentLength = -1
				case "gzip":
					in.Header.Set("Content-Encoding", "gzip")
					in.Body, in.ContentLength = bytes.NewReader(zipped(body)), -1
				case "zstd":
					in.Header.Set("Content-Encoding", "zstd")
					in.Body, in.ContentLength = bytes.NewReader(inZstd(body)), -1
				}
			})
			if want := 200 + 213*over; status != want {
				t.Errorf("%s, %d bytes over the limit: %d, want %d", kind, over, status, want)
			}
		}
	}
}

// A thousand connections that claim a megabyte each and send a byte cost what
// they sent. It was a megabyte each before.
func TestMemoryGrowsWithWhatHasArrived(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has its own memory")
	}
	const conns, budget = 1000, 40 << 10
	r := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	defer r.Close()
	inst, err := r.NewInstance([]byte(strings.Replace(strings.ReplaceAll(chatConf, "$UP", "http://127.0.0.1:1"), `{"route_type"`, `{"max_request_body_size":0,"route_type"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	defer inst.Close()
	front := enginetest.NewServer(engine.HandlerFunc(func(x *engine.Exchange) {
		in := x.Inbound()
		in.Kong.Path = in.Path
		r.Serve(x.Context(), inst, &in, x, nil)
	}))
	inUse := func() int {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapInuse + m.StackInuse)
	}
	before := inUse()
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
		front.Close()
	}()
	for range conns {
		c, err := net.Dial("tcp", front.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		io.WriteString(c, "POST /chat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n{")
	}
	time.Sleep(300 * time.Millisecond) // for all to be read
	per := (inUse() - before) / conns
	t.Logf("%d bytes for a connection", per)
	if per > budget {
		t.Errorf("%d bytes for a connection that claims a megabyte, the budget is %d", per, budget)
	}
}

// A client that sends a broken body is told so, and is not taken for gone.
func TestMalformedChunkIsABadRequest(t *testing.T) {
	b := newBench(t, chatConf, answer)
	for _, chunks := range []string{"1\r\n{\r\n7FFFFFFFFFFFFFFF\r\n", "zz\r\n", "1\r\n{}\r\n"} {
		if enginetest.Kind == engine.NetHTTP && strings.Contains(chunks, "7FFF") {
			continue // net/http bounds no chunk's size: see the engine's README
		}
		c, err := net.Dial("tcp", b.front.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "POST /chat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"+chunks)
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		said, _ := io.ReadAll(c)
		c.Close()
		if !strings.HasPrefix(string(said), "HTTP/1.1 400 ") || !strings.Contains(string(said), "malformed body") {
			t.Errorf("%q: %.300q", chunks, said)
		}
		if rec := b.record(); at(rec, "meta.outcome") != "refused" {
			t.Errorf("%q: record %v", chunks, rec)
		}
	}
}

// A frame may ask for a window of terabytes, which would be memory.
func TestZstdWithAWindowBeyondTheBoundIsRefused(t *testing.T) {
	b := newBench(t, chatConf, answer)
	window := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 24 << 3, 0x01, 0x00, 0x00} // 2^(10+24) bytes
	took := allocated(func() {
		if resp, body := b.post(string(window), "Content-Encoding", "zstd"); resp.StatusCode != 400 || !strings.Contains(body, "zstd") {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	})
	if took > 8<<20 {
		t.Errorf("%d MiB were allocated", took>>20)
	}
}
