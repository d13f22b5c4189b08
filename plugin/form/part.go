package form

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"strings"

	"go-ai-proxy/translators/chat"
)

// boundaryOf returns the boundary that a form's content type names. One that
// two parsers could read differently is refused.
func boundaryOf(contentType string) (string, error) {
	media, params, err := mime.ParseMediaType(contentType)
	boundary := params["boundary"]
	switch {
	case err != nil, media != "multipart/form-data", len(boundary) > 200, strings.HasSuffix(boundary, " "),
		strings.ContainsFunc(boundary, notInBoundary), strings.ContainsAny(contentType, "*\\"),
		strings.Count(strings.ToLower(contentType), "boundary=") != 1, boundary == "":
		return "", chat.NewError(http.StatusBadRequest, "content-type must be multipart/form-data with a boundary")
	}
	return boundary, nil
}

// notInBoundary: RFC 2046 §5.1.1.
func notInBoundary(c rune) bool {
	return !isAlphanumeric(c) && !strings.ContainsRune("'()+_,-./:=? ", c)
}

// part is what the header of a part says.
type part struct {
	name    string
	file    bool // it has a file name
	encoded bool // its value is not the bytes that are there, or not UTF-8
}

// partOf reads a part's header. It accepts what clients write, and nothing that
// parsers read differently: the provider's must find the same names.
func partOf(header []byte) (p part, err error) {
	if folded(header) {
		return p, errors.New("a part's header is folded")
	}
	named := false
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		if len(line) == 0 {
			continue // there is no header
		}
		if bytes.ContainsFunc(line, isControl) {
			return p, errors.New("a part's header has a control character, or a line that does not end in CRLF")
		}
		key, value, ok := strings.Cut(string(line), ":")
		if !ok || key == "" || strings.ContainsFunc(key, notInName) {
			return p, errors.New("a part's header cannot be read")
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(key) {
		case "content-disposition":
			if named || !p.disposition(value) {
				return p, errors.New("a part's content-disposition cannot be read")
			}
			named = true
		case "content-transfer-encoding":
			p.encoded = p.encoded || !strings.EqualFold(value, "binary") && !strings.EqualFold(value, "8bit") && !strings.EqualFold(value, "7bit")
		case "content-type":
			_, params, err := mime.ParseMediaType(value)
			charset, has := params["charset"]
			p.encoded = p.encoded || err != nil || has && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii")
		}
	}
	return p, nil
}

// folded says whether a line of the header goes on in the next.
func folded(header []byte) bool {
	for line := range bytes.SplitSeq(header, []byte("\n")) {
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			return true
		}
	}
	return false
}

// disposition reads form-data; name="file"; filename="speech.mp3", in which
// the parameters may come in any order; false: it cannot be read.
func (p *part) disposition(value string) bool {
	rest, ok := strings.CutPrefix(value, "form-data")
	if !ok {
		return false
	}
	seen := map[string]bool{}
	for rest = strings.TrimLeft(rest, " \t"); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		if rest, ok = strings.CutPrefix(rest, ";"); !ok {
			return false
		}
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" { // a semicolon at the end
			break
		}
		var key, text string
		if key, rest, ok = strings.Cut(rest, "="); !ok || seen[key] {
			return false
		}
		if text, rest, ok = parameter(rest); !ok {
			return false
		}
		seen[key] = true
		switch key {
		case "name":
			if text == "" || strings.ContainsFunc(text, notInName) {
				return false
			}
			p.name = text
		case "filename":
			p.file = true
		case "filename*": // not known to every parser: beside filename, or for what no field is called
			if strings.ContainsAny(text, "; ") {
				return false
			}
			p.file = true
		default:
			return false
		}
	}
	return p.name != ""
}

// parameter reads the value of a parameter at the beginning of s, quoted or not.
func parameter(s string) (text, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, "; \t")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], !strings.ContainsAny(s[:end], `"=\`)
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[1:i], s[i+1:], true
		}
	}
	return "", "", false
}

// notInName: what has a meaning in a header, or an encoding in some parsers,
// stands in no field's name.
func notInName(c rune) bool { return !isAlphanumeric(c) && !strings.ContainsRune("_-.[]", c) }

func isAlphanumeric(c rune) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }
