// Package acl decides which clients may use which targets, by the rules of a
// configuration. What a request is, the relay tells it. Start with Subject.
package acl

import (
	"bytes"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// What a client is told that may not use any target.
const (
	// Denied is the text of Kong's acl plugin; the schema defines none for
	// this.
	Denied = "You cannot consume this service"
	// Unseen is for a request whose model a rule needs and that does not name
	// it readably.
	Unseen = Denied + ": a rule needs the model of the request, which cannot be read here: name it once, as a string in a JSON body, or before the files of a form"
)

// Subject is what rules are matched against: a request at one of its targets. What
// can be read in more than one way has several values: a deny rule matches when
// one of them matches, an allow rule when all do.
type Subject struct {
	In       *wire.Inbound
	Target   Target
	Models   []string // the models that the target may be asked for; empty when none is named
	Asked    string   // what the client calls the model; "" if it names none
	Unseen   bool     // the request may name models that cannot be read
	Anywhere bool     // preserve: the client's own path may name a model

	paths  []string
	needed bool // a rule needs to know models that are unseen
}

// Target is what rules may name of a target.
type Target struct {
	Provider string
	Alias    string                    // as it is configured
	Aliases  []string                  // its names and patterns
	Plain    func(model string) string // a model without what does not tell it from others; nil if there is no such thing
}

// Request is what of a client's request decides which models it may name.
type Request struct {
	In          *wire.Inbound
	API         *provider.API
	Model       string            // what the client calls it; "" if it names none
	Members     []jsonedit.Member // of the body; nil when it is not JSON
	Body        bool              // there is a body that has been read
	Unread      bool              // there is one that is forwarded and not read
	FormUnknown bool              // there is a form that has not named the model yet
}

// At is the request at a target, which is asked for model; "" if that is not known.
func (r *Request) At(t Target, model string) *Subject {
	s := &Subject{In: r.In, Target: t, Asked: r.Model}
	if model != "" {
		s.Models = append(s.Models, model)
	}
	switch {
	case r.API.Body == provider.TakeRaw: // the client's body is forwarded unchanged
		encoding := strings.Join(r.In.Header["Content-Encoding"], "") // gzip has been decoded
		s.Anywhere = true
		s.Unseen = r.Body && (!namedOnce(r.Members) || encoding != "" && encoding != "identity")
		for _, name := range append(inQuery(r.In.RawQuery, "model"), r.Model) {
			if name = strings.TrimSpace(name); name != "" && name != model {
				s.Models = append(s.Models, name)
			}
		}
	case r.API.Body == provider.TakeSocket && r.API.Model == provider.ModelIgnored: // the first message names it
		s.Unseen = model == ""
	case r.API.Nested:
		s.Unseen = r.Body || r.Unread
	case r.Unread:
		s.Unseen = r.API.Model == provider.ModelNeeded || r.API.Model == provider.ModelTaken
	case r.FormUnknown:
		s.Unseen = model == ""
	}
	return s
}

// inQuery returns the values of a query parameter; case is ignored in its name.
func inQuery(raw, name string) (values []string) {
	query, _ := url.ParseQuery(raw) // malformed parameters are ignored
	for key, all := range query {
		if strings.EqualFold(key, name) {
			values = append(values, all...)
		}
	}
	return values
}

// namedOnce says that every decoder finds the same model in an object: the object
// has one, or none.
func namedOnce(members []jsonedit.Member) bool {
	n := 0
	for i := range members {
		if key := members[i].Key; bytes.EqualFold(key, []byte("model")) {
			if n++; n > 1 || string(key) != "model" || !jsonedit.IsString(members[i].Value) {
				return false
			}
		}
	}
	return members != nil
}

// readings returns the ways to read a raw path: like Kong's router, like servers
// that decode an escaped slash, and like servers that ignore what follows a
// semicolon in a segment (RFC 3986 §3.3).
func readings(path string) []string {
	ways := []string{path}
	if plain, err := url.PathUnescape(path); err == nil && plain != path {
		ways = append(ways, plain)
	}
	for _, way := range ways {
		if strings.IndexByte(way, ';') >= 0 {
			ways = append(ways, withoutParameters(way))
		}
	}
	for i, way := range ways {
		ways[i] = routes.NormalizePath(way)
	}
	slices.Sort(ways)
	return slices.Compact(ways)
}

// withoutParameters is path without what follows a semicolon in each segment.
func withoutParameters(path string) string {
	segments := strings.Split(path, "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	return strings.Join(segments, "/")
}

// Admitted says whether the rules allow the subject. unseen says that it is not allowed
// because a rule needs a model that cannot be read.
func (s *Subject) Admitted(acls *config.ACLs) (ok, unseen bool) {
	s.paths = readings(s.In.Kong.Path)
	ok = s.admitted(acls)
	return ok, !ok && s.needed
}

func (s *Subject) admitted(acls *config.ACLs) bool {
	return !s.anyRule(acls.Deny, true) && (len(acls.Allow) == 0 || s.anyRule(acls.Allow, false))
}

func (s *Subject) anyRule(rules []config.ACLRule, deny bool) bool {
	return slices.ContainsFunc(rules, func(r config.ACLRule) bool {
		return !slices.ContainsFunc(r.Match, func(c config.ACLCondition) bool { return !s.matches(&c, deny) })
	})
}

// matches says whether one condition matches.
func (s *Subject) matches(c *config.ACLCondition, deny bool) bool {
	kong := &s.In.Kong
	switch c.Type {
	case "consumer":
		if c.Key == "id" {
			return among(c.Values, kong.Consumer.ID)
		}
		return among(c.Values, kong.Consumer.Username)
	case "consumer_group":
		groups := kong.Groups
		if c.Key == "id" {
			groups = kong.GroupIDs
		}
		return slices.ContainsFunc(groups, func(g string) bool { return among(c.Values, g) })
	case "header":
		return slices.ContainsFunc(s.In.Header.Values(c.Key), func(v string) bool { return among(c.Values, v) })
	case "ip":
		return containsAddr(c.Values, kong.ClientIP, deny)
	case "model":
		return s.matchesModel(c.Values, deny)
	case "path":
		return hold(s.paths, deny, func(path string) bool {
			return slices.ContainsFunc(c.Values, func(v string) bool { return under(path, routes.NormalizePath(v)) })
		})
	case "provider":
		return among(c.Values, s.Target.Provider)
	}
	return false
}

// matchesModel says whether a model that the target may be asked for is one of
// values. A model that cannot be read may be any.
func (s *Subject) matchesModel(values []string, deny bool) bool {
	plain := s.Target.Plain
	is := func(model string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return v == model || plain != nil && plain(v) == plain(model) })
	}
	if s.Unseen {
		s.needed = true
		return deny
	}
	if deny && s.Anywhere && slices.ContainsFunc(values, func(v string) bool { return inPath(s.paths, v) }) {
		return true
	}
	return slices.ContainsFunc(s.aliases(), func(alias string) bool { return among(values, alias) }) || hold(s.Models, deny, is)
}

