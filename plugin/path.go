package plugin

import (
	"strings"

	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// besidePath is the path of another operation of the provider's than the one that is
// configured, and says whether it is known. With a configured URL or path that is so if
// it has no path, or if its path ends as that of an operation beside op.
func besidePath(a *attempt, op *provider.Operation) (path string, placed bool, err error) {
	o := a.target.Options
	path, err = op.Path(a.target, a.request.stream)
	if err != nil || o.UpstreamURL == "" && o.UpstreamPath == "" {
		return path, err == nil, err
	}
	configured := ""
	switch {
	case o.UpstreamURL == "" || o.UpstreamPath != "" && a.provider.PathOverURL:
		if a.provider.Prefix != nil {
			configured = a.provider.Prefix(a.target)
		}
		configured += slashed(o.UpstreamPath)
	case o.UpstreamPath != "":
		return path, false, nil
	default:
		u, err := a.endpoint.parseBase(o.UpstreamURL)
		if err != nil {
			return path, false, nil // setURL names the mistake when the target is used
		}
		if configured = u.EscapedPath(); configured == "" || configured == "/" {
			return path, true, nil
		}
	}
	for _, beside := range []*provider.Operation{op, a.op, a.provider.Find(a.request.api.Beside, route.Chat), a.provider.Operations[a.request.route]} {
		if beside == nil {
			continue
		}
		own, err := beside.Path(a.target, a.request.stream)
		if err != nil {
			continue
		}
		if there, ok := sibling(configured, own, path); ok {
			return there, true, nil
		}
	}
	return path, false, nil
}

// sibling is where wanted is if own is at path: a proxy may have both at another place
// than the API has them. ok is false if path is not that of own.
func sibling(path, own, wanted string) (there string, ok bool) {
	same := 0 // what own and wanted share: whole segments, and not all of own
	for i := 0; i < strings.LastIndexByte(own, '/') && i < len(wanted) && own[i] == wanted[i]; i++ {
		if own[i+1] == '/' && i+1 < len(wanted) && wanted[i+1] == '/' {
			same = i + 1
		}
	}
	prefix, ok := strings.CutSuffix(path, own[same:])
	return prefix + wanted[same:], ok
}

// NormalizePath returns a raw path as Kong's router sees it: needless escapes are
// decoded, the others are written in upper case, dot segments and double slashes
// are removed. Reserved characters keep their escapes, so that an escaped slash
// never becomes a separator.
func NormalizePath(path string) string {
	if strings.IndexByte(path, '%') >= 0 {
		path = unescapeUnreserved(path)
	}
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	segments := strings.Split(path, "/")
	out := make([]string, 0, len(segments))
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "" && !last:
		case s == ".", s == "..":
			if s == ".." && len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, s)
		}
	}
	return "/" + strings.Join(out, "/")
}

// reserved are the characters that mean something else when they are not escaped
// (RFC 3986 §2.2), and the percent sign.
const reserved = "!*'();:@&=+$,/?%#[]"

func unescapeUnreserved(path string) string {
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		c, ok := escapeAt(path, i)
		switch {
		case !ok:
			b.WriteByte(path[i])
			continue
		case strings.IndexByte(reserved, c) >= 0:
			b.WriteString(strings.ToUpper(path[i : i+3]))
		default:
			b.WriteByte(c)
		}
		i += 2
	}
	return b.String()
}

// escapeAt returns the byte that the escape at i stands for.
func escapeAt(s string, i int) (byte, bool) {
	if s[i] != '%' || i+2 >= len(s) {
		return 0, false
	}
	high, okHigh := hexDigit(s[i+1])
	low, okLow := hexDigit(s[i+2])
	return high<<4 | low, okHigh && okLow
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
