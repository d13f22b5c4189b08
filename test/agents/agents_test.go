// Package agents runs real programs and JavaScript frameworks against the built program,
// whose providers are the mock. Each plays two turns with tools. It is a module of its
// own, and installs the programs from npm into a temporary folder; apart from that it
// needs no network.
package agents

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long one program may take for a turn, on a machine that is busy.
const patience = 2 * time.Minute

// ended is what the mock says when its calls have results.
const ended = "The tools have answered."

// calls are those of the scenarios "tools" and "thinking_tools", in order.
const calls = "get_weather get_weather get_time get_weather"

// targets are the providers behind each route.
var targets = map[string]string{
	"gpt-4.1":   `{"provider":"openai","name":"gpt-4.1"}`,
	"gpt-5.4":   `{"provider":"openai","name":"gpt-5.4"}`,
	"anthropic": `{"provider":"anthropic","name":"claude-sonnet-4-6","options":{"anthropic_version":"2023-06-01"}}`,
	"claude-bedrock": `{"provider":"bedrock","name":"us.anthropic.claude-sonnet-4-5-20250929-v1:0",` +
		`"options":{"bedrock":{"aws_region":"us-east-1"}}}`,
	"nova":    `{"provider":"bedrock","name":"us.amazon.nova-2-lite-v1:0","options":{"bedrock":{"aws_region":"us-east-1"}}}`,
	"gemini":  `{"provider":"gemini","name":"gemini-2.5-pro"}`,
	"mistral": `{"provider":"mistral","name":"mistral-large-latest","options":{"mistral_format":"openai"}}`,
	"ollama":  `{"provider":"ollama","name":"qwen3","options":{"upstream_url":"http://ollama.test/api/chat"}}`,
}

// kinds are the APIs that clients speak: llm_format and route_type.
var kinds = map[string][2]string{
	"chat":      {"openai", "llm/v1/chat"},
	"responses": {"openai", "llm/v1/responses"},
	"anthropic": {"anthropic", "llm/v1/chat"},
	"gemini":    {"gemini", "llm/v1/chat"},
}

// program is a program that is installed from npm. It needs neither a terminal nor an
// account.
type program struct {
	name     string
	packages string // of npm, with their versions
	kind     string
	targets  []string
	// turn returns the command of one turn. home is the program's own, and again says
	// that the turn continues the conversation before.
	turn func(modules, home, url, prompt string, again bool) *exec.Cmd
}

// programs are command-line agents, and what each asks the mock is answered with calls
// of tools that it does not have: it says so in results, and the conversation goes on.
var programs = []program{
	{name: "claude-code", packages: "@anthropic-ai/claude-code@2.1.197", kind: "anthropic",
		targets: []string{"gpt-5.4", "gemini", "claude-bedrock"}, turn: claudeCode},
	{name: "codex", packages: "@openai/codex@0.171.0", kind: "responses",
		targets: []string{"anthropic", "gpt-4.1", "mistral"}, turn: codex},
	{name: "gemini-cli", packages: "@google/gemini-cli@0.61.0", kind: "gemini",
		targets: []string{"gpt-4.1", "nova"}, turn: geminiCLI},
}

func claudeCode(modules, _, url, prompt string, again bool) *exec.Cmd {
	args := []string{"-p", prompt}
	if again {
		args = append(args, "--continue")
	}
	cmd := exec.Command(filepath.Join(modules, ".bin/claude"), args...)
	cmd.Env = []string{"ANTHROPIC_BASE_URL=" + url, "ANTHROPIC_API_KEY=none", "ANTHROPIC_MODEL=claude-sonnet-4-6",
		"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1"}
	return cmd
}

func codex(modules, _, url, prompt string, again bool) *exec.Cmd {
	args := []string{"exec"}
	if again {
		args = append(args, "resume", "--last")
	}
	provider := fmt.Sprintf(`model_providers.kong={name="kong",base_url="%s/v1",env_key="KONG_API_KEY",wire_api="responses"}`, url)
	args = append(args, "--skip-git-repo-check", "-m", "gpt-5.4", "-c", "model_provider=kong", "-c", provider, prompt)
	cmd := exec.Command(filepath.Join(modules, ".bin/codex"), args...)
	cmd.Env = []string{"KONG_API_KEY=none"}
	return cmd
}

