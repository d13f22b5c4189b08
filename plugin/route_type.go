package plugin

import (
	"bytes"
	"net/http"
	"strings"

	"go-ai-proxy/translators/jsonedit"
)

// signs are how a request shows which route type it means, where the targets of
// one plugin have several: by the end of its path, or else by a member of its
// body. What could be taken for another stands before it.
var signs = []struct{ route, path, member string }{
	{"llm/v1/chat", "/chat/completions", "messages"},
	{"llm/v1/completions", "/completions", "prompt"},
	{"audio/v1/audio/speech", "/audio/speech", "voice"},
	{"audio/v1/audio/transcriptions", "/audio/transcriptions", ""},
	{"audio/v1/audio/translations", "/audio/translations", ""},
	{"image/v1/images/edits", "/images/edits", "images"},
	{"image/v1/images/generations", "/images/generations", "prompt"},
	{"realtime/v1/realtime", "/realtime", ""},
	{"llm/v1/embeddings", "/embeddings", "input"},
	{"llm/v1/batches", "/batches", "input_file_id"},
	{"llm/v1/responses", "/responses", "input"},
	{"llm/v1/files", "/files", ""},
	{"llm/v1/assistants", "/assistants", ""},
	{"video/v1/videos/generations", "/videos", "prompt"},
}

// routeType is the one that the request means among those of the targets. What
// says nothing of it is the first target's.
func (q *request) routeType() (string, error) {
	first := q.instance.config.Targets[0].RouteType
	if len(q.instance.byRoute) == 1 {
		return first, nil
	}
	if route := q.routeByPath(); route != "" {
		return route, nil
	}
	if media := q.mediaType(); q.in.Body == nil || q.in.Method != http.MethodPost || media != "" && media != "application/json" {
		return first, nil
	}
	q.surface = openAISurfaces[first] // for what has to be said of the body's encoding
	if err := q.readBody(int64(q.instance.config.MaxRequestBodySize)); err != nil {
		return "", err
	}
	q.in.Body, q.in.ContentLength = bytes.NewReader(q.body), int64(len(q.body))
	members, err := jsonedit.Object(q.body, nil)
	if err != nil {
		return first, nil // which says what is wrong with it
	}
	for _, s := range signs {
		if s.member != "" && q.instance.byRoute[s.route] != nil && jsonedit.Find(members, s.member) != nil {
			return s.route, nil
		}
	}
	return first, nil
}

// routeByPath is the route type by the client's path, as it was or as the route
// left it; "" where that says nothing.
func (q *request) routeByPath() string {
	for _, path := range []string{q.in.Kong.Path, q.in.Path} {
		path = strings.TrimSuffix(path, "/")
		for _, s := range signs {
			if q.instance.byRoute[s.route] == nil {
				continue
			}
			if strings.HasSuffix(path, s.path) {
				return s.route
			}
			if rest := openAISurfaces[s.route].rest; rest != nil {
				if _, name := rest.find(path); name != "" {
					return s.route
				}
			}
		}
	}
	return ""
}
