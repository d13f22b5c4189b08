package standalone

import (
	"cmp"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/routes"
)

// route is a route of the configuration, ready to serve. It is immutable.
type route struct {
	where    string // its place in the configuration, for messages
	id, name string
	service  *service // nil for a route without one
	strip    bool
	paths    []string
	methods  []string
	hosts    []host
	headers  []header
	priority int              // regex_priority
	instance *plugin.Instance // nil: the route has no plugin of ours
	block    *block           // where instance comes from
	// entities are the members `route` and `service` of log entries.
	entities []byte
}

// host is one of a route's hosts: a name, or one that begins or ends with *.
type host struct{ name, port string }

// header is one of a route's headers with its values, one of which must be sent.
type header struct {
	name    string
	values  []string // lower case
	pattern *regexp.Regexp
}

// rule is one way to reach a route. Each path of a route is a rule.
type rule struct {
	*route
	prefix string
	regex  *regexp.Regexp // instead of prefix
	names  []string       // of the groups of regex
}

// router finds the route of a request in the order of Kong's router
// (router_flavor traditional_compatible, the default).
type router struct{ rules []rule }

// match is the router's result.
type match struct {
	*route
	length   int // of the matched part of the path
	captures map[string]string
}

func newRouter(routes []*route) (*router, error) {
	t := &router{}
	for _, r := range routes {
		if len(r.paths) == 0 {
			t.rules = append(t.rules, rule{route: r})
		}
		for i, p := range r.paths {
			one, err := newRule(r, p)
			if err != nil {
				return nil, fmt.Errorf("%s.paths[%d]: %w", r.where, i+1, err)
			}
			t.rules = append(t.rules, one)
		}
	}
	slices.SortStableFunc(t.rules, func(a, b rule) int { return slices.Compare(b.rank(), a.rank()) })
	return t, nil
}

func newRule(r *route, path string) (rule, error) {
	pattern, isRegex := strings.CutPrefix(path, "~")
	if !strings.HasPrefix(pattern, "/") {
		return rule{}, fmt.Errorf("%q should start with / (a prefix) or ~/ (a regular expression)", path)
	}
	if !isRegex {
		return rule{route: r, prefix: routes.NormalizePath(path)}, nil
	}
	regex, err := regexp.Compile("^(?:" + pattern + ")")
	if err != nil {
		return rule{}, fmt.Errorf("%q does not work without Kong, where expressions have no lookaround and no back references: %w", path, err)
	}
	return rule{route: r, regex: regex, names: regex.SubexpNames()}, nil
}

// rank is what rules are sorted by, greatest first: the number of conditions, then
// regular expressions, then longer prefixes.
func (r *rule) rank() []int {
	yes := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	path := r.prefix != "" || r.regex != nil
	demands := yes(path) + yes(len(r.methods) > 0) + yes(len(r.hosts) > 0) + yes(len(r.headers) > 0)
	plain := len(r.hosts) > 0 && !slices.ContainsFunc(r.hosts, func(h host) bool { return strings.Contains(h.name, "*") })
	priority := 0
	if r.regex != nil {
		priority = r.route.priority
	}
	return []int{demands, yes(plain), len(r.headers), yes(r.regex != nil), priority, len(r.prefix)}
}

// find returns the route for a request with that normalized path.
func (t *router) find(r *engine.Exchange, path string) (match, bool) {
	for i := range t.rules {
		one := &t.rules[i]
		m := match{route: one.route}
		if one.regex == nil {
			if !strings.HasPrefix(path, one.prefix) {
				continue
			}
			m.length = len(one.prefix)
		}
		if len(one.methods) > 0 && !slices.Contains(one.methods, r.Method) || !one.fits(r) {
			continue
		}
		if one.regex != nil && !m.capture(one, path) {
			continue
		}
		return m, true
	}
	return match{}, false
}

func (m *match) capture(one *rule, path string) bool {
	at := one.regex.FindStringSubmatchIndex(path)
	if at == nil {
		return false
	}
	m.length = at[1]
	for i, name := range one.names {
		if name == "" || at[2*i] < 0 {
			continue
		}
		if m.captures == nil {
			m.captures = make(map[string]string, len(one.names))
		}
		m.captures[name] = path[at[2*i]:at[2*i+1]]
	}
	return true
}

// fits reports whether the request is for the route's hosts and has its headers.
func (r *route) fits(req *engine.Exchange) bool {
	if len(r.hosts) > 0 {
		name, port := splitHost(strings.ToLower(req.Host))
		if !slices.ContainsFunc(r.hosts, func(h host) bool { return h.fits(name, port) }) {
			return false
		}
	}
	for i := range r.headers {
		h := &r.headers[i]
		if !slices.ContainsFunc(req.Header[h.name], h.fits) {
			return false
		}
	}
	return true
}

func (h host) fits(name, port string) bool {
	if h.port != "" && h.port != cmp.Or(port, "80") {
		return false
	}
	if suffix, ok := strings.CutPrefix(h.name, "*"); ok {
		return strings.HasSuffix(name, suffix)
	}
	if prefix, ok := strings.CutSuffix(h.name, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return name == h.name
}

func (h *header) fits(value string) bool {
	value = strings.ToLower(value)
	return slices.Contains(h.values, value) || h.pattern != nil && h.pattern.MatchString(value)
}

func splitHost(s string) (name, port string) {
	if name, port, err := net.SplitHostPort(s); err == nil {
		return name, port
	}
	return strings.Trim(s, "[]"), ""
}
