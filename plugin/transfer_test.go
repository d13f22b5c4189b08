package plugin

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/engine/enginetest"
)

// endless is a body of any size that is not held.
type endless struct {
	head, tail string
	fill       int64
	at         int64
}

func (e *endless) Len() int64 { return int64(len(e.head)) + e.fill + int64(len(e.tail)) }

func (e *endless) Read(p []byte) (n int, err error) {
	if e.at >= e.Len() {
		return 0, io.EOF
	}
	switch in := e.at - int64(len(e.head)); {
	case in < 0:
		n = copy(p, e.head[e.at:])
	case in < e.fill:
		n = int(min(int64(len(p)), e.fill-in))
		clear(p[:n])
	default:
		n = copy(p, e.tail[in-e.fill:])
	}
	e.at += int64(n)
	return n, nil
}

// upload is a transcription with a file of size bytes.
func upload(size int64) *endless {
	whole := formOf("model=whisper-1", "file@=%%")
	head, tail, _ := strings.Cut(whole, "%%")
	return &endless{head: head, tail: tail, fill: size}
}

// resident are a process's resident bytes, and the most there were since reset.
func resident(t *testing.T, field string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	t.Skip("no ", field)
	return 0
}

func TestUploadOfHalfAGigabyteIsNotHeldInMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("500 MB")
	}
	const size = 500 << 20
	var got int64
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		parts := multipart.NewReader(r.Body, params["boundary"])
		for {
			p, err := parts.NextPart()
			if err != nil {
				break
			}
			if n, _ := io.Copy(io.Discard, p); p.FileName() != "" {
				got = n
			}
		}
		io.WriteString(w, `{"text":"hi"}`)
	}))
	defer up.Close()
	b := newBench(t, routeConf("audio/v1/audio/transcriptions", "openai", "gpt-4o-transcribe", `"upstream_url":"`+up.URL+`/v1/audio/transcriptions"`), nil)
	conf := routeConf("audio/v1/audio/transcriptions", "openai", "", `"upstream_url":"`+up.URL+`/v1/audio/transcriptions"`)
	inst, err := b.relay.NewInstance([]byte(conf))
	if err != nil {
		t.Fatal(err)
	}
	defer inst.Close()
	front := enginetest.NewServer(engine.HandlerFunc(func(x *engine.Exchange) {
		in := x.Inbound()
		b.relay.Serve(x.Context(), inst, &in, x, nil)
	}))
	defer front.Close()
	debug.FreeOSMemory()
	if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) != nil {
		t.Skip("the peak of memory cannot be reset here")
	}
	before := resident(t, "VmRSS")
	body := upload(size)
	req, _ := http.NewRequest("POST", front.URL, body)
	req.ContentLength = body.Len()
	req.Header.Set("Content-Type", formType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	peak := resident(t, "VmHWM")
	if resp.StatusCode != 200 || got != size {
		t.Fatalf("%d %s: %d bytes arrived", resp.StatusCode, answer, got)
	}
	t.Logf("500 MB passed: %d MB before, %d MB at the most", before>>20, peak>>20)
	if peak-before > 48<<20 {
		t.Errorf("%d MB more than before", (peak-before)>>20)
	}
}

