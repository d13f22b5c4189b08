package plugin

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"go-ai-proxy/plugin/config"
)

// textDenied is what Kong's acl plugin says; the schema's own publishes no text.
const textDenied = "You cannot consume this service"

// admit leaves those candidates that the ACLs let the request use. Deny beats
// allow; where there are allow rules, one must match. Conditions on model and
// provider are about the target, so that a consumer may be let to one target
// and kept from another.
func (q *request) admit(candidates []int) ([]int, error) {
	acls := q.instance.config.ACLs
	if acls == nil || len(acls.Allow) == 0 && len(acls.Deny) == 0 {
		return candidates, nil
	}
	var admitted []int
	for _, i := range candidates {
		t := q.instance.targets[i]
		if !q.anyRule(acls.Deny, t) && (len(acls.Allow) == 0 || q.anyRule(acls.Allow, t)) {
			admitted = append(admitted, i)
		}
	}
	if len(admitted) == 0 {
		return nil, refuse(http.StatusForbidden, textDenied)
	}
	return admitted, nil
}

func (q *request) anyRule(rules []config.ACLRule, t *endpoint) bool {
	return slices.ContainsFunc(rules, func(r config.ACLRule) bool {
		return !slices.ContainsFunc(r.Match, func(c config.ACLCondition) bool { return !q.matches(&c, t) })
	})
}

// matches says whether one condition holds.
func (q *request) matches(c *config.ACLCondition, t *endpoint) bool {
	kong := &q.in.Kong
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
		return slices.ContainsFunc(q.in.Header.Values(c.Key), func(v string) bool { return among(c.Values, v) })
	case "ip":
		return containsAddr(c.Values, kong.ClientIP)
	case "model":
		model := t.Model.Name
		if model == "" {
			model = q.model
		}
		return among(c.Values, model) || among(c.Values, t.Model.Alias)
	case "path":
		return slices.ContainsFunc(c.Values, func(v string) bool { return under(kong.Path, v) })
	case "provider":
		return among(c.Values, t.Model.Provider)
	}
	return false
}

func among(values []string, v string) bool { return v != "" && slices.Contains(values, v) }

// under says whether path is prefix or lies below it.
func under(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(prefix, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// containsAddr says whether addr is one of the addresses or lies in one of the
// networks (CIDR).
func containsAddr(values []string, addr string) bool {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return false
	}
	a = a.Unmap()
	return slices.ContainsFunc(values, func(v string) bool {
		if p, err := netip.ParsePrefix(v); err == nil {
			return p.Contains(a)
		}
		one, err := netip.ParseAddr(v)
		return err == nil && one.Unmap() == a
	})
}
