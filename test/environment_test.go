package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go-ai-proxy/translators/target"
)

var (
	variableName = regexp.MustCompile(`^(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|GOGC)$`)
	readsOne     = regexp.MustCompile(`^(?:[gG]etenv|LookupEnv)$`)
)

// readVariables finds the environment variables that the program looks at, each with
// the file that does: the names in functions that read the environment, constants
// called …Env, and those of options.
func readVariables(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for i := range target.List {
		for _, name := range target.List[i].Env {
			found[name] = "translators/target/options.go"
		}
	}
	scan := func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "mock" || d.Name() == "enginetest" || d.Name() == "redistest") {
			return fs.SkipDir // not part of what serves
		}
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		variablesIn(file, func(name string) { found[name] = strings.TrimPrefix(path, "../") })
		return nil
	}
	for _, dir := range []string{"../plugin", "../translators", "../main.go"} {
		if err := filepath.WalkDir(dir, scan); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// variablesIn calls add with each variable that a file looks at.
func variablesIn(file *ast.File, add func(name string)) {
	literals := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if name, err := strconv.Unquote(l.Value); err == nil && variableName.MatchString(name) {
					add(name)
				}
			}
			return true
		})
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			reads := false
			ast.Inspect(d, func(n ast.Node) bool {
				id, ok := n.(*ast.Ident)
				reads = reads || ok && readsOne.MatchString(id.Name)
				return !reads
			})
			if reads {
				literals(d)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && strings.HasSuffix(v.Names[0].Name, "Env") {
					literals(v)
				}
			}
		}
	}
}

// passedOn are the variables that the image has Kong pass on to the plugin.
func passedOn(t *testing.T) map[string]bool {
	t.Helper()
	_, list, _ := strings.Cut(source(t, "Dockerfile"), "KONG_NGINX_MAIN_ENV=\"")
	list, _, _ = strings.Cut(list, "\"")
	passed := map[string]bool{}
	for name := range strings.SplitSeq(strings.ReplaceAll(list, "\\\n", " "), ";") {
		passed[strings.TrimPrefix(strings.TrimSpace(name), "env ")] = true
	}
	return passed
}

// TestImagePassesAllVariablesThatThePluginReads: Kong's workers start the plugin
// with nothing but what nginx's env directives name.
func TestImagePassesAllVariablesThatThePluginReads(t *testing.T) {
	passed, read := passedOn(t), readVariables(t)
	for name, file := range read {
		// The keeper sets one for its child; traces are Kong's, except standalone.
		own := name == "GO_AI_PROXY_KEPT" || name == "KONG_PREFIX" || strings.HasPrefix(name, "OTEL_")
		if !passed[name] && !own {
			t.Errorf("%s looks at %s, which the Dockerfile does not pass on", file, name)
		}
	}
	if len(read) < 20 || !passed["GO_AI_PROXY_LOG_LEVEL"] || !passed["HTTPS_PROXY"] {
		t.Errorf("read %v, passed on %v", read, passed)
	}
}

// TestDocsListEveryEnvironmentVariable compares docs/environment.md with the code and
// the image, both ways.
func TestDocsListEveryEnvironmentVariable(t *testing.T) {
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \|`).FindAllStringSubmatch(source(t, "docs/environment.md"), -1) {
		for _, name := range regexp.MustCompile("`([A-Z_0-9]+)(?:=[a-z]+)?`").FindAllStringSubmatch(m[1], -1) {
			listed[name[1]] = true
		}
	}
	known := readVariables(t)
	delete(known, "GO_AI_PROXY_KEPT") // between the program's own processes
	for name := range passedOn(t) {
		known[name] = "Dockerfile"
	}
	for name, file := range known {
		if !listed[name] {
			t.Errorf("%s reads %s, which docs/environment.md does not list", file, name)
		}
	}
	for name := range listed {
		if known[name] == "" && !strings.HasPrefix(name, "OTEL_") && !strings.HasPrefix(name, "KONG_") {
			t.Errorf("docs/environment.md lists %s, which nothing reads", name)
		}
	}
}
