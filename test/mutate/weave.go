package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// form is how a change is woven into a file that has the original as well.
type form int

const (
	alone     form = iota // not at all: it has a build of its own
	condition             // (now == 7 && changed || now != 7 && original)
	number                // pick[T](original, 7, changed)
	computed              // func() T { if now == 7 { return changed }; return original }()
	returned              // zero[T](7, original)
	statement             // if now == 7 { changed } else { original }
)

// variable is the environment's variable that chooses a change by its number.
const variable = "GO_MUTATE"

// selector is the file that a woven package has in addition.
const selector = `package %s

import (
	mutantOS "os"
	mutantConv "strconv"
)

var mutantNow = func() int { n, _ := mutantConv.Atoi(mutantOS.Getenv("` + variable + `")); return n }()

func mutantPick[T any](original T, n int, changed T) T {
	if mutantNow == n {
		return changed
	}
	return original
}

func mutantZero[T any](n int, original T) (zero T) {
	if mutantNow == n {
		return zero
	}
	return original
}
`

// checker type-checks a package in memory.
type checker struct {
	*pkg
	set     *token.FileSet
	imports types.Importer
	sources map[string][]byte // by file
	mu      sync.Mutex        // the importer is for one at a time
}

func newChecker(p *pkg, exports map[string]string) (*checker, error) {
	c := &checker{pkg: p, set: token.NewFileSet(), sources: map[string][]byte{}}
	c.imports = importer.ForCompiler(c.set, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})
	for _, name := range p.GoFiles {
		source, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return nil, err
		}
		c.sources[filepath.Join(p.Dir, name)] = source
	}
	return c, nil
}

// check type-checks the package with other sources of some files.
func (c *checker) check(other map[string][]byte) (files []*ast.File, info *types.Info, faults []types.Error) {
	set := token.NewFileSet() // types that are imported keep the checker's
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, 0, len(c.sources)+1)
	for name := range c.sources {
		names = append(names, name)
	}
	for name := range other {
		if c.sources[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		source := c.sources[name]
		if s := other[name]; s != nil {
			source = s
		}
		f, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, []types.Error{{Msg: err.Error()}}
		}
		files = append(files, f)
	}
	info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	config := types.Config{Importer: c.imports, Error: func(err error) {
		var fault types.Error
		if errors.As(err, &fault) {
			faults = append(faults, fault)
		}
	}}
	_, _ = config.Check(c.ImportPath, set, files, info) // its errors have been told
	return files, info, faults
}

// compiles says whether a change type-checks in a build of its own.
func (c *checker) compiles(m *mutant) bool {
	_, _, faults := c.check(map[string][]byte{m.file: m.apply()})
	return len(faults) == 0
}

// typeNames has the type of each expression as the file that it stands in can name
// it, "" where it cannot, by file and offsets.
func (c *checker) typeNames() (func(file string, start, end int) string, error) {
	files, info, faults := c.check(nil)
	if len(faults) > 0 {
		return nil, fmt.Errorf("%s: %w", c.ImportPath, faults[0])
	}
	type place struct {
		file       string
		start, end int
	}
	names := map[place]string{}
	for i, f := range files {
		local := map[string]string{c.ImportPath: ""}
		for _, spec := range f.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			if spec.Name != nil {
				local[path] = spec.Name.Name
			} else if p, err := c.imports.Import(path); err == nil {
				local[path] = p.Name()
			}
		}
		file := c.files()[i]
		ast.Inspect(f, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok || info.Types[e].Type == nil {
				return true
			}
			foreign := false
			name := types.TypeString(types.Default(info.Types[e].Type), func(p *types.Package) string {
				name, ok := local[p.Path()]
				foreign = foreign || !ok || name == "." || name == "_"
				return name
			})
			if !foreign {
				start := int(e.Pos() - f.FileStart)
				names[place{file, start, start + int(e.End()-e.Pos())}] = name
			}
			return true
		})
	}
	return func(file string, start, end int) string { return names[place{file, start, end}] }, nil
}

