package config

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

// landing is the place where a value from a request is used. Such a value must stay
// within the place that the admin left for it: it must not add a host, a path segment
// or a query parameter.
type landing target.Landing

const (
	inText       = landing(target.InText)
	inHost       = landing(target.InHost)
	inSegment    = landing(target.InSegment)
	inModel      = landing(target.InModel)
	inURLSegment = landing(target.InURLSegment)
	inPath       = landing(target.InPath)
	inQuery      = landing(target.InQuery)
	inURL        = landing(target.InURL)
)

// landsInModel returns the landing of a model's name at a provider.
func landsInModel(name string) landing {
	if p := translators.Lookup(name); p != nil && p.ModelLands != target.Nowhere {
		return landing(p.ModelLands)
	}
	return inModel
}

// checkRequestModel checks that the model of the client's request cannot change the
// URL of a provider that has the model in the URL.
func checkRequestModel(name, model string) error {
	p := translators.Lookup(name)
	if p == nil || p.ModelLands == target.Nowhere || model == "" {
		return nil
	}
	plain := strings.TrimPrefix(model, p.ModelPrefix)
	land := landing(p.ModelLands)
	_, why := land.admit(plain)
	if why == "" {
		why = land.refuseWhole(plain)
	}
	if why != "" {
		return &chat.RequestError{Field: "model", Message: "the model's name " + why}
	}
	return nil
}

// admit returns value as it must be written, or the reason why it is refused.
func (l landing) admit(value string) (string, string) {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, isControl) {
		return "", "has a control character or is no UTF-8"
	}
	switch l {
	case inHost:
		if strings.ContainsFunc(value, notHostname) {
			return "", "cannot stand in a host name"
		}
	case inSegment, inURLSegment:
		if strings.ContainsAny(value, `/\?#%&`) {
			return "", "cannot stand in a path segment"
		}
		if l == inURLSegment {
			return url.PathEscape(value), ""
		}
	case inModel, inPath:
		if strings.ContainsAny(value, `\?#%`) {
			return "", "cannot stand in a path"
		}
		if l == inPath {
			return (&url.URL{Path: value}).EscapedPath(), ""
		}
	case inQuery:
		return url.QueryEscape(value), ""
	}
	return value, ""
}

// refuseWhole returns what is wrong with a whole text, including its literal parts,
// or "". Two single dots, for example, can together be "..".
func (l landing) refuseWhole(value string) string {
	switch l {
	case inText:
		return ""
	case inHost:
		return refuseHost(value)
	case inURL:
		u, err := url.Parse(value)
		if err != nil {
			return "is no URL"
		}
		if why := refuseHost(u.Hostname()); why != "" {
			return why
		}
		return refusePath(u.Path)
	case inModel, inSegment:
		if strings.HasPrefix(value, "/") {
			return "is no name"
		}
	}
	return refusePath(value)
}

func refuseHost(host string) string {
	if host == "" || strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
		return "is no host name"
	}
	return ""
}

// refusePath refuses a path that leads out of its folder or has an empty segment.
func refusePath(path string) string {
	if strings.Contains(path, "..") || strings.Contains(path, "//") || strings.Contains("/"+path+"/", "/./") {
		return "is a relative path"
	}
	return ""
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func notHostname(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.')
}

// urlPlace returns the part of a URL that the end of literal is in; literal begins in
// the part from.
func urlPlace(from landing, literal string) landing {
	if scheme, after, ok := strings.Cut(literal, "://"); ok && from == inHost && !strings.ContainsAny(scheme, "/?#") {
		literal = after
	}
	for _, r := range literal {
		switch {
		case r == '?' || r == '#':
			return inQuery
		case r == '/' && from == inHost:
			from = inURLSegment
		}
	}
	return from
}
