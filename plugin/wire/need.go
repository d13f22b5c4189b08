package wire

// What a configuration may need of a request that only Kong knows: the access
// phase passes on what it is asked for.
const (
	NeedPath     = "path"
	NeedIP       = "ip"
	NeedCaptures = "captures"
	NeedConsumer = "consumer"
	NeedGroups   = "groups"
	NeedRoute    = "route"
)
