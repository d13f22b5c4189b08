// Package formtest writes the forms that tests send.
package formtest

import (
	"fmt"
	"strings"
)

// Boundary is that of the forms, and Type their content type.
const (
	Boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
	Type     = "multipart/form-data; boundary=" + Boundary
)

// Of is a multipart body with the parts, each "name=value"; a name that ends in
// @ is a file's.
func Of(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		name, value, _ := strings.Cut(p, "=")
		b.WriteString("--" + Boundary + "\r\n")
		if bare, file := strings.CutSuffix(name, "@"); file {
			fmt.Fprintf(&b, "Content-Disposition: form-data; name=\"%s\"; filename=\"speech.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n", bare)
		} else {
			fmt.Fprintf(&b, "Content-Disposition: form-data; name=\"%s\"\r\n\r\n", name)
		}
		b.WriteString(value + "\r\n")
	}
	return b.String() + "--" + Boundary + "--\r\n"
}
