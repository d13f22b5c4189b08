package plugin

import "go-ai-proxy/plugin/wire"

// What passes through every phase, under a short name.
type (
	Inbound  = wire.Inbound
	Context  = wire.Context
	Consumer = wire.Consumer
	Outgoing = wire.Outgoing
	Timeouts = wire.Timeouts
	Answer   = wire.Answer
)
