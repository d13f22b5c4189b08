package plugin

import (
	"context"
	"net/url"

	"github.com/coder/websocket"

	"go-ai-proxy/plugin/wire"
)

// redirected is an Upstream that sends every request to the same host.
type redirected struct {
	wire.Upstream
	base *url.URL
}

// Do implements Upstream.
func (u *redirected) Do(ctx context.Context, out *wire.Outgoing) (*wire.Answer, error) {
	return u.Upstream.Do(ctx, u.redirect(out))
}

func (u *redirected) dial(ctx context.Context, out *wire.Outgoing, o *websocket.DialOptions) (*websocket.Conn, *wire.Answer, error) {
	dialer, ok := u.Upstream.(socketUpstream)
	if !ok {
		return nil, nil, errNoSockets
	}
	return dialer.dial(ctx, u.redirect(out), o)
}

func (u *redirected) redirect(out *wire.Outgoing) *wire.Outgoing {
	there, target := *out, *out.URL
	target.Scheme, target.Host = u.base.Scheme, u.base.Host
	there.URL = &target
	return &there
}

func (u *redirected) close() {
	if c, ok := u.Upstream.(interface{ close() }); ok {
		c.close()
	}
}