// BenchmarkTransfer compares the relay with ReverseProxy, which only copies.
// go test ./plugin -run xxx -bench Transfer -benchtime 20x
func BenchmarkTransfer(b *testing.B) {
	const size = 64 << 20
	film := bytes.Repeat([]byte{0x47}, 1<<20)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodPost {
			io.WriteString(w, `{"text":"hi"}`)
			return
		}
		w.Header().Set("Content-Type", "video/mp4")
		w.Header().Set("Content-Length", strconv.Itoa(size))
		for range size >> 20 {
			w.Write(film)
		}
	}))
	defer up.Close()
	at, _ := url.Parse(up.URL)
	relay := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	defer relay.Close()
	serve := func(conf string) *enginetest.Server {
		inst, err := relay.NewInstance([]byte(conf))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(inst.Close)
		return enginetest.NewServer(engine.HandlerFunc(func(x *engine.Exchange) {
			in := x.Inbound()
			in.Kong.Path = in.Path
			relay.Serve(x.Context(), inst, &in, x, nil)
		}))
	}
	proxy := httptest.NewServer(httputil.NewSingleHostReverseProxy(at))
	defer proxy.Close()
	transcriptions := serve(routeConf("audio/v1/audio/transcriptions", "openai", "whisper-1", `"upstream_url":"`+up.URL+`/v1/audio/transcriptions"`))
	defer transcriptions.Close()
	videos := serve(routeConf("video/v1/videos/generations", "openai", "", `"upstream_url":"`+up.URL+`/v1/videos"`))
	defer videos.Close()
	do := func(b *testing.B, req *http.Request) {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 || req.Method == "GET" && n != size {
			b.Fatal(resp.StatusCode, n, err)
		}
		resp.Body.Close()
	}
	for _, c := range []struct {
		name  string
		relay string
		new   func(at string) *http.Request
	}{
		{"upload", transcriptions.URL, func(at string) *http.Request {
			body := upload(size)
			req, _ := http.NewRequest("POST", at, body)
			req.ContentLength = body.Len()
			req.Header.Set("Content-Type", formType)
			return req
		}},
		{"download", videos.URL, func(at string) *http.Request {
			req, _ := http.NewRequest("GET", at+"/videos/video_1/content", nil)
			return req
		}},
	} {
		b.Run(c.name, func(b *testing.B) { // one after the other, for the machine is noisy
			var took [2][]time.Duration
			for b.Loop() {
				for i, at := range []string{proxy.URL, c.relay} {
					began := time.Now()
					do(b, c.new(at))
					took[i] = append(took[i], time.Since(began))
				}
			}
			slices.Sort(took[0])
			slices.Sort(took[1])
			copying, relayed := took[0][len(took[0])/2].Seconds(), took[1][len(took[1])/2].Seconds()
			b.ReportMetric(size/copying/1e6, "ReverseProxy-MB/s")
			b.ReportMetric(size/relayed/1e6, "relay-MB/s")
			b.ReportMetric(copying/relayed, "ratio")
		})
	}
}

// BenchmarkRealtime has 500 sessions that each say something ten times a
// second, and at the same time as many direct connections, on one core.
// go test ./plugin -run xxx -bench Realtime -benchtime 1x -cpu 1
func BenchmarkRealtime(b *testing.B) {
	const sessions, rate, seconds = 500, 5, 10
	up := httptest.NewServer(socketServer(echo))
	defer up.Close()
	relay := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	defer relay.Close()
	inst, err := relay.NewInstance([]byte(routeConf(realtimeRoute, "openai", "m", `"upstream_url":"`+up.URL+`/v1/realtime"`)))
	if err != nil {
		b.Fatal(err)
	}
	defer inst.Close()
	front := enginetest.NewServer(engine.HandlerFunc(func(x *engine.Exchange) {
		in := x.Inbound()
		relay.Serve(x.Context(), inst, &in, x, nil)
	}))
	defer front.Close()
	message := []byte(`{"type":"input_audio_buffer.append","audio":"` + strings.Repeat("A", 400) + `"}`)
	for b.Loop() {
		ctx, cancel := context.WithCancel(context.Background())
		var mu sync.Mutex
		var took [2][]time.Duration
		var all sync.WaitGroup
		talk := func(kind, i int, c *websocket.Conn) {
			defer c.CloseNow()
			time.Sleep(time.Duration(2*i+kind) * time.Second / rate / (2 * sessions))
			tick := time.NewTicker(time.Second / rate)
			defer tick.Stop()
			own := make([]time.Duration, 0, rate*seconds)
			for range rate * seconds {
				<-tick.C
				began := time.Now()
				if c.Write(ctx, websocket.MessageText, message) != nil {
					return
				}
				if _, _, err := c.Read(ctx); err != nil {
					return
				}
				own = append(own, time.Since(began))
			}
			mu.Lock()
			took[kind] = append(took[kind], own...)
			mu.Unlock()
		}
		for i := range sessions {
			for kind, at := range []string{up.URL, front.URL} {
				c, _, err := websocket.Dial(ctx, at, nil)
				if err != nil {
					b.Fatal(err)
				}
				all.Go(func() { talk(kind, i, c) })
			}
		}
		all.Wait()
		cancel()
		quantile := func(kind int, q float64) float64 {
			slices.Sort(took[kind])
			return float64(took[kind][int(q*float64(len(took[kind])-1))].Nanoseconds()) / 1e3
		}
		if len(took[0]) != sessions*rate*seconds || len(took[1]) != len(took[0]) {
			b.Fatalf("%d and %d messages", len(took[0]), len(took[1]))
		}
		b.ReportMetric(quantile(0, 0.5), "direct-p50-µs")
		b.ReportMetric(quantile(1, 0.5), "relay-p50-µs")
		b.ReportMetric(quantile(1, 0.5)-quantile(0, 0.5), "added-p50-µs")
		b.ReportMetric(quantile(1, 0.99)-quantile(0, 0.99), "added-p99-µs")
	}
}
