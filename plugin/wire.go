package plugin

import "go-ai-proxy/plugin/wire"

type (
	// Inbound is the client's request.
	Inbound = wire.Inbound
	// Context is what only Kong knows of it.
	Context = wire.Context
	// Consumer is who Kong says sent it.
	Consumer = wire.Consumer
	// Outgoing is the request to a provider.
	Outgoing = wire.Outgoing
	// Timeouts are those of an attempt.
	Timeouts = wire.Timeouts
	// Answer is the provider's.
	Answer = wire.Answer
)
