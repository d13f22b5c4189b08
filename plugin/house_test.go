package plugin

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sources are the files of the package, parsed, by name, without tests.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	return files
}

// The package comment is where a newcomer begins: it names all files that there
// are, and no others.
func TestPackageCommentNamesEveryFile(t *testing.T) {
	files := sources(t)
	comment := files["plugin.go"].Doc.Text()
	named := regexp.MustCompile(`[a-z_]+\.go\b`).FindAllString(comment, -1)
	for _, name := range named {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("%s is named, and is not there", name)
		}
	}
	for name := range files {
		if !slices.Contains(named, name) {
			t.Errorf("%s is not named", name)
		}
	}
}

// A type of any package has at most 25 methods: more are several types.
func TestNoTypeHasManyMethods(t *testing.T) {
	const most = 25
	for _, tree := range []string{".", "../translators"} {
		err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			for id, n := range methodsIn(t, path) {
				if n > most {
					t.Errorf("%s: %s has %d methods, at most %d are to be", path, id, n, most)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// methodsIn counts the methods of the types in a folder, by their names.
func methodsIn(t *testing.T, dir string) map[string]int {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	methods := map[string]int{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || strings.HasSuffix(path, "_test.go") {
				continue
			}
			of := f.Recv.List[0].Type
			if p, ok := of.(*ast.StarExpr); ok {
				of = p.X
			}
			if generic, ok := of.(*ast.IndexExpr); ok {
				of = generic.X
			}
			methods[of.(*ast.Ident).Name]++
		}
	}
	return methods
}

// A type has its methods in one file, at most 25 of them, and one with many
// embeds nothing: what it works with, it names.
func TestTypesKeepTheirMethodsTogetherAndFew(t *testing.T) {
	const most, many = 25, 8
	methods, where := map[string]int{}, map[string][]string{}
	embeds := map[string]bool{}
	for name, file := range sources(t) {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					continue
				}
				of := d.Recv.List[0].Type
				if p, ok := of.(*ast.StarExpr); ok {
					of = p.X
				}
				id := of.(*ast.Ident).Name
				methods[id]++
				if !slices.Contains(where[id], name) {
					where[id] = append(where[id], name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					one, ok := s.(*ast.TypeSpec)
					if !ok {
						continue
					}
					if fields, ok := one.Type.(*ast.StructType); ok {
						embeds[one.Name.Name] = slices.ContainsFunc(fields.Fields.List, func(f *ast.Field) bool { return len(f.Names) == 0 })
					}
				}
			}
		}
	}
	for id, n := range methods {
		if n > most {
			t.Errorf("%s has %d methods, at most %d are to be", id, n, most)
		}
		if n > many && embeds[id] {
			t.Errorf("%s has %d methods and embeds another type: name it", id, n)
		}
		if len(where[id]) > 1 {
			t.Errorf("%s has its methods in %v", id, where[id])
		}
	}
}
