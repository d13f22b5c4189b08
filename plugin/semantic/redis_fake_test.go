package semantic

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
)

// searchServer speaks as much RESP2 as a Redis with its search module needs to
// keep hashes and answer KNN queries, with real distances. No package that can
// be installed here brings the module itself.
type searchServer struct {
	listener net.Listener
	// script, if set, answers a command in the server's place.
	script func(args []string) (answer string, ok bool)

	mu      sync.Mutex
	conns   map[net.Conn]bool
	hashes  map[string]map[string]string
	indexes map[string]searchIndex
	seen    []string // the first words of commands
}

type searchIndex struct {
	prefix     string
	dimensions int
	squared    bool // L2: the module gives the square of the distance
}

func newSearchServer(t *testing.T) *searchServer {
	s := &searchServer{conns: map[net.Conn]bool{}, hashes: map[string]map[string]string{}, indexes: map[string]searchIndex{}}
	s.listen(t, "127.0.0.1:0")
	t.Cleanup(s.kill)
	return s
}

func (s *searchServer) listen(t *testing.T, addr string) {
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

func (s *searchServer) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// kill ends the server and its connections; listen brings it back.
func (s *searchServer) kill() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
	clear(s.conns)
}

// forget loses all data, as a restart without persistence does.
func (s *searchServer) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.hashes)
	clear(s.indexes)
}

func (s *searchServer) count(command string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.seen {
		if c == command {
			n++
		}
	}
	return n
}

func (s *searchServer) keys(prefix string) (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.hashes {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	return keys
}

func (s *searchServer) serve(c net.Conn) {
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
		if s.script != nil {
			answer, ok = s.script(args)
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

func bulk(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) }

func array(items ...string) string {
	return fmt.Sprintf("*%d\r\n%s", len(items), strings.Join(items, ""))
}

func (s *searchServer) do(args []string) string {
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
			return bulk(v)
		}
		return "$-1\r\n"
	case "HGETALL":
		var all []string
		for k, v := range s.hashes[args[1]] {
			all = append(all, bulk(k), bulk(v))
		}
		return array(all...)
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

func (s *searchServer) create(args []string) string {
	if _, there := s.indexes[args[1]]; there {
		return "-Index already exists\r\n"
	}
	text := strings.Join(args[2:], " ")
	m := regexp.MustCompile(`^ON HASH PREFIX 1 (\S+) SCHEMA set TAG vector VECTOR FLAT 6 TYPE FLOAT32 DIM (\d+) DISTANCE_METRIC (COSINE|L2)$`).FindStringSubmatch(text)
	if m == nil {
		return "-ERR this server does not know: " + text + "\r\n"
	}
	dimensions, _ := strconv.Atoi(m[2])
	s.indexes[args[1]] = searchIndex{prefix: m[1], dimensions: dimensions, squared: m[3] == "L2"}
	return "+OK\r\n"
}

func (s *searchServer) search(args []string) string {
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
		answer = append(answer, bulk(h.key), array(bulk("distance"), bulk(strconv.FormatFloat(h.distance, 'g', 12, 32))))
	}
	return array(answer...)
}

func vectorOf(blob string) []float64 {
	v := make([]float64, len(blob)/4)
	for i := range v {
		v[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32([]byte(blob[4*i:]))))
	}
	return v
}

func (x searchIndex) distance(a, b []float64) float64 {
	var dot, aa, bb, square float64
	for i := range a {
		dot, aa, bb, square = dot+a[i]*b[i], aa+a[i]*a[i], bb+b[i]*b[i], square+(a[i]-b[i])*(a[i]-b[i])
	}
	if x.squared {
		return square
	}
	return 1 - dot/math.Sqrt(aa*bb)
}
