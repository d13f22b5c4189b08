package plugin

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// roundTrip sends a request and follows no redirect.
func roundTrip(t *testing.T, b *bench, method, path, contentType, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, b.front.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, string(got)
}

// HEAD has the header of an answer, its length included, and no body to wait for.
func TestPreserveForwardsHEAD(t *testing.T) {
	for _, contentType := range []string{asJSON, "text/event-stream", "audio/mpeg"} {
		b := newBench(t, routeConf("preserve", "openai", "", `"upstream_url":"$UP"`), func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Length", "1234")
			w.Header().Set("X-From", r.Method)
		})
		resp, body := roundTrip(t, b, "HEAD", "/v1/models", "", "")
		if resp.StatusCode != 200 || resp.ContentLength != 1234 || resp.Header.Get("X-From") != "HEAD" || body != "" {
			t.Errorf("%s: %d, %d bytes, %v", contentType, resp.StatusCode, resp.ContentLength, resp.Header)
		}
		if rec := b.record(); at(rec, "meta.outcome") != "completed" {
			t.Errorf("%s: record %v", contentType, rec)
		}
	}
}

func TestPreserveForwardsNotModified(t *testing.T) {
	for _, status := range []int{204, 304} {
		b := newBench(t, routeConf("preserve", "openai", "", `"upstream_url":"$UP"`), func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: 1234\r\nEtag: x\r\n\r\n", status)
		})
		resp, body := roundTrip(t, b, "GET", "/v1/models", "", "")
		if resp.StatusCode != status || resp.Header.Get("Etag") != "x" || body != "" {
			t.Errorf("answered %d %v %q, want %d", resp.StatusCode, resp.Header, body, status)
		}
		b.record()
	}
}

// A redirect is passed on where a client fetches a file by a path of its own,
// and nowhere else: to follow it would go around the gateway.
func TestRedirectsAreHandledByMethod(t *testing.T) {
	files, chat := routeConf("llm/v1/files", "openai", "", ""), routeConf("llm/v1/chat", "openai", "gpt-4o", "")
	for _, c := range []struct {
		conf, method, path, contentType, body string
		status                                int
		passed                                bool
	}{
		{files, "GET", "/v1/files/file-1/content", "", "", 302, true},
		{files, "GET", "/v1/files/file-1/content", "", "", 300, true},
		{files, "GET", "/v1/files/file-1", "", "", 307, true},
		{files, "DELETE", "/v1/files/file-1", "", "", 302, false},
		{files, "POST", "/v1/files", formType, formOf("purpose=batch", "file@={}"), 302, false},
		{chat, "POST", "/v1/chat/completions", asJSON, hello, 302, false},
		{chat, "POST", "/v1/chat/completions", asJSON, hello, 300, false},
		{chat, "POST", "/v1/chat/completions", asJSON, hello, 399, false},
		{chat, "POST", "/v1/chat/completions", asJSON, hello, 308, false},
	} {
		asked := 0
		b := newBench(t, c.conf, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Header().Set("Location", "https://elsewhere.example/")
			w.WriteHeader(c.status)
		}).elsewhere()
		resp, body := roundTrip(t, b, c.method, c.path, c.contentType, c.body)
		want := http.StatusBadGateway
		if c.passed {
			want = c.status
		}
		if resp.StatusCode != want || (resp.Header.Get("Location") != "") != c.passed || !c.passed && !strings.Contains(body, "redirect") || asked != 1 {
			t.Errorf("%s %s, %d: answered %d %v %s, asked %d times", c.method, c.path, c.status, resp.StatusCode, resp.Header, body, asked)
		}
		b.record()
	}
}
