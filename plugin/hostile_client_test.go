package plugin

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/plugin/wire"
)

// withMembers are the members of hello with more of them.
func withMembers(more string) string {
	return `{"messages":[{"role":"user","content":"CANARY-PROMPT"}]` + more + `}`
}

// lastWins is what a decoder that takes the last of equal names makes of body,
// foldedWins one that does not mind their case either.
func seenAs(t *testing.T, body string) (last, folded map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &last); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	folded = map[string]any{}
	d := json.NewDecoder(strings.NewReader(body))
	d.Token()
	for d.More() {
		key, _ := d.Token()
		var v any
		d.Decode(&v)
		folded[strings.ToLower(key.(string))] = v
	}
	return last, folded
}

// Whatever a client writes, the provider sees the model, the stream and the
// limits that the gateway decided on.
func TestNothingIsSmuggledPastTheChecks(t *testing.T) {
	tuned := strings.Replace(chatConf, `"options":{`, `"options":{"max_tokens":5,"temperature":0.5,"top_p":0.25,`, 1)
	anthropic := strings.Replace(tuned, `"openai"`, `"anthropic"`, 1)
	anthropic = strings.Replace(anthropic, `"options":{`, `"options":{"anthropic_version":"2023-06-01",`, 1)
	for name, conf := range map[string]string{"openai": tuned, "anthropic": anthropic} {
		for _, more := range []string{
			`,"model":"gpt-4o","model":"gpt-4o"`,
			`,"model":"evil","model":"gpt-4o"`,
			`,"model":"gpt-4o","model":"evil"`,
			`,"mod\u0065l":"evil"`,
			`,"mod\u0065l":"gpt-4o","model":"evil"`,
			`,"model":"evil","mod\u0065l":"gpt-4o"`,
			`,"MODEL":"evil"`,
			`,"model":"gpt-4o","Model":"evil"`,
			`,"model":["evil"]`,
			`,"model":{"x":"evil"}`,
			`,"model":null`,
			`,"stream":true,"stream":false`,
			`,"stream":false,"stream":true`,
			`,"stream":"true"`,
			`,"stream":1`,
			`,"\u017ftream":true`,
			`,"stream":null,"STREAM":true`,
			`,"max_tokens":99999`,
			`,"max_completion_tokens":99999`,
			`,"max_tokens":1,"max_tokens":99999`,
			`,"max_\u0074okens":99999`,
			`,"temperature":1.75,"top_p":1`,
			`,"extra_body":{"model":"evil"}`,
			`,"extra_body":{"MODEL":"evil"}`,
			`,"extra_body":{"mod\u0065l":"evil","model":"gpt-4o"}`,
			`,"extra_body":{"stream":true}`,
			`,"extra_body":{"stream_options":{"include_usage":false}},"stream":true`,
			`,"extra_body":{"max_tokens":99999,"temperature":1.75,"top_p":1}`,
			`,"extra_body":{"max_completion_tokens":99999}`,
			`,"extra_body":{"Max_Tokens":99999}`,
			`,"extra_body":{"x":1},"extra_body":{"max_tokens":99999}`,
			`,"extra_body":{"generationConfig":{"maxOutputTokens":99999}}`,
			`,"extra_body":[1]`,
			`,"extra_body":"{\"model\":\"evil\"}"`,
		} {
			t.Run(name+more, func(t *testing.T) {
				b := newBench(t, conf, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(418) })
				resp, body := b.post(withMembers(more))
				rec := b.record()
				sent := b.upstreamBodies()
				if len(sent) == 0 {
					if resp.StatusCode != 400 || at(rec, "meta.outcome") != "refused" {
						t.Errorf("%d %s %v", resp.StatusCode, body, rec)
					}
					return
				}
				last, folded := seenAs(t, sent[0])
				stream := at(rec, "meta.request_mode") == "stream"
				for _, seen := range []map[string]any{last, folded} {
					if seen["model"] != "gpt-4o" || strings.Contains(sent[0], "evil") {
						t.Errorf("another model goes upstream: %s", sent[0])
					}
					if got := seen["stream"] == true; got != stream {
						t.Errorf("the record says stream is %v, the provider sees %s", stream, sent[0])
					}
					limit := seen["max_tokens"]
					if limit != 5.0 || strings.Contains(sent[0], "99999") {
						t.Errorf("another limit goes upstream: %s", sent[0])
					}
					if seen["temperature"] != 0.5 || seen["top_p"] != 0.25 {
						t.Errorf("other options go upstream: %s", sent[0])
					}
				}
				if stream && name == "openai" && !strings.Contains(sent[0], `"include_usage":true`) {
					t.Errorf("usage is not asked for: %s", sent[0])
				}
			})
		}
	}
}

