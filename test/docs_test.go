package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// page is a page of the documentation: the README or one of docs/.
type page struct {
	name   string // from the repository's root
	text   string
	blocks []block
}

// block is a fenced block of a page.
type block struct {
	lang, text string
	line       int
	unrun      string // why no test runs it, said in a comment before it
}

// unrun are the reasons for which a block may stand on a page without being run, each
// with what its text must be then.
var unrun = map[string]*regexp.Regexp{
	"needs Docker":           regexp.MustCompile(`\bdocker\b`),
	"needs Kong":             regexp.MustCompile(`(?i)\b(kong|deck|plugins|consumers|luarocks|curl)\b`),
	"needs a cluster":        regexp.MustCompile(`\b(helm|kubectl|apiVersion)\b`),
	"needs systemd":          regexp.MustCompile(`\b(systemctl|Environment|\[Service\])`),
	"needs a network":        regexp.MustCompile(`\b(git clone|go install|websocat|pip|npm)\b`),
	"another program's file": regexp.MustCompile(`\S`),
	"shape of an entry":      regexp.MustCompile(`[{:]`),
	"tested by":              regexp.MustCompile(`\S`), // followed by a test's name
}

// pages returns the README and all pages of docs/.
func pages(t *testing.T) (all []page) {
	t.Helper()
	names := []string{"README.md"}
	err := filepath.WalkDir("../docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			names = append(names, strings.TrimPrefix(path, "../"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text := source(t, name)
		all = append(all, page{name, text, blocksOf(text)})
	}
	return all
}

var fence = regexp.MustCompile("(?ms)(?:^<!-- ([^\n]*?) -->\n)?^```([a-z]*)\n(.*?)^```$")

func blocksOf(text string) (all []block) {
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		b := block{lang: text[m[4]:m[5]], text: text[m[6]:m[7]], line: 1 + strings.Count(text[:m[4]], "\n")}
		if m[2] >= 0 {
			b.unrun = strings.TrimPrefix(text[m[2]:m[3]], "not run: ")
		}
		all = append(all, b)
	}
	return all
}

func readme(t *testing.T) (string, []block) {
	t.Helper()
	text := source(t, "README.md")
	return text, blocksOf(text)
}

// reader goes through a page as its reader does: what a block configures is served
// when the next one asks.
type reader struct {
	t       *testing.T
	page    *page
	config  string // of the last block; "" is that of standalone -mock
	asked   *gateway
	of      string // what asked serves
	answer  string // to the last curl, with the headers that it prints
	request string // its id
}

// TestEverySnippetInTheDocsIsRunOrParsed reads each page from top to bottom.
// Configurations are checked and served, requests are sent to the mock and their
// answers compared with what the page shows, and commands are tried. A block that a
// test cannot run says so in a comment, with one of a few reasons.
func TestEverySnippetInTheDocsIsRunOrParsed(t *testing.T) {
	if testing.Short() {
		t.Skip("each page starts a gateway")
	}
	n := map[string]int{}
	for _, p := range pages(t) {
		t.Run(p.name, func(t *testing.T) {
			r := &reader{t: t, page: &p}
			if open := strings.Count("\n"+p.text, "\n```"); open != 2*len(p.blocks) {
				t.Errorf("%d fences of %d blocks: a block is not closed, or has more than a language behind its fence", open, len(p.blocks))
			}
			for i := range p.blocks {
				n[p.blocks[i].lang]++
				r.read(i)
			}
		})
	}
	if n["sh"] < 10 || n["yaml"] < 10 || n["json"] < 1 {
		t.Errorf("blocks %v", n)
	}
}

