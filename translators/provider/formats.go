package provider

import "go-ai-proxy/translators/target"

// InFormats returns p for models that are served in several formats, where an
// option says in which one. A target whose format is a key of others is served by
// that provider, and every other target by p. None of others has a Base: such a
// target needs an upstream_url.
func InFormats(p *Provider, format func(*target.Target) string, others map[string]*Provider) Provider {
	with := *p
	with.Variant = func(t *target.Target) *Provider {
		if other := others[format(t)]; other != nil {
			return other
		}
		return p
	}
	return with
}
