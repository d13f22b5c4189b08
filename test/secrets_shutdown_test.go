package test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go-ai-proxy/test/lateness"
)

// Law 7: a marked key and a marked prompt are nowhere but where they belong.
func TestSecretsAndPromptsDoNotLeak(t *testing.T) {
	const key, clientKey, prompt = "sk-canary-configured", "sk-canary-client", "prompt-canary"
	answers := map[string]answer{
		"good":      {},
		"unusable":  {body: `{"nothing":1}`},
		"no JSON":   {body: `<html>`},
		"denied":    {status: 401, body: `{"error":{"message":"no"}}`},
		"broken":    {handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		"cut off":   {header: asStream, body: "data: " + deltaOne + "\n\n"},
		"redirects": {status: 307, header: map[string]string{"Location": "http://127.0.0.1:1/elsewhere"}},
	}
	var routes []any
	var names []string
	for name, a := range answers {
		up := newUpstream(t, a)
		for where, auth := range map[string]obj{
			"header": {"header_name": "Authorization", "header_value": "{vault://env/key}"},
			"query":  {"param_name": "secret", "param_value": "{vault://env/key}", "param_location": "query"},
			"body":   {"param_name": "secret", "param_value": "{vault://env/key}", "param_location": "body"},
		} {
			path := "/" + strings.ReplaceAll(name, " ", "-") + "/" + where
			names = append(names, path)
			routes = append(routes, on(path, chat("auth", auth, "model.options.upstream_url", up.URL+"/v1")))
		}
	}
	routes = append(routes, on("/nobody", chat("auth.header_value", "{vault://env/key}", "model.options.upstream_url", "http://127.0.0.1:1/v1")))
	names = append(names, "/nobody", "/no-route")
	g := start(t, []string{"KEY=" + key, "GO_AI_PROXY_LOG_LEVEL=trace"}, "-config", writeConfig(t, declare(routes...)))
	for _, path := range names {
		own := "" // a parameter that is secret on this route only
		if strings.HasSuffix(path, "/query") {
			own = "&secret=" + clientKey
		}
		for _, body := range []string{chatBody, streamBody, `{"messages":5}`, `{"messages":[{"role":"user","content":"` + prompt} {
			req, err := http.NewRequest("POST", g.url+path+"?key="+clientKey+own, strings.NewReader(strings.ReplaceAll(body, "What is 1 + 1?", prompt)))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"Authorization", "X-Api-Key", "Api-Key", "Cookie"} {
				req.Header.Set(name, clientKey)
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err != nil {
				continue // broken off on purpose
			}
			got, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			var all strings.Builder
			_ = resp.Header.Write(&all)
			all.Write(got)
			if strings.Contains(all.String(), "canary") {
				t.Errorf("%s: the client is told\n%s", path, all.String())
			}
			g.entry(t, resp.Header.Get("X-Kong-Request-Id"))
		}
	}
	for line := range strings.Lines(g.printed()) {
		if strings.Contains(line, "canary") {
			t.Fatalf("printed: %s", line)
		}
	}
}

// Law 9, law 6: the upstream is let go at once, and the request is logged.
func TestClientDisconnectIsLoggedAndEndsTheUpstreamRequest(t *testing.T) {
	for _, c := range []struct {
		name   string
		stream bool
		config obj
	}{{"before the answer", false, chat()}, {"in the middle of a stream", true, chat()}, {"in the middle of a translated stream", true, claude}} {
		t.Run(c.name, func(t *testing.T) {
			arrived, gone := make(chan struct{}), make(chan time.Time, 1)
			up := newUpstream(t, answer{handler: func(w http.ResponseWriter, r *http.Request) {
				if c.stream {
					w.Header().Set("Content-Type", "text/event-stream")
					text := "data: " + deltaOne + "\n\n"
					if at(c.config, "model.provider") == "anthropic" {
						text = strings.Join(strings.SplitAfter(anthropicStream.body, "\n\n")[:4], "")
					}
					_, _ = io.WriteString(w, text)
					_ = http.NewResponseController(w).Flush()
				}
				close(arrived)
				<-r.Context().Done()
				gone <- time.Now()
			}})
			g := start(t, nil, "-config", writeConfig(t, declare(on("/chat", with(c.config, "model.options.upstream_url", up.URL+"/v1")))))
			ctx, leave := context.WithCancel(t.Context())
			body := chatBody
			if c.stream {
				body = streamBody
			}
			req, err := http.NewRequestWithContext(ctx, "POST", g.url+"/chat", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			machine := lateness.Start(t)
			var left time.Time
			var leaving sync.WaitGroup
			leaving.Go(func() {
				<-arrived
				if !c.stream {
					left = time.Now()
					leave()
				}
			})
			resp, err := client.Do(req)
			if c.stream {
				if err != nil {
					t.Fatal(err)
				}
				r := bufio.NewReader(resp.Body)
				for line := ""; !strings.Contains(line, "The sum "); {
					if line, err = r.ReadString('\n'); err != nil {
						t.Fatal(err)
					}
				}
				left = time.Now()
				leave()
				resp.Body.Close()
			}
			leaving.Wait()
			leave()
			select {
			case at := <-gone:
				if d := at.Sub(left); d > machine.Within(50*time.Millisecond) {
					t.Errorf("the upstream was let go after %s", d)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("the upstream was not let go")
			}
			entry := g.only(t, 1)
			wanted := obj{"ai.proxy.meta.outcome": "client_aborted", "response.status": 499}
			if c.stream {
				wanted["response.status"] = 200
			}
			checkJSON(t, "log", entry, wanted)
		})
	}
}

func TestOpenRequestIsFinishedBeforeShutdown(t *testing.T) {
	// A program that stood still for longer than it waits for open requests breaks them off.
	lateness.Undisturbed(t, 500*time.Millisecond, func() string {
		arrived := make(chan struct{})
		up := newUpstream(t, answer{handler: func(w http.ResponseWriter, _ *http.Request) {
			close(arrived)
			time.Sleep(300 * time.Millisecond)
			(&answer{}).write(w)
		}})
		g := start(t, nil, "-config", writeConfig(t, declare(on("/chat", chat("model.options.upstream_url", up.URL)))))
		said := make(chan string, 1)
		go func() {
			resp, err := client.Post(g.url+"/chat", "application/json", strings.NewReader(chatBody))
			if err != nil {
				said <- err.Error()
				return
			}
			resp.Body.Close()
			said <- resp.Status
		}()
		<-arrived
		g.stop(t)
		g.only(t, 1)
		return strings.TrimPrefix(<-said, "200 OK")
	})
}

func TestEndlessStreamDoesNotPreventShutdown(t *testing.T) {
	up := newUpstream(t, answer{handler: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: "+deltaOne+"\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}})
	g := start(t, nil, "-config", writeConfig(t, declare(on("/chat", chat("model.options.upstream_url", up.URL)))))
	resp, err := client.Post(g.url+"/chat", "application/json", strings.NewReader(streamBody))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	machine := lateness.Start(t)
	began := time.Now()
	g.stop(t)
	if d := time.Since(began); d > machine.Within(5*time.Second) {
		t.Errorf("it took %s", d)
	}
	g.only(t, 1) // aborted, and logged all the same
}

// The list is for people: `go test ./test -run Covered -v`.
func TestCoveredAcceptanceCases(t *testing.T) {
	numbers := []int{41, 109, 155, 179, 221} // those that are no rows here
	for _, rows := range [][]row{templateRows, requestRows, openAIRows, translatedRows, authRows, streamRows, gzipRows, accountingRows,
		anthropicRows, cohereRows, bedrockRows, geminiRows, azureRows, selfHostedRows, nativeAnthropicRows, nativeRows, embeddingRows, mediaRows, kongCases} {
		for _, r := range rows {
			numbers = append(numbers, r.acceptance...)
		}
	}
	for _, c := range broken {
		numbers = append(numbers, c.acceptance...)
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	if numbers[0] < 1 || numbers[len(numbers)-1] > 306 {
		t.Errorf("no such cases: %v", numbers)
	}
	t.Logf("%d cases: %v", len(numbers), numbers)
}
