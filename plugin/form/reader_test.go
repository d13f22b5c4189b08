package form

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"go-ai-proxy/plugin/form/formtest"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/workload"
)

const (
	boundary = formtest.Boundary
	formType = formtest.Type
)

var formOf = formtest.Of

func passedOn(t *testing.T, src io.Reader, set func(*Reader)) (string, error) {
	t.Helper()
	f, err := New(src, formType)
	if err != nil {
		t.Fatal(err)
	}
	if set != nil {
		set(f)
	}
	out, err := io.ReadAll(f)
	return string(out), err
}

// cuts are readers that give s out in pieces of every kind.
func cuts(s string) map[string]io.Reader {
	m := map[string]io.Reader{
		"whole": strings.NewReader(s), "bytes": iotest.OneByteReader(strings.NewReader(s)),
		"halves": iotest.HalfReader(strings.NewReader(s)), "data with EOF": iotest.DataErrReader(strings.NewReader(s)),
	}
	for _, n := range []int{2, 3, 7, 63, 1000, 4096, 65535} {
		m[fmt.Sprint("pieces of ", n)] = &pieces{s, n}
	}
	return m
}

type pieces struct {
	s string
	n int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.s == "" {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.n)], p.s)
	p.s = p.s[n:]
	return n, nil
}

func TestFormsAreForwardedUnchangedAtAnyCut(t *testing.T) {
	big := strings.Repeat("\x00\xff\r\n--\r\n-", 30000)
	for name, body := range map[string]string{
		"files":                 formOf("file@="+big, "file@="+big, "model=whisper-1", "file@="+big),
		"model first":           formOf("model=whisper-1", "file@="+big),
		"file first":            formOf("file@="+big, "model=whisper-1"),
		"like the boundary":     formOf("file@=a\r\n--"+boundary[:len(boundary)-1]+"\r\nb\r\n-"+boundary[1:]+"x\r\nc", "model=m"),
		"empty value":           formOf("model=", "file@="),
		"line breaks behind it": formOf("file@=x") + "\r\n\r\n",
		"line break first":      "\r\n" + formOf("file@=x"),
		"no header in a part":   "--" + boundary + "\r\n\r\nvalue\r\n--" + boundary + "--",
	} {
		for cut, src := range cuts(body) {
			if got, err := passedOn(t, src, nil); err != nil || got != body {
				t.Fatalf("%s, %s: %v; %d bytes for %d", name, cut, err, len(got), len(body))
			}
		}
	}
}

func TestModelOfAFormIsReplacedAtAnyPosition(t *testing.T) {
	file := strings.Repeat("x", 100_000)
	for name, c := range map[string]struct{ in, want string }{
		"first":  {formOf("model=alias", "file@="+file), formOf("model=whisper-1", "file@="+file)},
		"last":   {formOf("file@="+file, "model=alias"), formOf("file@="+file, "model=whisper-1")},
		"absent": {formOf("file@=" + file), formOf("file@="+file, "model=whisper-1")},
		"empty":  {formOf("model=", "file@=x"), formOf("model=whisper-1", "file@=x")},
	} {
		for cut, src := range cuts(c.in) {
			got, err := passedOn(t, src, func(f *Reader) { f.Replace = "whisper-1" })
			if err != nil || got != c.want {
				t.Fatalf("%s, %s: %v\n got %.300q\nwant %.300q", name, cut, err, got, c.want)
			}
		}
	}
}

func TestPeekFindsTheModelAndConsumesNothing(t *testing.T) {
	for _, c := range []struct{ body, model, stream string }{
		{formOf("model=whisper-1", "stream=true", "file@=x"), "whisper-1", "true"},
		{formOf("file@=small", "model=whisper-1"), "whisper-1", ""},
		{formOf("file@="+strings.Repeat("x", 200_000), "model=whisper-1"), "", ""},
	} {
		for cut, src := range cuts(c.body) {
			f, _ := New(src, formType)
			fields, err := f.Peek()
			if err != nil || fields["model"] != c.model || fields["stream"] != c.stream {
				t.Fatalf("%s: %v %v", cut, fields, err)
			}
			if out, err := io.ReadAll(f); err != nil || string(out) != c.body {
				t.Fatalf("%s: %v, %d bytes for %d", cut, err, len(out), len(c.body))
			}
		}
	}
}

