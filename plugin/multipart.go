package plugin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// maxPartHeader bounds the header of one part, and maxModel a model's name, in bytes.
const (
	maxPartHeader = 16 << 10
	maxModel      = 1 << 10
	// frontOfForm is how much of a form is looked at for its model before a
	// target is chosen: SDKs put fields before files.
	frontOfForm = 16 << 10
)

// form is a multipart body on its way through: the bytes are not held, only
// the `model` field is looked at, and replaced where it differs. It is an
// io.Reader for the outgoing request.
type form struct {
	src       io.Reader
	delimiter []byte // "\r\n--boundary"
	buf       []byte // read from src and not yet given out
	eof       bool
	state     formState
	found     bool   // a model field has come
	model     string // its value, as the client sent it
	// replace is the model that goes upstream; "" leaves the client's.
	replace string
	// check refuses the client's model; required is a field that must be there.
	check    func(model string) error
	required string
	has      bool
	err      error
	out      []byte // ready to be given out
	opened   bool   // something was given out
}

type formState int

const (
	atHeader formState = iota // after a delimiter line
	inValue                   // in a part's content
	inModel                   // in the content of `model`
	atEnd                     // after the closing delimiter
)

// newForm returns the form in body; contentType names the boundary.
func newForm(body io.Reader, contentType string) (*form, error) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != "multipart/form-data" || params["boundary"] == "" {
		return nil, refuse(http.StatusBadRequest, "content-type must be multipart/form-data with a boundary")
	}
	// The first delimiter has no line break before it: one is put there and
	// taken away again.
	return &form{src: body, delimiter: []byte("\r\n--" + params["boundary"]), buf: []byte("\r\n"), state: inValue, out: nil}, nil
}

// peek reads the front of the form and returns the model, if it is there.
func (f *form) peek() (model string, found bool, err error) {
	probe := &form{src: &keeping{from: f.src}, delimiter: f.delimiter, buf: bytes.Clone(f.buf), state: inValue}
	kept := probe.src.(*keeping)
	for !probe.found && len(kept.kept) < frontOfForm && probe.err == nil {
		probe.step()
		probe.out = probe.out[:0]
	}
	f.src = io.MultiReader(bytes.NewReader(kept.kept), f.src)
	if probe.err != nil && !errors.Is(probe.err, io.EOF) {
		return "", false, probe.err
	}
	return probe.model, probe.found, nil
}

// keeping remembers what was read.
type keeping struct {
	from io.Reader
	kept []byte
}

func (k *keeping) Read(p []byte) (int, error) {
	n, err := k.from.Read(p)
	k.kept = append(k.kept, p[:n]...)
	return n, err
}

// Read implements io.Reader.
func (f *form) Read(p []byte) (int, error) {
	for len(f.out) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		f.step()
	}
	n := copy(p, f.out)
	f.out = f.out[n:]
	return n, nil
}

// step moves on by one read or one delimiter and puts what may go upstream in out.
func (f *form) step() {
	switch f.state {
	case atEnd:
		f.out = append(f.out[:0], f.buf...)
		f.buf = f.buf[:0]
		if f.eof {
			f.err = io.EOF
			return
		}
		f.fill()
	case atHeader:
		f.header()
	default:
		f.content()
	}
}

// header takes in the rest of a delimiter line and the part's header.
func (f *form) header() {
	if bytes.HasPrefix(f.buf, []byte("--")) {
		f.closing()
		return
	}
	end := bytes.Index(f.buf, []byte("\r\n\r\n"))
	if end < 0 {
		switch {
		case len(f.buf) > maxPartHeader:
			f.err = refuse(http.StatusBadRequest, "multipart form: a part's header is too long")
		case f.eof:
			f.err = fmt.Errorf("%w: the form ends in a part's header", errClientGone)
		default:
			f.fill()
		}
		return
	}
	end += 4
	f.state = inValue
	name, file := fieldOf(f.buf[:end])
	f.has = f.has || name == f.required
	if name == "model" && !file {
		f.state = inModel
	}
	f.emit(end)
}

// closing is the last delimiter. A model that the client left out is put
// before it.
func (f *form) closing() {
	if f.required != "" && !f.has {
		f.err = refuse(http.StatusBadRequest, "multipart form: the field '"+f.required+"' is missing")
		return
	}
	if !f.found && f.replace != "" {
		f.found = true
		boundary := f.delimiter[2:]
		f.out = append(f.out[:0], "\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n"...)
		f.out = append(append(append(f.out, f.replace...), "\r\n"...), boundary...)
	}
	f.state = atEnd
}

// content gives out a part's content up to the next delimiter.
func (f *form) content() {
	at := bytes.Index(f.buf, f.delimiter)
	switch {
	case at >= 0 && f.state == inModel:
		f.settle(string(f.buf[:at]))
		value := f.buf[:at]
		if f.replace != "" {
			value = []byte(f.replace)
		}
		f.out = append(append(f.out[:0], value...), f.delimiter...)
		f.buf = f.buf[at+len(f.delimiter):]
		f.state = atHeader
	case at >= 0:
		f.state = atHeader
		f.emit(at + len(f.delimiter))
	case f.state == inModel && len(f.buf) > maxModel:
		f.err = refuse(http.StatusBadRequest, "multipart form: model is too long")
	case f.eof:
		f.err = fmt.Errorf("%w: the form ends before its last boundary", errClientGone)
	default:
		if keep := len(f.delimiter); f.state == inValue && len(f.buf) > keep {
			f.emit(len(f.buf) - keep)
			return
		}
		f.fill()
	}
}

func (f *form) settle(model string) {
	if f.found {
		f.err = refuse(http.StatusBadRequest, "multipart form: model is there twice")
		return
	}
	f.found, f.model = true, model
	if f.check != nil {
		f.err = f.check(model)
	}
}

// emit moves n bytes to out; the line break that was put before the first
// delimiter goes.
func (f *form) emit(n int) {
	f.out = append(f.out[:0], f.buf[:n]...)
	f.buf = f.buf[n:]
	if f.started() {
		f.out = f.out[2:]
	}
}

// started is true once: for the first bytes that are given out.
func (f *form) started() bool {
	if f.src == nil || f.opened {
		return false
	}
	f.opened = true
	return true
}

// fill reads more.
func (f *form) fill() {
	const chunk = 32 << 10
	if cap(f.buf)-len(f.buf) < chunk {
		grown := make([]byte, len(f.buf), len(f.buf)+2*chunk)
		copy(grown, f.buf)
		f.buf = grown
	}
	n, err := f.src.Read(f.buf[len(f.buf):cap(f.buf)])
	f.buf = f.buf[:len(f.buf)+n]
	switch {
	case err == io.EOF:
		f.eof = true
	case err != nil:
		f.err = fmt.Errorf("%w: reading the form: %w", errClientGone, err)
	}
}

// fieldOf returns the name of a part by its header, and whether it is a file.
func fieldOf(header []byte) (name string, file bool) {
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		if !bytes.EqualFold(bytes.TrimSpace(key), []byte("Content-Disposition")) {
			continue
		}
		_, params, err := mime.ParseMediaType(string(value))
		if err != nil {
			return "", false
		}
		_, file = params["filename"]
		return params["name"], file
	}
	return "", false
}
