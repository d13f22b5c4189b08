package routes

import "strings"

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
