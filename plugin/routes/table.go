package routes

import (
	"fmt"
	"net/http"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// ByPath is the route type that a request means, among those of the targets, by
// its path. Where that says nothing it is the first target's, and decided says
// whether there is no other. An error refuses what no target has.
func (t *Table) ByPath(r *Request) (wanted route.Type, decided bool, err error) {
	if wanted := t.pathType(r); wanted != "" {
		return wanted, true, nil
	}
	if len(t.served) > 1 {
		return t.first, false, nil
	}
	if a := t.format.Of(t.first); a != nil && a.Resources != nil {
		return t.first, true, nil // which knows its paths
	}
	return t.first, true, t.elsewhere(r)
}

// ByMember is the route type that a body means by its members, "" where they
// say nothing of it.
func (t *Table) ByMember(members []jsonedit.Member) route.Type {
	for i := range t.format.Paths {
		p := &t.format.Paths[i]
		if p.Member != "" && t.served[p.Route] && jsonedit.Find(members, p.Member) != nil {
			return p.Route
		}
	}
	return ""
}

// Unknown refuses a path that says nothing of what the targets do, unless it is
// the route's own, which may be any.
func (t *Table) Unknown(r *Request) error {
	path := r.below()
	if path == "" || t.served[route.Preserve] {
		return nil
	}
	var paths []string
	for i := range t.format.Paths {
		if p := &t.format.Paths[i]; t.served[p.Route] {
			paths = append(paths, p.Path)
		}
	}
	return chat.NewError(http.StatusNotFound, fmt.Sprintf("unknown path %s: what this route serves ends in %s", path, strings.Join(paths, ", ")))
}

// Meet is what a request of a route type is for. Errors are *chat.Error.
func (t *Table) Meet(wanted route.Type, r *Request) (Match, error) {
	m := Match{Route: wanted, API: t.format.Of(wanted)}
	switch {
	case m.API == nil:
		return m, chat.NewError(http.StatusInternalServerError, fmt.Sprintf("route_type: %q is not supported yet", wanted))
	case m.API.Resources != nil:
		var err error
		m.Family, m.Sub, err = t.locate(m.API.Resources, r)
		return m, err
	case m.API.Body == provider.TakeRaw, m.API.Body == provider.TakeSocket:
		return m, nil
	case r.Method == http.MethodPost, r.Method == http.MethodPut: // the second is for clients that want it repeated; Kong takes it, too
		return m, nil
	}
	return m, NotAllowed(r.Method, string(wanted), http.MethodPost)
}

// elsewhere refuses a path that is that of an operation which no target has.
func (t *Table) elsewhere(r *Request) error {
	path := r.below()
	if path == "" {
		return nil
	}
	if r.Method == http.MethodGet && t.otherwise(path) {
		return t.Unknown(r)
	}
	for i := range t.format.Paths {
		if p := &t.format.Paths[i]; p.Path != "" && !t.served[p.Route] && strings.HasSuffix(path, p.Path) {
			return t.Unknown(r)
		}
	}
	return nil
}

// below is the client's path behind that of Kong's route, "" where there is
// nothing or nobody knows: where the route takes nothing off.
func (r *Request) below() string {
	if r.Whole == "" || r.Path == r.Whole {
		return ""
	}
	return strings.TrimSuffix(r.Path, "/")
}

// pathType is the route type by the client's path, as it was or as the route
// left it; "" where that says nothing.
func (t *Table) pathType(r *Request) route.Type {
	for _, path := range []string{r.Whole, r.Path} {
		path = strings.TrimSuffix(path, "/")
		for i := range t.format.Paths {
			p := &t.format.Paths[i]
			if p.Path == "" || !t.served[p.Route] {
				continue
			}
			if strings.HasSuffix(path, p.Path) {
				return p.Route
			}
			if rest := p.API.Resources; rest != nil {
				if _, name := findName(rest, path); name != "" {
					return p.Route
				}
			}
		}
	}
	return ""
}
