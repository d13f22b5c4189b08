package plugin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/endpoint"
	"go-ai-proxy/plugin/wire"
)

func TestProvidersHeadersForBrowsersAreDropped(t *testing.T) {
	for _, name := range []string{"Alt-Svc", "Strict-Transport-Security", "Clear-Site-Data", "Set-Cookie", "X-Accel-Buffering", "X-Kong-Proxy-Latency"} {
		b := newBench(t, chatConf, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(name, `"cookies"`)
			w.Header().Set("X-Request-Id", "r1")
			answer(w, r)
		})
		resp, _ := b.post(hello)
		if got := resp.Header.Get(name); got != "" || resp.Header.Get("X-Request-Id") != "r1" {
			t.Errorf("%s: %q reached the client, %v", name, got, resp.Header)
		}
	}
}

func TestHeadersNamedByConnectionAreDropped(t *testing.T) {
	b := newBench(t, chatConf, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Connection"] = []string{"X-One , x-two", "X-Three"}
		for _, name := range []string{"X-One", "X-Two", "X-Three", "X-Four"} {
			w.Header().Set(name, "v")
		}
		answer(w, r)
	})
	resp, _ := b.post(hello)
	for name, want := range map[string]string{"X-One": "", "X-Two": "", "X-Three": "", "X-Four": "v"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Kong reads the header of an answer into 4 KiB; a provider may send more.
func TestHeaderOfAnAnswerFitsWhatKongReads(t *testing.T) {
	for name, set := range map[string]func(http.Header){
		"many":    func(h http.Header) { many(h, 200, 100) },
		"a large": func(h http.Header) { h.Set("Content-Security-Policy", strings.Repeat("x", 60_000)) },
		"rates": func(h http.Header) {
			for i := range 40 {
				h.Set(fmt.Sprint("X-Ratelimit-", i), strings.Repeat("1", 300))
			}
		},
		"a large content type": func(h http.Header) { h.Set("Content-Type", "application/json; x="+strings.Repeat("x", 9000)) },
	} {
		t.Run(name, func(t *testing.T) {
			g, a, _ := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				set(w.Header())
				if name != "rates" {
					w.Header().Set("X-Ratelimit-Remaining-Tokens", "7")
					w.Header().Set("X-Request-Id", "r1")
				}
				io.WriteString(w, answerJSON)
			})
			_, port := g.Addr()
			conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST /chat HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s?shim=1&id=r1\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", a.Header(nil), len(hello), hello)
			all, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			head, _, _ := strings.Cut(string(all), "\r\n\r\n")
			if len(head)+4 > 4<<10 {
				t.Errorf("%d bytes of header", len(head)+4)
			}
			resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(all))), nil)
			if err != nil {
				t.Fatal(err)
			}
			h := resp.Header
			resp.Body.Close()
			if resp.StatusCode != 200 || h.Get(headerRecord) == "" || h.Get(headerModel) == "" {
				t.Errorf("%d %v", resp.StatusCode, h)
			}
			if name != "rates" && (h.Get("X-Request-Id") != "r1" || h.Get("X-Ratelimit-Remaining-Tokens") != "7") && name != "a large content type" {
				t.Errorf("what clients read was dropped first: %v", h)
			}
		})
	}
}

func many(h http.Header, n, size int) {
	for i := range n {
		h.Set(fmt.Sprint("X-Debug-", i), strings.Repeat("x", size))
	}
}

func TestModelOfASessionThatCannotStandInAHeaderIsLeftOut(t *testing.T) {
	for model, want := range map[string]bool{"m-1": true, "m\x00": false, "m\r\nX-Evil: 1": false, "m\x7f": false} {
		p := &plan{request: &request{in: &wire.Inbound{}}, instance: newBench(t, chatConf, answer).instance}
		p.endpoint = p.instance.targets[0]
		fixed := *must(p.endpoint.Resolve(p.request, ""))
		fixed.Model = model
		p.target = &fixed
		h := http.Header{}
		if nameModel(p, h); (h[headerModel] != nil) != want {
			t.Errorf("%q: %v", model, h)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestModelInAHeaderHasNoControlCharacters(t *testing.T) {
	target := &config.Target{}
	target.Model.Provider, target.Model.Name = "openai", "m"
	e := endpoint.New(target, nil, nil, wire.Timeouts{})
	for model, want := range map[string]string{"m": "openai/m", "a\x00b\r\nX-Evil: 1": "openai/a b  X-Evil: 1", "é": "openai/é"} {
		if got := e.ModelHeader(model); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %q, want %q", model, got, want)
		}
	}
}
