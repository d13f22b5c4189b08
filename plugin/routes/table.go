package plugin

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/route"
)

// sign is how a request shows that it means route.
type sign struct {
	route        route.Type
	path, member string
}

// signs are how a request shows which route type it means, where the targets of
// one plugin have several: by the end of its path, or else by a member of its
// body. What could be taken for another stands before it.
var signs = []sign{
	{route.Chat, "/chat/completions", "messages"},
	{route.Completions, "/completions", "prompt"},
	{route.Speech, "/audio/speech", "voice"},
	{route.Transcriptions, "/audio/transcriptions", ""},
	{route.Translations, "/audio/translations", ""},
	{route.ImageEdits, "/images/edits", "images"},
	{route.ImageGenerations, "/images/generations", "prompt"},
	{route.Realtime, "/realtime", ""},
	{route.Embeddings, "/embeddings", "input"},
	{route.Batches, "/batches", "input_file_id"},
	{route.Responses, "/responses", "input"},
	{route.Files, "/files", ""},
	{route.Assistants, "/assistants", ""},
	{route.Videos, "/videos", "prompt"},
}

// routeType is the one that the request means among those of the targets. What
// says nothing of it is the first target's.
func (q *request) routeType() (route.Type, error) {
	first := q.instance.config.Targets[0].RouteType
	if wanted := q.routeByPath(); wanted != "" {
		return wanted, nil
	}
	if len(q.instance.byRoute) == 1 {
		if s := openAISurfaces[first]; s != nil && s.rest != nil {
			return first, nil // which knows its paths
		}
		return first, q.elsewhere()
	}
	if media := q.mediaType(); q.in.Body == nil || q.in.Method != http.MethodPost || media != "" && !strings.Contains(media, "json") && media != "application/x-www-form-urlencoded" {
		return first, q.unknownPath()
	}
	q.surface = openAISurfaces[first] // for what has to be said of the body's encoding
	if err := q.readBody(int64(q.instance.config.MaxRequestBodySize)); err != nil {
		return "", err
	}
	q.in.Body, q.in.ContentLength = bytes.NewReader(q.body), int64(len(q.body))
	members, err := jsonedit.Object(q.body, nil)
	if err != nil {
		return first, nil // which takes it otherwise, or says what is wrong with it
	}
	for _, s := range signs {
		if s.member != "" && q.instance.byRoute[s.route] != nil && jsonedit.Find(members, s.member) != nil {
			return s.route, nil
		}
	}
	return first, q.unknownPath()
}

// elsewhere refuses a path that is that of an operation which no target has.
func (q *request) elsewhere() error {
	path := q.below()
	if q.in.Method == http.MethodGet && path != "" && otherwise(path) {
		return q.unknownPath()
	}
	for _, s := range signs {
		if q.instance.byRoute[s.route] == nil && path != "" && strings.HasSuffix(path, s.path) {
			return q.unknownPath()
		}
	}
	return nil
}

// unknownPath refuses a path that says nothing of what the targets do, unless
// it is the route's own, which may be any.
func (q *request) unknownPath() error {
	path := q.below()
	if path == "" || q.instance.byRoute[route.Preserve] != nil {
		return nil
	}
	var paths []string
	for _, s := range signs {
		if q.instance.byRoute[s.route] != nil {
			paths = append(paths, s.path)
		}
	}
	return refuse(http.StatusNotFound, fmt.Sprintf("unknown path %s: what this route serves ends in %s", path, strings.Join(paths, ", ")))
}

// below is the client's path behind that of Kong's route, "" where there is
// nothing or nobody knows: where the route takes nothing off.
func (q *request) below() string {
	if q.in.Kong.Path == "" || q.in.Path == q.in.Kong.Path {
		return ""
	}
	return strings.TrimSuffix(q.in.Path, "/")
}

// routeByPath is the route type by the client's path, as it was or as the route
// left it; "" where that says nothing.
func (q *request) routeByPath() route.Type {
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
