package server

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// failing is a listener whose accepts end as said, and then as of one that is closed.
type failing struct {
	net.Listener
	ends []error // nil: a connection
}

func (l *failing) Accept() (net.Conn, error) {
	if len(l.ends) == 0 {
		return nil, net.ErrClosed
	}
	err := l.ends[0]
	l.ends = l.ends[1:]
	if err != nil {
		return nil, &net.OpError{Op: "accept", Err: err}
	}
	c, _ := net.Pipe()
	return c, nil
}

func TestAcceptSurvivesEveryErrorAndLogsItOnce(t *testing.T) {
	many := func(n int, err error) (ends []error) {
		for range n {
			ends = append(ends, err)
		}
		return append(ends, nil)
	}
	for name, c := range map[string]struct {
		ends  []error
		lines int
		took  time.Duration
	}{
		"none":                      {many(0, nil), 0, 0},
		"descriptors have run out":  {many(3, syscall.EMFILE), 1, 35 * time.Millisecond}, // 5 + 10 + 20
		"of the whole machine":      {many(1, syscall.ENFILE), 1, 5 * time.Millisecond},
		"one that is not temporary": {many(2, errors.New("defect")), 1, 15 * time.Millisecond},
		"on and off":                {append(many(1, syscall.EMFILE), many(1, syscall.EMFILE)...), 1, 10 * time.Millisecond},
		"for more than a minute":    {many(68, syscall.EMFILE), 2, 61275 * time.Millisecond}, // at most a second each
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				began, served := time.Now(), 0
				err := Accept(&failing{ends: c.ends}, zerolog.New(&log), "records", func(c net.Conn) { served++; c.Close() })
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("ended with %v", err)
				}
				if n := strings.Count(log.String(), "\n"); n != c.lines {
					t.Errorf("%d lines in the log, want %d: %s", n, c.lines, &log)
				}
				want := 0
				for _, e := range c.ends {
					if e == nil {
						want++
					}
				}
				if served != want {
					t.Errorf("%d connections served, want %d", served, want)
				}
				if took := time.Since(began); took != c.took {
					t.Errorf("took %v, want %v", took, c.took)
				}
			})
		})
	}
}
