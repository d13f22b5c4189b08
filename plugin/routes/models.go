package routes

import (
	"net/http"
	"net/url"
	"strings"

	"go-ai-proxy/translators/route"
)

// models is the segment that lists the models, in all formats.
const models = "/models"

// Models says whether a request asks which models the route serves, by the end of
// its path, and which model it asks for: "" is all of them. The name of a model
// may have slashes, escaped or not, where known knows it; of others it is one
// segment.
//
// A route that serves only preserve lists nothing itself. One that serves only
// responses lists them at OpenAI's own path, with its version, but not for Codex,
// which tells its version and cannot read OpenAI's list: it expects one with members of
// its own, and does without when there is none.
// https://github.com/openai/codex/blob/main/codex-rs/codex-api/src/endpoint/models.rs
func (t *Table) Models(r *Request, known func(id string) bool) (id string, asked bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || !t.lists() {
		return "", false
	}
	at := models
	if t.only(route.Responses) {
		if query, _ := url.ParseQuery(r.RawQuery); query.Has("client_version") {
			return "", false
		}
		at = "/v1" + models
	}
	for _, path := range []string{r.Whole, r.Path} {
		path = strings.TrimSuffix(path, "/")
		if strings.HasSuffix(path, at) {
			return "", true
		}
		if id, asked := modelBelow(path, at, known, t.format.Joiner); asked {
			return id, true
		}
	}
	return "", false
}

// lists says whether the route lists its models.
func (t *Table) lists() bool {
	return t.format.Models != nil && !t.only(route.Preserve)
}

// isList says whether a path is that of the list of models.
func (t *Table) isList(path string) bool {
	return t.lists() && !t.only(route.Responses) && strings.HasSuffix(strings.TrimSuffix(path, "/"), models)
}

// only says whether all targets are of one route type.
func (t *Table) only(wanted route.Type) bool { return len(t.served) == 1 && t.served[wanted] }

// modelBelow returns what follows list, /models or /v1/models, in a path. Where it is there more than
// once, the known model counts. A name of several segments, or with the joiner
// before a method, is something else unless it is known.
func modelBelow(path, list string, known func(id string) bool, joiner string) (id string, asked bool) {
	rest, found := path, false
	last := ""
	for {
		if _, rest, found = strings.Cut(rest, list+"/"); !found {
			break
		}
		last = rest
		if id, err := url.PathUnescape(rest); err == nil && known(id) {
			return id, true
		}
	}
	id, err := url.PathUnescape(last)
	if err != nil || last == "" || strings.Contains(last, "/") || joiner != "" && strings.Contains(id, joiner) {
		return "", false
	}
	return id, true
}