// Of equal names the last counts, for the checks, the translators and the record.
func TestLastOfDuplicateJSONKeysWins(t *testing.T) {
	for _, name := range []string{"anthropic", "gemini", "cohere", "ollama"} {
		b := newBench(t, `{"route_type":"llm/v1/chat","auth":{"header_name":"Authorization","header_value":"Bearer CANARY-KEY"},"model":{"provider":"`+name+`","name":"m","options":{"anthropic_version":"2023-06-01","upstream_url":"$UP/x"}}}`,
			func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(418) })
		b.post(`{"messages":[{"role":"user","content":"FIRST"}],"max_tokens":111,"stop":"FIRST","temperature":0.111,
			"messages":[{"role":"user","content":"FIRST","content":[{"type":"text","text":"FIRST","text":"SECOND"}]}],"max_tokens":222,"stop":"SECOND","temperature":0.222}`)
		b.record()
		sent := b.upstreamBodies()
		if len(sent) != 1 || strings.Contains(sent[0], "FIRST") || strings.Contains(sent[0], "111") || !strings.Contains(sent[0], "SECOND") {
			t.Errorf("%s: %s", name, sent)
		}
	}
}

// The provider's own names of limits do not get around the configured ones.
func TestProvidersOwnNamesCannotBypassTheOptions(t *testing.T) {
	for _, c := range []struct{ provider, options, url string }{
		{"anthropic", `"anthropic_version":"2023-06-01",`, "/v1/messages"},
		{"gemini", "", "/v1beta/models/gpt-4o:generateContent"},
		{"cohere", "", "/v2/chat"},
		{"ollama", "", "/api/chat"},
		{"bedrock", `"bedrock":{"aws_region":"us-east-1"},`, "/model/gpt-4o/converse"},
		{"llama2", `"llama2_format":"raw",`, "/"},
		{"mistral", `"mistral_format":"ollama",`, "/api/chat"},
	} {
		conf := fmt.Sprintf(`{"route_type":"llm/v1/chat","auth":{"header_name":"Authorization","header_value":"Bearer CANARY-KEY","aws_access_key_id":"AKIDEXAMPLE","aws_secret_access_key":"CANARY-SECRET"},
			"model":{"provider":%q,"name":"gpt-4o","options":{%s"max_tokens":5,"temperature":0.5,"top_p":0.25,"top_k":3,"upstream_url":"$UP%s"}}}`, c.provider, c.options, c.url)
		if c.provider != "bedrock" {
			conf = strings.Replace(conf, `,"aws_access_key_id":"AKIDEXAMPLE","aws_secret_access_key":"CANARY-SECRET"`, "", 1)
		} else {
			conf = strings.Replace(conf, `"header_name":"Authorization","header_value":"Bearer CANARY-KEY",`, "", 1)
		}
		limits := `"max_tokens":99999,"maxTokens":99999,"max_output_tokens":99999,"maxOutputTokens":99999,"num_predict":99999,"max_new_tokens":99999,"max_tokens_to_sample":99999,"temperature":1.75,"topP":0.875,"top_p":0.875,"p":0.875,"k":99999,"topK":99999,"top_k":99999`
		var nested []string
		for _, name := range []string{"generationConfig", "generation_config", "inferenceConfig", "inference_config", "options", "parameters", "additionalModelRequestFields", "thinking", "guardrailConfig"} {
			nested = append(nested, fmt.Sprintf(`%q:{%s}`, name, limits))
		}
		for where, more := range map[string]string{
			"top":           "," + limits,
			"nested":        "," + strings.Join(nested, ","),
			"extra":         `,"extra_body":{` + limits + "}",
			"extra, nested": `,"extra_body":{` + strings.Join(nested, ",") + "}",
		} {
			t.Run(c.provider+" "+where, func(t *testing.T) {
				b := newBench(t, conf, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(418) })
				resp, body := b.post(withMembers(more))
				b.record()
				if sent := b.upstreamBodies(); len(sent) > 0 {
					for _, bad := range []string{"99999", "1.75", "0.875"} {
						if strings.Contains(sent[0], bad) {
							t.Errorf("%s goes upstream: %s", bad, sent[0])
						}
					}
				} else if resp.StatusCode != 400 {
					t.Errorf("%d %s", resp.StatusCode, body)
				}
			})
		}
	}
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

