package main

import (
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/big"
	"os"
	"strings"
)

// mutant is a file with one place changed.
type mutant struct {
	file       string // absolute
	source     []byte
	start, end int // of what is replaced
	with       string
	line       int
	change     string // for people

	form     form
	from, to int    // of the node that is woven
	typ      string // of number, computed and returned
}

// apply returns the changed file.
func (m *mutant) apply() []byte {
	return append(append(append([]byte{}, m.source[:m.start]...), m.with...), m.source[m.end:]...)
}

func (m *mutant) hash() string {
	h := sha256.Sum256(fmt.Append(nil, m.file[strings.LastIndexByte(m.file, '/')+1:], m.line, m.change))
	return string(h[:])
}

// swaps are the operators that take another's place.
var swaps = map[token.Token][]token.Token{
	token.LSS:  {token.LEQ, token.GEQ},
	token.LEQ:  {token.LSS, token.GTR},
	token.GTR:  {token.GEQ, token.LEQ},
	token.GEQ:  {token.GTR, token.LSS},
	token.EQL:  {token.NEQ},
	token.NEQ:  {token.EQL},
	token.LAND: {token.LOR},
	token.LOR:  {token.LAND},
	token.ADD:  {token.SUB},
	token.SUB:  {token.ADD},
	token.MUL:  {token.QUO},
	token.QUO:  {token.MUL},

	token.ADD_ASSIGN: {token.SUB_ASSIGN},
	token.SUB_ASSIGN: {token.ADD_ASSIGN},
	token.INC:        {token.DEC},
	token.DEC:        {token.INC},
}

// finder collects the mutants of a file.
type finder struct {
	file   string
	source []byte
	set    *token.FileSet
	list   []mutant
	listed map[ast.Node]bool // statements of a block, which may become several
}

// mutants returns the changes to try in a file: operators swapped, conditions
// negated, whole numbers one more and one less, results zeroed, assignments and
// calls left out.
func mutants(file string) ([]mutant, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	f := &finder{file: file, source: source, set: token.NewFileSet(), listed: map[ast.Node]bool{}}
	tree, err := parser.ParseFile(f.set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Body != nil {
				f.function(d.Type, d.Body)
			}
		case *ast.GenDecl:
			if d.Tok != token.IMPORT {
				ast.Inspect(d, func(n ast.Node) bool { return f.visit(n, nil) })
			}
		}
	}
	return f.list, nil
}

func (f *finder) function(of *ast.FuncType, body *ast.BlockStmt) {
	ast.Inspect(body, func(n ast.Node) bool { return f.visit(n, of) })
}

// visit takes in a node of a function of that type, nil outside of functions.
func (f *finder) visit(n ast.Node, of *ast.FuncType) bool {
	switch n := n.(type) {
	case *ast.FuncLit:
		f.function(n.Type, n.Body)
		return false
	case *ast.BlockStmt:
		f.enlist(n.List)
	case *ast.CommClause:
		f.enlist(n.Body)
	case *ast.BinaryExpr:
		how := computed
		if _, ok := truth[n.Op]; ok {
			how = condition
		}
		f.swap(n.OpPos, n.Op, n, how)
	case *ast.IncDecStmt:
		f.swap(n.TokPos, n.Tok, n, f.stated(n))
		f.add(n, n.Pos(), n.End(), "", f.text(n)+" is left out", f.stated(n))
	case *ast.IfStmt:
		f.negate(n.Cond)
	case *ast.ForStmt:
		f.negate(n.Cond)
	case *ast.CaseClause:
		f.enlist(n.Body)
		for _, e := range n.List {
			switch e.(type) {
			case *ast.CallExpr, *ast.UnaryExpr:
				f.negate(e) // compiles where the switch has no tag
			}
		}
	case *ast.BasicLit:
		f.step(n)
	case *ast.ReturnStmt:
		f.zero(n, of)
	case *ast.AssignStmt:
		f.swap(n.TokPos, n.Tok, n, f.stated(n))
		if n.Tok != token.DEFINE {
			f.discard(n, n.Rhs)
		}
	case *ast.ExprStmt:
		if call, ok := n.X.(*ast.CallExpr); ok {
			f.discard(n, call.Args)
		}
	case *ast.DeferStmt:
		f.add(n, n.Pos(), n.End(), "", f.text(n)+" is left out", f.stated(n))
	}
	return true
}

