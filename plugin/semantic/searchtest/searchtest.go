// Package searchtest is a Redis (or Valkey) with a search module for tests: as
// much RESP2 as it takes to keep hashes and to answer KNN queries, with real
// distances. No package that can be installed for tests brings the module
// itself. What it is not told to know it refuses.
package searchtest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go-ai-proxy/test/ports"
)

// Server is one server on 127.0.0.1.
type Server struct {
	// Script, if set, answers a command in the server's place, in RESP2.
	Script func(args []string) (answer string, ok bool)

	listener net.Listener
	mu       sync.Mutex
	conns    map[net.Conn]bool
	hashes   map[string]map[string]string
	indexes  map[string]index
	seen     []string // the first words of commands
}

type index struct {
	prefix     string
	dimensions int
	squared    bool // L2: the module gives the square of the distance
}

// New starts a server, which ends with the test.
func New(t testing.TB) *Server {
	s := &Server{conns: map[net.Conn]bool{}, hashes: map[string]map[string]string{}, indexes: map[string]index{}}
	s.listen(t, ports.Hold(t))
	t.Cleanup(s.Kill)
	return s
}

func (s *Server) listen(t testing.TB, addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s.listener = l
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[c] = true
			s.mu.Unlock()
			go s.serve(c)
		}
	}()
}

// Port is the TCP port.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Kill ends the server and its connections.
func (s *Server) Kill() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
	clear(s.conns)
}

// Revive brings a killed server back on the same port, with its data.
func (s *Server) Revive(t testing.TB) { s.listen(t, s.listener.Addr().String()) }

// Forget loses all data, as a restart without persistence does.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.hashes)
	clear(s.indexes)
}

// Count is how often a command came.
func (s *Server) Count(command string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.seen {
		if c == command {
			n++
		}
	}
	return n
}

// Keys are the keys with a prefix.
func (s *Server) Keys(prefix string) (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.hashes {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	return keys
}

func (s *Server) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.seen = append(s.seen, strings.ToUpper(args[0]))
		var answer string
		ok := false
		if s.Script != nil {
			answer, ok = s.Script(args)
		}
		if !ok {
			answer = s.do(args)
		}
		s.mu.Unlock()
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

func readCommand(r *bufio.Reader) ([]string, error) {
	number := func(kind byte) (int, error) {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if len(line) < 4 || line[0] != kind {
			return 0, fmt.Errorf("%q is no command", line)
		}
		return strconv.Atoi(line[1 : len(line)-2])
	}
	n, err := number('*')
	if err != nil || n < 1 {
		return nil, fmt.Errorf("no command: %w", err)
	}
	args := make([]string, n)
	for i := range args {
		size, err := number('$')
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		args[i] = string(b[:size])
	}
	return args, nil
}

// Bulk is a bulk string of RESP2.
func Bulk(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) }

// Array is an array of RESP2, of encoded items.
func Array(items ...string) string {
	return fmt.Sprintf("*%d\r\n%s", len(items), strings.Join(items, ""))
}

func (s *Server) do(args []string) string {
	switch strings.ToUpper(args[0]) {
	case "HSET":
		h := s.hashes[args[1]]
		if h == nil {
			h = map[string]string{}
			s.hashes[args[1]] = h
		}
		for i := 2; i+1 < len(args); i += 2 {
			h[args[i]] = args[i+1]
		}
		return ":1\r\n"
	case "HGET":
		if v, ok := s.hashes[args[1]][args[2]]; ok {
			return Bulk(v)
		}
		return "$-1\r\n"
	case "HGETALL":
		var all []string
		for k, v := range s.hashes[args[1]] {
			all = append(all, Bulk(k), Bulk(v))
		}
		return Array(all...)
	case "HDEL":
		delete(s.hashes[args[1]], args[2])
		return ":1\r\n"
	case "DEL":
		delete(s.hashes, args[1])
		return ":1\r\n"
	case "FT.CREATE":
		return s.create(args)
	case "FT.SEARCH":
		return s.search(args)
	case "AUTH", "SELECT":
		return "+OK\r\n"
	}
	return "-ERR unknown command '" + args[0] + "'\r\n"
}

func (s *Server) create(args []string) string {
	if _, there := s.indexes[args[1]]; there {
		return "-Index already exists\r\n"
	}
	text := strings.Join(args[2:], " ")
	m := regexp.MustCompile(`^ON HASH PREFIX 1 (\S+) SCHEMA set TAG vector VECTOR FLAT 6 TYPE FLOAT32 DIM (\d+) DISTANCE_METRIC (COSINE|L2)$`).FindStringSubmatch(text)
	if m == nil {
		return "-ERR this server does not know: " + text + "\r\n"
	}
	dimensions, _ := strconv.Atoi(m[2])
	s.indexes[args[1]] = index{prefix: m[1], dimensions: dimensions, squared: m[3] == "L2"}
	return "+OK\r\n"
}

func (s *Server) search(args []string) string {
	x, there := s.indexes[args[1]]
	if !there {
		return "-" + args[1] + ": no such index\r\n"
	}
	m := regexp.MustCompile(`^\(@set:\{(\w+)\}\)=>\[KNN (\d+) @vector \$prompt AS distance\]$`).FindStringSubmatch(args[2])
	rest := slices.Index(args, "PARAMS")
	if m == nil || rest < 0 || args[rest+2] != "prompt" || !slices.Contains(args, "DIALECT") {
		return "-ERR syntax error\r\n"
	}
	prompt := vectorOf(args[rest+3])
	if len(prompt) != x.dimensions {
		return "-Error parsing vector similarity query: query vector blob size does not match index's expected size.\r\n"
	}
	type hit struct {
		key      string
		distance float64
	}
	var hits []hit
	for key, h := range s.hashes {
		v := vectorOf(h["vector"])
		if !strings.HasPrefix(key, x.prefix) || h["set"] != m[1] || len(v) != x.dimensions {
			continue
		}
		hits = append(hits, hit{key, x.distance(prompt, v)})
	}
	slices.SortFunc(hits, func(a, b hit) int { return int(math.Copysign(1, a.distance-b.distance)) })
	if k, _ := strconv.Atoi(m[2]); len(hits) > k {
		hits = hits[:k]
	}
	answer := []string{fmt.Sprintf(":%d\r\n", len(hits))}
	for _, h := range hits {
		answer = append(answer, Bulk(h.key), Array(Bulk("distance"), Bulk(strconv.FormatFloat(h.distance, 'g', 12, 32))))
	}
	return Array(answer...)
}

func vectorOf(blob string) []float64 {
	v := make([]float64, len(blob)/4)
	for i := range v {
		v[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32([]byte(blob[4*i:]))))
	}
	return v
}

func (x index) distance(a, b []float64) float64 {
	var dot, aa, bb, square float64
	for i := range a {
		dot, aa, bb, square = dot+a[i]*b[i], aa+a[i]*a[i], bb+b[i]*b[i], square+(a[i]-b[i])*(a[i]-b[i])
	}
	if x.squared {
		return square
	}
	return 1 - dot/math.Sqrt(aa*bb)
}
