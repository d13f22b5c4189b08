package engine

import (
	"errors"
	"net/http"
	"strings"
)

// maxFields is the largest number of header fields of a message. It is limited because a
// field needs more memory than it has bytes.
const maxFields = 1000

// The errors of a head. They quote nothing, as they are logged.
var (
	errField  = errors.New("malformed header field")
	errFolded = errors.New("folded header field")
	errFields = errors.New("too many header fields")
)

// cutLine returns the first line of s, without its line end, and what follows.
func cutLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// parseFields reads the header fields of a head up to its empty line. Names are in
// canonical form. Names and values are substrings of s if possible.
func parseFields(s string) (http.Header, error) {
	n := strings.Count(s, "\n") - 1
	if n > maxFields {
		return nil, errFields
	}
	h := make(http.Header, max(n, 0))
	values := make([]string, max(n, 0))
	for {
		var line string
		line, s = cutLine(s)
		if line == "" {
			return h, nil
		}
		name, value, err := parseField(line)
		if err != nil {
			return nil, err
		}
		if old := h[name]; old != nil {
			h[name] = append(old, value)
			continue
		}
		one := values[:1:1] // so that append copies it
		one[0] = value
		h[name] = one
		values = values[1:]
	}
}

// parseField splits a field line. It refuses white space before the colon, a name that is
// not a token, and control characters in the value (RFC 9112 §5).
func parseField(line string) (name, value string, err error) {
	if line[0] == ' ' || line[0] == '\t' {
		return "", "", errFolded
	}
	i := 0
	upper, canonical := true, true
	for ; i < len(line); i++ {
		c := line[i]
		class := classes[c]
		if class&token == 0 {
			break
		}
		if upper && class&lower != 0 || !upper && class&capital != 0 {
			canonical = false
		}
		upper = c == '-'
	}
	if i == 0 || i == len(line) || line[i] != ':' {
		return "", "", errField
	}
	name = line[:i]
	if !canonical {
		name = canonicalName(name)
	}
	value = trimmed(line[i+1:])
	if !validValue(value) {
		return "", "", errField
	}
	return name, value, nil
}

// canonicalName is http.CanonicalHeaderKey for a valid name. It allocates nothing for the
// usual names.
func canonicalName(name string) string { return http.CanonicalHeaderKey(name) }

// trimmed returns s without the white space around it.
func trimmed(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		if classes[s[i]]&token == 0 {
			return false
		}
	}
	return s != ""
}

func validValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if classes[s[i]]&control != 0 {
			return false
		}
	}
	return true
}

// The classes of bytes in a head.
const (
	token   = 1 << iota // in a name or a method (RFC 9110 §5.6.2)
	lower               // a to z
	capital             // A to Z
	control             // not allowed in a value: everything below the space except the tab, and delete
	host                // in a host with its port
	simple              // in a path that is the same escaped and unescaped
)

var classes = makeClasses()

func makeClasses() (c [256]uint8) {
	set := func(chars string, class uint8) {
		for i := range len(chars) {
			c[chars[i]] |= class
		}
	}
	const small, large, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	set(small+large+digits, token|host|simple)
	set(small, lower)
	set(large, capital)
	set("!#$%&'*+-.^_`|~", token)
	set("!$%&'()*+,-.:;=[]_~", host)
	set("-._~/", simple)
	for i := range ' ' {
		c[i] |= control
	}
	c['\t'] &^= control
	c[0x7f] |= control
	return c
}

// all reports whether every byte of s is in the class.
func all(s string, class uint8) bool {
	for i := 0; i < len(s); i++ {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

// hasToken reports whether a comma-separated list has the token, ignoring case.
func hasToken(values []string, want string) bool {
	for _, v := range values {
		for v != "" {
			var one string
			one, v, _ = strings.Cut(v, ",")
			if strings.EqualFold(trimmed(one), want) {
				return true
			}
		}
	}
	return false
}
