package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"go-ai-proxy/plugin"
)

// TestVersionIsTheSameWhereverItIsWritten: program, Lua part and rockspec, and the
// tag when a release is made.
func TestVersionIsTheSameWhereverItIsWritten(t *testing.T) {
	rockspec := source(t, "kong/go-ai-proxy-"+plugin.Version+"-1.rockspec")
	for _, want := range []string{`version = "` + plugin.Version + `-1"`, `tag = "v` + plugin.Version + `"`} {
		if !strings.Contains(rockspec, want) {
			t.Errorf("the rockspec lacks %s", want)
		}
	}
	if !strings.Contains(source(t, "kong/plugins/go-ai-proxy/handler.lua"), `VERSION = "`+plugin.Version+`"`) {
		t.Error("handler.lua has another version")
	}
	if tag := os.Getenv("GO_AI_PROXY_RELEASE"); tag != "" {
		if tag != "v"+plugin.Version {
			t.Errorf("the tag is %s, the plugin's version %s", tag, plugin.Version)
		}
		if !strings.Contains(source(t, "CHANGELOG.md"), "## ["+plugin.Version+"]") {
			t.Errorf("CHANGELOG.md has no section for %s", plugin.Version)
		}
	}
}

// TestRockspecNamesAllLuaFiles: what is not named is not installed.
func TestRockspecNamesAllLuaFiles(t *testing.T) {
	rockspec := source(t, "kong/go-ai-proxy-"+plugin.Version+"-1.rockspec")
	err := filepath.WalkDir("../kong", func(path string, d fs.DirEntry, err error) error {
		if name := strings.TrimPrefix(path, "../"); strings.HasSuffix(name, ".lua") && !strings.Contains(rockspec, `"`+name+`"`) {
			t.Errorf("the rockspec lacks %s", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range regexp.MustCompile(`"(kong/[^"]+)"`).FindAllStringSubmatch(rockspec, -1) {
		if _, err := os.Stat("../" + path[1]); err != nil {
			t.Error(err)
		}
	}
}

// TestLinkerSetsTheVersion builds as a release does.
func TestLinkerSetsTheVersion(t *testing.T) {
	var config struct {
		Builds []struct {
			Binary       string
			Env          []string
			Goos, Goarch []string
			Ldflags      []string
		}
		Archives []struct{ Files []string }
		Before   struct{ Hooks []string }
	}
	if err := yaml.Unmarshal([]byte(source(t, ".goreleaser.yaml")), &config); err != nil {
		t.Fatal(err)
	}
	b := config.Builds[0]
	flags := strings.ReplaceAll(b.Ldflags[0], "{{ .Version }}", "9.8.7")
	path := filepath.Join(t.TempDir(), b.Binary)
	cmd := exec.Command("go", "build", "-ldflags", flags, "-o", path, ".")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), b.Env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(path, "version").Output()
	if want := "go-ai-proxy " + plugin.Version + " (v9.8.7) "; err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("version says %q (%v), want it to begin with %q", out, err, want)
	}
	if want := []string{"go run ./test/licences -o THIRD-PARTY-LICENSES"}; !slices.Equal(config.Before.Hooks, want) {
		t.Errorf("before it the release runs %q, want %q", config.Before.Hooks, want)
	}
	for _, pattern := range config.Archives[0].Files {
		if files, err := filepath.Glob("../" + pattern); pattern != "THIRD-PARTY-LICENSES" && (err != nil || len(files) == 0) {
			t.Errorf("no file is called %s", pattern)
		}
	}
	for _, want := range []string{"kong/plugins/go-ai-proxy/*", "schema.json", "LICENSE", "NOTICE", "THIRD-PARTY-LICENSES"} {
		if !slices.Contains(config.Archives[0].Files, want) {
			t.Errorf("the archives lack %s", want)
		}
	}
	for _, want := range []string{"linux", "darwin", "amd64", "arm64"} {
		if !slices.Contains(b.Goos, want) && !slices.Contains(b.Goarch, want) {
			t.Errorf("no release for %s", want)
		}
	}
	for _, file := range []string{"Makefile", "Dockerfile"} {
		if !strings.Contains(source(t, file), "-X main.build=") {
			t.Errorf("%s does not set the version", file)
		}
	}
}

// TestProgramBuildsForEverySystemOfARelease compiles, without linking.
func TestProgramBuildsForEverySystemOfARelease(t *testing.T) {
	if os.Getenv("GO_AI_PROXY_CROSS") == "" {
		t.Skip("takes minutes without a build cache: set GO_AI_PROXY_CROSS=1, as CI does")
	}
	for _, system := range []string{"linux/arm64", "darwin/arm64"} {
		goos, goarch, _ := strings.Cut(system, "/")
		cmd := exec.Command("go", "build", "-o", os.DevNull, ".")
		cmd.Dir, cmd.Env = "..", append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", system, err, out)
		}
	}
}

// TestProjectFilesParse reads what the hosting service reads.
func TestProjectFilesParse(t *testing.T) {
	var n int
	err := filepath.WalkDir("../.github", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch filepath.Ext(path) {
		case ".yml":
			n++
			err = yaml.Unmarshal(data, new(map[string]any))
		case ".json":
			n++
			err = json.Unmarshal(data, new(map[string]any))
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
	if err != nil || n < 5 {
		t.Errorf("%d files of .github were read: %v", n, err)
	}
	if !strings.Contains(source(t, ".github/workflows/ci.yml"), "run: .ci/run") {
		t.Error("the workflow does not call .ci/run")
	}
}

// TestSiteHasAHomePage: mkdocs makes / of index.md, and of no other page.
func TestSiteHasAHomePage(t *testing.T) {
	if nav := "nav:\n  - Start:\n      - index.md\n"; !strings.Contains(source(t, "mkdocs.yml"), nav) || source(t, "docs/index.md") == "" {
		t.Errorf("mkdocs.yml does not begin with %q", nav)
	}
}

// TestMakefileIsThin: every command is one that a person could type, and `make help`
// lists each.
func TestMakefileIsThin(t *testing.T) {
	text := source(t, "Makefile")
	target := regexp.MustCompile(`(?m)^([a-z-]+):.*## .+\n((?:\t.*\n)+)`)
	phony := strings.Fields(text[strings.Index(text, ".PHONY:")+len(".PHONY:"):])
	found := target.FindAllStringSubmatch(text, -1)
	if len(found) != len(phony) || len(found) > 11 {
		t.Errorf("%d targets with a line of help, %d in .PHONY", len(found), len(phony))
	}
	for _, m := range found {
		if !slices.Contains(phony, m[1]) {
			t.Errorf("%s is not in .PHONY", m[1])
		}
		if lines := strings.Count(m[2], "\n"); lines != 1 {
			t.Errorf("%s has %d lines: move them to where go runs them", m[1], lines)
		}
	}
}

// TestLinksInDocumentsLead holds links within the repository, with their anchors.
func TestLinksInDocumentsLead(t *testing.T) {
	files, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"docs", "examples", "deploy", "plugin", "bench"} {
		err := filepath.WalkDir("../"+dir, func(path string, _ fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if strings.HasSuffix(path, ".md") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range files {
		for _, link := range linksIn(t, file) {
			if problem := follow(t, file, link); problem != "" {
				t.Errorf("%s: %s: %s", strings.TrimPrefix(file, "../"), link, problem)
			}
		}
	}
}

func TestALinkThatLeadsNowhereIsFound(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.md")
	if err := os.WriteFile(file, []byte("# A `b` c\n[x](b.md) [y](#none) [z](#a-b-c) [w](https://example.com)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var problems []string
	for _, link := range linksIn(t, file) {
		if follow(t, file, link) != "" {
			problems = append(problems, link)
		}
	}
	if !slices.Equal(problems, []string{"b.md", "#none"}) {
		t.Errorf("found %q", problems)
	}
}

var (
	fences = regexp.MustCompile("(?ms)^```.*?^```")
	code   = regexp.MustCompile("`[^`\n]*`")
	links  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	titles = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// linksIn returns the targets of the links in a Markdown file, without those in code.
func linksIn(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range links.FindAllSubmatch(code.ReplaceAll(fences.ReplaceAll(data, nil), nil), -1) {
		if link := string(m[1]); !strings.Contains(link, "://") && !strings.HasPrefix(link, "mailto:") {
			found = append(found, link)
		}
	}
	return found
}

// follow says what is wrong with a link in file, "" if nothing is.
func follow(t *testing.T, file, link string) string {
	t.Helper()
	path, anchor, _ := strings.Cut(link, "#")
	to := file
	if path != "" {
		to = filepath.Join(filepath.Dir(file), path)
	}
	f, err := os.Open(to)
	if err != nil {
		return "no such file"
	}
	defer f.Close()
	if anchor == "" {
		return ""
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	for _, title := range titles.FindAllSubmatch(fences.ReplaceAll(data, nil), -1) {
		if anchorOf(title[1]) == anchor {
			return ""
		}
	}
	return "no such heading"
}

// anchorOf is the anchor that hosting services give a heading.
func anchorOf(title []byte) string {
	title = bytes.ToLower(bytes.TrimSpace(title))
	title = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAll(title, nil)
	return strings.ReplaceAll(string(title), " ", "-")
}

// TestEveryFuzzTargetCountsItsWork: its first line is workload.Linear.
func TestEveryFuzzTargetCountsItsWork(t *testing.T) {
	target := regexp.MustCompile(`\bf\.Fuzz\(.*\n.*`)
	n := 0
	for _, dir := range []string{"plugin", "translators", "test"} {
		err := filepath.WalkDir("../"+dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			data, err := os.ReadFile(path)
			for _, m := range target.FindAllString(string(data), -1) {
				if n++; !strings.Contains(m, "workload.Linear(") {
					t.Errorf("%s: %s", path, m)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 40 {
		t.Errorf("only %d fuzz targets were found", n)
	}
}
