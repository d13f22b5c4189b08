package semantic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pgvector/pgvector-go"

	"go-ai-proxy/plugin/config"
)

// pgvectorIndex keeps vectors in a table of PostgreSQL with the extension pgvector:
// https://github.com/pgvector/pgvector. All plugins whose vectors have the same
// length share a table. The table has no vector index: a search reads the few rows of
// one configuration.
type pgvectorIndex struct {
	space
	pool    *pgxpool.Pool
	timeout time.Duration
	table   string
}

// pgConnections is the highest number of connections of a plugin instance.
const pgConnections = 8

func newPGVector(c *config.PGVector, s space) (*pgvectorIndex, error) {
	o, err := pgOptions(c)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), o)
	if err != nil {
		return nil, fmt.Errorf("vectordb.pgvector: %w", err)
	}
	return &pgvectorIndex{
		space: s, pool: pool, timeout: time.Duration(c.Timeout * float64(time.Millisecond)),
		table: "go_ai_proxy_vectors_" + strconv.Itoa(s.dimensions),
	}, nil
}

func pgOptions(c *config.PGVector) (*pgxpool.Config, error) {
	o, err := pgxpool.ParseConfig("sslmode=disable host=localhost pool_min_conns=0")
	if err != nil {
		return nil, fmt.Errorf("vectordb.pgvector: %w", err)
	}
	o.MaxConns, o.MaxConnIdleTime = pgConnections, 5*time.Minute
	pg := o.ConnConfig
	pg.Host, pg.Port, pg.Database, pg.User, pg.Password = c.Host, uint16(c.Port), c.Database, c.User, c.Password
	pg.ConnectTimeout = time.Duration(c.Timeout * float64(time.Millisecond))
	pg.Fallbacks = nil
	// Statements are not prepared on the server, since poolers such as PgBouncer may
	// use another connection for the next one.
	pg.DefaultQueryExecMode = pgx.QueryExecModeExec
	if c.SSL || c.SSLRequired {
		if pg.TLSConfig, err = pgTLS(c); err != nil {
			return nil, err
		}
		// A server without TLS is accepted only if the certificate is not to be
		// verified. Otherwise a bad certificate, or a "no" from an attacker in
		// between, would turn TLS off.
		if !c.SSLRequired && !c.SSLVerify {
			pg.Fallbacks = []*pgconn.FallbackConfig{{Host: pg.Host, Port: pg.Port}}
		}
	}
	return o, nil
}

func pgTLS(c *config.PGVector) (*tls.Config, error) {
	t := &tls.Config{ServerName: c.Host, InsecureSkipVerify: !c.SSLVerify, MinVersion: tls.VersionTLS12}
	if c.SSLVersion == "tlsv1_3" {
		t.MinVersion = tls.VersionTLS13
	}
	if c.SSLCert != "" || c.SSLCertKey != "" {
		cert, err := tls.LoadX509KeyPair(c.SSLCert, c.SSLCertKey)
		if err != nil {
			return nil, fmt.Errorf("vectordb.pgvector.ssl_cert and ssl_cert_key: %w", err)
		}
		t.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}

// Close returns when no query is under way.
func (x *pgvectorIndex) Close() { x.pool.Close() }

// with limits an operation to vectordb.pgvector.timeout.
func (x *pgvectorIndex) with(ctx context.Context) (context.Context, context.CancelFunc) {
	if x.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, x.timeout)
}

// lockKey is the key of the advisory lock for creating the table.
const lockKey = 0x676f6169 // "goai"

