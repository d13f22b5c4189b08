package standalone

import "strings"

// escape returns a normalized path in the form of a request line.
func escape(path string) string {
	clean := func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			strings.IndexByte("!#$&'()*+,/:;=?@[]-_.~%", c) >= 0
	}
	i := 0
	for i < len(path) && clean(path[i]) {
		i++
	}
	if i == len(path) {
		return path
	}
	const hex = "0123456789ABCDEF"
	b := append(make([]byte, 0, len(path)+8), path[:i]...)
	for ; i < len(path); i++ {
		if c := path[i]; clean(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// forwarded returns the path for the service: base, followed by the rest of path if
// the route strips the matched part, or otherwise by all of it. This is Kong's
// path_handling v0.
func forwarded(base, path string, matched int, strip bool) string {
	if base == "" {
		base = "/"
	}
	if !strip {
		switch {
		case strings.HasSuffix(base, "/"):
			return base + path[1:]
		case path == "/":
			return base
		}
		return base + path
	}
	rest := path[matched:]
	// With a prefix /v1, the path /v1../x must not become a step upwards.
	switch {
	case rest == ".", rest == "..":
		rest = ""
	default:
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, "../"), "./")
	}
	if rest == "" {
		switch {
		case base == "/":
			return base
		case strings.HasSuffix(path, "/") && len(path) > 1:
			return strings.TrimSuffix(base, "/") + "/"
		}
		return strings.TrimSuffix(base, "/")
	}
	return strings.TrimSuffix(base, "/") + "/" + strings.TrimPrefix(rest, "/")
}
