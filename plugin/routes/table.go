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

// ByPath finds the route type of a request by its path, among those of the
// targets. When the path does not tell, it is the first target's, and decided says
// whether that is final. The error refuses what no target serves.
func (t *Table) ByPath(r *Request) (wanted route.Type, decided bool, err error) {
	if wanted := t.pathType(r); wanted != "" {
		return wanted, true, nil
	}
	if len(t.served) > 1 {
		return t.first, false, nil
	}
	if a := t.format.Of(t.first); a != nil && a.Resources != nil {
		return t.first, true, nil // its API knows its own paths
	}
	return t.first, true, t.elsewhere(r)
}

// ByMember finds the route type of a body by its members; "" when they do not
// tell.
func (t *Table) ByMember(members []jsonedit.Member) route.Type {
	for i := range t.format.Paths {
		p := &t.format.Paths[i]
		if p.Member != "" && t.served[p.Route] && jsonedit.Find(members, p.Member) != nil {
			return p.Route
		}
	}
	return ""
}

// Unknown refuses a path that names nothing that the targets serve, unless it is
// the route's own path, which may be any.
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

// Meet returns what a request of a route type is for. Errors are *chat.Error.
func (t *Table) Meet(wanted route.Type, r *Request) (Match, error) {
	m := Match{Route: wanted, API: t.format.Of(wanted)}
	switch {
	case m.API == nil:
		return m, chat.NewError(http.StatusInternalServerError, fmt.Sprintf("route_type: %q is not supported yet", wanted))
	case m.API.Resources != nil:
		var err error
		m.Family, m.Sub, err = t.locate(m.API.Resources, r)
		if own := m.API.Resources.APIs[m.Sub]; own != nil && err == nil {
			m.API, m.Sub = own, ""
		}
		return m, err
	case m.API.Body == provider.TakeRaw, m.API.Body == provider.TakeSocket:
		return m, nil
	case r.Method == http.MethodPost, r.Method == http.MethodPut: // PUT is for clients that want the request repeated; Kong accepts it, too
		return m, nil
	}
	return m, NotAllowed(r.Method, string(wanted), http.MethodPost)
}

// elsewhere refuses a path of an operation that no target serves.
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

// below is the client's path after that of Kong's route; "" when there is none or
// it is unknown, because the route does not strip its path.
func (r *Request) below() string {
	if r.Whole == "" || r.Path == r.Whole {
		return ""
	}
	return strings.TrimSuffix(r.Path, "/")
}

// pathType finds the route type by the client's path, with or without the route's;
// "" when it does not tell.
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
