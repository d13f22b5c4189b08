package plugin

import "go-ai-proxy/plugin/wire"

// The seam towards the HTTP engines, under the names that the relay uses.
type (
	Inbound        = wire.Inbound
	Context        = wire.Context
	Consumer       = wire.Consumer
	Sink           = wire.Sink
	Outgoing       = wire.Outgoing
	Timeouts       = wire.Timeouts
	Answer         = wire.Answer
	Upstream       = wire.Upstream
	TransportError = wire.TransportError
	Phase          = wire.Phase
)

// The phases of an attempt.
const (
	Connecting = wire.Connecting
	Sent       = wire.Sent
	Reading    = wire.Reading
)
