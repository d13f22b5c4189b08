package engine

import "go-ai-proxy/plugin/wire"

// Inbound returns the request as the relay reads it. The answer is written to x, which is
// a wire.Sink.
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
