package form

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// AsJSON is the JSON body that says what a multipart form does, as OpenAI's API takes
// it for the same operations: pictures are data URLs in `images`, other files
// are objects with an image_url.
// https://platform.openai.com/docs/api-reference/images/createEdit
func AsJSON(src io.Reader, contentType string) ([]byte, error) {
	boundary, err := boundaryOf(contentType)
	if err != nil {
		return nil, err
	}
	r := multipart.NewReader(src, boundary)
	fields, images := []byte{'{'}, []byte{'['}
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, formError(err)
		}
		name := strings.TrimSuffix(p.FormName(), "[]")
		switch {
		case p.FileName() != "" && name == "image":
			images, err = appendFile(jsonedit.AppendComma(images), p)
		case p.FileName() != "":
			fields, err = appendFile(jsonedit.AppendKey(fields, name), p)
		default:
			fields, err = appendField(fields, name, p)
		}
		if err != nil {
			return nil, formError(err)
		}
	}
	if len(images) > 1 {
		fields = jsonedit.AppendRaw(fields, "images", append(images, ']'))
	}
	return append(fields, '}'), nil
}

func formError(err error) error {
	var own *chat.Error
	if errors.As(err, &own) {
		return own
	}
	return chat.NewError(http.StatusBadRequest, "multipart form: "+err.Error())
}

// appendFile writes a file as an object with a data URL, without holding it twice.
func appendFile(dst []byte, p *multipart.Part) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
	if err != nil || strings.ContainsAny(kind, "\"\\") {
		kind = "application/octet-stream"
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(p, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	if found, _, _ := strings.Cut(http.DetectContentType(head[:n]), ";"); kind == "application/octet-stream" || strings.HasPrefix(found, "image/") {
		kind = found
	}
	w := &appending{append(dst, `{"image_url":"data:`+kind+`;base64,`...)}
	e := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := io.Copy(e, io.MultiReader(bytes.NewReader(head[:n]), p)); err != nil {
		return nil, err
	}
	if err := e.Close(); err != nil {
		return nil, err
	}
	return append(w.buf, `"}`...), nil
}

type appending struct{ buf []byte }

func (a *appending) Write(p []byte) (int, error) {
	a.buf = append(a.buf, p...)
	return len(p), nil
}

// maxText bounds a form's field that is no file, in bytes.
const maxText = 1 << 20

// appendField writes a field: numbers and booleans as such, JSON where the field
// is an object, otherwise a string.
func appendField(dst []byte, name string, p *multipart.Part) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(p, maxText+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxText {
		return nil, fmt.Errorf("the field %q is too long", name)
	}
	dst = jsonedit.AppendKey(dst, name)
	number, notNumber := strconv.Atoi(string(b))
	switch text := string(b); {
	case name == "prompt":
	case notNumber == nil:
		return strconv.AppendInt(dst, int64(number), 10), nil
	case text == "true", text == "false", strings.HasPrefix(text, "{") && jsonedit.Valid(b) == nil:
		return append(dst, text...), nil
	}
	return jsonedit.AppendString(dst, string(b)), nil
}
