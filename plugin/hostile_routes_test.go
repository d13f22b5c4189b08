package plugin

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

// confFor is chatConf for another route type.
func confFor(route string) string { return strings.Replace(chatConf, chatRoute, route, 1) }

// A page is no answer of an API, on any route whose answers are JSON.
func TestHTMLErrorPageIsRefused(t *testing.T) {
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<html>Sign in</html>")
	}
	for route, body := range map[string]string{
		"llm/v1/chat":                 `{"messages":[{"role":"user","content":"x"}]}`,
		"llm/v1/completions":          `{"prompt":"x"}`,
		"llm/v1/embeddings":           `{"input":"x"}`,
		"llm/v1/responses":            `{"input":"x"}`,
		"image/v1/images/generations": `{"prompt":"x"}`,
		"llm/v1/batches":              `{"input_file_id":"file-1","endpoint":"/v1/chat/completions"}`,
		"llm/v1/assistants":           `{"name":"x"}`,
	} {
		for _, more := range []string{"", `,"stream":true}`} {
			if more != "" {
				body = strings.TrimSuffix(body, "}") + more
			}
			b := newBench(t, confFor(route), page)
			resp, got := b.post(body)
			if rec := b.record(); resp.StatusCode < 500 || strings.Contains(got, "Sign in") || at(rec, "meta.outcome") != "failed" {
				t.Errorf("%s: %d %s %v", route, resp.StatusCode, got, at(rec, "meta.outcome"))
			}
		}
	}
}

// What preserve passes on stays as the provider encoded it, to its last byte.
func TestPreserveForwardsEncodedAnswersUnchanged(t *testing.T) {
	zipped := gzipped(strings.Repeat(answerJSON, 3000))
	for _, kind := range []string{"application/json", "application/octet-stream"} {
		b := newBench(t, strings.Replace(confFor("preserve"), "/v1/chat/completions", "", 1), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, zipped)
		})
		req, _ := http.NewRequest("POST", b.front.URL+"/x", strings.NewReader(hello))
		req.Header.Set("Accept-Encoding", "gzip")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(got) != zipped || resp.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %d bytes of %d, %v", kind, len(got), len(zipped), resp.Header)
		}
		b.record()
	}
}

// The model of a form is checked wherever and however often it stands there.
func TestNoOtherModelIsSmuggledInAForm(t *testing.T) {
	big := strings.Repeat("x", 100_000)
	for name, fields := range map[string][][2]string{
		"alone":           {{"model", "evil"}, {"file", "x"}},
		"twice":           {{"model", "gpt-4o"}, {"model", "evil"}, {"file", "x"}},
		"after the file":  {{"file", big}, {"model", "evil"}},
		"around the file": {{"model", "gpt-4o"}, {"file", big}, {"model", "evil"}},
		"as a file":       {{"model", "gpt-4o"}, {"model;file", "evil"}, {"file", "x"}},
		"very long":       {{"model", strings.Repeat("evil", 1000)}, {"file", "x"}},
		"of nothing":      {{"model", ""}, {"file", "x"}},
	} {
		// One relay each: an upload that was broken off is seen late.
		b := newBench(t, confFor("audio/v1/audio/transcriptions"), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"text":"hi"}`)
		})
		var body bytes.Buffer
		m := multipart.NewWriter(&body)
		for _, f := range fields {
			field, file := strings.CutSuffix(f[0], ";file")
			if file || field == "file" {
				w, _ := m.CreateFormFile(field, "a.wav")
				io.WriteString(w, f[1])
			} else {
				m.WriteField(field, f[1])
			}
		}
		m.Close()
		req, _ := http.NewRequest("POST", b.front.URL+"/chat", &body)
		req.Header.Set("Content-Type", m.FormDataContentType())
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		b.record()
		if resp.StatusCode != 200 {
			continue
		}
		b.mu.Lock()
		sent := b.bodies[len(b.bodies)-1]
		_, boundary, _ := strings.Cut(b.seen[len(b.seen)-1].Header.Get("Content-Type"), "boundary=")
		b.mu.Unlock()
		form, err := multipart.NewReader(strings.NewReader(sent), boundary).ReadForm(1 << 20)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for field, values := range form.Value {
			if field == "model" && fmt.Sprint(values) != "[gpt-4o]" {
				t.Errorf("%s: the provider sees %s %q: %s", name, field, values, got)
			}
		}
	}
}

func TestAnswerIsGzippedOnlyForClientsThatAcceptIt(t *testing.T) {
	for accepted, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "deflate, gzip;q=1.0": true, "gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.000": false, "identity": false, "notgzip": false, "br,x-gzip": true, "*": false,
	} {
		if got := takesGzip([]string{accepted}); got != want {
			t.Errorf("%q: %v", accepted, got)
		}
	}
}
