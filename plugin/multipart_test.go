package plugin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"

	"go-ai-proxy/translators/chat"
)

const boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
const formType = "multipart/form-data; boundary=" + boundary

// formOf is a multipart body with the parts, each "name=value"; a name that
// ends in @ is a file's.
func formOf(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		name, value, _ := strings.Cut(p, "=")
		b.WriteString("--" + boundary + "\r\n")
		if bare, file := strings.CutSuffix(name, "@"); file {
			fmt.Fprintf(&b, "Content-Disposition: form-data; name=\"%s\"; filename=\"speech.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n", bare)
		} else {
			fmt.Fprintf(&b, "Content-Disposition: form-data; name=\"%s\"\r\n\r\n", name)
		}
		b.WriteString(value + "\r\n")
	}
	return b.String() + "--" + boundary + "--\r\n"
}

func passedOn(t *testing.T, src io.Reader, set func(*form)) (string, error) {
	t.Helper()
	f, err := newForm(src, formType)
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

func TestFormsPassByteForByteAtAnyCut(t *testing.T) {
	big := strings.Repeat("\x00\xff\r\n--\r\n-", 30000)
	for name, body := range map[string]string{
		"files":                  formOf("file@="+big, "file@="+big, "model=whisper-1", "file@="+big),
		"model first":            formOf("model=whisper-1", "file@="+big),
		"file first":             formOf("file@="+big, "model=whisper-1"),
		"like the boundary":      formOf("file@=a\r\n--"+boundary[:len(boundary)-1]+"\r\nb\r\n--"+boundary+"x\r\nc", "model=m"),
		"empty value":            formOf("model=", "file@="),
		"epilogue":               formOf("file@=x") + "more\r\n",
		"line break first":       "\r\n" + formOf("file@=x"),
		"spaces behind boundary": strings.ReplaceAll(formOf("file@=x", "model=y"), boundary+"\r\n", boundary+" \t\r\n"),
		"no header in a part":    "--" + boundary + "\r\n\r\nvalue\r\n--" + boundary + "--",
	} {
		for cut, src := range cuts(body) {
			if got, err := passedOn(t, src, nil); err != nil || got != body {
				t.Fatalf("%s, %s: %v; %d bytes for %d", name, cut, err, len(got), len(body))
			}
		}
	}
}

func TestModelOfAFormIsReplacedWhereverItStands(t *testing.T) {
	file := strings.Repeat("x", 100_000)
	for name, c := range map[string]struct{ in, want string }{
		"first":                           {formOf("model=alias", "file@="+file), formOf("model=whisper-1", "file@="+file)},
		"last":                            {formOf("file@="+file, "model=alias"), formOf("file@="+file, "model=whisper-1")},
		"absent":                          {formOf("file@=" + file), formOf("file@="+file, "model=whisper-1")},
		"empty":                           {formOf("model=", "file@=x"), formOf("model=whisper-1", "file@=x")},
		"a file called model is no model": {formOf("model@=x"), formOf("model@=x", "model=whisper-1")},
	} {
		for cut, src := range cuts(c.in) {
			got, err := passedOn(t, src, func(f *form) { f.replace = "whisper-1" })
			if err != nil || got != c.want {
				t.Fatalf("%s, %s: %v\n got %.300q\nwant %.300q", name, cut, err, got, c.want)
			}
		}
	}
}

func TestFrontOfAFormTellsTheModelAndKeepsItsBytes(t *testing.T) {
	for _, c := range []struct{ body, model, stream string }{
		{formOf("model=whisper-1", "stream=true", "file@=x"), "whisper-1", "true"},
		{formOf("file@=small", "model=whisper-1"), "whisper-1", ""},
		{formOf("file@="+strings.Repeat("x", 200_000), "model=whisper-1"), "", ""},
	} {
		for cut, src := range cuts(c.body) {
			f, _ := newForm(src, formType)
			fields, err := f.peek()
			if err != nil || fields["model"] != c.model || fields["stream"] != c.stream {
				t.Fatalf("%s: %v %v", cut, fields, err)
			}
			if out, err := io.ReadAll(f); err != nil || string(out) != c.body {
				t.Fatalf("%s: %v, %d bytes for %d", cut, err, len(out), len(c.body))
			}
		}
	}
}

func TestBrokenFormsAreRefusedAndSayWhy(t *testing.T) {
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
			_, err := passedOn(t, src, func(f *form) {
				f.required = []string{"file"}
				f.check = func(name, value string) error {
					if name == "model" && value == "other" {
						return refuse(400, "cannot use own model")
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

func TestFormThatIsCutOffIsTheClientsEnd(t *testing.T) {
	body := formOf("model=m", "file@=x")
	src := io.MultiReader(strings.NewReader(body[:100]), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := passedOn(t, src, nil); !errors.Is(err, errClientGone) {
		t.Fatal(err)
	}
}

func TestContentTypeOfAFormNeedsABoundary(t *testing.T) {
	for _, ct := range []string{"", "multipart/form-data", "multipart/mixed; boundary=x", "text/plain", "multipart/form-data; boundary=\"", "multipart/form-data; boundary=" + strings.Repeat("x", 201)} {
		if _, err := newForm(strings.NewReader(""), ct); err == nil {
			t.Errorf("%q was taken", ct)
		}
	}
	if _, err := newForm(strings.NewReader(""), `Multipart/Form-Data; charset=utf-8; boundary="a b"`); err != nil {
		t.Error(err)
	}
}

// FuzzForm holds a form that passes against the standard library's reader:
// what a provider reads is what the client wrote, but for the model.
func FuzzForm(f *testing.F) {
	for _, s := range []string{formOf("model=a", "file@=x"), formOf("file@=x"), formOf("model="), "--" + boundary + "--", "pre\r\n" + formOf("stream=1")} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, body string, n int) {
		out, err := passedOn(t, &pieces{body, 1 + max(n, 0)%100}, func(f *form) { f.replace = "ours" })
		f2, err2 := newForm(strings.NewReader(body), formType)
		if err2 != nil {
			t.Fatal(err2)
		}
		f2.replace = "ours"
		var copied strings.Builder
		_, err2 = io.CopyBuffer(&copied, f2, make([]byte, 4096))
		whole := copied.String()
		if (err == nil) != (err2 == nil) || err == nil && out != whole {
			t.Fatalf("cut and whole differ: %v %v\n%q\n%q", err, err2, out, whole)
		}
		if err != nil {
			return
		}
		_, params, _ := mime.ParseMediaType(formType)
		before, err := readForm(multipart.NewReader(strings.NewReader(body), params["boundary"]))
		if err != nil {
			return // the library refuses what a tolerant provider might not
		}
		after, err := readForm(multipart.NewReader(strings.NewReader(out), params["boundary"]))
		if err != nil {
			t.Fatalf("the form was broken: %v\n%q\n%q", err, body, out)
		}
		found := false
		for i := range before {
			if before[i].name == "model" && !before[i].file {
				before[i].value, found = "ours", true
			}
		}
		if !found {
			before = append(before, part{"model", "ours", false})
		}
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Fatalf("parts differ\n%+v\n%+v", before, after)
		}
	})
}

type part struct {
	name, value string
	file        bool
}

func readForm(r *multipart.Reader) (parts []part, err error) {
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
		parts = append(parts, part{params["name"], string(b), file})
	}
}

func TestFormAllocatesNothingWhileItPasses(t *testing.T) {
	body := []byte(formOf("model=m", "file@="+strings.Repeat("x", 4<<20)))
	f, _ := newForm(bytes.NewReader(body), formType)
	p := make([]byte, 32<<10)
	if n := testing.AllocsPerRun(50, func() { _, _ = f.Read(p) }); n > 1 {
		t.Errorf("%v allocations a read", n)
	}
}
