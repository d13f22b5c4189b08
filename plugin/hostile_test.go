package plugin

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/test/lateness"
)

// hostile is a provider that misbehaves, and what the client is to see of it.
type hostile struct {
	name   string
	conf   string // chatConf by default
	ask    string // hello, or helloStream when the provider streams
	raw    string // what the provider says, byte for byte, before it closes
	serve  func(net.Conn)
	status int
	body   []string // parts of the client's body
	not    []string // what must not be there
	header map[string]string
	// outcome is the record's; usage its prompt tokens where that matters.
	outcome string
	usage   float64
	abort   bool // the client's connection is broken
}

// http11 is an answer with the headers h ("A: b\r\n") and its length.
func http11(status int, h, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n%s", status, h, len(body), body)
}

const jsonType = "Content-Type: application/json\r\n"

// events is a stream that ends with the connection.
func events(parts ...string) string {
	return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + strings.Join(parts, "")
}

func data(s string) string { return "data: " + s + "\n\n" }

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.String()
}

// impatient is chatConf with a read_timeout.
const impatient = `{"balancer":{"algorithm":"priority","read_timeout":150},"targets":[` + chatConf + `]}`

var wholeStream = data(chunk("he")) + data(chunk("llo")) + data(finishChunk) + data(usageChunk) + data("[DONE]")