func TestHostileBodiesAreRefused(t *testing.T) {
	limited := strings.Replace(chatConf, `{"route_type"`, `{"max_request_body_size":10000,"route_type"`, 1)
	good := []byte(withMembers(""))
	for _, c := range []struct {
		name   string
		body   []byte
		header []string
		status int
		part   string
	}{
		{"gzip", zipped(good), []string{"Content-Encoding", "gzip"}, 200, ""},
		{"a gzip bomb", zipped(bytes.Repeat([]byte(" "), 10<<20)), []string{"Content-Encoding", "gzip"}, 413, "10000"},
		{"gzip cut short", zipped(good)[:60], []string{"Content-Encoding", "gzip"}, 400, "gzip"},
		{"gzip of nothing", zipped(nil), []string{"Content-Encoding", "gzip"}, 400, "the request has no body"},
		{"gzip with a wrong sum", append(zipped(good)[:len(zipped(good))-8], "01234567"...), []string{"Content-Encoding", "gzip"}, 400, "gzip"},
		{"zstd", inZstd(good), []string{"Content-Encoding", "zstd"}, 200, ""},
		{"a zstd bomb", inZstd(bytes.Repeat([]byte(" "), 10<<20)), []string{"Content-Encoding", "zstd"}, 413, "10000"},
		{"zstd cut short", inZstd(good)[:60], []string{"Content-Encoding", "zstd"}, 400, "zstd"},
		{"no zstd", good, []string{"Content-Encoding", "zstd"}, 400, "not valid zstd"},
		{"zstd of nothing", inZstd(nil), []string{"Content-Encoding", "zstd"}, 400, "the request has no body"},
		{"an unknown encoding", good, []string{"Content-Encoding", "br"}, 415, "br"},
		{"encodings upon each other", zipped(good), []string{"Content-Encoding", "gzip, gzip"}, 415, "gzip, gzip"},
		{"identity", good, []string{"Content-Encoding", "identity"}, 200, ""},
		{"deep nesting", []byte(withMembers(`,"x":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000))), nil, 400, "JSON"},
		{"a byte order mark", append([]byte("\xef\xbb\xbf"), good...), nil, 400, "JSON"},
		{"UTF-16", []byte("{\x00\"\x00}\x00"), nil, 400, "JSON"},
		{"JSON after JSON", append(good, good...), nil, 400, "JSON"},
		{"NUL", append(good, 0), nil, 400, "JSON"},
		{"a list", []byte(`[1]`), nil, 400, "JSON"},
		{"null", []byte(`null`), nil, 400, "JSON"},
		{"numbers out of all bounds", []byte(withMembers(`,"seed":1e999,"n":-0`)), nil, 200, ""},
		{"bytes that are no UTF-8", []byte(withMembers(",\"user\":\"\xff\xfe\"")), nil, 200, ""},
		{"too many members", []byte(withMembers(strings.Repeat(`,"a":1`, 1500))), nil, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, limited, answer)
			resp, body := b.post(string(c.body), c.header...)
			if resp.StatusCode != c.status || !strings.Contains(body, c.part) {
				t.Errorf("%d %.300s", resp.StatusCode, body)
			}
			if strings.Contains(body, "CANARY") {
				t.Errorf("the client is shown %s", body)
			}
			rec, sent := b.record(), b.upstreamBodies()
			if (len(sent) > 0) != (c.status == 200) || c.status != 200 && at(rec, "meta.outcome") != "refused" {
				t.Errorf("upstream %.200q, record %v", sent, rec)
			}
			if c.status == 200 && b.seen[0].Header.Get("Content-Encoding") != "" && b.seen[0].Header.Get("Content-Encoding") != "identity" {
				t.Errorf("upstream header %v", b.seen[0].Header)
			}
		})
	}
}

// The method, the hop-by-hop headers and the framing are the relay's own.
func TestClientsHeadersDoNotShapeTheUpstreamRequest(t *testing.T) {
	b := newBench(t, chatConf, answer)
	for _, c := range []struct{ name, head string }{
		{"method", "PUT /chat HTTP/1.1\r\n"},
		{"connection", "POST /chat HTTP/1.1\r\nConnection: X-Secret, Content-Type, Authorization, close\r\nX-Secret: CLIENT\r\n"},
		{"proxy", "POST /chat HTTP/1.1\r\nProxy-Authorization: CLIENT\r\nProxy-Connection: CLIENT\r\nTE: trailers\r\nTrailer: X-CLIENT\r\n"},
		{"expect", "POST /chat HTTP/1.1\r\nExpect: 100-continue\r\n"},
		{"consumer", "POST /chat HTTP/1.1\r\nx-consumer-username: CLIENT\r\nX-CONSUMER-GROUPS: CLIENT\r\nX-Forwarded-Host: CLIENT\r\nKong-Request-Id: CLIENT\r\n"},
		{"underscores", "POST /chat HTTP/1.1\r\nX_Api_Key: CLIENT\r\napi_key: CLIENT\r\nX_Consumer_Username: CLIENT\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", b.front.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			body := withMembers("")
			fmt.Fprintf(conn, "%sHost: gateway.example\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", c.head)
			for len(body) > 0 {
				n := min(7, len(body))
				fmt.Fprintf(conn, "%x;ext=1\r\n%s\r\n", n, body[:n])
				body = body[n:]
			}
			io.WriteString(conn, "0\r\nX-Trailer: CLIENT\r\n\r\n")
			r := bufio.NewReader(conn)
			resp, err := http.ReadResponse(r, nil)
			if err == nil && resp.StatusCode == 100 {
				resp, err = http.ReadResponse(r, nil)
			}
			if err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			resp.Body.Close()
			b.record()
			b.mu.Lock()
			got := b.seen[len(b.seen)-1]
			b.mu.Unlock()
			if got.Method != "POST" || got.Host == "gateway.example" || got.ContentLength < 0 || got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Authorization") != "Bearer CANARY-KEY" {
				t.Errorf("%s %s %d %v", got.Method, got.Host, got.ContentLength, got.Header)
			}
			if all := fmt.Sprint(got.Header, got.Trailer); strings.Contains(all, "CLIENT") || strings.Contains(all, "trailers") {
				t.Errorf("upstream: %s", all)
			}
		})
	}
	req, _ := http.NewRequest("TRACE", b.front.URL+"/chat", nil)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 405 {
		t.Errorf("TRACE: %d", resp.StatusCode)
	}
}

func TestTemplateValuesCannotEscapeTheirField(t *testing.T) {
	bad := []string{"../../admin", "..", ".", "a/../../b", "a?x=y", "a#b", "a%2f..%2fb", "a%2e%2e", "a b", "evil.example/", "evil.example:80", "a@evil.example", "a\tb", "a\\b", "%00", "%0d%0aX:y", "", strings.Repeat("x", 5000)}
	for name, model := range map[string]string{
		"gemini model":      `"provider":"gemini","name":"$(headers.x-v)","options":{}`,
		"bedrock model":     `"provider":"bedrock","name":"$(headers.x-v)","options":{"bedrock":{"aws_region":"us-east-1"}}`,
		"azure deployment":  `"provider":"azure","name":"m","options":{"azure_instance":"i","azure_deployment_id":"$(headers.x-v)"}`,
		"azure instance":    `"provider":"azure","name":"m","options":{"azure_instance":"$(headers.x-v)","azure_deployment_id":"d"}`,
		"bedrock region":    `"provider":"bedrock","name":"m","options":{"bedrock":{"aws_region":"$(headers.x-v)"}}`,
		"upstream path":     `"provider":"openai","name":"m","options":{"upstream_path":"/v1/$(headers.x-v)/chat"}`,
		"upstream URL path": `"provider":"openai","name":"m","options":{"upstream_url":"http://up.example/v1/$(headers.x-v)/chat"}`,
		"upstream URL host": `"provider":"openai","name":"m","options":{"upstream_url":"http://$(headers.x-v).up.example/v1"}`,
		"vertex project":    `"provider":"gemini","name":"m","options":{"gemini":{"api_endpoint":"us-central1-aiplatform.googleapis.com","project_id":"$(headers.x-v)","location_id":"us-central1"}}`,
		"vertex location":   `"provider":"gemini","name":"m","options":{"gemini":{"api_endpoint":"us-central1-aiplatform.googleapis.com","project_id":"p","location_id":"$(headers.x-v)"}}`,
		"huggingface model": `"provider":"huggingface","name":"$(headers.x-v)","options":{}`,
		"client's model":    `"provider":"gemini","options":{}`,
		"client's, bedrock": `"provider":"bedrock","options":{"bedrock":{"aws_region":"us-east-1"}}`,
		"client's, azure":   `"provider":"azure","options":{"azure_instance":"i","azure_deployment_id":"$(headers.x-v)"}`,
		"databricks":        `"provider":"databricks","name":"m","options":{"databricks":{"workspace_instance_id":"$(headers.x-v)"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			auth := `"auth":{"header_name":"Authorization","header_value":"Bearer CANARY-KEY"}`
			if strings.Contains(model, "bedrock") {
				auth = `"auth":{"aws_access_key_id":"AKIDEXAMPLE","aws_secret_access_key":"CANARY-SECRET"}`
			}
			b := newBench(t, `{"route_type":"llm/v1/chat",`+auth+`,"model":{`+model+`}}`, answer)
			up := &recording{}
			b.relay.upstream = up
			good := askFor(b, "good-1", model)
			if good == 400 || len(up.urls) != 1 {
				t.Fatalf("a good value is answered with %d", good)
			}
			want := up.urls[0]
			for _, v := range bad {
				up.urls = nil
				status := askFor(b, v, model)
				for _, got := range up.urls {
					// The value may stand there escaped, as one segment.
					if strings.Count(got, "/") != strings.Count(want, "/") || strings.Contains(got, "..") && !strings.Contains(want, "..") || strings.ContainsAny(got, "#\\ ") ||
						strings.Count(got, "?") != strings.Count(want, "?") || host(got) != host(want) && strings.Contains(host(got), "evil") || strings.Contains(strings.ToLower(got), "%2e%2e") || strings.Contains(strings.ToLower(got), "%0d") || strings.Contains(got, "%00") {
						t.Errorf("%q: %d, %s", v, status, got)
					}
				}
			}
		})
	}
}

func askFor(b *bench, v, model string) int {
	body := withMembers("")
	if !strings.Contains(model, `"name"`) {
		quoted, _ := json.Marshal(v)
		body = withMembers(`,"model":` + string(quoted))
	}
	req, _ := http.NewRequest("POST", b.front.URL+"/chat", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-V", v)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	b.record()
	return resp.StatusCode
}

func host(u string) string {
	_, rest, _ := strings.Cut(u, "://")
	h, _, _ := strings.Cut(rest, "/")
	return h
}

func TestSlowClientIsServed(t *testing.T) {
	b := newBench(t, chatConf, answer)
	conn, err := net.Dial("tcp", b.front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := withMembers("")
	fmt.Fprintf(conn, "POST /chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	for i := range body {
		io.WriteString(conn, body[i:i+1])
		if i%20 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	b.record()
}

// A client that leaves in the middle of its body is aborted, not answered.
func TestClientThatLeavesDuringItsBodyIsRecordedAsAborted(t *testing.T) {
	for _, encoding := range []string{"", "Content-Encoding: gzip\r\n"} {
		b := newBench(t, chatConf, answer)
		conn, err := net.Dial("tcp", b.front.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		body := []byte(withMembers(strings.Repeat(`,"a":1`, 100)))
		if encoding != "" {
			body = zipped(body)
		}
		fmt.Fprintf(conn, "POST /chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", encoding, len(body), body[:len(body)/2])
		conn.Close()
		if rec := b.record(); at(rec, "meta.outcome") != "client_aborted" {
			t.Errorf("%v", rec)
		}
	}
}

// recording is an Upstream that notes where requests would go.
type recording struct{ urls []string }

func (r *recording) Do(_ context.Context, out *wire.Outgoing) (*wire.Answer, error) {
	r.urls = append(r.urls, out.URL.String())
	return &wire.Answer{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(answerJSON))}, nil
}
