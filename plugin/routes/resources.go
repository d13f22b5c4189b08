package routes

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
)

// locate finds the family's name and the sub-path in the client's path,
// whatever the route's path and with or without strip_path, and refuses what
// the API does not have.
func (t *Table) locate(f *provider.Resources, r *Request) (name, sub string, err error) {
	name, sub = f.Names[0], strings.TrimSuffix(r.Path, "/")
	if at, found := findName(f, r.Whole); found != "" {
		name, sub = found, at
	} else if at, found := findName(f, r.Path); found != "" {
		name, sub = found, at
	} else if r.Path == r.Whole {
		name, sub = ofID(f, r.Path) // before it comes the route's own
	} else if t.otherwise(sub) {
		return name, sub, chat.NewError(http.StatusNotFound, fmt.Sprintf("unknown path %s: the paths are %s", sub, strings.Join(paths(f, name), " ")))
	}
	return name, sub, check(f, name, sub, r.Method)
}

// otherwise says whether a path without the family's name is that of another
// part of the API, and no id.
func (t *Table) otherwise(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "/"), "v1/"), "/")
	if slices.Contains(t.format.Others, first) {
		return true
	}
	return slices.ContainsFunc(t.format.Paths, func(p provider.ClientPath) bool { return p.Path == "/"+first })
}

// check refuses what the API does not have.
func check(f *provider.Resources, name, sub, method string) error {
	pattern, err := patternOf(sub)
	if err != nil {
		return err
	}
	methods, ok := f.Allowed[pattern]
	if !ok {
		return chat.NewError(http.StatusNotFound, fmt.Sprintf("unknown path %q below /%s; the paths are %s", sub, name, strings.Join(paths(f, name), " ")))
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if !slices.Contains(methods, method) {
		return NotAllowed(method, "/"+name+sub, methods...)
	}
	return nil
}

// paths are the paths that the family has below one of its names.
func paths(f *provider.Resources, name string) []string {
	var all []string
	for pattern := range f.Allowed {
		all = append(all, "/"+name+strings.ReplaceAll(pattern, "{}", "{id}"))
	}
	slices.Sort(all)
	return all
}

// findName looks for the last segment with one of the family's names.
func findName(f *provider.Resources, path string) (sub, name string) {
	best := -1
	for _, n := range f.Names {
		for from := len(path); from > 0; {
			at := strings.LastIndex(path[:from], "/"+n)
			if at < 0 {
				break
			}
			if end := at + 1 + len(n); end == len(path) || path[end] == '/' {
				if at > best {
					best, name, sub = at, n, strings.TrimSuffix(path[end:], "/")
				}
				break
			}
			from = at
		}
	}
	return sub, name
}

// ofID finds where the sub-path begins in a path of which nobody knows how much
// is the route's: at the first id of the family's.
func ofID(f *provider.Resources, path string) (name, sub string) {
	for at := strings.IndexByte(path, '/'); at >= 0; {
		for _, id := range f.IDs {
			if strings.HasPrefix(path[at+1:], id.Prefix) {
				return id.Name, strings.TrimSuffix(path[at:], "/")
			}
		}
		next := strings.IndexByte(path[at+1:], '/')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return f.Names[0], ""
}

// words are the segments of sub-paths that are no ids, in whichever format.
var words = func() map[string]bool {
	all := map[string]bool{}
	for _, name := range Formats() {
		f := Native(name)
		if f == nil {
			f = translators.Client
		}
		for i := range f.Paths {
			rest := f.Paths[i].API.Resources
			if rest == nil {
				continue
			}
			for pattern := range rest.Allowed {
				for word := range strings.SplitSeq(pattern, "/") {
					all[word] = true
				}
			}
		}
	}
	delete(all, "")
	delete(all, "{}")
	return all
}()

// patternOf is a sub-path with its ids replaced by {}. An id is one segment that
// says nothing but itself.
func patternOf(sub string) (string, error) {
	if sub == "" {
		return "", nil
	}
	var b strings.Builder
	for _, segment := range strings.Split(strings.TrimPrefix(sub, "/"), "/") {
		id, err := url.PathUnescape(segment)
		if err != nil || id == "" || id == "." || strings.Contains(id, "..") || strings.ContainsFunc(id, notInID) {
			return "", chat.NewError(http.StatusBadRequest, fmt.Sprintf("id %q is not one that can stand in a path", segment))
		}
		b.WriteByte('/')
		if words[id] {
			b.WriteString(id)
		} else {
			b.WriteString("{}")
		}
	}
	return b.String(), nil
}

func notInID(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune(`/\\?#%`, c) }