func TestHostileProvidersDoNoHarm(t *testing.T) {
	z := gzipped(answerJSON)
	cases := []hostile{
		// Answers that are whole.
		{name: "no choices", raw: http11(200, jsonType, `{"id":"x"}`), status: 500, body: []string{"'choices' not in"}, outcome: "failed"},
		{name: "an error in a 200", raw: http11(200, jsonType, `{"error":{"message":"quota","type":"insufficient_quota"}}`), status: 502, body: []string{"quota", "insufficient_quota"}, outcome: "failed"},
		{name: "an error in a 200 instead of a stream", ask: helloStream, raw: http11(200, jsonType, `{"error":{"message":"quota"}}`), status: 502, body: []string{"quota"}, not: []string{"data:"}, outcome: "failed"},
		{name: "HTML", raw: http11(200, "Content-Type: text/html\r\n", `<html>SSO</html>`), status: 500, body: []string{"failed to decode"}, not: []string{"SSO"}, outcome: "failed"},
		{name: "HTML instead of a stream", ask: helloStream, raw: http11(200, "Content-Type: text/html\r\n", `<html>SSO</html>`), status: 500, body: []string{"failed to decode"}, not: []string{"SSO"}, outcome: "failed"},
		{name: "nothing", raw: http11(200, jsonType, ``), status: 500, body: []string{"no response body"}, outcome: "failed"},
		{name: "204", raw: "HTTP/1.1 204 No Content\r\n\r\n", status: 500, body: []string{"no response body"}, outcome: "failed"},
		{name: "null", raw: http11(200, jsonType, `null`), status: 500, outcome: "failed"},
		{name: "an array", raw: http11(200, jsonType, `[`+answerJSON+`]`), status: 500, outcome: "failed"},
		{name: "JSON after JSON", raw: http11(200, jsonType, answerJSON+answerJSON), status: 500, outcome: "failed"},
		{name: "no content type", raw: http11(200, "", answerJSON), status: 200, body: []string{`"hi"`}, outcome: "completed", usage: 7},
		{name: "a wrong content type", raw: http11(200, "Content-Type: text/plain\r\n", answerJSON), status: 200, body: []string{`"hi"`}, outcome: "completed", usage: 7},
		{name: "an unreadable content type", raw: http11(200, "Content-Type: ;;=\r\n", answerJSON), status: 200, body: []string{`"hi"`}, outcome: "completed", usage: 7},
		{name: "choices null", raw: http11(200, jsonType, `{"choices":null,"usage":null}`), status: 200, outcome: "completed"},
		{name: "numbers out of all bounds", raw: http11(200, jsonType, strings.Replace(answerJSON, `"usage":{"prompt_tokens":7,`, `"usage":{"x":1e999,"y":-0,"z":1E400,"prompt_tokens":1e999,`, 1)), status: 200, outcome: "completed"},
		{name: "negative usage", raw: http11(200, jsonType, strings.Replace(answerJSON, `"prompt_tokens":7,"completion_tokens":2,"total_tokens":9`, `"prompt_tokens":-7,"completion_tokens":-2,"total_tokens":-9`, 1)), status: 200, outcome: "completed"},
		{name: "a usage of 64 bits", raw: http11(200, jsonType, strings.Replace(answerJSON, `"prompt_tokens":7,"completion_tokens":2,"total_tokens":9`, `"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807`, 1)), status: 200, outcome: "completed"},
		{name: "deep nesting", raw: http11(200, jsonType, `{"choices":`+strings.Repeat("[", 100000)+strings.Repeat("]", 100000)+`}`), status: 500, outcome: "failed"},
		{name: "duplicate keys", raw: http11(200, jsonType, `{"choices":null,`+answerJSON[1:]), status: 200, body: []string{`"hi"`}, outcome: "completed", usage: 7},
		{name: "bytes that are no UTF-8", raw: http11(200, jsonType, strings.Replace(strings.Replace(answerJSON, "gpt-4o-2024", "m\xff\xfe", 1), "hi", "\xed\xa0\x80", 1)), status: 200, outcome: "completed", usage: 7},

		// Encodings.
		{name: "gzip", raw: http11(200, jsonType+"Content-Encoding: gzip\r\n", z), status: 200, body: []string{`"hi"`}, outcome: "completed", usage: 7},
		{name: "GZIP, loud", raw: http11(200, jsonType+"Content-Encoding: GZIP\r\n", z), status: 200, body: []string{`"hi"`}, outcome: "completed", usage: 7},
		{name: "x-gzip", raw: http11(200, jsonType+"Content-Encoding: x-gzip\r\n", z), status: 200, body: []string{`"hi"`}, outcome: "completed", usage: 7},
		{name: "gzip that is none", raw: http11(200, jsonType+"Content-Encoding: gzip\r\n", answerJSON), status: 200, body: []string{`"hi"`}, outcome: "completed", usage: 7},
		{name: "gzip cut short", raw: http11(200, jsonType+"Content-Encoding: gzip\r\n", z[:len(z)-12]), status: 502, outcome: "failed"},
		{name: "gzip with a broken header", raw: http11(200, jsonType+"Content-Encoding: gzip\r\n", "\x1f\x8b\x09\x00"), status: 502, outcome: "failed"},
		{name: "gzip of one byte", raw: http11(200, jsonType+"Content-Encoding: gzip\r\n", "\x1f"), status: 500, outcome: "failed"},
		{name: "an encoding nobody asked for", raw: http11(200, jsonType+"Content-Encoding: br\r\n", "\x0b\x02\x80ab\x03"), status: 502, outcome: "failed"},
		{name: "an encoding nobody asked for, in a stream", ask: helloStream, raw: events("")[:len(events(""))-2] + "Content-Encoding: br\r\n\r\n\x0b\x02\x80ab\x03", status: 502, not: []string{"data:"}, outcome: "failed"},
		{name: "a stream in gzip", ask: helloStream, raw: strings.TrimSuffix(events(), "\r\n") + "Content-Encoding: gzip\r\n\r\n" + gzipped(wholeStream), status: 200, body: []string{`"he"`, `"llo"`, "[DONE]"}, outcome: "completed", usage: 7},
		{name: "a stream in gzip cut short", ask: helloStream, raw: strings.TrimSuffix(events(), "\r\n") + "Content-Encoding: gzip\r\n\r\n" + gzipped(wholeStream)[:60], status: 502, not: []string{"[DONE]"}, outcome: "failed"},
		{name: "an error in gzip cut short", raw: http11(500, jsonType+"Content-Encoding: gzip\r\n", gzipped(`{"error":{"message":"x"}}`)[:20]), status: 502, outcome: "failed"},

		// Lengths and the connection.
		{name: "a length too long", raw: "HTTP/1.1 200 OK\r\n" + jsonType + "Content-Length: 5000\r\n\r\n" + answerJSON, status: 502, outcome: "failed"},
		{name: "a length too short", raw: "HTTP/1.1 200 OK\r\n" + jsonType + "Content-Length: 20\r\n\r\n" + answerJSON, status: 500, outcome: "failed"},
		{name: "two lengths", raw: "HTTP/1.1 200 OK\r\n" + jsonType + "Content-Length: 20\r\nContent-Length: 30\r\n\r\n" + answerJSON, status: 502, outcome: "failed"},
		{name: "a broken chunk", raw: "HTTP/1.1 200 OK\r\n" + jsonType + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}", status: 502, outcome: "failed"},
		{name: "no answer", raw: "", status: 502, outcome: "failed"},
		{name: "no HTTP", raw: "SSH-2.0-OpenSSH_9.6\r\n", status: 502, outcome: "failed"},
		{name: "a header without end", raw: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", status: 502, outcome: "failed"},
		{name: "a header of a megabyte", raw: http11(200, jsonType+"X-Large: "+strings.Repeat("x", 1<<20)+"\r\n", answerJSON), status: 502, outcome: "failed"},
		{name: "informational answers before", raw: "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + http11(200, jsonType, answerJSON), status: 200, body: []string{`"hi"`}, outcome: "completed", usage: 7},
		{name: "101", raw: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + answerJSON, status: 502, outcome: "failed"},
		{name: "a status of 99", raw: http11(99, jsonType, answerJSON), status: 502, outcome: "failed"},
		{name: "a status of 999", raw: http11(999, jsonType, `{"error":{"message":"x"}}`), status: 999, outcome: "failed"},
		{name: "reset", serve: func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() }, status: 502, outcome: "failed"},
		{name: "half closed in the header", serve: func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			c.(*net.TCPConn).CloseWrite()
			time.Sleep(50 * time.Millisecond)
			c.Close()
		}, status: 502, outcome: "failed"},
		{name: "half closed in a stream", ask: helloStream, serve: func(c net.Conn) {
			io.WriteString(c, events(data(chunk("he"))))
			c.(*net.TCPConn).CloseWrite()
			time.Sleep(50 * time.Millisecond)
			c.Close()
		}, status: 200, body: []string{`"he"`, `{"error":`}, not: []string{"[DONE]"}, outcome: "upstream_cut"},
		{name: "reset in a stream", ask: helloStream, serve: func(c net.Conn) {
			io.WriteString(c, events(data(chunk("he"))))
			time.Sleep(50 * time.Millisecond)
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}, status: 200, body: []string{`"he"`, `{"error":`}, not: []string{"[DONE]"}, outcome: "upstream_cut"},
		{name: "reset before the stream's first event", ask: helloStream, serve: func(c net.Conn) {
			io.WriteString(c, events())
			time.Sleep(50 * time.Millisecond)
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}, status: 502, not: []string{"data:"}, outcome: "failed"},

		// Stalls.
		{name: "a stall before the header", conf: impatient, serve: stall(""), status: 504, outcome: "failed"},
		{name: "a stall in the header", conf: impatient, serve: stall("HTTP/1.1 200 OK\r\nContent-"), status: 504, outcome: "failed"},
		{name: "a stall before the body", conf: impatient, serve: stall("HTTP/1.1 200 OK\r\n" + jsonType + "Content-Length: 99\r\n\r\n"), status: 504, outcome: "failed"},
		{name: "a stall in the body", conf: impatient, serve: stall("HTTP/1.1 200 OK\r\n" + jsonType + "Content-Length: 9999\r\n\r\n" + answerJSON), status: 504, outcome: "failed"},
		{name: "a stall in an error", conf: impatient, serve: stall("HTTP/1.1 500 X\r\n" + jsonType + "Content-Length: 9999\r\n\r\n" + answerJSON), status: 504, outcome: "failed"},
		{name: "a stall before the first event", conf: impatient, ask: helloStream, serve: stall(events()), status: 504, not: []string{"data:"}, outcome: "failed"},
		{name: "a stall in a stream", conf: strings.Replace(impatient, "150", "1500", 1), ask: helloStream, serve: stall(events(data(chunk("he")))), status: 200, body: []string{`"he"`, textTimeout}, not: []string{"[DONE]"}, outcome: "upstream_cut"},
		{name: "a stall of gzip", conf: impatient, serve: stall("HTTP/1.1 200 OK\r\n" + jsonType + "Content-Encoding: gzip\r\nContent-Length: 99\r\n\r\n"), status: 504, outcome: "failed"},

		// Redirects, errors.
		{name: "a redirect", raw: http11(307, "Location: https://elsewhere.example/v1?key=CANARY-KEY\r\n", ""), status: 502, body: []string{"redirect"}, header: map[string]string{"Location": ""}, outcome: "failed"},
		{name: "304", raw: "HTTP/1.1 304 Not Modified\r\n\r\n", status: 502, outcome: "failed"},
		{name: "429 in seconds", raw: http11(429, jsonType+"Retry-After: 7\r\n", `{"error":{"message":"slow"}}`), status: 429, body: []string{"slow"}, header: map[string]string{"Retry-After": "7"}, outcome: "failed"},
		{name: "429 in garbage", raw: http11(429, jsonType+"Retry-After: -1e999 soon\r\n", `{"error":{"message":"slow"}}`), status: 429, body: []string{"slow"}, outcome: "failed"},
		{name: "an error that tells the key", raw: http11(401, jsonType+"X-Echo: CANARY-KEY\r\n", `{"error":{"message":"Incorrect API key provided: CANARY-KEY. (Bearer CANARY-KEY)"}}`), status: 401, body: []string{"Incorrect API key"}, outcome: "failed"},
		{name: "an error without text", raw: http11(500, "", ``), status: 500, outcome: "failed"},
		{name: "an error in HTML", raw: http11(503, "Content-Type: text/html\r\n", `<html>`), status: 503, outcome: "failed"},
		{name: "an error event that tells the key", ask: helloStream, raw: events(data(chunk("he")), data(`{"error":{"message":"bad key CANARY-KEY"}}`)), status: 200, body: []string{"bad key"}, not: []string{"[DONE]"}, outcome: "failed"},

		// Streams.
		{name: "a byte order mark", ask: helloStream, raw: events("\xef\xbb\xbf", wholeStream), status: 200, body: []string{`"he"`, "[DONE]"}, outcome: "completed", usage: 7},
		{name: "CRLF", ask: helloStream, raw: events(strings.ReplaceAll(wholeStream, "\n", "\r\n")), status: 200, body: []string{`"he"`, "[DONE]"}, outcome: "completed", usage: 7},
		{name: "CR", ask: helloStream, raw: events(strings.ReplaceAll(wholeStream, "\n", "\r")), status: 200, body: []string{`"he"`, "[DONE]"}, outcome: "completed", usage: 7},
		{name: "no space after the colon", ask: helloStream, raw: events(strings.ReplaceAll(wholeStream, "data: ", "data:")), status: 200, body: []string{`"he"`, "[DONE]"}, outcome: "completed", usage: 7},
		{name: "garbage after the end", ask: helloStream, raw: events(wholeStream, "data: garbage\n\n", data(chunk("late")), data("[DONE]")), status: 200, body: []string{"[DONE]"}, not: []string{"garbage", "late"}, outcome: "completed", usage: 7},
		{name: "no usage", ask: helloStream, raw: events(data(chunk("he")), data(finishChunk), data("[DONE]")), status: 200, body: []string{"[DONE]"}, outcome: "completed"},
		{name: "no [DONE]", ask: helloStream, raw: events(data(chunk("he")), data(finishChunk)), status: 200, body: []string{"[DONE]"}, outcome: "completed"},
		{name: "no finish", ask: helloStream, raw: events(data(chunk("he"))), status: 200, body: []string{`{"error":`}, not: []string{"[DONE]"}, outcome: "upstream_cut"},
		{name: "an empty stream", ask: helloStream, raw: events(), status: 502, outcome: "failed"},
		{name: "an event too large", ask: helloStream, serve: func(c net.Conn) {
			io.WriteString(c, events(data(chunk("he")), "data: {\"x\":\""))
			piece := bytes.Repeat([]byte("x"), 1<<20)
			for range 100 {
				if _, err := c.Write(piece); err != nil {
					break
				}
			}
			c.Close()
		}, status: 200, body: []string{`"he"`, `{"error":`}, not: []string{"[DONE]", "xxxx"}, outcome: "upstream_cut"},
		{name: "events that are no JSON", ask: helloStream, raw: events(data("he"), data("{"), data(chunk("he")), data(finishChunk), data("[DONE]")), status: 200, body: []string{`"he"`, "[DONE]"}, outcome: "completed"},
		{name: "null everywhere in a stream", ask: helloStream, raw: events(data(`null`), data(`{"choices":null}`), data(`{"choices":[null]}`), data(`{"choices":[{"delta":null,"finish_reason":null}],"usage":null,"error":null}`),
			data(`{"id":null,"model":null,"choices":[{"index":null,"delta":{"content":null,"role":null,"tool_calls":null}}]}`), wholeStream), status: 200, body: []string{`"he"`, "[DONE]"}, outcome: "completed", usage: 7},
		{name: "split surrogates and no UTF-8", ask: helloStream, raw: events(data(chunk(`\ud83d`)), data(chunk(`\ude00`)), data(chunk("\xff\xed\xa0\x80")), data(finishChunk), data(usageChunk), data("[DONE]")), status: 200, body: []string{`\ud83d`, `\ude00`, "[DONE]"}, outcome: "completed", usage: 7},
		{name: "a number of 64 bits", ask: helloStream, raw: events(data(`{"id":"c","n":9007199254740993,"e":1e999,"z":-0,"choices":[{"index":0,"delta":{"content":"he"},"finish_reason":null}]}`), data(finishChunk), data("[DONE]")), status: 200, body: []string{"9007199254740993", "1e999", ":-0,"}, outcome: "completed"},
		{name: "an error event first", ask: helloStream, raw: events(data(`{"error":{"message":"overloaded","type":"server_error"}}`)), body: []string{"overloaded"}, not: []string{"[DONE]"}, outcome: "failed"},
		{name: "a stream to who wanted none", raw: events(wholeStream), not: []string{"CANARY"}, outcome: ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t) })
	}
}

