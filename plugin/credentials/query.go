package credentials

import (
	"net/url"
	"slices"
	"strings"
)

// Queries are edited as text, pair by pair, so that all other pairs keep the client's
// order and escaping.

// filterQuery returns the pairs of raw whose unescaped name keep accepts. It returns
// raw itself if keep accepts all.
func filterQuery(raw string, keep func(name string) bool) string {
	if raw == "" {
		return raw
	}
	var kept []string
	dropped := false
	for pair := range strings.SplitSeq(raw, "&") {
		if keep(pairName(pair)) {
			kept = append(kept, pair)
		} else {
			dropped = true
		}
	}
	if !dropped {
		return raw
	}
	return strings.Join(kept, "&")
}

// WithoutQuery returns a raw query without the parameters called names, in upper or
// lower case. It returns raw itself if there are none.
func WithoutQuery(raw string, names ...string) string {
	return filterQuery(raw, func(name string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	})
}

// HasQuery reports whether a raw query has a parameter called name, in upper or lower
// case.
func HasQuery(raw, name string) bool { return WithoutQuery(raw, name) != raw }

// pairName returns the unescaped name of a pair, or the name unchanged if it is
// malformed.
func pairName(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		return plain
	}
	return name
}

// setQuery removes every pair with that name and appends pairs.
func setQuery(raw, name, pairs string) string {
	raw = filterQuery(raw, func(n string) bool { return n != name })
	if raw == "" {
		return pairs
	}
	return raw + "&" + pairs
}
