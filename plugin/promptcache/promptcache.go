// Package promptcache asks providers to keep prompts in their caches, for clients that do
// not: with marks (cache_control, cachePoint) where the API wants them, with OpenAI's key
// where it goes by that. What a provider wants is in its Caching. Start with Plan.
package promptcache

import (
	"strconv"

	"go-ai-proxy/plugin/affinity"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// What is used where the configuration sets nothing: tokens, and a time.
const (
	least = 1024
	lasts = "5m"
)

// Plan is what the configuration wants. It is immutable and safe for concurrent use.
type Plan struct {
	least  int
	ttl    string
	finder *affinity.Finder
}

// New returns the plan of a configuration, nil if it has none. headers are those that
// name a conversation.
func New(c config.PromptCache, headers []string) *Plan {
	if !c.Auto {
		return nil
	}
	p := &Plan{least: least, ttl: lasts, finder: affinity.New(headers)}
	if c.MinTokens > 0 {
		p.least = c.MinTokens
	}
	if c.TTL != "" {
		p.ttl = c.TTL
	}
	return p
}

// Done says what was done to a request, for the record.
type Done struct {
	State string // see the constants; "" if the model caches nothing on request
	Marks int    // how many were added
}

// The states.
const (
	Added  = "added"  // marks, or OpenAI's members
	Client = "client" // the client has asked for the cache itself
	Short  = "short"  // the prompt is too short to be cached
)

// Helps says whether a provider's operation has a cache that can be asked for, with t's
// model.
func Helps(c *provider.Caching, t *target.Target) bool {
	if c == nil {
		return false
	}
	if c.Marks != nil {
		_, _, ok := c.Marks(t)
		return ok
	}
	return c.Key
}

// Chat returns a translated request that asks for the cache of c; r itself is not
// changed. header and ms are the client's: see affinity.Finder.Key.
func (p *Plan) Chat(c *provider.Caching, t *target.Target, r *chat.Request, header map[string][]string, ms []jsonedit.Member) (*chat.Request, Done) {
	switch {
	case c == nil:
		return r, Done{}
	case c.Key:
		return p.keyed(c, t, r, header, ms)
	}
	m, ok := p.marks(c, t, r.Lookup("prompt_cache_retention"))
	switch {
	case !ok:
		return r, Done{}
	case r.Marked():
		return r, Done{State: Client}
	}
	with, n := r.WithMarks(m)
	return with, added(n)
}

// Body returns a body of c's own format that asks for the cache. It is body itself if
// there is nothing to ask for.
func (p *Plan) Body(c *provider.Caching, t *target.Target, body []byte) ([]byte, Done) {
	if c == nil || c.Mark == nil {
		return body, Done{}
	}
	m, ok := p.marks(c, t, nil)
	if !ok {
		return body, Done{}
	}
	with, n, own := c.Mark(body, &m)
	if own {
		return body, Done{State: Client}
	}
	return with, added(n)
}

func added(n int) Done {
	if n == 0 {
		return Done{State: Short}
	}
	return Done{State: Added, Marks: n}
}

// marks returns the marks for t. What the client says in OpenAI's words counts before the
// configuration.
func (p *Plan) marks(c *provider.Caching, t *target.Target, retention []byte) (chat.Marks, bool) {
	m, hour, ok := c.Marks(t)
	if !ok {
		return m, false
	}
	ttl := p.ttl
	switch said, _ := jsonedit.String(retention); said {
	case "24h":
		ttl = "1h"
	case "in_memory", "in-memory":
		ttl = "5m"
	}
	m.Least = max(m.Least, p.least)
	m.Control = chat.Raw(`{"type":"ephemeral"}`)
	if ttl == "1h" && hour {
		m.Control = chat.Raw(`{"type":"ephemeral","ttl":"1h"}`)
	}
	return m, true
}

// keyed adds OpenAI's members: a key if something names the conversation, and how long
// the prompt is kept, if that is wanted for an hour and the model keeps it for longer
// than minutes at all.
func (p *Plan) keyed(c *provider.Caching, t *target.Target, r *chat.Request, header map[string][]string, ms []jsonedit.Member) (*chat.Request, Done) {
	if r.Lookup("prompt_cache_key") != nil {
		return r, Done{State: Client}
	}
	to := *r
	to.Extra = to.Extra[:len(to.Extra):len(to.Extra)]
	if hash, source := p.finder.Key(header, ms); affinity.Named(source) {
		key := jsonedit.AppendString(nil, strconv.FormatUint(hash, 36))
		to.Extra = append(to.Extra, chat.Member{Name: "prompt_cache_key", Value: key})
	}
	ttl := r.Longest()
	if ttl == "" {
		ttl = p.ttl
	}
	if ttl == "1h" && r.Lookup("prompt_cache_retention") == nil && c.Retains(t) {
		to.Extra = append(to.Extra, chat.Member{Name: "prompt_cache_retention", Value: chat.Raw(`"24h"`)})
	}
	if len(to.Extra) == len(r.Extra) {
		return r, Done{}
	}
	return &to, Done{State: Added}
}
