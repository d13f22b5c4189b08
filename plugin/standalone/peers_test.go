package standalone

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A gateway's peers, the clients and the provider, are another process: this test's
// binary again. So what the test's process uses is the gateway's. They write and read
// bytes that were made before.

// peersEnv tells a process that it is the peers', and where to put the provider's
// certificate.
const peersEnv = "GO_AI_PROXY_TEST_PEERS"

// peers are the process of clients and provider.
type peers struct {
	plain, secure string // addresses of the provider
	orders        io.Writer
	done          *bufio.Reader
}

// startPeers starts the process, and has this one trust the provider's certificate. It
// must be called before anything else has used the system's.
func startPeers(t testing.TB) *peers {
	file := filepath.Join(t.TempDir(), "ca.pem")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), peersEnv+"="+file)
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { orders.Close(); _ = cmd.Wait() })
	p := &peers{orders: orders, done: bufio.NewReader(answers)}
	if _, err := fmt.Fscanf(p.done, "%s %s\n", &p.plain, &p.secure); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", file)
	return p
}

// send has clients, each on its own connection, send n requests to a path of address,
// and returns when all are answered.
func (p *peers) send(t testing.TB, address, path string, clients, n int) {
	if _, err := fmt.Fprintf(p.orders, "%s %s %d %d\n", address, path, clients, n); err != nil {
		t.Fatal(err)
	}
	if said, err := p.done.ReadString('\n'); err != nil || said != "done\n" {
		t.Fatalf("the clients say %q: %v", said, err)
	}
}

// bePeers serves as provider and sends what is ordered, until there are no more orders.
func bePeers(certificate string) error {
	config, err := ownCertificate(certificate)
	if err != nil {
		return err
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	secure, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return err
	}
	go provide(plain)
	go provide(secure)
	fmt.Println(plain.Addr(), secure.Addr())
	known := map[string][]*client{}
	for {
		var address, path string
		var clients, n int
		if _, err := fmt.Scanf("%s %s %d %d\n", &address, &path, &clients, &n); err != nil {
			return nil // the test has ended
		}
		list := known[address+path]
		for len(list) < clients {
			c, err := newClient(address, path)
			if err != nil {
				return err
			}
			list = append(list, c)
		}
		known[address+path] = list
		if err := sendAll(list[:clients], n); err != nil {
			return err
		}
		fmt.Println("done")
	}
}

// sendAll has the clients send n requests together.
func sendAll(clients []*client, n int) error {
	ends := make(chan error)
	for i, c := range clients {
		go func() { ends <- c.send((n + i) / len(clients)) }()
	}
	var failed error
	for range clients {
		if err := <-ends; err != nil {
			failed = err
		}
	}
	return failed
}

// ownCertificate makes a certificate for 127.0.0.1 and writes it to file.
func ownCertificate(file string) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

const words = "the quick brown fox jumps over a lazy dog and writes JSON "

var (
	openAIAnswer = answer(`{"choices":[{"finish_reason":"stop","index":0,"logprobs":null,"message":{"content":"` + strings.Repeat(words, 18) + `","refusal":null,"role":"assistant"}}],` +
		`"created":1700000000,"id":"chatcmpl-mock0000","model":"mock-1","object":"chat.completion","service_tier":"default","system_fingerprint":"fp_mock",` +
		`"usage":{"completion_tokens":204,"completion_tokens_details":{"audio_tokens":0,"reasoning_tokens":0},"prompt_tokens":12,` +
		`"prompt_tokens_details":{"audio_tokens":0,"cached_tokens":0},"total_tokens":216}}`)
	anthropicAnswer = answer(`{"content":[{"text":"` + strings.Repeat(words, 18) + `","type":"text"}],"id":"msg_mock","model":"mock-1","role":"assistant",` +
		`"stop_reason":"end_turn","stop_sequence":null,"type":"message","usage":{"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"input_tokens":12,"output_tokens":204}}`)
)

func answer(body string) []byte {
	return []byte("HTTP/1.1 200 OK\r\nServer: mock\r\nContent-Type: application/json\r\nX-Request-Id: req_mock\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

func provide(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			b := make([]byte, 16<<10)
			for {
				head, err := message(conn, b)
				if err != nil {
					return
				}
				answer := openAIAnswer
				if bytes.HasPrefix(head, []byte("POST /v1/messages ")) {
					answer = anthropicAnswer
				}
				if _, err := conn.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}

// client is a client's connection.
type client struct {
	conn    net.Conn
	request []byte
	space   []byte
}

func newClient(address, path string) (*client, error) {
	conn, err := net.Dial("tcp", address)
	body := `{"model": "mock-1", "messages": [{"role": "user", "content": "` + strings.Repeat("hello world ", 80) + `"}]}`
	head := "POST " + path + " HTTP/1.1\r\nHost: " + address + "\r\nUser-Agent: load\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\nContent-Type: application/json\r\n\r\n"
	return &client{conn, []byte(head + body), make([]byte, 16<<10)}, err
}

func (c *client) send(n int) error {
	for range n {
		if _, err := c.conn.Write(c.request); err != nil {
			return err
		}
		head, err := message(c.conn, c.space)
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 OK\r\n")) {
			return fmt.Errorf("the gateway answered %q", head)
		}
	}
	return nil
}

// message reads one message with Content-Length and returns what has come of it with its
// first bytes.
func message(r io.Reader, b []byte) ([]byte, error) {
	n := 0
	for {
		m, err := r.Read(b[n:])
		if err != nil {
			return nil, err
		}
		n += m
		head, _, whole := bytes.Cut(b[:n], []byte("\r\n\r\n"))
		if !whole {
			continue
		}
		_, field, _ := bytes.Cut(head, []byte("\r\nContent-Length: "))
		field, _, _ = bytes.Cut(field, []byte("\r\n"))
		length, err := strconv.Atoi(string(field))
		if err != nil {
			return nil, err
		}
		for n < len(head)+4+length {
			m, err := r.Read(b[n:])
			if err != nil {
				return nil, err
			}
			n += m
		}
		return b[:n], nil
	}
}
