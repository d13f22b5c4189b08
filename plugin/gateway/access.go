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
	// Need names what the access phase must pass on, see wire.NeedPath, since
	// the configuration uses it.
	Need []string
	used atomic.Int64 // unix seconds of the last request
}

// Close lets no more requests of the instance in.
func (a *Access) Close() {
	id, _, _ := strings.Cut(a.token, ".")
	a.gateway.mu.Lock()
	delete(a.gateway.instances, id)
	a.gateway.mu.Unlock()
	a.instance.Close()
}

// LastUsed is when a request came with the token: Kong does not see those that
// the shim sends by itself.
func (a *Access) LastUsed() time.Time { return time.Unix(a.used.Load(), 0) }

// Header is the value of Proxy-Authorization for a request: the token and what
// the relay should know of the request. The log serializer of Kong redacts
// this header, and access always overwrites what a client sent in it.
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

// Addr is where the relay listens.
func (a *Access) Addr() (host string, port int) { return a.gateway.Addr() }