// stall says something and then nothing more, as long as the relay listens.
func stall(said string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, said)
		io.Copy(io.Discard, c)
		c.Close()
	}
}

func (c *hostile) run(t *testing.T) {
	conf := c.conf
	if conf == "" {
		conf = chatConf
	}
	ask := c.ask
	if ask == "" {
		ask = hello
	}
	b := newBench(t, conf, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if c.serve != nil {
			c.serve(conn)
			return
		}
		io.WriteString(conn, c.raw)
		conn.Close()
	})
	machine := lateness.Start(t)
	began := time.Now()
	req, _ := http.NewRequest("POST", b.front.URL+"/chat", strings.NewReader(ask))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil != c.abort {
		t.Errorf("the answer ended with %v", err)
	}
	if d := time.Since(began); d > machine.Within(3*time.Second) {
		t.Errorf("it took %s", d)
	}
	if c.status != 0 && resp.StatusCode != c.status {
		t.Errorf("status %d, want %d: %.300s", resp.StatusCode, c.status, body)
	}
	for _, part := range c.body {
		if !strings.Contains(string(body), part) {
			t.Errorf("no %q in %.600s", part, body)
		}
	}
	for _, part := range c.not {
		if strings.Contains(string(body), part) {
			t.Errorf("%q in %.600s", part, body)
		}
	}
	for name, value := range c.header {
		if got := resp.Header.Get(name); got != value {
			t.Errorf("header %s: %q, want %q", name, got, value)
		}
	}
	checkReadable(t, resp, body)
	rec := b.record()
	if got := at(rec, "meta.outcome"); c.outcome != "" && got != c.outcome {
		t.Errorf("outcome %v, want %s: %v", got, c.outcome, rec)
	}
	if got := at(rec, "usage.prompt_tokens"); c.usage != 0 && got != c.usage {
		t.Errorf("prompt tokens %v, want %v", got, c.usage)
	}
	for _, count := range []string{"prompt_tokens", "completion_tokens", "total_tokens", "cost"} {
		if n, _ := at(rec, "usage."+count).(float64); n < 0 {
			t.Errorf("%s is %v", count, n)
		}
	}
	text, _ := json.Marshal(rec)
	b.mu.Lock()
	logs := b.logs.String()
	b.mu.Unlock()
	for where, said := range map[string]string{"body": string(body), "header": fmt.Sprint(resp.Header), "record": string(text), "log": logs} {
		if strings.Contains(said, "CANARY") {
			t.Errorf("the %s has a secret: %.500s", where, said)
		}
	}
	if strings.Contains(logs, "panic") {
		t.Errorf("log: %s", logs)
	}
}

// checkReadable holds an answer to what every client relies on: JSON, or a
// stream of JSON with one end at the most, whose errors come last.
func checkReadable(t *testing.T, resp *http.Response, body []byte) {
	t.Helper()
	if resp.Header.Get("Content-Encoding") != "" {
		t.Errorf("Content-Encoding %q", resp.Header.Get("Content-Encoding"))
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		if resp.StatusCode < 300 && !json.Valid(body) {
			t.Errorf("no JSON: %.300q", body)
		}
		return
	}
	var ends, errors int
	blocks := strings.Split(strings.TrimSpace(string(body)), "\n\n")
	for i, block := range blocks {
		text, ok := strings.CutPrefix(block, "data: ")
		switch {
		case text == "[DONE]":
			if ends++; i != len(blocks)-1 {
				t.Errorf("%d events after [DONE]", len(blocks)-1-i)
			}
		case !ok && block != "":
			t.Errorf("no data line: %.200q", block)
		case strings.HasPrefix(text, `{"error":`):
			errors++
		}
	}
	if ends+errors != 1 {
		t.Errorf("%d ends, %d errors: %.500s", ends, errors, body)
	}
}
