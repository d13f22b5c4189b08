package plugin

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	pdk "github.com/Kong/go-pdk"
	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/gateway"
	"go-ai-proxy/plugin/server"
	"go-ai-proxy/plugin/wire"
)

// kong holds what the phases that Kong calls work with.
type kong struct {
	gateway *gateway.Gateway
	log     zerolog.Logger
	entries io.Writer // of the log phase, when we serve it
}

// kongInstance answers Kong's access phase.
type kongInstance struct {
	kong   kong
	access *gateway.Access
	// calls are the prepared calls that send a request to the relay. They are
	// unused when each request has values of its own to pass on.
	calls server.Calls
	fixed bool
}

func newKongInstance(with kong, a *gateway.Access) (server.Instance, error) {
	k := kongInstance{kong: with, access: a, fixed: len(a.Need) == 0 && !logPhase()}
	var err error
	if k.calls, err = server.Prepare(func(p *pdk.PDK) error { return k.send(p, a.Header(nil)) }); err != nil {
		a.Close()
		return nil, fmt.Errorf("access: %w", err)
	}
	if logPhase() {
		return loggingInstance{k}, nil
	}
	return k, nil
}

func (k kongInstance) send(p *pdk.PDK, header string) error {
	host, port := k.access.Addr()
	if err := p.Service.SetTarget(host, port); err != nil {
		return err
	}
	if err := p.ServiceRequest.SetScheme("http"); err != nil {
		return err
	}
	return p.ServiceRequest.SetHeader("Proxy-Authorization", header)
}

// Access implements server.Instance. With the shim it is called only for a
// worker's first request with a configuration; from then on the shim itself passes
// on what Need lists.
func (k kongInstance) Access(e *server.Event) {
	if k.fixed {
		e.Send(k.calls)
		return
	}
	c, err := k.context(e.PDK)
	if err == nil {
		err = k.send(e.PDK, k.access.Header(c))
	}
	if err != nil {
		// Fail closed: the request must not reach the placeholder service.
		k.kong.log.Error().Err(err).Msg("access")
		e.Response.Exit(http.StatusInternalServerError, []byte(`{"error":{"message":"internal error","type":"api_error","code":null,"param":null}}`),
			map[string][]string{"Content-Type": {"application/json; charset=utf-8"}})
	}
}

// Close implements server.Instance.
func (k kongInstance) Close() { k.access.Close() }

// LastUsed implements server.Usage.
func (k kongInstance) LastUsed() time.Time { return k.access.LastUsed() }

// context reads from Kong what the configuration needs of the request.
func (k kongInstance) context(p *pdk.PDK) (*wire.Context, error) {
	c := &wire.Context{}
	var err error
	if slices.Contains(k.access.Need, wire.NeedPath) {
		// Kong normalises what GetPath returns; the relay normalises the path
		// itself.
		target, err := p.Request.GetPathWithQuery()
		if err != nil {
			return nil, fmt.Errorf("path: %w", err)
		}
		c.Path, _, _ = strings.Cut(target, "?")
	}
	if slices.Contains(k.access.Need, wire.NeedIP) {
		if c.ClientIP, err = p.Client.GetForwardedIp(); err != nil {
			return nil, fmt.Errorf("client address: %w", err)
		}
	}
	if slices.Contains(k.access.Need, wire.NeedRoute) {
		r, err := p.Router.GetRoute()
		if err != nil {
			return nil, fmt.Errorf("route: %w", err)
		}
		c.Route = cmp.Or(r.Name, r.Id)
	}
	if slices.Contains(k.access.Need, wire.NeedCaptures) {
		_, named, err := p.Request.GetUriCaptures()
		if err != nil {
			return nil, fmt.Errorf("captures of the path: %w", err)
		}
		c.Captures = make(map[string]string, len(named))
		for name, value := range named {
			c.Captures[name] = string(value)
		}
	}
	if slices.Contains(k.access.Need, wire.NeedConsumer) {
		// Kong returns an error when nobody has authenticated.
		if who, err := p.Client.GetConsumer(); err == nil {
			c.Consumer = wire.Consumer{ID: who.Id, Username: who.Username, CustomID: who.CustomId}
		}
	}
	return c, nil
}
