package engine

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// declared are the names of types, functions, fields and constants of packages.
func declared(t *testing.T, dirs ...string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, dir := range dirs {
		names[filepath.Base(dir)] = true
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			f, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				var ids []*ast.Ident
				switch n := n.(type) {
				case *ast.FuncDecl:
					ids = []*ast.Ident{n.Name}
				case *ast.TypeSpec:
					ids = []*ast.Ident{n.Name}
				case *ast.ValueSpec:
					ids = n.Names
				case *ast.Field:
					ids = n.Names
				}
				for _, id := range ids {
					names[id.Name] = true
				}
				return true
			})
		}
	}
	return names
}

// TestREADMENamesWhatExists looks up everything that stands in the README as code.
func TestREADMENamesWhatExists(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	names := declared(t, ".", "../wire")
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(string(text), -1) {
		code := m[1]
		switch name, value, isSetting := strings.Cut(code, "="); {
		case strings.HasSuffix(code, ".go"):
			if _, err := os.Stat(code); err != nil {
				t.Errorf("%s: %v", code, err)
			}
		case isSetting:
			if _, err := ParseKind(value); err != nil || name != KindEnv {
				t.Errorf("%s is no setting of the engine: %v", code, err)
			}
		case code == string(BuiltIn), code == KindEnv, code == HTTP2Env:
		case strings.HasSuffix(code, "norawsyscall"):
			source, err := os.ReadFile("nonblock_linux.go")
			if err != nil || !strings.Contains(string(source), "!norawsyscall\n") {
				t.Errorf("%s is no build tag: %v", code, err)
			}
		default:
			for part := range strings.SplitSeq(code, ".") {
				if !names[part] {
					t.Errorf("%s is not declared", code)
				}
			}
		}
	}
}