func TestMalformedFormsAreRefusedWithAReason(t *testing.T) {
	good := formOf("model=m", "file@=x")
	for name, c := range map[string]struct{ body, want string }{
		"no end":            {good[:len(good)-10], "ends before its last boundary"},
		"nothing":           {"", "does not begin with its boundary"},
		"other boundary":    {strings.ReplaceAll(good, boundary, "other"), "does not begin with its boundary"},
		"preamble":          {"lines\r\n" + good, "does not begin with its boundary"},
		"lines end in LF":   {strings.ReplaceAll(good, "\r\n", "\n"), "does not begin with its boundary"},
		"ends in a header":  {good[:60], "ends in a part's header"},
		"no field":          {"--" + boundary + "--\r\n", "no fields"},
		"field missing":     {formOf("model=m"), "'file' is missing"},
		"model twice":       {formOf("model=m", "model=n", "file@=x"), "model is there twice"},
		"model too long":    {formOf("model="+strings.Repeat("m", 3000), "file@=x"), "model is too long"},
		"header too long":   {strings.Replace(good, "\r\n\r\n", "\r\nX: "+strings.Repeat("x", 20000)+"\r\n\r\n", 1), "header is too long"},
		"folded header":     {strings.Replace(good, "; name=\"model\"", ";\r\n name=\"model\"", 1), "folded"},
		"two names":         {strings.Replace(good, "name=\"model\"", "name=\"x\"; name=\"model\"", 1), "cannot be read"},
		"two dispositions":  {strings.Replace(good, "name=\"model\"", "name=\"x\"\r\nContent-Disposition: form-data; name=\"model\"", 1), "cannot be read"},
		"another's model":   {formOf("file@=x", "model=other"), "own model"},
		"half of a closing": {strings.TrimSuffix(good, "-\r\n"), "ends before its last boundary"},
	} {
		for cut, src := range cuts(c.body) {
			_, err := passedOn(t, src, func(f *Reader) {
				f.Required = []string{"file"}
				f.Check = func(name, value string) error {
					if name == "model" && value == "other" {
						return chat.NewError(400, "cannot use own model")
					}
					return nil
				}
			})
			var e *chat.Error
			if !errors.As(err, &e) || e.Status != 400 || !strings.Contains(e.Message, c.want) {
				t.Fatalf("%s, %s: %v", name, cut, err)
			}
		}
	}
}

func TestFormThatIsCutOffReturnsTheReadersError(t *testing.T) {
	gone := errors.New("gone")
	body := formOf("model=m", "file@=x")
	src := io.MultiReader(strings.NewReader(body[:100]), iotest.ErrReader(gone))
	if _, err := passedOn(t, src, nil); !errors.Is(err, gone) {
		t.Fatal(err)
	}
}

func TestContentTypeOfAFormNeedsABoundary(t *testing.T) {
	for _, ct := range []string{"", "multipart/form-data", "multipart/mixed; boundary=x", "text/plain", "multipart/form-data; boundary=\"", "multipart/form-data; boundary=" + strings.Repeat("x", 201)} {
		if _, err := New(strings.NewReader(""), ct); err == nil {
			t.Errorf("%q was taken", ct)
		}
	}
	if _, err := New(strings.NewReader(""), `Multipart/Form-Data; charset=utf-8; boundary="a b"`); err != nil {
		t.Error(err)
	}
}

// raw is a form of parts that are written as they are, header and value.
func raw(parts ...string) string {
	return "--" + boundary + "\r\n" + strings.Join(parts, "\r\n--"+boundary+"\r\n") + "\r\n--" + boundary + "--\r\n"
}

const fileFirst = "Content-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\nx"

func TestFieldsThatParsersReadDifferentlyAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"a file name in the name":      {raw(`Content-Disposition: form-data; name="model;filename="` + "\r\n\r\nevil"), "content-disposition cannot be read"},
		"an extended file name":        {raw(`Content-Disposition: form-data; name="model"; filename*=utf-8''` + "\r\n\r\nevil"), "model must be plain text"},
		"an empty file name":           {raw(`Content-Disposition: form-data; name="model"; filename=""` + "\r\n\r\nevil"), "model must be plain text"},
		"a quoted extended file name":  {raw(`Content-Disposition: form-data; name="x"; filename*="; name=model"` + "\r\n\r\nevil"), "content-disposition cannot be read"},
		"LF in a header":               {raw("X: y\nContent-Disposition: form-data; name=\"model\"\r\n\r\nevil"), "control character"},
		"CR in a header":               {raw("X: y\rContent-Disposition: form-data; name=\"model\"\r\n\r\nevil"), "control character"},
		"NUL in a header":              {raw("Content-Disposition: form-data; name=\"model\x00\"\r\n\r\nevil"), "control character"},
		"an extended name":             {raw(`Content-Disposition: form-data; name*=utf-8''model` + "\r\n\r\nevil"), "content-disposition cannot be read"},
		"a name in pieces":             {raw(`Content-Disposition: form-data; name*0="mo"; name*1="del"` + "\r\n\r\nevil"), "content-disposition cannot be read"},
		"another case":                 {raw(`Content-Disposition: form-data; name="MODEL"` + "\r\n\r\nevil"), `"MODEL" is not how "model" is written`},
		"as a list":                    {raw(`Content-Disposition: form-data; name="model[]"` + "\r\n\r\nevil"), `"model[]" is not how "model" is written`},
		"an escape in the name":        {raw(`Content-Disposition: form-data; name="mo\del"` + "\r\n\r\nevil"), "content-disposition cannot be read"},
		"a percent escape":             {raw(`Content-Disposition: form-data; name="mod%65l"` + "\r\n\r\nevil"), "content-disposition cannot be read"},
		"an encoded word":              {raw(`Content-Disposition: form-data; name="=?utf-8?q?model?="` + "\r\n\r\nevil"), "content-disposition cannot be read"},
		"single quotes":                {raw(`Content-Disposition: form-data; name='model'` + "\r\n\r\nevil"), "content-disposition cannot be read"},
		"a quote that does not end":    {raw(`Content-Disposition: form-data; name="model` + "\r\n\r\nevil"), "content-disposition cannot be read"},
		"two names":                    {raw(`Content-Disposition: form-data; name="x"; name="model"` + "\r\n\r\nevil"), "content-disposition cannot be read"},
		"another parameter":            {raw(`Content-Disposition: form-data; name="x"; y="; name=model"` + "\r\n\r\nevil"), "content-disposition cannot be read"},
		"no name":                      {raw(`Content-Disposition: form-data; filename="x"` + "\r\n\r\nevil"), "content-disposition cannot be read"},
		"another disposition":          {raw(`Content-Disposition: attachment; name="model"` + "\r\n\r\nevil"), "content-disposition cannot be read"},
		"a space before the colon":     {raw(`Content-Disposition : form-data; name="model"` + "\r\n\r\nevil"), "header cannot be read"},
		"no colon":                     {raw("Content-Disposition\r\n\r\nevil"), "header cannot be read"},
		"base64":                       {raw("Content-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: base64\r\n\r\nZXZpbA=="), "model must be plain text"},
		"quoted-printable":             {raw("Content-Disposition: form-data; name=\"model\"\r\ncontent-transfer-encoding: Quoted-Printable\r\n\r\n=65vil"), "model must be plain text"},
		"UTF-16":                       {raw("Content-Disposition: form-data; name=\"model\"\r\nContent-Type: text/plain; charset=utf-16le\r\n\r\ne\x00v\x00"), "model must be plain text"},
		"a stream that is almost true": {raw("Content-Disposition: form-data; name=\"stream\"\r\n\r\n1"), "stream must be true or false"},
		"the boundary after LF":        {raw(fileFirst + "\n--" + boundary + "\nContent-Disposition: form-data; name=\"model\"\n\nevil"), "boundary stands within a part"},
		"the boundary after CR":        {raw(fileFirst + "\r--" + boundary + "\r\n"), "boundary stands within a part"},
		"the boundary in a line":       {raw(fileFirst + "--" + boundary), "boundary stands within a part"},
		"the boundary and more":        {raw(fileFirst + "\r\n--" + boundary + "x\r\n"), "boundary stands within a part"},
		"the boundary and LF":          {raw(fileFirst + "\r\n--" + boundary + "\nContent-Disposition: form-data; name=\"model\"\r\n\r\nevil"), "boundary stands within a part"},
		"the boundary and spaces":      {raw(fileFirst + "\r\n--" + boundary + "  \r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nevil"), "boundary stands within a part"},
		"the boundary at once":         {raw("Content-Disposition: form-data; name=\"file\"\r\n\r\n--" + boundary + "\r\n"), "boundary stands within a part"},
		"a part after the last":        {formOf("file@=x") + "--" + boundary + "\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nevil\r\n--" + boundary + "--\r\n", "something after its last boundary"},
		"text after the last":          {formOf("file@=x") + "more", "something after its last boundary"},
		"more of the last":             {strings.TrimSuffix(formOf("file@=x"), "\r\n") + "x\r\n", "something after its last boundary"},
	} {
		for cut, src := range cuts(c.body) {
			out, err := passedOn(t, src, func(f *Reader) { f.Replace = "ours" })
			var e *chat.Error
			if !errors.As(err, &e) || e.Status != 400 || !strings.Contains(e.Message, c.want) {
				t.Fatalf("%s, %s: %v, passed %q", name, cut, err, out)
			}
		}
	}
}

