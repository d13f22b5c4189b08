package test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the README's tables anew")

// block is a fenced block of the README.
type block struct {
	lang, text string
	line       int
}

func readme(t *testing.T) (string, []block) {
	t.Helper()
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$").FindAllSubmatchIndex(data, -1) {
		blocks = append(blocks, block{
			lang: string(data[m[2]:m[3]]), text: string(data[m[4]:m[5]]),
			line: 1 + strings.Count(string(data[:m[0]]), "\n"),
		})
	}
	return string(data), blocks
}

// TestREADMEConfigurationsAreServed starts the program with each configuration
// that the README shows.
func TestREADMEConfigurationsAreServed(t *testing.T) {
	_, blocks := readme(t)
	n := 0
	for _, b := range blocks {
		if b.lang != "yaml" {
			continue
		}
		n++
		t.Run(fmt.Sprintf("line %d", b.line), func(t *testing.T) {
			var conf strings.Builder
			conf.WriteString("_format_version: \"3.0\"\nservices:\n- name: ai\n  url: http://localhost:32000\n  routes:\n")
			conf.WriteString("  - name: r\n    paths: [\"~/(?<deployment>[^/]+)/chat$\"]\n    plugins:\n    - name: go-ai-proxy\n      config:\n")
			for line := range strings.Lines(b.text) {
				conf.WriteString("        " + line)
			}
			file := filepath.Join(t.TempDir(), "kong.yml")
			if err := os.WriteFile(file, []byte(conf.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			g := start(t, nil, "-mock", "-config", file)
			resp, err := http.Post(g.url+"/x/chat", "application/json", strings.NewReader(`{"messages":[{"role":"user","content":"hi"}]}`))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			// Some examples need a model or a header of the client: the error says so.
			if resp.StatusCode >= 500 {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
	if n < 8 {
		t.Errorf("%d configurations found in the README", n)
	}
}

// TestREADMERequestsAreAnswered sends the requests that the README shows.
func TestREADMERequestsAreAnswered(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	_, blocks := readme(t)
	g := start(t, nil, "-mock")
	sent := 0
	for _, b := range blocks {
		at := strings.Index(b.text, "curl ")
		if b.lang != "sh" || at < 0 {
			continue
		}
		sent++
		command := strings.ReplaceAll(b.text[at:], "http://localhost:8000", g.url)
		command = strings.Replace(command, "/mock/chat", "/openai/chat", 1) // a route of docker-compose's kong.yml
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		out, err := exec.CommandContext(ctx, "sh", "-c", strings.Replace(command, "curl", curl, 1)).CombinedOutput()
		cancel()
		if err != nil || !strings.Contains(string(out), `"choices"`) {
			t.Errorf("line %d: %v\n%s", b.line, err, out)
		}
	}
	if sent < 2 {
		t.Errorf("%d requests found in the README", sent)
	}
}

// TestREADMEStartsWithTheTwoCommands holds what a newcomer types first.
func TestREADMEStartsWithTheTwoCommands(t *testing.T) {
	_, blocks := readme(t)
	if !strings.HasPrefix(blocks[0].text, "go run . standalone -mock") || !strings.Contains(blocks[0].text, "\ngo test ./...") {
		t.Errorf("first block: %s", blocks[0].text)
	}
	ci, err := os.ReadFile("../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(ci), "\ngo test ./...\n") {
		t.Error(".ci/run does not run the README's test command")
	}
}

// TestREADMECommandsAreAccepted runs the commands in the README's text, those
// that would serve with -h.
func TestREADMECommandsAreAccepted(t *testing.T) {
	text, _ := readme(t)
	commands := regexp.MustCompile("`go-ai-proxy ([^`]+)`").FindAllStringSubmatch(text, -1)
	for _, c := range commands {
		args := strings.Fields(c[1])
		if args[0] == "standalone" {
			args = append(args, "-h")
		}
		if status, _, stderr := runs(t, nil, args...); status != 0 {
			t.Errorf("%s: exit status %d, %s", c[0], status, stderr)
		}
	}
	if len(commands) < 3 {
		t.Errorf("%d commands found in the README", len(commands))
	}
}

// TestREADMENamesTheSignals holds what the README says of signals against the
// program's help.
func TestREADMENamesTheSignals(t *testing.T) {
	text, _ := readme(t)
	_, usage, _ := runs(t, nil, "-h")
	_, _, standalone := runs(t, nil, "standalone", "-h")
	for _, signal := range []string{"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"} {
		for name, where := range map[string]string{"the README": text, "-h": usage, "standalone -h": standalone} {
			if !strings.Contains(where, signal) {
				t.Errorf("%s does not name %s", name, signal)
			}
		}
	}
}

// TestImagePassesAllVariablesThatThePluginReads: Kong's workers start the plugin
// with nothing but what nginx's env directives name.
func TestImagePassesAllVariablesThatThePluginReads(t *testing.T) {
	docker, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(docker), "KONG_NGINX_MAIN_ENV=\"")
	list, _, _ = strings.Cut(list, "\"")
	passed := map[string]bool{}
	for name := range strings.SplitSeq(strings.ReplaceAll(list, "\\\n", " "), ";") {
		passed[strings.TrimPrefix(strings.TrimSpace(name), "env ")] = true
	}
	looks := regexp.MustCompile(`(?:Getenv\(|Env += |env[A-Z]\w*, )"([A-Z][A-Z0-9_]+)"`)
	err = filepath.WalkDir("../plugin", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range looks.FindAllSubmatch(source, -1) {
			if name := string(m[1]); !passed[name] && name != "GO_AI_PROXY_KEPT" {
				t.Errorf("%s looks at %s, which the Dockerfile does not pass on", path, name)
			}
		}
		return err
	})
	if err != nil || !passed["GO_AI_PROXY_LOG_LEVEL"] || !passed["HTTPS_PROXY"] {
		t.Errorf("passed on: %v, %v", passed, err)
	}
}

// TestREADMEListsTheImagesSettings compares the environment that the README
// gives for an existing Kong with that of the Dockerfile.
func TestREADMEListsTheImagesSettings(t *testing.T) {
	_, blocks := readme(t)
	docker, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var settings []string
	for _, b := range blocks {
		if strings.HasPrefix(b.text, "KONG_PLUGINS=") {
			settings = strings.Split(strings.TrimSpace(b.text), "\n")
		}
	}
	if len(settings) != 6 {
		t.Fatalf("settings %q", settings)
	}
	for _, s := range settings {
		if !strings.Contains(string(docker), s) {
			t.Errorf("the Dockerfile does not set %s", s)
		}
	}
}
