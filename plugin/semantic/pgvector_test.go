package semantic

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"go-ai-proxy/plugin/config"
)

// postgres starts PGlite, PostgreSQL with pgvector in WebAssembly, behind a
// socket. GO_AI_PROXY_PGLITE is the folder in which its npm packages lie
// (.ci/run installs them).
func postgres(t *testing.T) *config.VectorDB {
	t.Helper()
	dir := os.Getenv("GO_AI_PROXY_PGLITE")
	script := filepath.Join(dir, "node_modules/@electric-sql/pglite-socket/dist/scripts/server.js")
	node, err := exec.LookPath("node")
	if _, missing := os.Stat(script); dir == "" || err != nil || missing != nil {
		if os.Getenv("GO_AI_PROXY_REQUIRE_PGVECTOR") == "1" {
			t.Fatalf("no PGlite in GO_AI_PROXY_PGLITE=%q", dir)
		}
		t.Skip("needs PGlite: npm install @electric-sql/pglite-socket in a folder, named by GO_AI_PROXY_PGLITE")
	}
	cmd := exec.Command(node, script, "--port=0", "--host=127.0.0.1", "--max-connections=20", "--extensions=@electric-sql/pglite-pgvector:vector")
	cmd.Dir = dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	timer := time.AfterFunc(60*time.Second, func() { cmd.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var port int
		if _, rest, ok := strings.Cut(lines.Text(), `listening on {"port":`); ok {
			fmt.Sscanf(rest, "%d", &port)
			go func() {
				for lines.Scan() { // a full pipe would stop it
				}
			}()
			return &config.VectorDB{Strategy: "pgvector", Dimensions: 3, PGVector: &config.PGVector{
				Host: "127.0.0.1", Port: port, Database: "postgres", User: "postgres", Password: "postgres", Timeout: 20000,
			}}
		}
	}
	t.Fatal("PGlite did not start")
	return nil
}

func TestPGVectorSearchesWhatItStores(t *testing.T) {
	c := postgres(t)
	t.Run("alone", func(t *testing.T) {
		testIndexSearchesWhatItStores(t, func(metric, namespace string, targets []Target) Index {
			c := *c
			c.DistanceMetric = metric
			return open(t, &c, namespace, targets)
		})
	})
	t.Run("many at once make the table", func(t *testing.T) {
		c := *c
		c.Dimensions, c.DistanceMetric = 2, "cosine"
		var wg sync.WaitGroup
		for range 6 {
			x := open(t, &c, "many", three)
			defer x.Close()
			wg.Go(func() {
				if err := x.Save(t.Context(), map[string][]float32{"a": {1, 0}}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	t.Run("a router over it", func(t *testing.T) {
		m := &model{}
		o := m.options(three...)
		o.Timeout = 20 * time.Second
		c := *c
		c.DistanceMetric = "cosine"
		o.Index = open(t, &c, "p", three)
		r := start(t, o)
		if got := r.Rank(t.Context(), "rhyme", all(r)); got.Ranked[0] != 1 || len(got.Warnings) > 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a database that lost its table", func(t *testing.T) {
		m := &model{}
		o := m.options(three...)
		o.Timeout = 20 * time.Second
		c := *c
		c.DistanceMetric = "cosine"
		x := open(t, &c, "q", three)
		o.Index = x
		r := start(t, o)
		r.Rank(t.Context(), "rhyme", all(r))
		if _, err := x.(*pgvectorIndex).pool.Exec(t.Context(), "DROP TABLE "+x.(*pgvectorIndex).table); err != nil {
			t.Fatal(err)
		}
		got := r.Rank(t.Context(), "rhyme", all(r))
		if got.Ranked[0] != 1 || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "SQLSTATE 42P01") {
			t.Errorf("%+v", got)
		}
		deadline := time.Now().Add(20 * time.Second)
		for len(got.Warnings) > 0 && time.Now().Before(deadline) {
			time.Sleep(50 * time.Millisecond)
			got = r.Rank(t.Context(), "rhyme", all(r))
		}
		if len(got.Warnings) > 0 {
			t.Errorf("the table was not made again: %+v", got)
		}
	})
}

func TestRoutingWorksWithoutPGVector(t *testing.T) {
	m := &model{}
	o := m.options(three...)
	o.Index = open(t, &config.VectorDB{Strategy: "pgvector", Dimensions: 3, DistanceMetric: "cosine", PGVector: &config.PGVector{
		Host: "127.0.0.1", Port: 1, Database: "SECRETDB", User: "SECRETUSER", Password: "SECRETPASS", Timeout: 20000,
	}}, "p", three)
	r := start(t, o)
	got := r.Rank(t.Context(), "code", all(r))
	if got.Ranked[0] != 0 || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "cannot connect") || strings.Contains(got.Warnings[0], "SECRET") {
		t.Errorf("%+v", got)
	}
}

func TestPGVectorUsesTheConfiguredTLS(t *testing.T) {
	for _, c := range []struct {
		name            string
		c               config.PGVector
		tls, plain, all bool
		version         uint16
	}{
		{"none", config.PGVector{}, false, false, false, 0},
		{"where the server has it", config.PGVector{SSL: true, SSLVersion: "tlsv1_2"}, true, true, false, tls.VersionTLS12},
		{"verified", config.PGVector{SSL: true, SSLVerify: true, SSLVersion: "tlsv1_2"}, true, false, true, tls.VersionTLS12},
		{"required", config.PGVector{SSL: true, SSLRequired: true, SSLVersion: "tlsv1_3"}, true, false, false, tls.VersionTLS13},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.c.Host, c.c.Port = "db.example", 5433
			o, err := pgOptions(&c.c)
			if err != nil {
				t.Fatal(err)
			}
			checkTLS(t, o, c.tls, c.plain, c.all, c.version)
		})
	}
	if _, err := pgOptions(&config.PGVector{SSL: true, SSLCert: "/nonexistent", SSLCertKey: "/nonexistent"}); err == nil || !strings.Contains(err.Error(), "ssl_cert") {
		t.Errorf("%v", err)
	}
}

func checkTLS(t *testing.T, o *pgxpool.Config, encrypted, plain, verified bool, version uint16) {
	t.Helper()
	pg := o.ConnConfig
	if pg.Host != "db.example" || pg.Port != 5433 {
		t.Errorf("%s:%d", pg.Host, pg.Port)
	}
	if (pg.TLSConfig != nil) != encrypted || (len(pg.Fallbacks) == 1 && pg.Fallbacks[0].TLSConfig == nil) != plain {
		t.Fatalf("TLS %+v, fallbacks %v", pg.TLSConfig, pg.Fallbacks)
	}
	if encrypted && (pg.TLSConfig.MinVersion != version || pg.TLSConfig.InsecureSkipVerify == verified || pg.TLSConfig.ServerName != "db.example") {
		t.Errorf("TLS %+v", pg.TLSConfig)
	}
}

// TestVerifiedPGVectorNeverFallsBackToPlainText: neither a certificate that
// nobody knows nor a server that says it has no TLS gets the user's name.
func TestVerifiedPGVectorNeverFallsBackToPlainText(t *testing.T) {
	certificates := httptest.NewUnstartedServer(nil)
	certificates.StartTLS()
	defer certificates.Close()
	for _, offer := range []string{"S", "N"} {
		t.Run(offer, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			first := make(chan []byte, 100) // each connection's first message
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						message := make([]byte, 8)
						if _, err := io.ReadFull(c, message); err != nil {
							return
						}
						first <- message
						io.WriteString(c, offer)
						if offer == "S" {
							tls.Server(c, certificates.TLS).Handshake()
						}
					}()
				}
			}()
			x := open(t, &config.VectorDB{Strategy: "pgvector", Dimensions: 3, DistanceMetric: "cosine", PGVector: &config.PGVector{
				Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Database: "db", User: "user", Timeout: 20000, SSL: true, SSLVerify: true,
			}}, "p", three)
			defer x.Close()
			if err := x.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "ssl_verify") {
				t.Errorf("%v", err)
			}
			sslRequest := []byte{0, 0, 0, 8, 4, 210, 22, 47}
			for n := len(first); n > 0; n-- {
				if m := <-first; !bytes.Equal(m, sslRequest) {
					t.Errorf("plain text: % x", m)
				}
			}
		})
	}
}
