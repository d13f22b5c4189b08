package test

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the docs have from the code anew")

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
	if !strings.Contains(string(ci), "\ngo test ./... 2>&1") {
		t.Error(".ci/run does not run the README's test command")
	}
}

// TestDocsNameTheSignals holds what getting-started.md says of signals against the
// program's help.
func TestDocsNameTheSignals(t *testing.T) {
	text := source(t, "docs/getting-started.md")
	_, usage, _ := runs(t, nil, "-h")
	_, _, standalone := runs(t, nil, "standalone", "-h")
	for _, signal := range []string{"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"} {
		for name, where := range map[string]string{"getting-started.md": text, "-h": usage, "standalone -h": standalone} {
			if !strings.Contains(where, signal) {
				t.Errorf("%s does not name %s", name, signal)
			}
		}
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