// read tries the i-th block of the page.
func (r *reader) read(i int) {
	b := &r.page.blocks[i]
	if b.unrun != "" && !r.excused(b) {
		return
	}
	if b.unrun != "" {
		return
	}
	after := i > 0 && r.answer != ""
	var err error
	switch b.lang {
	case "yaml":
		r.answer = ""
		err = r.configure(b)
	case "sh":
		r.answer = ""
		err = r.commands(b)
	case "json":
		err = r.shows(b, after)
	case "text":
		if !after {
			err = fmt.Errorf("no request is before it")
		}
		err = errorsOf(err, r.has(b.text))
	case "go":
		err = parsesAsGo(b.text)
	default:
		err = fmt.Errorf("a block of kind %q, which no test reads", b.lang)
	}
	if err != nil {
		r.t.Errorf("%s:%d: %v", r.page.name, b.line, err)
	}
}

// excused says whether a block that is not run has a reason.
func (r *reader) excused(b *block) bool {
	for reason, form := range unrun {
		if rest, ok := strings.CutPrefix(b.unrun, reason); ok && form.MatchString(b.text) {
			if reason != "tested by" || testNamed(r.t, strings.TrimSpace(rest)) {
				return true
			}
		}
	}
	r.t.Errorf("%s:%d: %q is no reason to leave it untested", r.page.name, b.line, b.unrun)
	return false
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// testNamed says whether a test of that name exists.
func testNamed(t *testing.T, name string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !found && strings.HasSuffix(path, "_test.go") {
			data, readErr := os.ReadFile(path)
			found, err = strings.Contains(string(data), "func "+name+"("), readErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// wrapped is a kong.yml of a route /ai, and one with a named capture, that has the
// plugin with this configuration.
func wrapped(config string) string {
	var conf strings.Builder
	conf.WriteString("_format_version: \"3.0\"\nservices:\n- name: ai\n  url: http://localhost:32000\n  routes:\n")
	conf.WriteString("  - name: r\n    paths: [\"/ai\", \"~/deployments/(?<deployment>[^/]+)\"]\n    plugins:\n    - name: go-ai-proxy\n      config:\n")
	for line := range strings.Lines(config) {
		conf.WriteString("        " + line)
	}
	return conf.String()
}

// completed is a configuration of which a page shows a part only.
func completed(config string, keys map[string]any) string {
	const model = "model: {provider: openai, name: gpt-4o}\n"
	switch {
	case keys["targets"] != nil, keys["model"] != nil && keys["route_type"] != nil:
		return config
	case keys["model"] != nil:
		return "route_type: llm/v1/chat\n" + config
	case keys["logging"] != nil, keys["auth"] != nil:
		return "route_type: llm/v1/chat\n" + model + config
	}
	return "targets:\n" + strings.Repeat("- route_type: llm/v1/chat\n  "+model, 2) + config
}

// configure takes a kong.yml, or the plugin's config, as the page's configuration.
func (r *reader) configure(b *block) error {
	var keys map[string]any
	if err := yaml.Unmarshal([]byte(b.text), &keys); err != nil {
		return err
	}
	config := b.text
	if keys["_format_version"] == nil {
		config = wrapped(completed(config, keys))
	}
	file := filepath.Join(r.t.TempDir(), "kong.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	out, err := command(r.t.Context(), nil, "check", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), " 0 errors") {
		return fmt.Errorf("check: %w\n%s", err, out)
	}
	r.config = config
	r.serve()
	return nil
}

// serve starts the program with the page's configuration.
func (r *reader) serve() {
	if r.asked != nil && r.of == r.config {
		return
	}
	args := []string{"-mock"}
	if r.config != "" {
		file := filepath.Join(r.t.TempDir(), "kong.yml")
		if err := os.WriteFile(file, []byte(r.config), 0o600); err != nil {
			r.t.Fatal(err)
		}
		args = append(args, "-config", file)
	}
	r.asked, r.of = start(r.t, nil, args...), r.config
}

var (
	uploaded = regexp.MustCompile(`@([\w.-]+)`)
	answerID = regexp.MustCompile(`(?i)x-kong-request-id: ([0-9a-f]+)`)
)

// send runs a curl of the page against the mock.
func (r *reader) send(line string) error {
	curl, err := exec.LookPath("curl")
	if err != nil {
		r.t.Skip("curl is not installed")
	}
	r.serve()
	dir := r.t.TempDir()
	for _, m := range uploaded.FindAllStringSubmatch(line, -1) {
		if err := os.WriteFile(filepath.Join(dir, m[1]), []byte("{}\n"), 0o600); err != nil {
			return err
		}
	}
	if !strings.Contains(line, "http://localhost:8000") {
		return fmt.Errorf("it does not ask http://localhost:8000")
	}
	line = strings.ReplaceAll(line, "http://localhost:8000", r.asked.url)
	line = curl + " -m 20 -D headers -w '\\n%{http_code}'" + strings.TrimPrefix(line, "curl")
	cmd := exec.CommandContext(r.t.Context(), "sh", "-c", line)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%w: %s", err, line)
	}
	at := strings.LastIndexByte(string(out), '\n')
	r.answer, r.request = string(out[:at]), ""
	if headers, err := os.ReadFile(filepath.Join(dir, "headers")); err == nil {
		if m := answerID.FindSubmatch(headers); m != nil {
			r.request = string(m[1])
		}
	}
	if status := string(out[at+1:]); status[0] != '2' && !r.expects(status) {
		return fmt.Errorf("%s: %s\n%s", status, r.answer, line)
	}
	return nil
}

// expects says whether the page shows an error behind the request.
func (r *reader) expects(status string) bool {
	for i := range r.page.blocks {
		if b := &r.page.blocks[i]; b.lang != "sh" && strings.Contains(b.text, `"error"`) || strings.Contains(b.text, "HTTP/1.1 "+status) {
			return true
		}
	}
	return false
}

// has says what of text is not in the last answer: each of its lines must be, in
// order; … stands for anything.
func (r *reader) has(text string) error {
	rest, ok := r.answer, true
	for line := range strings.Lines(text) {
		for part := range strings.SplitSeq(strings.TrimSpace(line), "…") {
			if _, rest, ok = strings.Cut(rest, part); !ok {
				return fmt.Errorf("%q is not in its place in\n%s", part, r.answer)
			}
		}
	}
	return nil
}

// shows compares a block of JSON with the answer to the request before it, or, if it
// has ai or request on top, with the log entry.
func (r *reader) shows(b *block, after bool) error {
	var want any
	if !after {
		return parsesAsJSON(b.text)
	}
	if err := json.Unmarshal([]byte(b.text), &want); err != nil {
		return err
	}
	top, _ := want.(map[string]any)
	if top["ai"] != nil || top["request"] != nil {
		return shown("entry", want, any(r.asked.entry(r.t, r.request)))
	}
	var got any
	if err := json.Unmarshal([]byte(r.answer), &got); err != nil {
		return fmt.Errorf("%w in %s", err, r.answer)
	}
	return shown("answer", want, got)
}

// parsesAsJSON parses a block of one or more values.
func parsesAsJSON(text string) error {
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		var one any
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// shown compares what a page shows with what there is, which may be more. The text …
// and the number 0 stand for any.
func shown(at string, want, got any) error {
	switch want := want.(type) {
	case map[string]any:
		m, _ := got.(map[string]any)
		for k, v := range want {
			if _, ok := m[k]; !ok {
				return fmt.Errorf("%s has no %s: %v", at, k, got)
			}
			if err := shown(at+"."+k, v, m[k]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		l, _ := got.([]any)
		if len(l) < len(want) {
			return fmt.Errorf("%s is %v", at, got)
		}
		for i, v := range want {
			if err := shown(fmt.Sprintf("%s[%d]", at, i), v, l[i]); err != nil {
				return err
			}
		}
		return nil
	case string:
		if s, ok := got.(string); ok && strings.HasSuffix(want, "…") && strings.HasPrefix(s, strings.TrimSuffix(want, "…")) {
			return nil
		}
	case float64:
		if _, ok := got.(float64); ok && want == 0 {
			return nil
		}
	}
	if fmt.Sprint(want) != fmt.Sprint(got) {
		return fmt.Errorf("%s is %v, not %v", at, got, want)
	}
	return nil
}