// aliases returns what a rule may call the target, besides its model: the alias as it
// is configured, and of its names and patterns those by which the client asks for it,
// with what it calls it; all of them if it does not ask by an alias.
func (s *Subject) aliases() []string {
	t := &s.Target
	all := append([]string{t.Alias}, t.Aliases...)
	if !slices.ContainsFunc(t.Aliases, func(alias string) bool { return config.MatchesAlias(alias, s.Asked) }) {
		return all
	}
	return append(slices.DeleteFunc(all, func(alias string) bool {
		return alias != t.Alias && !config.MatchesAlias(alias, s.Asked)
	}), s.Asked)
}

// inPath says whether one of the paths contains name as whole segments. The last
// segment may end in the name of a method, as in /models/{model}:predict.
func inPath(paths []string, name string) bool {
	return name != "" && slices.ContainsFunc(paths, func(path string) bool {
		return strings.Contains(strings.ReplaceAll(path+"/", ":", "/"), "/"+strings.ReplaceAll(name, ":", "/")+"/")
	})
}

// hold says whether f holds for one of the values (one), or for all of them. It is
// false when there are none.
func hold(values []string, one bool, f func(string) bool) bool {
	if one {
		return slices.ContainsFunc(values, f)
	}
	return len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return !f(v) })
}

func among(values []string, v string) bool { return v != "" && slices.Contains(values, v) }

// under says whether path is prefix or is below it.
func under(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(prefix, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// containsAddr says whether addr is one of the addresses, or in one of the
// networks (CIDR). An IPv4 address equals its IPv6 form (::ffff:10.0.0.1). When
// addr is not an address, it returns unreadable.
func containsAddr(values []string, addr string, unreadable bool) bool {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return unreadable
	}
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(values, func(v string) bool {
		if p, err := netip.ParsePrefix(v); err == nil {
			if p.Addr().Is4In6() && p.Bits() >= 96 {
				p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
			}
			return p.Contains(a)
		}
		one, err := netip.ParseAddr(v)
		return err == nil && one.Unmap().WithZone("") == a
	})
}
