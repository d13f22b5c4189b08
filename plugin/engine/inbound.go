package engine

import "go-ai-proxy/plugin/wire"

// Inbound is what the relay sees of the request. Its answer goes to x itself,
// which is a wire.Sink.
func (x *Exchange) Inbound() wire.Inbound {
	in := wire.Inbound{
		Method: x.Method, Path: x.Path, RawQuery: x.RawQuery,
		Header: x.Header, Body: x.Body(), ContentLength: x.ContentLength,
	}
	if x.Header["Upgrade"] != nil {
		in.Upgrade = x.Upgrade
	}
	return in
}
