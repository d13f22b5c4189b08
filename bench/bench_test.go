package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain has the test's binary be the reverse proxy where it is asked to.
func TestMain(m *testing.M) {
	if args := os.Getenv(proxyEnv); args != "" {
		fmt.Fprintln(os.Stderr, reverseProxy(args))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// liar is a gateway that answers all but a little right.
func liar(change func(body string) string) peer {
	return peer{name: "liar", about: "wrong", find: always, start: func(p *place) (*running, error) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			resp, err := p.mock.client().Post(p.mock.url()+"/v1/chat/completions", "application/json", bytes.NewReader(body))
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer resp.Body.Close()
			answer, _ := io.ReadAll(resp.Body)
			w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
			_, _ = io.WriteString(w, change(string(answer)))
		}))
		return &running{url: s.URL, stop: s.Close}, nil
	}}
}

// with adds a peer for the time of a test.
func with(t *testing.T, p peer) {
	saved := peers
	t.Cleanup(func() { peers = saved })
	peers = append(peers[:len(peers):len(peers)], p)
}

func ran(t *testing.T, args ...string) (report string) {
	t.Helper()
	return ranFor(t, 300*time.Millisecond, args...)
}

func ranFor(t *testing.T, d time.Duration, args ...string) (report string) {
	t.Helper()
	var out, log bytes.Buffer
	if err := run(t.Context(), append([]string{"-rounds", "1", "-d", d.String()}, args...), &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	t.Log(log.String())
	return out.String()
}

// figures is ran for those who answer right. On a machine that is busy, or stands still for
// a while, too few answers may come within a short round; then a longer one counts.
func figures(t *testing.T, args ...string) (report string) {
	t.Helper()
	for _, d := range []time.Duration{300 * time.Millisecond, 2 * time.Second, 10 * time.Second} {
		if report = ranFor(t, d, args...); !strings.Contains(report, "no figure") {
			break
		}
	}
	return report
}

func TestShortRunPrintsFiguresAndCharts(t *testing.T) {
	out := t.TempDir()
	page := filepath.Join(out, "page.md")
	if err := os.WriteFile(page, []byte("# Page\n\n"+begin+end+"\nend\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	report := figures(t, "-shapes", "400-c10,stream-s32", "-peers", "direct,go-rproxy,this,this-anthropic", "-out", out, "-page", page)
	shown, err := os.ReadFile(page)
	if err != nil || !strings.HasPrefix(string(shown), "# Page\n") || !strings.HasSuffix(string(shown), "\nend\n") {
		t.Errorf("%v: %s", err, shown)
	}
	for _, p := range []string{"direct", "go-rproxy", "this", "this-anthropic"} {
		if n := strings.Count(report, "\n| "+p+" | "); n != 2 {
			t.Errorf("%s has %d rows", p, n)
		}
	}
	if strings.Contains(report, "no figure") {
		t.Errorf("an answer was wrong:\n%s", report)
	}
	for _, name := range []string{"400-c10.svg", "stream-s32.svg"} {
		data, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(bytes.NewReader(data)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if !strings.Contains(string(shown), "](./"+name+")") || !bytes.Contains(data, []byte("this-anthropic")) {
			t.Errorf("%s is not in the report, or has no bar", name)
		}
	}
}

func TestWrongAnswersGetNoFigure(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"another text":    func(s string) string { return strings.Replace(s, "Forty two", "Forty one", 1) },
		"a missing frame": func(s string) string { return strings.Replace(s, `{"content":"word "}`, `{}`, 1) },
		"another frame":   func(s string) string { return strings.Replace(s, `{"content":"word "}`, `{"content":"work "}`, 1) },
		"no end":          func(s string) string { return strings.Replace(s, `"stop"`, "null", 1) },
		"an error":        func(string) string { return `{"error":{"message":"no"}}` },
	} {
		t.Run(name, func(t *testing.T) {
			with(t, liar(change))
			shape := "stream-s32"
			if name == "another text" || name == "an error" {
				shape = "400-c10"
			}
			report := ran(t, "-shapes", shape, "-peers", "liar")
			if !strings.Contains(report, "| liar | no figure: ") || strings.Contains(report, "(0.00–") {
				t.Error(report)
			}
		})
	}
}

func TestAPeerThatAnswersRightHasFigures(t *testing.T) {
	with(t, liar(func(s string) string { return s }))
	if report := figures(t, "-shapes", "400-c10", "-peers", "liar"); strings.Contains(report, "no figure") {
		t.Error(report)
	}
}

func TestMedianOfTwoRoundsIsBetweenThem(t *testing.T) {
	r := &row{results: []*result{{requests: 30, elapsed: time.Second}, {requests: 10, elapsed: time.Second}}}
	if got := r.spread(rate); got != (spread{20, 10, 30}) {
		t.Error(got)
	}
}

func TestNamesThatDoNotExistAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-shapes", "nothing"}, {"-peers", "this,nobody"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "see -list") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestListNamesShapesAndPeers(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-list"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"shape  400-c1000 ", "shape  stream-s512 ", "peer   this ", "peer   litellm "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestUsageIsThatOfTheProcessAndItsChildren(t *testing.T) {
	before, memory := usage(os.Getpid())
	if memory == 0 {
		t.Skip("no /proc here")
	}
	for began := processorTime(); processorTime()-began < 100*time.Millisecond; {
	}
	if after, _ := usage(os.Getpid()); after-before < 20*time.Millisecond {
		t.Errorf("%s of 100 ms", after-before)
	}
}

// processorTime is how long this process has been on a processor, which others use, too.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