// Prepare implements Index. CREATE … IF NOT EXISTS does not protect against another
// process that does the same at that moment; the lock does. If the table exists, no
// right to create one is needed.
func (x *pgvectorIndex) Prepare(ctx context.Context) error {
	ctx, cancel := x.with(ctx)
	defer cancel()
	err := pgx.BeginFunc(ctx, x.pool, func(tx pgx.Tx) error {
		there, err := x.exists(ctx, tx)
		if err != nil || there {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(lockKey)); err != nil {
			return err
		}
		if there, err = x.exists(ctx, tx); err != nil || there {
			return err
		}
		if _, err := tx.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS vector"); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
			namespace text NOT NULL,
			set text NOT NULL,
			id text NOT NULL,
			embedding vector(%d) NOT NULL,
			PRIMARY KEY (namespace, set, id))`, x.table, x.dimensions))
		return err
	})
	return x.wrap("creating the table", err)
}

func (x *pgvectorIndex) exists(ctx context.Context, tx pgx.Tx) (there bool, err error) {
	err = tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", x.table).Scan(&there)
	return there, err
}

// Load implements Index.
func (x *pgvectorIndex) Load(ctx context.Context) (map[string][]float32, error) {
	if err := x.Prepare(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := x.with(ctx)
	defer cancel()
	rows, err := x.pool.Query(ctx, "SELECT id, embedding::text FROM "+x.table+" WHERE namespace = $1 AND set = $2", x.namespace, x.set)
	if err != nil {
		return nil, x.wrap("reading vectors", err)
	}
	found := map[string][]float32{}
	var id, text string
	_, err = pgx.ForEachRow(rows, []any{&id, &text}, func() error {
		var v pgvector.Vector
		if err := v.Parse(text); err != nil {
			return err
		}
		found[id] = v.Slice()
		return nil
	})
	return found, x.wrap("reading vectors", err)
}

// Save implements Index.
func (x *pgvectorIndex) Save(ctx context.Context, vectors map[string][]float32) error {
	if err := x.Prepare(ctx); err != nil {
		return err
	}
	ctx, cancel := x.with(ctx)
	defer cancel()
	err := pgx.BeginFunc(ctx, x.pool, func(tx pgx.Tx) error {
		for id, v := range vectors {
			_, err := tx.Exec(ctx, "INSERT INTO "+x.table+` (namespace, set, id, embedding) VALUES ($1, $2, $3, $4::text::vector)
				ON CONFLICT (namespace, set, id) DO UPDATE SET embedding = EXCLUDED.embedding`,
				x.namespace, x.set, id, pgvector.NewVector(v).String())
			if err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "DELETE FROM "+x.table+" WHERE namespace = $1 AND set <> $2", x.namespace, x.set)
		return err
	})
	return x.wrap("storing vectors", err)
}

// Search implements Index.
func (x *pgvectorIndex) Search(ctx context.Context, v []float32) (map[string]float64, error) {
	ctx, cancel := x.with(ctx)
	defer cancel()
	operator := "<=>"
	if x.metric == Euclidean {
		operator = "<->"
	}
	rows, err := x.pool.Query(ctx, "SELECT id, embedding "+operator+" $3::text::vector FROM "+x.table+
		" WHERE namespace = $1 AND set = $2 ORDER BY 2", x.namespace, x.set, pgvector.NewVector(v).String())
	if err != nil {
		return nil, x.wrap("search", err)
	}
	distances := map[string]float64{}
	var id string
	var d float64
	_, err = pgx.ForEachRow(rows, []any{&id, &d}, func() error {
		distances[id] = d
		return nil
	})
	return distances, x.wrap("search", err)
}

// wrap returns an error that says what failed, in one line and without the names of
// the database and the user, since errors go into records.
func (x *pgvectorIndex) wrap(what string, err error) error {
	var connect *pgconn.ConnectError
	var server *pgconn.PgError
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &server):
		return fmt.Errorf("pgvector: %s: %s (SQLSTATE %s)", what, server.Message, server.Code)
	case errors.As(err, &connect):
		if x.pool.Config().ConnConfig.TLSConfig != nil && len(x.pool.Config().ConnConfig.Fallbacks) == 0 {
			return fmt.Errorf("pgvector: %s: cannot connect with TLS, which vectordb.pgvector.ssl_verify or ssl_required demands: %s", what, line(connect.Unwrap()))
		}
		return fmt.Errorf("pgvector: %s: cannot connect: %s", what, line(connect.Unwrap()))
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("pgvector: %s: timed out", what)
	}
	return fmt.Errorf("pgvector: %s: %s", what, line(err))
}

func line(err error) string {
	if err == nil {
		return "no reason is known"
	}
	return strings.ReplaceAll(err.Error(), "\n", " ")
}
