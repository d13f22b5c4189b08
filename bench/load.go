package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// result is one round of a shape at a peer.
type result struct {
	requests int
	elapsed  time.Duration
	latency  []time.Duration // of a request, or until a stream's first text
	stalls   int             // streams with more than ten gaps between two texts
	wrong    int
	example  string        // of a wrong answer
	cpu      time.Duration // of the gateway's processes; 0 if unknown
	memory   int64         // bytes, their most during the round; 0 if unknown
	// connected is how many connections were made to the provider.
	connected int64
}

// load sends a shape's requests to url from so many connections for a time, each as soon
// as the one before is answered. The first tenth of the time does not count.
func load(ctx context.Context, s *shape, url string, headers map[string]string, d time.Duration, watch func() (cpu time.Duration, memory int64)) *result {
	transport := &http.Transport{MaxIdleConnsPerHost: s.connections, MaxConnsPerHost: s.connections, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true} //nolint:gosec // our own mock
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	warm := max(d/10, s.gap*time.Duration(s.frames+10))
	begin := time.Now().Add(warm)
	ctx, cancel := context.WithDeadline(ctx, begin.Add(d))
	defer cancel()
	var all []*worker
	var running sync.WaitGroup
	for i := range s.connections {
		w := &worker{shape: s, client: client, url: url, headers: headers, begin: begin}
		// Streams begin one after another, as those of different clients do.
		wait := s.gap * time.Duration(s.frames) * time.Duration(i) / time.Duration(s.connections)
		all = append(all, w)
		running.Go(func() {
			time.Sleep(wait)
			w.run(ctx)
		})
	}
	time.Sleep(time.Until(begin))
	r := &result{}
	cpu, _ := watch()
	for ctx.Err() == nil {
		_, memory := watch()
		r.memory = max(r.memory, memory)
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	end, _ := watch()
	r.cpu, r.elapsed = end-cpu, time.Since(begin)
	running.Wait()
	for _, w := range all {
		r.requests += len(w.latency)
		r.latency = append(r.latency, w.latency...)
		r.stalls += w.stalls
		r.wrong += w.wrong
		if w.example != "" {
			r.example = w.example
		}
	}
	slices.Sort(r.latency)
	return r
}

// worker is one connection.
type worker struct {
	shape         *shape
	client        *http.Client
	url           string
	headers       map[string]string
	begin         time.Time
	latency       []time.Duration
	stalls, wrong int
	example       string
	buffer        bytes.Buffer
}

func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		sent := time.Now()
		first, err := w.ask(ctx)
		if ctx.Err() != nil {
			return // the time was over
		}
		if err != nil {
			w.wrong++
			w.example = err.Error()
			select { // a gateway that refuses at once is not to be asked all the faster
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		if sent.After(w.begin) || w.shape.frames > 0 && time.Now().After(w.begin) {
			w.latency = append(w.latency, first.Sub(sent))
		}
	}
}

// ask sends one request and checks its answer.
func (w *worker) ask(ctx context.Context) (first time.Time, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(w.shape.body))
	if err != nil {
		return first, err
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range w.headers {
		req.Header.Set(name, value)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return first, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		return first, fmt.Errorf("status %d: %s", resp.StatusCode, body)
	}
	if w.shape.frames > 0 {
		return w.readStream(resp.Body)
	}
	w.buffer.Reset()
	if _, err := w.buffer.ReadFrom(resp.Body); err != nil {
		return first, err
	}
	return time.Now(), checkWhole(w.buffer.Bytes())
}

// checkWhole says what is wrong with an answer.
func checkWhole(body []byte) error {
	for _, want := range []string{`"` + answerText + `"`, "400", "17"} {
		if !bytes.Contains(body, []byte(want)) {
			return fmt.Errorf("no %s in %.300s", want, body)
		}
	}
	return nil
}

var content = []byte(`"content":`)

// readStream reads a stream, checks that no text is missing, and counts its stalls.
func (w *worker) readStream(body io.Reader) (first time.Time, err error) {
	var texts, stop int
	last := time.Now()
	lines := bufio.NewReader(body)
	slow := 0
	for {
		line, err := lines.ReadSlice('\n')
		if text, ok := textOf(line); ok {
			now := time.Now()
			if texts == 0 {
				first = now
			} else if now.Sub(last) > 10*w.shape.gap {
				slow++
			}
			last = now
			texts += strings.Count(text, frameText)
			if text != strings.Repeat(frameText, len(text)/len(frameText)) {
				return first, fmt.Errorf("a frame says %q", text)
			}
		}
		if bytes.Contains(line, []byte(`"stop"`)) {
			stop++
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return first, err
		}
	}
	if slow > 0 {
		w.stalls++
	}
	if texts != w.shape.frames || stop == 0 {
		return first, fmt.Errorf("%d texts of %d, %d finish reasons", texts, w.shape.frames, stop)
	}
	return first, nil
}

// textOf is the text of a chunk; ok is false where there is none.
func textOf(line []byte) (text string, ok bool) {
	_, after, ok := bytes.Cut(line, content)
	if !ok {
		return "", false
	}
	after = bytes.TrimLeft(after, " ")
	if len(after) == 0 || after[0] != '"' {
		return "", false
	}
	value, _, ok := bytes.Cut(after[1:], []byte(`"`))
	return string(value), ok && len(value) > 0
}

// at is the p-th part of sorted durations.
func at(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}
