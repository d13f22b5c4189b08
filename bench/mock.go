package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// answerText is what every whole answer says; frameText is each frame's.
const (
	answerText = "Forty two is the answer to the question that was asked here, whatever it was."
	frameText  = "word "
)

// mock is a provider that speaks OpenAI's and Anthropic's chat. All bodies are made
// before the first request. It answers what its shape wants.
type mock struct {
	shape        *shape
	address      string
	secure       bool
	certificates string // the file of what to trust
	server       *http.Server
	connected    atomic.Int64 // connections that were made
}

// startMock serves on loopback, with TLS if secure. Its certificate goes into dir.
func startMock(dir string, secure bool) (*mock, error) {
	m := &mock{secure: secure, certificates: filepath.Join(dir, "ca.pem")}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m.address = l.Addr().String()
	m.server = &http.Server{Handler: m, ReadHeaderTimeout: 30 * time.Second, ErrorLog: log.New(io.Discard, "", 0)} // handshakes that a round's end breaks off
	m.server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			m.connected.Add(1)
		}
	}
	if secure {
		certificate, err := m.certificate()
		if err != nil {
			return nil, err
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	}
	go func() { _ = m.server.Serve(l) }() // ends with close
	return m, nil
}

func (m *mock) close() { _ = m.server.Close() }

// url is the address with its scheme.
func (m *mock) url() string {
	if m.secure {
		return "https://" + m.address
	}
	return "http://" + m.address
}

// certificate makes a key for loopback and writes what clients have to trust.
func (m *mock) certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(m.certificates, public, 0o600)
}

var (
	openAIWhole = []byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"` + answerText +
		`","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":400,"completion_tokens":17,"total_tokens":417}}`)
	anthropicWhole = []byte(`{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"` + answerText +
		`"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":400,"output_tokens":17}}`)
)

// ServeHTTP implements http.Handler.
func (m *mock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // the client is gone
	}
	anthropic := strings.HasSuffix(r.URL.Path, "/messages")
	s := m.shape
	if s == nil || s.frames == 0 {
		w.Header().Set("Content-Type", "application/json")
		body := openAIWhole
		if anthropic {
			body = anthropicWhole
		}
		_, _ = w.Write(body) // a client that is gone is counted there
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	stream(w, r, openAIFrames(s.frames, anthropic), s.gap)
}

// stream sends frames, one every gap.
func stream(w http.ResponseWriter, r *http.Request, frames []string, gap time.Duration) {
	flusher := http.NewResponseController(w)
	tick := time.NewTicker(gap)
	defer tick.Stop()
	for i, frame := range frames {
		if _, err := io.WriteString(w, frame); err != nil {
			return
		}
		if err := flusher.Flush(); err != nil || i == len(frames)-1 {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// openAIFrames are the events of a stream of n texts; what surrounds them comes with the
// first and the last.
func openAIFrames(n int, anthropic bool) (frames []string) {
	if anthropic {
		const delta = `event: content_block_delta` + "\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + frameText + `"}}` + "\n\n"
		begin := "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":400,\"output_tokens\":1}}}\n\n" +
			"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
		end := "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n" +
			fmt.Sprintf("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":%d}}\n\n", n) +
			"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
		return surrounded(n, begin, delta, end)
	}
	const head = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o","choices":[{"index":0,"delta":`
	return surrounded(n, head+`{"role":"assistant","content":""},"finish_reason":null}]}`+"\n\n",
		head+`{"content":"`+frameText+`"},"finish_reason":null}]}`+"\n\n",
		head+`{},"finish_reason":"stop"}]}`+"\n\n"+"data: [DONE]\n\n")
}

func surrounded(n int, begin, delta, end string) []string {
	frames := make([]string, n)
	for i := range frames {
		frames[i] = delta
	}
	frames[0], frames[n-1] = begin+delta, frames[n-1]+end
	return frames
}

// client trusts the mock.
func (m *mock) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 64}} //nolint:gosec // it is our own
}
