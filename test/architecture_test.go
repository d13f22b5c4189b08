package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/architecture.md leads through the files by name: they must be there, and
// hold what the same item says of them.
func TestArchitectureNamesWhatExists(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	way, rest, ok := strings.Cut(string(text), "## The words")
	if !ok {
		t.Fatal("there is no glossary")
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	isFile := regexp.MustCompile(`^[\w./-]+\.(go|lua|md)$|^[\w./-]+/$`)
	files := 0
	for _, item := range regexp.MustCompile(`(?m)^\d+\. `).Split(way, -1) {
		var sources strings.Builder
		var names []string
		for _, m := range quoted.FindAllStringSubmatch(item, -1) {
			if !isFile.MatchString(m[1]) {
				names = append(names, m[1])
				continue
			}
			files++
			source, err := os.ReadFile(filepath.Join("..", m[1]))
			if err != nil {
				t.Errorf("%s is named, and is not there", m[1])
			}
			sources.Write(source)
		}
		for _, name := range names {
			if regexp.MustCompile(`^(plugin|ai\.proxy)$`).MatchString(name) {
				continue
			}
			if !declares(sources.String(), name) {
				t.Errorf("%s is named, and declared in none of the files beside it", name)
			}
		}
	}
	if files < 25 {
		t.Errorf("%d files are named: the way of a request has more", files)
	}
	for _, m := range quoted.FindAllStringSubmatch(rest, -1) {
		if isFile.MatchString(m[1]) {
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
				t.Errorf("%s is named, and is not there", m[1])
			}
		}
	}
	words, _, _ := strings.Cut(rest, "## What must")
	if n := strings.Count(words, "\n| ") - 2; n > 25 { // without the heads of the table
		t.Errorf("%d words are to be learnt, at most 25 may be", n)
	}
}

// declares says whether Go source declares a name: of a type, a function, a
// method (Type.Method) or a constant.
func declares(source, name string) bool {
	if of, method, ok := strings.Cut(name, "."); ok {
		return regexp.MustCompile(`func \(\w+ \*?` + of + `\) ` + method + `\(`).MatchString(source)
	}
	return regexp.MustCompile(`(?m)^(func|type) ` + name + `\b|^\t` + name + `\s`).MatchString(source)
}

// Files and folders of the repository that any page names must be there.
func TestDocumentationNamesFilesThatExist(t *testing.T) {
	pages := []string{"../CONTRIBUTING.md", "../README.md", "../SECURITY.md"}
	for _, form := range []string{"../docs/*.md", "../plugin/*/README.md"} {
		more, err := filepath.Glob(form)
		if err != nil || len(more) == 0 {
			t.Fatalf("%s: %v", form, err)
		}
		pages = append(pages, more...)
	}
	named := regexp.MustCompile("`((?:plugin|translators|test|kong|docs|bench|examples|deploy)/[\\w./-]*\\w)/?`")
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			if found++; strings.HasSuffix(m[1], "/NAME") { // the reader's own
				continue
			}
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d names were found", found)
	}
}
