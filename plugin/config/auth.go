package config

import (
	"slices"
	"strings"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/provider"
)

// given is a kind of credentials of which a configuration has something.
type given struct {
	identity provider.Identity
	field    string // the first that is set
	off      string // the switch that would have to be true; "" if nothing is missing
}

// credentialsOf returns the kinds of credentials of which a has something.
func credentialsOf(a *Auth) (all []given) {
	for _, c := range provider.AllCredentials {
		g := given{identity: c.Identity}
		if c.Switch != "" {
			if a.Has(c.Switch) {
				g.field = c.Switch
			} else {
				g.off = c.Switch
			}
		}
		if i := slices.IndexFunc(c.Fields, a.Has); g.field == "" && i >= 0 {
			g.field = c.Fields[i]
		}
		if g.field != "" {
			all = append(all, g)
		}
	}
	return all
}

// auth reports credentials that are not used. It is an error if there are no others,
// since the provider would refuse every request, and a warning otherwise.
func (k *checker) auth(path, name string, a *Auth) {
	p := translators.Lookup(name)
	if p == nil {
		return // reported elsewhere
	}
	keyed := a.HeaderName != "" || a.ParamName != ""
	var unused []given
	for _, c := range credentialsOf(a) {
		if c.identity == p.Identity && c.off == "" {
			keyed = true
			continue
		}
		unused = append(unused, c)
	}
	for _, c := range unused {
		say := k.fail
		if keyed {
			say = k.warn
		}
		if c.identity == p.Identity {
			say(path+"."+c.field, "is not used: set %s to true", c.off)
		} else {
			say(path+"."+c.field, "is not used for provider %s, only for %s: set header_name and header_value", name, strings.Join(withIdentity(c.identity), ", "))
		}
	}
	switch {
	case !a.AllowOverride:
	case a.HeaderName == "" && a.ParamName == "":
		k.warn(path+".allow_override", "has no effect without header_name or param_name")
	case p.OwnKey:
		k.warn(path+".allow_override", "has no effect for provider %s: the configured value always wins", name)
	}
}

// withIdentity returns the names of the providers with an identity.
func withIdentity(identity provider.Identity) []string {
	return slices.DeleteFunc(translators.Names(), func(name string) bool { return translators.Lookup(name).Identity != identity })
}

// noUser refuses a URL with a user name or password, which would not be sent.
func (k *checker) noUser(field, raw string) {
	_, rest, _ := strings.Cut(raw, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	if strings.Contains(provider.WithoutTemplates(host), "@") {
		k.fail(field, "cannot have a user name or password: set auth.header_name and auth.header_value")
	}
}