func TestFormsOfKnownClientsAreAccepted(t *testing.T) {
	for name, part := range map[string]string{
		"curl":                   "Content-Disposition: form-data; name=\"file\"; filename=\"my \\\"best\\\" song.mp3\"\r\nContent-Type: application/octet-stream\r\n\r\nx",
		"a browser":              "Content-Disposition: form-data; name=\"file\"; filename=\"%22a%22;b=c.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\nx",
		"httpx":                  "Content-Disposition: form-data; name=\"file\"; filename=\"größe.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\nx",
		"aiohttp":                "Content-Type: audio/mpeg\r\nContent-Disposition: form-data; name=\"file\"; filename=\"gr.mp3\"; filename*=utf-8''gr%C3%B6%C3%9Fe.mp3\r\n\r\nx",
		"an old requests":        "Content-Disposition: form-data; name=\"file\"; filename*=utf-8''gr%C3%B6%C3%9Fe.mp3\r\n\r\nx",
		".NET":                   "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=language\r\n\r\nen",
		"OkHttp":                 "Content-Disposition: form-data; name=\"response_format\"\r\nContent-Length: 4\r\n\r\njson",
		"a list":                 "Content-Disposition: form-data; name=\"timestamp_granularities[]\"\r\n\r\nword",
		"binary as encoding":     "Content-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00",
		"no header":              "\r\nx",
		"a semicolon at the end": "Content-Disposition: form-data; name=\"x\";\r\n\r\nx",
		"a model of .NET":        "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1",
	} {
		if out, err := passedOn(t, strings.NewReader(raw(part)), nil); err != nil || out != raw(part) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBoundsOfAFormAreExact(t *testing.T) {
	header := func(n int) string {
		const head = "Content-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nX: "
		return raw(head + strings.Repeat("x", n-len(head)-len("\r\n")) + "\r\n\r\nx") // with the line break of the boundary's line
	}
	for name, c := range map[string]struct {
		body string
		want string
	}{
		"a model":           {formOf("model=" + strings.Repeat("m", maxField)), ""},
		"a longer model":    {formOf("model=" + strings.Repeat("m", maxField+1)), "model is too long"},
		"a header":          {header(maxPartHeader), ""},
		"a longer header":   {header(maxPartHeader + 1), "header is too long"},
		"an endless header": {header(2 * bufferSize), "header is too long"},
	} {
		for cut, src := range cuts(c.body) {
			_, err := passedOn(t, src, nil)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%s, %s: %v", name, cut, err)
			}
		}
	}
	for n, ok := range map[int]bool{maxText: true, maxText + 1: false} {
		if _, err := AsJSON(strings.NewReader(formOf("prompt="+strings.Repeat("x", n))), formType); (err == nil) != ok {
			t.Errorf("a text of %d bytes: %v", n, err)
		}
	}
}

// FuzzForm holds a form that passes against other ways to read it: what the
// standard library finds is what the client wrote, but for the model; and a
// reader that takes whatever might be meant finds no other model than ours.
func FuzzForm(f *testing.F) {
	for _, s := range []string{
		formOf("model=a", "file@=x"), formOf("file@=x"), formOf("model="), "--" + boundary + "--", "pre\r\n" + formOf("stream=1"),
		raw("Content-Disposition: form-data; name=\"model;filename=\"\r\n\r\nevil"), raw("Content-Disposition: form-data; name=\"model\"; filename*=utf-8''\r\n\r\nevil"),
		raw("X: y\nContent-Disposition: form-data; name=\"model\"\r\n\r\nevil"), raw(fileFirst + "\n--" + boundary + "\nContent-Disposition: form-data; name=\"model\"\n\nevil"),
		raw("Content-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: base64\r\n\r\nZXZpbA=="), raw(`Content-Disposition: form-data; name="x"; filename*="; name=model"` + "\r\n\r\nevil"),
	} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, body string, n int) {
		defer workload.Linear(t, len(body))()
		out, err := passedOn(t, &pieces{body, 1 + max(n, 0)%100}, func(f *Reader) { f.Replace = "ours" })
		f2, err2 := New(strings.NewReader(body), formType)
		if err2 != nil {
			t.Fatal(err2)
		}
		f2.Replace = "ours"
		var copied strings.Builder
		_, err2 = io.CopyBuffer(&copied, f2, make([]byte, 4096))
		whole := copied.String()
		if (err == nil) != (err2 == nil) || err == nil && out != whole {
			t.Fatalf("cut and whole differ: %v %v\n%q\n%q", err, err2, out, whole)
		}
		if err != nil {
			return
		}
		for _, value := range modelsAnyoneMightFind(out) {
			if value != "ours" {
				t.Fatalf("somebody might find the model %q in\n%q", value, out)
			}
		}
		before, err := readForm(multipart.NewReader(strings.NewReader(body), boundary))
		if err != nil {
			return // the library refuses what a tolerant provider might not
		}
		after, err := readForm(multipart.NewReader(strings.NewReader(out), boundary))
		if err != nil {
			t.Fatalf("the form was broken: %v\n%q\n%q", err, body, out)
		}
		found := false
		for i := range before {
			if before[i].name == "model" {
				before[i].value, found = "ours", true
			}
		}
		if !found {
			before = append(before, readPart{"model", "ours", false})
		}
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Fatalf("parts differ\n%+v\n%+v", before, after)
		}
	})
}

