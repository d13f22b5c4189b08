package routes

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// Find returns the API that a request in a provider's own format is for. Errors
// are *chat.Error; the match has the API even then, when it was found.
func (t *Table) Find(r *Request) (Match, error) {
	f := t.format
	found, path, err := t.find(r)
	if err != nil && t.isList(r.Path) {
		err = NotAllowed(r.Method, models, http.MethodGet)
	}
	if err != nil {
		return Match{}, err
	}
	m := Match{API: found.API, Stream: found.Stream}
	if asks(r.RawQuery, found.Query) {
		m.API = found.Query.API
	}
	if rest := m.API.Resources; rest != nil {
		m.Sub, m.Family = findName(rest, path)
		m.Family = cmp.Or(rest.Aliases[m.Family], m.Family)
		if err := check(rest, m.Family, m.Sub, r.Method); err != nil {
			return m, err
		}
	} else if r.Method != http.MethodPost && m.API.Body != provider.TakeSocket {
		return m, NotAllowed(r.Method, nameOf(found), http.MethodPost)
	}
	if m.API.Model == provider.ModelInPath {
		if m.Model, err = modelIn(f, path); err != nil {
			return m, err
		}
	}
	m.Route, err = t.serving(found)
	return m, err
}

// serving is the route type of the targets that serve p: its own, or that of
// chats.
func (t *Table) serving(p *provider.ClientPath) (route.Type, error) {
	for _, wanted := range []route.Type{p.Route, route.Chat} {
		if t.served[wanted] {
			return wanted, nil
		}
	}
	return "", chat.NewError(http.StatusBadRequest, fmt.Sprintf("[%s] message format is not compatible with [%s] route type", p.Route, t.first))
}

// find returns what a path is for, and that path: the client's own before
// Kong's route took a part of it, or what is left, or what the route captured as
// model and operation. Of the route types that a path is for, it takes one that is served.
func (t *Table) find(r *Request) (*provider.ClientPath, string, error) {
	f := t.format
	for _, path := range []string{r.Whole, r.Path, captured(f, r)} {
		var found *provider.ClientPath
		for i := range f.Paths {
			if p := &f.Paths[i]; (found == nil || !t.served[found.Route] && t.served[p.Route]) && matches(p, path) {
				found = p
			}
		}
		if found != nil {
			return found, path, nil
		}
	}
	if strings.Trim(r.Path, "/") == "" && f.Before == "" { // the route is for one API, and has a path of its own
		return &f.Paths[0], r.Path, nil
	}
	names := make([]string, len(f.Paths))
	for i := range f.Paths {
		names[i] = nameOf(&f.Paths[i])
	}
	return nil, "", chat.NewError(http.StatusNotFound, fmt.Sprintf("%s is no path of the %s API; the paths are %s",
		cmp.Or(r.Whole, r.Path), f.Name, strings.Join(slices.Compact(names), " ")))
}

// captured is the path made from a route's named captures model and operation.
func captured(f *provider.ClientFormat, r *Request) string {
	model, operation := r.Captures["model"], r.Captures["operation"]
	if f.Before == "" || model == "" || operation == "" {
		return ""
	}
	return f.Before + url.PathEscape(model) + f.Joiner + operation
}

// nameOf is the path that finds p.
func nameOf(p *provider.ClientPath) string {
	if p.API.Resources != nil {
		return "/" + p.API.Resources.Names[0]
	}
	return p.Path
}

func matches(p *provider.ClientPath, path string) bool {
	path = strings.TrimSuffix(path, "/")
	if p.API.Resources != nil {
		_, name := findName(p.API.Resources, path)
		return name != ""
	}
	before, after, inPath := strings.Cut(p.Path, "{model}")
	if !inPath {
		return strings.HasSuffix(path, p.Path)
	}
	rest, ok := strings.CutSuffix(unescapeColon(path), after)
	if !ok {
		return false
	}
	i := strings.LastIndex(rest, before)
	return i >= 0 && !strings.Contains(rest[i+len(before):], "/")
}

// unescapeColon undoes the escape of the colon before a custom method, which
// some clients write.
func unescapeColon(path string) string {
	if i := strings.LastIndex(path, "%3A"); i >= 0 && !strings.Contains(path[i:], "/") {
		return path[:i] + ":" + path[i+3:]
	}
	return path
}

// modelIn is the model that a path names, unescaped: the segment after Before,
// up to a colon where that begins the operation.
func modelIn(f *provider.ClientFormat, path string) (string, error) {
	i := strings.LastIndex(path, f.Before)
	if i < 0 {
		return "", nil
	}
	name, _, _ := strings.Cut(path[i+len(f.Before):], "/")
	if f.Joiner == ":" {
		name = unescapeColon(name)
		if i := strings.LastIndexByte(name, ':'); i >= 0 {
			name = name[:i]
		}
	}
	plain, err := url.PathUnescape(name)
	if err != nil {
		return "", chat.NewError(http.StatusBadRequest, fmt.Sprintf("the model in path %q is not escaped correctly", path))
	}
	return plain, nil
}

// asks says whether a query selects another API than the path does.
func asks(rawQuery string, q *provider.QueryAPI) bool {
	if q == nil {
		return false
	}
	values, _ := url.ParseQuery(rawQuery)
	return values.Get(q.Name) == q.Value
}
