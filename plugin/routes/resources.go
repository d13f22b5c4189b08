package plugin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// family is a group of REST operations below one path, as OpenAI has them:
// https://platform.openai.com/docs/api-reference
type family struct {
	// names are the path segments that begin it: "files". The first is that of
	// the provider's path.
	names []string
	// allowed are the sub-paths and their methods; {} stands for an id.
	allowed map[string][]string
}

var (
	files = &family{[]string{"files"}, map[string][]string{
		"": {"GET", "POST"}, "/{}": {"GET", "DELETE"}, "/{}/content": {"GET"},
	}}
	batches = &family{[]string{"batches"}, map[string][]string{
		"": {"GET", "POST"}, "/{}": {"GET"}, "/{}/cancel": {"POST"},
	}}
	assistants = &family{[]string{"assistants", "threads"}, map[string][]string{
		"": {"GET", "POST"}, "/{}": {"GET", "POST", "DELETE"},
		"/runs": {"POST"}, "/{}/messages": {"GET", "POST"}, "/{}/messages/{}": {"GET", "POST", "DELETE"},
		"/{}/runs": {"GET", "POST"}, "/{}/runs/{}": {"GET", "POST"}, "/{}/runs/{}/cancel": {"POST"},
		"/{}/runs/{}/submit_tool_outputs": {"POST"}, "/{}/runs/{}/steps": {"GET"}, "/{}/runs/{}/steps/{}": {"GET"},
	}}
	responses = &family{[]string{"responses"}, map[string][]string{
		"": {"POST"}, "/{}": {"GET", "DELETE"}, "/{}/cancel": {"POST"}, "/{}/input_items": {"GET"},
		"/input_tokens": {"POST"}, "/compact": {"POST"},
	}}
	videos = &family{[]string{"videos"}, map[string][]string{
		"": {"GET", "POST"}, "/{}": {"GET", "DELETE"}, "/{}/content": {"GET"}, "/{}/remix": {"POST"},
		"/edits": {"POST"}, "/extensions": {"POST"}, "/characters": {"POST"}, "/characters/{}": {"GET"},
	}}
)

// locate finds the family's name and the sub-path in the client's path,
// whatever the route's path and with or without strip_path, and refuses what
// the API does not have.
func (f *family) locate(q *request) (name, sub string, err error) {
	name, sub = f.names[0], strings.TrimSuffix(q.in.Path, "/")
	if at, found := f.find(q.in.Kong.Path); found != "" {
		name, sub = found, at
	} else if at, found := f.find(q.in.Path); found != "" {
		name, sub = found, at
	} else if q.in.Path == q.in.Kong.Path {
		name, sub = f.ofID(q.in.Path) // before it comes the route's own
	} else if otherwise(sub) {
		return name, sub, refuse(http.StatusNotFound, fmt.Sprintf("unknown path %s: the paths are %s", sub, strings.Join(f.paths(name), " ")))
	}
	return name, sub, f.check(name, sub, q.in.Method)
}

// otherwise says whether a path without the family's name is that of another
// part of the API, and no id.
func otherwise(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "/"), "v1/"), "/")
	switch first {
	case "models", "moderations", "fine_tuning", "vector_stores", "uploads", "audio", "images", "chat":
		return true
	}
	return slices.ContainsFunc(signs, func(s sign) bool { return s.path == "/"+first })
}

// check refuses what the API does not have.
func (f *family) check(name, sub, method string) error {
	pattern, err := f.pattern(sub)
	if err != nil {
		return err
	}
	methods, ok := f.allowed[pattern]
	if !ok {
		return refuse(http.StatusNotFound, fmt.Sprintf("unknown path %q below /%s; the paths are %s", sub, name, strings.Join(f.paths(name), " ")))
	}
	if !slices.Contains(methods, method) {
		return notAllowed(method, "/"+name+sub, methods...)
	}
	return nil
}

// paths are the paths that the family has below one of its names.
func (f *family) paths(name string) []string {
	var all []string
	for pattern := range f.allowed {
		all = append(all, "/"+name+strings.ReplaceAll(pattern, "{}", "{id}"))
	}
	slices.Sort(all)
	return all
}

// find looks for the last segment with one of the family's names.
func (f *family) find(path string) (sub, name string) {
	best := -1
	for _, n := range f.names {
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

// ids are how OpenAI's ids begin, by the family that they are of.
var ids = []struct{ prefix, family string }{
	{"file-", "files"}, {"file_", "files"}, {"assistant-", "files"}, {"batch_", "batches"}, {"asst_", "assistants"},
	{"thread_", "threads"}, {"resp_", "responses"}, {"video_", "videos"},
}

// ofID finds where the sub-path begins in a path of which nobody knows how much
// is the route's: at the first id of the family's.
func (f *family) ofID(path string) (name, sub string) {
	for at := strings.IndexByte(path, '/'); at >= 0; {
		for _, id := range ids {
			if strings.HasPrefix(path[at+1:], id.prefix) && slices.Contains(f.names, id.family) {
				return id.family, strings.TrimSuffix(path[at:], "/")
			}
		}
		next := strings.IndexByte(path[at+1:], '/')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return f.names[0], ""
}

// words are the sub-path segments that are no ids.
var words = []string{"content", "cancel", "input_items", "input_tokens", "compact", "runs", "messages", "steps", "submit_tool_outputs", "remix", "edits", "extensions", "characters", "results", "stop"}

// pattern is a sub-path with its ids replaced by {}. An id is one segment that
// says nothing but itself.
func (f *family) pattern(sub string) (string, error) {
	if sub == "" {
		return "", nil
	}
	var b strings.Builder
	for _, segment := range strings.Split(strings.TrimPrefix(sub, "/"), "/") {
		id, err := url.PathUnescape(segment)
		if err != nil || id == "" || id == "." || strings.Contains(id, "..") || strings.ContainsFunc(id, notInID) {
			return "", refuse(http.StatusBadRequest, fmt.Sprintf("id %q is not one that can stand in a path", segment))
		}
		b.WriteByte('/')
		if slices.Contains(words, id) {
			b.WriteString(id)
		} else {
			b.WriteString("{}")
		}
	}
	return b.String(), nil
}

func notInID(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune(`/\\?#%`, c) }
