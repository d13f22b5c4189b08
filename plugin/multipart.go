package plugin

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
)

const (
	// formBuffer holds a part's header, or a watched field, with room to read.
	formBuffer = 64 << 10
	// maxPartHeader bounds the header of one part, and maxField the value of a
	// watched field, in bytes.
	maxPartHeader = 16 << 10
	maxField      = 1 << 10
	// frontOfForm is how much of a form is looked at for its model before a
	// target is chosen: SDKs put fields before files.
	frontOfForm = 16 << 10
)

// form is a multipart body on its way through: its files are not held. Only
// the fields `model` and `stream` are looked at, and the model is replaced
// where it differs. It is an io.Reader for the outgoing request, and knows no
// more of RFC 7578 than where parts begin and end.
type form struct {
	src       io.Reader
	delimiter []byte // "\r\n--boundary"
	// replace is the model that goes upstream; "" leaves the client's.
	replace string
	// check is told of each watched field and may refuse it.
	check func(name, value string) error
	// required are fields of which one must be there; none when empty.
	required []string

	buf        []byte
	start, end int    // of what was read and has not gone on
	ready      int    // of that, how much may go on
	insert     []byte // goes on before that
	eof        bool
	err        error // after all of that
	state      formState
	first      bool   // the delimiter has no line break before it
	parts      bool   // there was one
	watched    string // the field in whose value we are
	met        bool   // one of the required fields
	fields     map[string]string
}

type formState int

const (
	atStart     formState = iota
	inValue               // in a part's content
	atDelimiter           // what is there begins with a delimiter
	atEnd                 // after the closing delimiter
)

// newForm returns the form in body; contentType names the boundary.
func newForm(body io.Reader, contentType string) (*form, error) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != "multipart/form-data" || params["boundary"] == "" || len(params["boundary"]) > 200 {
		return nil, refuse(http.StatusBadRequest, "content-type must be multipart/form-data with a boundary")
	}
	return &form{src: body, delimiter: []byte("\r\n--" + params["boundary"]), buf: make([]byte, formBuffer), fields: map[string]string{}}, nil
}

// peek reads the front of the form, gives nothing out, and returns the watched
// fields that are there.
func (f *form) peek() (map[string]string, error) {
	kept := &keeping{from: f.src}
	probe := &form{src: kept, delimiter: f.delimiter, buf: make([]byte, formBuffer), fields: map[string]string{}}
	for len(probe.fields) < len(watchedFields) && len(kept.kept) < frontOfForm && probe.err == nil {
		probe.start += probe.ready
		probe.ready, probe.insert = 0, nil
		probe.step()
	}
	f.src = io.MultiReader(bytes.NewReader(kept.kept), f.src)
	if probe.err != nil && probe.err != io.EOF {
		return nil, probe.err
	}
	return probe.fields, nil
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
	for {
		switch {
		case len(f.insert) > 0:
			n := copy(p, f.insert)
			f.insert = f.insert[n:]
			return n, nil
		case f.ready > 0:
			n := copy(p, f.buf[f.start:f.start+f.ready])
			f.start, f.ready = f.start+n, f.ready-n
			return n, nil
		case f.err != nil:
			return 0, f.err
		case f.state == inValue && f.watched == "" && !f.eof && len(p) >= directly && f.end-f.start < directly/2:
			if n := f.direct(p[:min(len(p), formBuffer/2)]); n > 0 {
				return n, nil
			}
			continue
		}
		f.step()
	}
}

// directly is the least that is worth being read without the buffer.
const directly = 1 << 10

// direct reads a file's content where it is wanted, and returns how much of it
// may go on. What may be a delimiter, and what follows one, is kept.
func (f *form) direct(p []byte) int {
	held := copy(p, f.pending())
	f.start, f.end = 0, 0
	n, err := f.src.Read(p[held:])
	f.failed(err)
	have := p[:held+n]
	at, whole := f.find(have)
	f.end = copy(f.buf, have[at:])
	if whole {
		f.state = atDelimiter
	}
	return at
}

// step finds out what of the buffer may go on, or reads more.
func (f *form) step() {
	switch f.state {
	case atStart:
		f.begin()
	case inValue:
		f.content()
	case atDelimiter:
		f.part()
	case atEnd:
		f.rest()
	}
}

func (f *form) pending() []byte { return f.buf[f.start:f.end] }

// begin is the first delimiter: no line break need stand before it. Anything
// else before it is refused: no client sends it, and a provider that reads line
// breaks otherwise might find fields in it.
func (f *form) begin() {
	have, bare := f.pending(), f.delimiter[2:]
	switch {
	case bytes.HasPrefix(have, bare):
		f.first, f.state = true, atDelimiter
	case bytes.HasPrefix(have, f.delimiter):
		f.state = atDelimiter
	case !f.eof && (bytes.HasPrefix(bare, have) || bytes.HasPrefix(f.delimiter, have)):
		f.fill()
	default:
		f.malformed("it does not begin with its boundary")
	}
}

// content lets a value pass up to the next delimiter.
func (f *form) content() {
	have := f.pending()
	at, whole := f.find(have)
	switch {
	case f.watched != "" && at > maxField:
		f.malformed(f.watched + " is too long")
	case whole && f.watched != "":
		f.settle(string(have[:at]))
		f.state = atDelimiter
	case whole:
		f.ready, f.state = at, atDelimiter
	case f.eof:
		f.malformed("it ends before its last boundary")
	case f.watched == "" && at > 0:
		f.ready = at
	default:
		f.fill()
	}
}

