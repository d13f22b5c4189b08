package test

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// external are programs that the docs' readers have and a test does not run. What of
// the repository a command names must exist.
var external = map[string]bool{
	"docker": true, "kong": true, "helm": true, "kubectl": true, "deck": true, "git": true, "sudo": true, "cp": true, "mv": true, "sed": true,
	"redis-server": true, "apt-get": true, "luarocks": true, ".ci/run": true, "mkdocs": true, "pip": true,
}

// commands tries each command of a block.
func (r *reader) commands(b *block) error {
	for _, line := range logicalLines(b.text) {
		words := strings.Fields(line)
		assigned, err := r.variables(&words)
		switch {
		case err != nil:
			return err
		case len(words) == 0 && assigned:
			continue
		}
		switch words[0] {
		case "curl":
			err = r.send(line)
		case "go-ai-proxy", "./go-ai-proxy":
			err = r.program(words[1:])
		case "go":
			err = r.goes(words[1:])
		case "make":
			err = madeBy(words[1:])
		default:
			if !external[words[0]] {
				return fmt.Errorf("no test knows the command %q", words[0])
			}
			if words[0] == "docker" && strings.Contains(line, "compose") {
				data, err := os.ReadFile("../kong.yml")
				if err != nil {
					return err
				}
				r.config = string(data)
			}
			err = namesFiles(words)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// logicalLines are the commands of a block: continued lines are one, as are those
// within quotes, and comments are left out.
func logicalLines(text string) (lines []string) {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == 0 && c == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\n'):
			i += strings.IndexByte(text[i:], '\n') - 1
			continue
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == quote:
			quote = 0
		case quote == 0 && c == '\\' && i+1 < len(text) && text[i+1] == '\n':
			i++
			continue
		case quote == 0 && c == '\n':
			if line := strings.TrimSpace(b.String()); line != "" {
				lines = append(lines, line)
			}
			b.Reset()
			continue
		}
		b.WriteByte(c)
	}
	return lines
}

var assignment = regexp.MustCompile(`^([A-Z][A-Z0-9_]*)=`)

// variables takes the variables that a command sets off its words. Each must be one
// that Kong's image sets, that the program reads, or that a configuration refers to.
func (r *reader) variables(words *[]string) (assigned bool, err error) {
	if len(*words) > 0 && (*words)[0] == "export" {
		*words = (*words)[1:]
	}
	for len(*words) > 0 {
		m := assignment.FindStringSubmatch((*words)[0])
		if m == nil {
			return assigned, nil
		}
		assigned = true
		if name := m[1]; !r.knows(name) {
			return true, fmt.Errorf("nothing reads the variable %s", name)
		}
		quoted := strings.Count((*words)[0], `"`)%2 == 1
		*words = (*words)[1:]
		for quoted && len(*words) > 0 {
			quoted = strings.Count((*words)[0], `"`)%2 == 0
			*words = (*words)[1:]
		}
	}
	return assigned, nil
}

// knows says whether something reads a variable of the environment.
func (r *reader) knows(name string) bool {
	vault := "{vault://env/" + strings.ToLower(strings.ReplaceAll(name, "_", "-")) + "}"
	docker, err := os.ReadFile("../Dockerfile")
	if err != nil {
		return false
	}
	compose, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		return false
	}
	return strings.Contains(r.page.text, vault) || strings.Contains(string(docker)+string(compose), name) || readVariables(r.t)[name] != ""
}

// program runs the program as a page says; what would serve only shows its help.
func (r *reader) program(args []string) error {
	for i, a := range args {
		if !strings.HasSuffix(a, ".yml") && !strings.HasSuffix(a, ".yaml") {
			continue
		}
		if _, err := os.Stat("../" + a); err == nil {
			args[i] = "../" + a
			continue
		}
		if r.config == "" {
			return fmt.Errorf("no configuration for %s is before it", a)
		}
		args[i] = filepath.Join(r.t.TempDir(), filepath.Base(a))
		if err := os.WriteFile(args[i], []byte(r.config), 0o600); err != nil {
			return err
		}
	}
	if args[0] == "standalone" || args[0] == "mock" || len(args) == 1 && args[0] == "check" {
		args = append(args, "-h")
	}
	status, stdout, stderr := runs(r.t, nil, args...)
	r.answer = stdout
	if status != 0 {
		return fmt.Errorf("%q: exit status %d, %s%s", args, status, stdout, stderr)
	}
	return nil
}

// goes checks what a page says of the go command.
func (r *reader) goes(args []string) error {
	switch args[0] {
	case "run":
		if args[1] == "." {
			return r.program(append([]string(nil), args[2:]...))
		}
		if _, err := os.Stat("../" + args[1]); err != nil {
			return err
		}
		return nil
	case "test":
		return namesTests(args[1:])
	case "build":
		return nil // the test of releases builds it
	}
	return fmt.Errorf("no test knows go %s", args[0])
}

// namesTests looks for the packages and tests of a go test command.
func namesTests(args []string) error {
	var files []string
	pattern := ""
	for i, a := range args {
		switch {
		case strings.HasPrefix(a, "./"):
			path := "../" + strings.TrimSuffix(strings.TrimSuffix(a, "..."), "/")
			if _, err := os.Stat(path); err != nil {
				return err
			}
			found, err := filepath.Glob(path + "/*_test.go")
			if err != nil {
				return err
			}
			files = append(files, found...)
		case a == "-run" || a == "-fuzz" || a == "-bench":
			if p := strings.Trim(args[i+1], "'\""); p != "^$" && p != "." {
				pattern = p
			}
		}
	}
	if pattern == "" {
		return nil
	}
	name := regexp.MustCompile(`(?m)^func (?:Test|Fuzz|Benchmark)?\w*(?:` + strings.TrimPrefix(pattern, "^") + `)`)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if name.Match(data) {
			return nil
		}
	}
	return fmt.Errorf("no test is called %s", pattern)
}

// madeBy looks for a Makefile's targets.
func madeBy(targets []string) error {
	text, err := os.ReadFile("../Makefile")
	if err != nil {
		return err
	}
	for _, target := range targets {
		if !strings.Contains("\n"+string(text), "\n"+target+":") {
			return fmt.Errorf("the Makefile has no %s", target)
		}
	}
	return nil
}

var ownFile = regexp.MustCompile(`^(?:\./)?((?:deploy|examples|kong|docs|test|bench)/[\w./-]+)`)

// namesFiles looks for the files of the repository that a command names.
func namesFiles(words []string) error {
	for _, w := range words {
		if m := ownFile.FindStringSubmatch(w); m != nil {
			if _, err := os.Stat("../" + m[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// parsesAsGo parses a block that is a file, declarations, or elements of a list.
func parsesAsGo(text string) error {
	var err error
	for _, form := range []string{"%s", "package p\n%s", "package p\nvar _ = []T{%s}"} {
		if _, err = parser.ParseFile(token.NewFileSet(), "", fmt.Sprintf(form, text), 0); err == nil {
			return nil
		}
	}
	return err
}

// TestCommandsInTheTextOfDocsAreAccepted runs the commands that stand in a sentence.
func TestCommandsInTheTextOfDocsAreAccepted(t *testing.T) {
	inline, n := regexp.MustCompile("`go-ai-proxy ([^`]+)`"), 0
	for _, p := range pages(t) {
		for _, c := range inline.FindAllStringSubmatch(p.text, -1) {
			r := &reader{t: t, page: &p, config: source(t, "kong.yml")}
			if err := r.program(strings.Fields(c[1])); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
			n++
		}
	}
	if n < 3 {
		t.Errorf("%d commands", n)
	}
}
