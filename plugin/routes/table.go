package routes

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go-ai-proxy/translators"
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
	if a := t.format.Of(t.first); len(t.served) == 1 && a != nil && a.Resources != nil {
		return t.first, true, nil // its API knows its own paths
	}
	if err := t.unknown(r); err != nil {
		return t.first, true, err
	}
	return t.first, len(t.served) == 1, nil
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

// unknown refuses a path that names something that the targets do not serve. Any
// other may be the route's own, to which requests can be sent, as in Kong.
func (t *Table) unknown(r *Request) error {
	path := r.below()
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case isBase(path), t.served[route.Preserve], !reads && !t.namesCall(path):
		return nil
	case t.isList(path):
		return NotAllowed(r.Method, models, http.MethodGet)
	}
	var paths []string
	for i := range t.format.Paths {
		if p := &t.format.Paths[i]; t.served[p.Route] {
			paths = append(paths, p.Path)
		}
	}
	return chat.NewError(http.StatusNotFound, fmt.Sprintf("unknown path %s: what this route serves ends in %s", path, strings.Join(paths, ", ")))
}

// namesCall says whether a path is meant as a call of an API, in whichever format: it
// has a version, or ends as those calls do.
func (t *Table) namesCall(path string) bool {
	first, _, _ := strings.Cut(path[1:], "/")
	if version.MatchString("/"+first) || t.otherwise(path) {
		return true
	}
	for _, name := range Formats() {
		f := cmp.Or(Native(name), translators.Client)
		if slices.ContainsFunc(f.Paths, func(p provider.ClientPath) bool { return (p.Path != "" || p.API.Resources != nil) && matches(&p, path) }) {
			return true
		}
	}
	return false
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
			is, rest := strings.HasSuffix(path, p.Path), p.API.Resources
			if p.Path == "" || !is && rest == nil || !t.served[p.Route] { // served takes longest: for the few that may be it
				continue
			}
			if is {
				return p.Route
			}
			if rest != nil {
				if _, name := findName(rest, path); name != "" {
					return p.Route
				}
			}
		}
	}
	return ""
}