// find returns where the first delimiter begins and that it is one, or else how
// much is certainly none. A delimiter is a whole line (RFC 2046 §5.1.1).
func (f *form) find(have []byte) (at int, whole bool) {
	for from := 0; ; {
		i := bytes.Index(have[from:], f.delimiter)
		if i < 0 {
			break
		}
		at = from + i
		switch lineEnd(have[at+len(f.delimiter):]) {
		case opens, closes:
			return at, true
		case unfinished:
			return at, false
		}
		from = at + 1
	}
	return max(0, len(have)-len(f.delimiter)+1), false
}

type ending int

const (
	unfinished ending = iota
	opens             // a part follows
	closes            // it was the last
	none              // no delimiter, it only begins like one
)

// lineEnd says what follows a boundary: two dashes, or white space and a line break.
func lineEnd(after []byte) ending {
	if bytes.HasPrefix(after, []byte("--")) {
		return closes
	}
	rest := bytes.TrimLeft(after, " \t")
	switch {
	case bytes.HasPrefix(rest, []byte("\r\n")):
		return opens
	case len(after)-len(rest) > 100:
		return none
	case len(rest) == 0, len(rest) == 1 && (rest[0] == '\r' || len(after) == 1 && rest[0] == '-'):
		return unfinished
	}
	return none
}

// part takes in a delimiter and the header of the part that it begins.
func (f *form) part() {
	have := f.pending()
	n := len(f.delimiter)
	if f.first {
		n -= 2
	}
	switch lineEnd(have[n:]) {
	case closes:
		f.close()
		return
	case none: // only the very first can turn out to be none
		f.malformed("it does not begin with its boundary")
		return
	}
	end := bytes.Index(have[n:], []byte("\r\n\r\n"))
	switch {
	case end > maxPartHeader, end < 0 && len(have) > maxPartHeader+n:
		f.malformed("a part's header is too long")
	case end >= 0:
		end += n
		f.first, f.parts = false, true
		_, header, _ := bytes.Cut(have[n:end], []byte("\r\n"))
		f.enter(header)
		f.ready, f.state = end+4, inValue
	case f.eof:
		f.malformed("it ends in a part's header")
	default:
		f.fill()
	}
}

// watchedFields are those whose values the relay wants to know.
var watchedFields = []string{"model", "stream"}

// enter looks at a part's header.
func (f *form) enter(header []byte) {
	name, file, err := fieldOf(header)
	if err != nil {
		f.malformed(err.Error())
		return
	}
	f.met = f.met || slices.Contains(f.required, name)
	f.watched = ""
	if !file && slices.Contains(watchedFields, name) {
		f.watched = name
	}
}

// settle takes down a watched field's value and puts ours in its place.
func (f *form) settle(value string) {
	name := f.watched
	f.watched = ""
	if _, twice := f.fields[name]; twice {
		f.malformed(name + " is there twice")
		return
	}
	f.fields[name] = value
	if f.check != nil {
		if f.err = f.check(name, value); f.err != nil {
			return
		}
	}
	if name == "model" && f.replace != "" {
		f.insert = []byte(f.replace)
		f.start += len(value)
		return
	}
	f.ready = len(value)
}

// close is the last delimiter. A model that the client left out is put before it.
func (f *form) close() {
	switch {
	case !f.parts:
		f.malformed("it has no fields")
		return
	case len(f.required) > 0 && !f.met:
		f.malformed("the field '" + f.required[0] + "' is missing")
		return
	}
	if _, there := f.fields["model"]; !there && f.replace != "" {
		f.insert = fmt.Appendf(nil, "%s\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n%s", f.delimiter, f.replace)
	}
	f.state = atEnd
}

// rest is what comes after the form; it means nothing, and passes.
func (f *form) rest() {
	f.ready = f.end - f.start
	if f.ready > 0 {
		return
	}
	if f.eof {
		f.err = io.EOF
		return
	}
	f.fill()
}

func (f *form) malformed(why string) {
	f.err = refuse(http.StatusBadRequest, "multipart form: "+why)
}

// fill reads more. What is there already fits in half of the buffer.
func (f *form) fill() {
	if f.start > 0 {
		f.end = copy(f.buf, f.buf[f.start:f.end])
		f.start = 0
	}
	n, err := f.src.Read(f.buf[f.end:])
	f.end += n
	f.failed(err)
}

// failed takes down how reading ended, if it did.
func (f *form) failed(err error) {
	switch {
	case err == io.EOF:
		f.eof = true
	case err != nil:
		f.err = unreadable(err)
	}
}

// fieldOf returns the name of a part by its header, and whether it is a file.
// What cannot be read is refused: a provider might read it otherwise.
func fieldOf(header []byte) (name string, file bool, err error) {
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			return "", false, fmt.Errorf("a part's header is folded")
		}
		key, value, _ := bytes.Cut(line, []byte(":"))
		if !bytes.EqualFold(bytes.TrimSpace(key), []byte("Content-Disposition")) {
			continue
		}
		_, params, err := mime.ParseMediaType(string(value))
		if err != nil || name != "" {
			return "", false, fmt.Errorf("a part's content-disposition cannot be read")
		}
		name = params["name"]
		_, file = params["filename"]
	}
	return name, file, nil
}
