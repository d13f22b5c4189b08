package routes

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
)

// Probe says whether a refused request only asked what is there: OPTIONS of any path
// that the route serves, or HEAD of its base URL, with which programs open a
// connection before they have something to send. The answer to both is an empty one;
// to OPTIONS, with the methods in allow.
// https://www.rfc-editor.org/rfc/rfc9110#section-9.3.7
func (t *Table) Probe(r *Request, refused error) (allow string, asked bool) {
	var e *chat.Error
	if !errors.As(refused, &e) || e.Status != http.StatusNotFound && e.Status != http.StatusMethodNotAllowed {
		return "", false
	}
	base := isBase(r.below())
	switch {
	case r.Method == http.MethodHead:
		return "", base
	case r.Method != http.MethodOptions:
		return "", false
	case e.Allow != "":
		return e.Allow + ", " + http.MethodOptions, true
	}
	return http.MethodHead + ", " + http.MethodOptions, base
}

// version is the part of a base URL that many clients have in it.
var version = regexp.MustCompile(`^/v[0-9]+[a-z0-9]*$`)

// isBase says whether a path below that of Kong's route adds nothing to it, as far as
// anybody knows.
func isBase(below string) bool { return below == "" || version.MatchString(below) }

// NotAllowed refuses a method; allowed are the methods that what has. HEAD is a method
// of whatever has GET.
func NotAllowed(method, what string, allowed ...string) *chat.Error {
	e := chat.NewError(http.StatusMethodNotAllowed, method+" is not a method of "+what+": use "+strings.Join(allowed, " or "))
	if i := slices.Index(allowed, http.MethodGet); i >= 0 {
		allowed = slices.Insert(slices.Clone(allowed), i+1, http.MethodHead)
	}
	e.Allow = strings.Join(allowed, ", ")
	return e
}
