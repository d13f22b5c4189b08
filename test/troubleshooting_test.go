package test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// quotedMessage is the first cell of a row of a table of messages.
var quotedMessage = regexp.MustCompile("(?m)^\\| (?:\\d{3} )?`([^`]+)` \\|")

// TestMessagesInDocsAreInTheCode: what troubleshooting.md and templates.md quote is
// what the program, its Lua part or the schema says. … stands for anything.
func TestMessagesInDocsAreInTheCode(t *testing.T) {
	all := allSource(t)
	n := 0
	for _, page := range []string{"docs/troubleshooting.md", "docs/templates.md"} {
		for _, m := range quotedMessage.FindAllStringSubmatch(source(t, page), -1) {
			if strings.HasPrefix(m[1], "$(") {
				continue // a template
			}
			for part := range strings.SplitSeq(m[1], "…") {
				part = strings.Trim(part, " '\":")
				if n++; len(part) > 3 && !strings.Contains(all, part) {
					t.Errorf("%s quotes %q, and nothing says %q", page, m[1], part)
				}
			}
		}
	}
	if n < 60 {
		t.Errorf("%d parts of messages", n)
	}
}

// allSource is all text of the program, as its strings are when it runs.
func allSource(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, dir := range []string{"../plugin", "../translators", "../kong", "../main.go", "../schema.json"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			data, err := os.ReadFile(path)
			b.Write(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return strings.ReplaceAll(b.String(), `\"`, `"`)
}

// TestTroubleshootingListsEveryErrorOfTheRelay goes through the calls by which package
// plugin and those below it refuse a request: the page has what each says.
func TestTroubleshootingListsEveryErrorOfTheRelay(t *testing.T) {
	page, n := source(t, "docs/troubleshooting.md"), 0
	err := filepath.WalkDir("../plugin", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "../plugin/engine") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			for _, text := range refusedWith(node) {
				n++
				if !strings.Contains(page, text) {
					t.Errorf("%s says %q, of which docs/troubleshooting.md knows nothing", path, text)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || n < 40 {
		t.Errorf("%d messages, %v", n, err)
	}
}

var verbs = regexp.MustCompile(`%[a-z]`)

// refusedWith returns the longest fixed text of each message that a node refuses a
// request with.
func refusedWith(node ast.Node) (all []string) {
	switch node := node.(type) {
	case *ast.CallExpr:
		name := fmt.Sprint(node.Fun)
		if s, ok := node.Fun.(*ast.SelectorExpr); ok {
			name = s.Sel.Name
		}
		if name == "refuse" || name == "NewError" || name == "badField" {
			for _, arg := range node.Args {
				ast.Inspect(arg, func(n ast.Node) bool {
					if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
						if text := longest(l.Value); len(text) > 9 {
							all = append(all, text)
						}
					}
					return true
				})
			}
		}
	case *ast.ValueSpec: // the texts that are used more than once
		if len(node.Values) == 1 && regexp.MustCompile(`^text[A-Z]`).MatchString(node.Names[0].Name) {
			if l, ok := node.Values[0].(*ast.BasicLit); ok {
				all = append(all, longest(l.Value))
			}
		}
	}
	return all
}

func longest(literal string) string {
	text, err := strconv.Unquote(literal)
	if err != nil {
		return ""
	}
	best := ""
	for _, part := range verbs.Split(text, -1) {
		if part = strings.Trim(part, " '\":"); len(part) > len(best) {
			best = part
		}
	}
	return best
}

// TestDifferencesNameTheTestsThatHoldThem: a difference without a test is a promise.
func TestDifferencesNameTheTestsThatHoldThem(t *testing.T) {
	rows := regexp.MustCompile(`(?m)^\| .* \| ([^|]*) \|$`).FindAllStringSubmatch(source(t, "docs/differences.md"), -1)
	n := 0
	for _, row := range rows {
		if row[1] == "test" || row[1] == "---" {
			continue
		}
		if n++; !testNamed(t, strings.Trim(row[1], "`")) {
			t.Errorf("no test: %s", row[0])
		}
	}
	if n < 25 {
		t.Errorf("%d differences", n)
	}
}

// TestLiteLLMExampleNamesTheSameModels compares the two files of docs/migrating.md, and
// looks for the fields that its table names in schema.json.
func TestLiteLLMExampleNamesTheSameModels(t *testing.T) {
	blocks := blocksOf(source(t, "docs/migrating.md"))
	var theirs struct {
		List []struct {
			Name   string `yaml:"model_name"`
			Params struct{ Model string }
		} `yaml:"model_list"`
	}
	var ours struct {
		Targets []struct {
			Model struct {
				Provider, Name string
				Alias          string `yaml:"model_alias"`
				Options        map[string]any
			}
		}
	}
	var yamls []string
	for _, b := range blocks {
		if b.lang == "yaml" {
			yamls = append(yamls, b.text)
		}
	}
	text := strings.ReplaceAll(yamls[0], "litellm_params:", "params:")
	if err := errorsOf(yaml.Unmarshal([]byte(text), &theirs), yaml.Unmarshal([]byte(yamls[1]), &ours)); err != nil {
		t.Fatal(err)
	}
	if len(theirs.List) != len(ours.Targets) || len(ours.Targets) < 3 {
		t.Fatalf("%d models, %d targets", len(theirs.List), len(ours.Targets))
	}
	for i, one := range theirs.List {
		m := ours.Targets[i].Model
		name := m.Name
		if d, ok := m.Options["azure_deployment_id"].(string); ok {
			name = d
		}
		if one.Name != m.Alias || one.Params.Model != m.Provider+"/"+name {
			t.Errorf("%s %s became %s %s/%s", one.Name, one.Params.Model, m.Alias, m.Provider, name)
		}
	}
	schema := source(t, "schema.json")
	for _, row := range regexp.MustCompile(`(?m)^\| .* \| (.*) \|$`).FindAllStringSubmatch(source(t, "docs/migrating.md"), -1) {
		for _, field := range regexp.MustCompile("`([a-z_.\\[\\]]+)`").FindAllStringSubmatch(row[1], -1) {
			name := field[1][strings.LastIndexByte(field[1], '.')+1:]
			if !strings.Contains(schema, `"`+name+`"`) {
				t.Errorf("schema.json has no %s", field[1])
			}
		}
	}
}