// truth has the operators whose result is true or false.
var truth = map[token.Token]struct{}{
	token.LSS: {}, token.LEQ: {}, token.GTR: {}, token.GEQ: {}, token.EQL: {}, token.NEQ: {}, token.LAND: {}, token.LOR: {},
}

// enlist remembers the statements of a list.
func (f *finder) enlist(list []ast.Stmt) {
	for _, s := range list {
		f.listed[s] = true
	}
}

// stated is the form of a statement's changes.
func (f *finder) stated(n ast.Stmt) form {
	if f.listed[n] {
		return statement
	}
	return alone
}

func (f *finder) swap(at token.Pos, op token.Token, in ast.Node, how form) {
	for _, other := range swaps[op] {
		f.add(in, at, at+token.Pos(len(op.String())), other.String(), fmt.Sprintf("%s becomes %s in %s", op, other, f.text(in)), how)
	}
}

// negate negates a condition. Comparisons have their own changes.
func (f *finder) negate(e ast.Expr) {
	if b, ok := e.(*ast.BinaryExpr); e == nil || ok && b.Op != token.LAND && b.Op != token.LOR {
		return
	}
	f.add(e, e.Pos(), e.End(), "!("+f.all(e)+")", "not "+f.text(e), condition)
}

func (f *finder) step(n *ast.BasicLit) {
	value, ok := new(big.Int).SetString(n.Value, 0)
	if n.Kind != token.INT || !ok {
		return
	}
	for _, by := range []int64{1, -1} {
		next := new(big.Int).Add(value, big.NewInt(by)).String()
		line := strings.TrimSpace(f.lineOf(n.Pos()))
		f.add(n, n.Pos(), n.End(), "("+next+")", fmt.Sprintf("%s becomes %s in %s", n.Value, next, line), number)
	}
}

// zero has each result of a return be its type's zero.
func (f *finder) zero(n *ast.ReturnStmt, of *ast.FuncType) {
	if of == nil || of.Results == nil || len(n.Results) != of.Results.NumFields() {
		return
	}
	var types []ast.Expr
	for _, field := range of.Results.List {
		for range max(len(field.Names), 1) {
			types = append(types, field.Type)
		}
	}
	for i, e := range n.Results {
		switch f.all(e) {
		case "nil", "false", "0", `""`, f.all(types[i]) + "{}":
			continue // is zero
		}
		// What was computed stays computed: else variables would be unused.
		zero := fmt.Sprintf("func() (zero %s) { _ = %s; return zero }()", f.all(types[i]), f.all(e))
		f.add(e, e.Pos(), e.End(), zero, fmt.Sprintf("%s is zero in %s", f.text(e), f.text(n)), returned)
		f.list[len(f.list)-1].typ = f.all(types[i])
	}
}

// discard leaves a statement out; what it used stays used.
func (f *finder) discard(n ast.Stmt, used []ast.Expr) {
	var left []string
	for _, e := range used {
		switch e.(type) {
		case *ast.BasicLit, *ast.FuncLit, *ast.CompositeLit:
		default:
			if text := f.all(e); text != "nil" {
				left = append(left, "_ = "+text)
			}
		}
	}
	f.add(n, n.Pos(), n.End(), strings.Join(left, "; "), f.text(n)+" is left out", f.stated(n))
}

// add takes in a change of the source from start to end, in node, which is what is
// woven.
func (f *finder) add(node ast.Node, start, end token.Pos, with, change string, how form) {
	p := f.set.Position(start)
	f.list = append(f.list, mutant{
		file: f.file, source: f.source, start: p.Offset, end: f.set.Position(end).Offset, with: with, line: p.Line, change: change,
		form: how, from: f.set.Position(node.Pos()).Offset, to: f.set.Position(node.End()).Offset,
	})
}

func (f *finder) all(n ast.Node) string {
	return string(f.source[f.set.Position(n.Pos()).Offset:f.set.Position(n.End()).Offset])
}

// text is a node's text on one line, of readable length.
func (f *finder) text(n ast.Node) string {
	text := strings.Join(strings.Fields(f.all(n)), " ")
	if len(text) > 80 {
		text = text[:77] + "..."
	}
	return text
}

func (f *finder) lineOf(at token.Pos) string {
	offset := f.set.Position(at).Offset
	start := strings.LastIndexByte(string(f.source[:offset]), '\n') + 1
	line, _, _ := strings.Cut(string(f.source[start:]), "\n")
	return line
}
