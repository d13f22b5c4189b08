package plugin

import "go-ai-proxy/plugin/engine"

// ServeExchange serves one request of the engine's server. in is what
// NewInbound made of it.
func (r *Relay) ServeExchange(x *engine.Exchange, inst *Instance, in *Inbound, live Live) *Record {
	return r.Serve(x.Context(), inst, in, x, live)
}

// NewInbound returns what the relay sees of x.
func NewInbound(x *engine.Exchange) Inbound {
	in := Inbound{
		Method: x.Method, Path: x.Path, RawQuery: x.RawQuery,
		Header: x.Header, Body: x.Body(), ContentLength: x.ContentLength,
	}
	if x.Header["Upgrade"] != nil {
		in.Upgrade = x.Upgrade
	}
	return in
}
