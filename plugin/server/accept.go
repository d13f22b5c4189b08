package server

import (
	"errors"
	"net"
	"time"

	"github.com/rs/zerolog"
)

// The pauses after a failed accept: file descriptors become free when other
// connections close.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// sayAgain is the shortest time between two log lines about it.
const sayAgain = time.Minute

// Accept hands the connections of l to serve, which must return at once, until l
// is closed, and returns net.ErrClosed, wrapped. No other error ends it: it
// tries again, and says so at most once a minute. what names the listener in the
// log.
func Accept(l net.Listener, log zerolog.Logger, what string, serve func(net.Conn)) error {
	var said time.Time
	pause, failed := time.Duration(0), 0
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			serve(c)
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			failed++
			if said.IsZero() || time.Since(said) >= sayAgain {
				log.Error().Err(err).Int("failures", failed).Msg(what + ": no connection can be accepted for now")
				said, failed = time.Now(), 0
			}
			pause = min(max(2*pause, firstPause), lastPause)
			time.Sleep(pause)
		}
	}
}
