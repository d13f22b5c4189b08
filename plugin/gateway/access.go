package gateway

import (
	"strings"
	"sync/atomic"
	"time"

	"go-ai-proxy/plugin/wire"
)

// Access is an instance as Kong's access phase sees it.
type Access struct {
	gateway  *Gateway
	instance Instance
	token    string
	// Need names what the access phase must pass on (see wire.NeedPath) because the
	// configuration uses it.
	Need []string
	used atomic.Int64 // unix seconds of the last request
}

// Close stops accepting requests of the instance.
func (a *Access) Close() {
	id, _, _ := strings.Cut(a.token, ".")
	a.gateway.mu.Lock()
	delete(a.gateway.instances, id)
	a.gateway.mu.Unlock()
	a.instance.Close()
}

// LastUsed is the time of the last request with the token. Kong does not see the
// requests that the shim sends without it.
func (a *Access) LastUsed() time.Time { return time.Unix(a.used.Load(), 0) }

// Header is the value of Proxy-Authorization for a request: the token and what the
// relay must know of the request. Kong's log serializer redacts this header, and
// the access phase always overwrites what a client sent in it.
func (a *Access) Header(c *wire.Context) string {
	query := ""
	if c != nil {
		query = encodeContext(c)
	}
	if len(a.Need) > 0 { // for the shim
		query += "&need=" + strings.Join(a.Need, ",")
	}
	if query == "" {
		return a.token
	}
	return a.token + "?" + strings.TrimPrefix(query, "&")
}

// Addr is the relay's listening address.
func (a *Access) Addr() (host string, port int) { return a.gateway.Addr() }
