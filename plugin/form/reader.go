// Package form reads the forms that clients send. Multipart forms are forwarded as
// they arrive (Reader) or become JSON (AsJSON); urlencoded forms become JSON
// (ValuesAsJSON). Errors caused by the client are *chat.Error.
package form

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
)

const (
	// bufferSize holds a part's header, or a watched field, with room to read.
	bufferSize = 64 << 10
	// maxPartHeader bounds the header of one part, and maxField the value of a
	// watched field, in bytes.
	maxPartHeader = 16 << 10
	maxField      = 1 << 10
	// front is how much of a form that is not held is looked at for its
	// model before a target is chosen: SDKs put fields before files.
	front = 16 << 10
)

// Reader is a multipart body that is forwarded as it arrives; its files are not
// held in memory. It looks only at the fields model and stream, and replaces the
// model where it differs. It is the io.Reader of the outgoing request. Of RFC 7578
// it knows only where parts begin and end. It refuses what parsers read
// differently: that could hide a field from us and not from the provider.
type Reader struct {
	// Replace is the model that goes upstream; "" leaves the client's.
	Replace string
	// Check is called for each watched field and may refuse it.
	Check func(name, value string) error
	// Required are fields of which one must be there; none when empty.
	Required []string
	// Known says, after Peek or Look, that they read the model's field, or that the
	// form has none.
	Known bool

	src        io.Reader
	delimiter  []byte // "\r\n--boundary"
	buf        []byte
	start, end int    // of what was read and has not gone on
	ready      int    // of that, how much may go on
	insert     []byte // goes on before that
	eof        bool
	err        error // after all of that
	state      state
	first      bool   // the delimiter has no line break before it
	parts      bool   // there was one
	watched    string // the field in whose value we are
	met        bool   // one of the required fields
	fields     map[string]string
}

type state int

const (
	atStart     state = iota
	inValue           // in a part's content
	atDelimiter       // what is there begins with a delimiter
	atEnd             // after the closing delimiter
)

// New returns the form in body; contentType names the boundary.
func New(body io.Reader, contentType string) (*Reader, error) {
	boundary, err := boundaryOf(contentType)
	if err != nil {
		return nil, err
	}
	return &Reader{src: body, delimiter: []byte("\r\n--" + boundary), buf: make([]byte, bufferSize), fields: map[string]string{}}, nil
}

// Look reads about most bytes of the form and returns the watched fields in them.
// The form cannot be read afterwards.
func (f *Reader) Look(most int) (map[string]string, error) {
	for n := 0; len(f.fields) < len(watchedFields) && n < most && f.err == nil; n += f.ready {
		f.start += f.ready
		f.ready, f.insert = 0, nil
		f.step()
	}
	if f.err != nil && f.err != io.EOF {
		return nil, f.err
	}
	_, named := f.fields["model"]
	f.Known = named || f.state == atEnd
	return f.fields, nil
}

// Peek is like Look for the start of the form, which can still be read afterwards.
func (f *Reader) Peek() (map[string]string, error) {
	kept := &keeping{from: f.src}
	probe := &Reader{src: kept, delimiter: f.delimiter, buf: make([]byte, bufferSize), fields: map[string]string{}}
	fields, err := probe.Look(front)
	f.src, f.Known = io.MultiReader(bytes.NewReader(kept.kept), f.src), probe.Known
	return fields, err
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
func (f *Reader) Read(p []byte) (int, error) {
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
			if n := f.direct(p[:min(len(p), bufferSize/2)]); n > 0 {
				return n, nil
			}
			continue
		}
		f.step()
	}
}

// directly is the smallest read that bypasses the buffer, in bytes.
const directly = 1 << 10

// direct reads a file's content where it is wanted, and returns how much of it
// may go on. What may be a delimiter, and what follows one, is kept.
func (f *Reader) direct(p []byte) int {
	held := copy(p, f.pending())
	f.start, f.end = 0, 0
	n, err := f.src.Read(p[held:])
	f.failed(err)
	have := p[:held+n]
	at, found := f.find(have)
	f.end = copy(f.buf, have[at:])
	switch found {
	case opens, closes:
		f.state = atDelimiter
	case stray:
		f.malformed(textStray)
	}
	return at
}