// files are the package's, sorted.
func (c *checker) files() []string {
	list := make([]string, 0, len(c.sources))
	for name := range c.sources {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// weave returns the files of a package that has all of the changes, each chosen by
// its index plus one. Those that do not type-check that way get the form alone.
func (c *checker) weave(all []mutant) (map[string][]byte, error) {
	name, err := c.typeNames()
	if err != nil {
		return nil, err
	}
	for i := range all {
		m := &all[i]
		if m.form == number || m.form == computed {
			if m.typ = name(m.file, m.from, m.to); m.typ == "" {
				m.form = alone
			}
		}
	}
	files, _, _ := c.check(nil)
	for {
		woven, spans := map[string][]byte{}, map[string][]span{}
		for _, file := range c.files() {
			w := &weaver{all: all, source: c.sources[file]}
			w.file(file)
			woven[file], spans[file] = w.out.Bytes(), w.spans
		}
		woven[filepath.Join(c.Dir, "mutant_selector.go")] = fmt.Appendf(nil, selector, files[0].Name.Name)
		trees, _, faults := c.check(woven)
		if len(faults) == 0 {
			return woven, nil
		}
		dropped := 0
		for _, fault := range faults {
			if fault.Fset == nil {
				return nil, fmt.Errorf("woven %s: %s", c.ImportPath, fault.Msg)
			}
			at := fault.Fset.Position(fault.Pos)
			dropped += drop(all, guilty(spans[at.Filename], at.Offset, trees))
		}
		if dropped == 0 {
			return nil, fmt.Errorf("woven %s: %w", c.ImportPath, faults[0])
		}
	}
}

// guilty are the changes whose woven form has the fault: those of the smallest span
// around it, or else all of the declaration that it stands in.
func guilty(spans []span, at int, trees []*ast.File) []int {
	best := -1
	for i, s := range spans {
		if s.from <= at && at <= s.to && (best < 0 || s.to-s.from < spans[best].to-spans[best].from) {
			best = i
		}
	}
	if best >= 0 {
		return spans[best].changes
	}
	var list []int
	for _, tree := range trees {
		for _, d := range tree.Decls {
			from, to := int(d.Pos()-tree.FileStart), int(d.End()-tree.FileStart)
			if from > at || at > to {
				continue
			}
			for _, s := range spans {
				if from <= s.from && s.to <= to {
					list = append(list, s.changes...)
				}
			}
		}
	}
	return list
}

func drop(all []mutant, changes []int) (n int) {
	for _, i := range changes {
		if all[i].form != alone {
			all[i].form = alone
			n++
		}
	}
	return n
}

// span is what a change, or all changes of one place, became in the woven file.
type span struct {
	from, to int
	changes  []int // indexes
}

// weaver writes one woven file.
type weaver struct {
	all    []mutant
	source []byte
	out    bytes.Buffer
	spans  []span
}

// place is the changes of one form of one node.
type place struct {
	from, to int
	form     form
	changes  []int
}

func (w *weaver) file(name string) {
	var places []place
	for i, m := range w.all {
		if m.file != name || m.form == alone {
			continue
		}
		at := slices.IndexFunc(places, func(p place) bool { return p.from == m.from && p.to == m.to && p.form == m.form })
		if at < 0 {
			at = len(places)
			places = append(places, place{from: m.from, to: m.to, form: m.form})
		}
		places[at].changes = append(places[at].changes, i)
	}
	// Outer ones first; of those of the same node, statements and results.
	slices.SortStableFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to), cmp.Compare(b.form, a.form))
	})
	w.text(0, len(w.source), places)
}

// text writes a part of the source with the places in it woven.
func (w *weaver) text(from, to int, places []place) {
	for len(places) > 0 {
		p := places[0]
		inner := 1
		for inner < len(places) && places[inner].from < p.to {
			inner++
		}
		w.out.Write(w.source[from:p.from])
		w.place(p, places[1:inner])
		from, places = p.to, places[inner:]
	}
	w.out.Write(w.source[from:to])
}

// place writes one place, with the places in its original.
func (w *weaver) place(p place, in []place) {
	from := w.out.Len()
	original := func() { w.text(p.from, p.to, in) }
	typ := w.all[p.changes[0]].typ
	switch p.form {
	case condition:
		w.out.WriteString("(")
		for _, i := range p.changes {
			w.change(i, "mutantNow == %d && (", ") || ")
		}
		for _, i := range p.changes {
			fmt.Fprintf(&w.out, "mutantNow != %d && ", i+1)
		}
		w.out.WriteString("(")
		original()
		w.out.WriteString("))")
	case number:
		w.out.WriteString(strings.Repeat("mutantPick["+typ+"](", len(p.changes)))
		original()
		for _, i := range p.changes {
			w.change(i, ", %d, ", ")")
		}
	case computed:
		w.out.WriteString("func() " + typ + " { ")
		for _, i := range p.changes {
			w.change(i, "if mutantNow == %d { return ", " }; ")
		}
		w.out.WriteString("return ")
		original()
		w.out.WriteString(" }()")
	case returned:
		fmt.Fprintf(&w.out, "mutantZero[%s](%d, ", typ, p.changes[0]+1)
		original()
		w.out.WriteString(")")
	case statement:
		for _, i := range p.changes {
			w.change(i, "if mutantNow == %d { ", " } else ")
		}
		w.out.WriteString("{ ")
		original()
		w.out.WriteString(" }")
	}
	w.spans = append(w.spans, span{from, w.out.Len(), p.changes})
}

// change writes the changed text of a place between two texts, of which the first
// has the change's number.
func (w *weaver) change(i int, before, after string) {
	from := w.out.Len()
	fmt.Fprintf(&w.out, before, i+1)
	m := &w.all[i]
	w.out.Write(m.source[m.from:m.start])
	w.out.WriteString(m.with)
	w.out.Write(m.source[m.end:m.to])
	w.spans = append(w.spans, span{from, w.out.Len(), []int{i}})
	w.out.WriteString(after)
}