func geminiCLI(modules, home, url, prompt string, again bool) *exec.Cmd {
	settings := `{"security":{"auth":{"selectedType":"gemini-api-key"}},"privacy":{"usageStatisticsEnabled":false}}`
	if err := os.MkdirAll(filepath.Join(home, ".gemini"), 0o700); err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".gemini/settings.json"), []byte(settings), 0o600); err != nil {
		panic(err)
	}
	args := []string{"-m", "gemini-2.5-pro", "-p", prompt}
	if again {
		args = append(args, "--resume", "latest")
	}
	cmd := exec.Command(filepath.Join(modules, ".bin/gemini"), args...)
	cmd.Env = []string{"GEMINI_API_KEY=none", "GOOGLE_GEMINI_BASE_URL=" + url, "GEMINI_CLI_TRUST_WORKSPACE=true"}
	return cmd
}

func TestProgramsPlayTwoTurnsWithTools(t *testing.T) {
	url := gateway(t)
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			modules := install(t, p.packages)
			for _, target := range p.targets {
				home := t.TempDir()
				for i, prompt := range []string{"scenario:tools", "scenario:thinking_tools"} {
					cmd := p.turn(modules, home, url+"/"+p.kind+"/"+target, prompt, i > 0)
					if out, warned, err := run(t, cmd, home); err != nil || !strings.Contains(out, ended) {
						t.Fatalf("%s, turn %d: %v\n%s\n%s", target, i+1, err, warned, out)
					}
				}
			}
		})
	}
}

// frameworks are scripts in the folder programs, and the APIs that each speaks.
var frameworks = []struct{ script, kinds string }{
	{"aisdk.mjs", "chat responses anthropic gemini"},
	{"langchain.mjs", "chat responses anthropic"},
	{"openai-agents.mjs", "chat responses"},
}

const frameworkPackages = "ai@6.0.326 @ai-sdk/openai@3.0.141 @ai-sdk/anthropic@3.0.140 @ai-sdk/google@3.0.141 " +
	"@langchain/core@1.4.0 @langchain/openai@1.5.8 @langchain/anthropic@1.5.11 @openai/agents@0.20.0 openai@6.49.0 zod@4.6.7"

func TestFrameworksPlayTwoTurnsWithTools(t *testing.T) {
	url := gateway(t)
	modules := install(t, frameworkPackages)
	for _, f := range frameworks {
		script, err := os.ReadFile(filepath.Join("programs", f.script))
		if err != nil {
			t.Fatal(err)
		}
		// Beside the modules, where node looks for them.
		file := filepath.Join(filepath.Dir(modules), f.script)
		if err := os.WriteFile(file, script, 0o600); err != nil {
			t.Fatal(err)
		}
		for kind := range strings.FieldsSeq(f.kinds) {
			t.Run(f.script+"/"+kind, func(t *testing.T) {
				t.Parallel()
				args, want := []string{file, kind}, ""
				for _, target := range []string{"gpt-4.1", "gpt-5.4", "anthropic", "nova", "gemini", "mistral", "ollama"} {
					args = append(args, url+"/"+kind+"/"+target)
					want += "whole " + calls + " | " + ended + "\nstreamed " + calls + " | " + ended + "\n"
				}
				out, warned, err := run(t, exec.Command("node", args...), t.TempDir())
				if err != nil || out != want {
					t.Fatalf("%v\n%s\n got %s\nwant %s", err, warned, out, want)
				}
			})
		}
	}
}

// run runs cmd with a home of its own and returns what it printed, and what it warned of.
// There is no network but this machine.
func run(t *testing.T, cmd *exec.Cmd, home string) (out, warned string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	bounded := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	bounded.Dir, bounded.WaitDelay = home, 10*time.Second
	bounded.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"), "HOME="+home, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1",
		"HTTPS_PROXY=http://127.0.0.1:1", "https_proxy=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1", "http_proxy=http://127.0.0.1:1")
	var stdout, stderr bytes.Buffer
	bounded.Stdout, bounded.Stderr = &stdout, &stderr
	err = bounded.Run()
	return stdout.String(), stderr.String(), err
}

// entity is a route to a target, by the kind of client.
func entity(kind, target string) map[string]any {
	var model map[string]any
	if err := json.Unmarshal([]byte(targets[target]), &model); err != nil {
		panic(err)
	}
	model["model_alias"] = "*"
	auth := map[string]any{"header_name": "Authorization", "header_value": "Bearer none"}
	if model["provider"] == "bedrock" {
		auth = map[string]any{"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
	}
	return map[string]any{"name": kind + "-" + target, "paths": []string{"/" + kind + "/" + target},
		"plugins": []any{map[string]any{"name": "go-ai-proxy", "config": map[string]any{
			"llm_format": kinds[kind][0],
			"targets": []any{map[string]any{"route_type": kinds[kind][1], "auth": auth, "model": model,
				"logging": map[string]any{"log_statistics": true}}},
		}}}}
}