type readPart struct {
	name, value string
	file        bool
}

func readForm(r *multipart.Reader) (parts []readPart, err error) {
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return parts, nil
		}
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(p)
		if err != nil {
			return nil, err
		}
		_, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
		if err != nil && p.Header.Get("Content-Disposition") != "" {
			return nil, err
		}
		_, file := params["filename"]
		parts = append(parts, readPart{params["name"], string(b), file})
	}
}

var (
	anyDelimiter = regexp.MustCompile(`(?:^|\r\n|\r|\n)--` + regexp.QuoteMeta(boundary) + `[^\r\n]*(?:\r\n|\r|\n|$)`)
	anyLine      = regexp.MustCompile(`\r\n|\r|\n`)
	endOfHeader  = regexp.MustCompile(`\r\n\r\n|\n\n|\r\r`)
	anyName      = regexp.MustCompile(`(?i)(?:^|;)\s*name(?:\*\d*\*?)?\s*=\s*["']?(?:utf-8'')?\s*model\s*(?:["';\[\x00]|$)`)
	noField      = regexp.MustCompile(`(?i);\s*filename\s*=\s*"[^"\r\n]`)
	encodings    = regexp.MustCompile(`(?i)^content-transfer-encoding\s*:\s*(?:base64|quoted-printable)`)
)

// modelsAnyoneMightFind reads a form as the most tolerant parsers do: any line
// break counts, parameters are looked for without regard to quotes, a file name
// only counts when it is plain and not empty, and what comes after the end counts.
func modelsAnyoneMightFind(form string) (values []string) {
	for _, part := range anyDelimiter.Split(form, -1) {
		end := endOfHeader.FindStringIndex(part)
		if end == nil {
			continue
		}
		model, encoded := false, false
		for _, line := range anyLine.Split(part[:end[0]], -1) {
			key, value, _ := strings.Cut(line, ":")
			if strings.EqualFold(strings.TrimSpace(key), "Content-Disposition") && anyName.MatchString(value) && !noField.MatchString(value) {
				model = true
			}
			encoded = encoded || encodings.MatchString(line)
		}
		if value := part[end[1]:]; model && !encoded {
			values = append(values, value)
		} else if model {
			values = append(values, "encoded "+value)
		}
	}
	return values
}

func TestForwardingAFormAllocatesNothing(t *testing.T) {
	body := []byte(formOf("model=m", "file@="+strings.Repeat("x", 4<<20)))
	f, _ := New(bytes.NewReader(body), formType)
	p := make([]byte, 32<<10)
	if n := testing.AllocsPerRun(50, func() { _, _ = f.Read(p) }); n > 1 {
		t.Errorf("%v allocations a read", n)
	}
}