// step finds what of the buffer may be forwarded, or reads more.
func (f *Reader) step() {
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

func (f *Reader) pending() []byte { return f.buf[f.start:f.end] }

// begin reads the first delimiter, which needs no line break before it. It refuses
// anything else before it: no client sends that, and a provider that reads line
// breaks differently might find fields in it.
func (f *Reader) begin() {
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

// content forwards a value up to the next delimiter.
func (f *Reader) content() {
	have := f.pending()
	at, found := f.find(have)
	whole := found == opens || found == closes
	switch {
	case found == stray:
		f.malformed(textStray)
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

// find returns where the first delimiter begins and its kind, or else how many
// bytes certainly contain none. A delimiter is a whole line (RFC 2046 §5.1.1);
// nothing else may look like one.
func (f *Reader) find(have []byte) (at int, found ending) {
	i := bytes.Index(have, f.delimiter[2:])
	if i < 0 {
		return max(0, len(have)-len(f.delimiter)+1), unfinished
	}
	at = i - 2
	if at < 0 || !bytes.HasPrefix(have[at:], f.delimiter) {
		return max(0, at), stray
	}
	return at, lineEnd(have[at+len(f.delimiter):])
}

// ending is what follows a boundary.
type ending int

const (
	unfinished ending = iota // it is not there yet
	opens                    // a line break: a part follows
	closes                   // two dashes: it was the last
	stray                    // anything else, or no line break before it
)

const textStray = "its boundary stands within a part, or not in a line of its own"

func lineEnd(after []byte) ending {
	switch {
	case bytes.HasPrefix(after, []byte("\r\n")):
		return opens
	case bytes.HasPrefix(after, []byte("--")):
		return closes
	case len(after) == 0, string(after) == "\r", string(after) == "-":
		return unfinished
	}
	return stray
}

// part takes in a delimiter and the header of the part that it begins.
func (f *Reader) part() {
	have := f.pending()
	n := len(f.delimiter)
	if f.first {
		n -= 2
	}
	switch lineEnd(have[n:]) {
	case closes:
		f.close(n + len("--"))
		return
	case stray: // only the very first can turn out to be none
		f.malformed("it does not begin with its boundary")
		return
	}
	end := bytes.Index(have[n:], []byte("\r\n\r\n"))
	switch {
	case end > maxPartHeader, end < 0 && len(have)-n > maxPartHeader+len("\r\n\r"):
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
func (f *Reader) enter(header []byte) {
	p, err := partOf(header)
	if err != nil {
		f.malformed(err.Error())
		return
	}
	f.met = f.met || slices.Contains(f.Required, p.name)
	f.watched = ""
	plain, _, _ := strings.Cut(strings.ToLower(p.name), "[")
	if !slices.Contains(watchedFields, plain) {
		return
	}
	switch {
	case p.name != plain:
		f.malformed(fmt.Sprintf("%q is not how %q is written", p.name, plain))
	case p.file, p.encoded:
		f.malformed(plain + " must be plain text, without a file name, an encoding or a charset but UTF-8")
	}
	f.watched = plain
}

// settle records a watched field's value and writes ours in its place.
func (f *Reader) settle(value string) {
	name := f.watched
	f.watched = ""
	if _, twice := f.fields[name]; twice {
		f.malformed(name + " is there twice")
		return
	}
	f.fields[name] = value
	if name == "stream" && !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") {
		f.malformed("stream must be true or false") // some take 1 for true
		return
	}
	if f.Check != nil {
		if f.err = f.Check(name, value); f.err != nil {
			return
		}
	}
	if name == "model" && f.Replace != "" {
		f.insert = []byte(f.Replace)
		f.start += len(value)
		return
	}
	f.ready = len(value)
}

// close handles the last delimiter, of n bytes. A model that the client left out
// is inserted before it.
func (f *Reader) close(n int) {
	switch {
	case !f.parts:
		f.malformed("it has no fields")
		return
	case len(f.Required) > 0 && !f.met:
		f.malformed("the field '" + f.Required[0] + "' is missing")
		return
	}
	if _, there := f.fields["model"]; !there && f.Replace != "" {
		f.insert = fmt.Appendf(nil, "%s\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n%s", f.delimiter, f.Replace)
	}
	f.ready, f.state = n, atEnd
}

// rest is what comes after the form: nothing but line breaks.
func (f *Reader) rest() {
	have := f.pending()
	switch {
	case len(bytes.Trim(have, "\r\n")) > 0:
		f.malformed("there is something after its last boundary")
	case len(have) > 0:
		f.ready = len(have)
	case f.eof:
		f.err = io.EOF
	default:
		f.fill()
	}
}

func (f *Reader) malformed(why string) {
	f.err = chat.NewError(http.StatusBadRequest, "multipart form: "+why)
}

// fill reads more. What is there already fits in half of the buffer.
func (f *Reader) fill() {
	if f.start > 0 {
		f.end = copy(f.buf, f.buf[f.start:f.end])
		f.start = 0
	}
	n, err := f.src.Read(f.buf[f.end:])
	f.end += n
	f.failed(err)
}

// failed records how reading ended, if it did.
func (f *Reader) failed(err error) {
	switch {
	case err == io.EOF:
		f.eof = true
	case err != nil:
		f.err = err
	}
}
