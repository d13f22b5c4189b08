// Package sdk drives the built program with the official SDKs of OpenAI,
// Anthropic, Google and AWS: what they accept is the format. It is a module of
// its own, so that the SDKs are no dependency of the plugin. It needs no network
// but for the modules.
package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The mock's answers, by the name in the last user text.
const (
	askText       = "scenario:text"
	answerText    = "The answer to 1 + 1 is 2."
	askTools      = "scenario:tools_text"
	toolsText     = "Let me look that up."
	askResult     = "scenario:tool_result"
	answerResult  = "Paris 21 °C, Tokyo 28 °C, and it is 10:00."
	askStructured = "scenario:structured"
	askThinking   = "scenario:thinking"
	answerThought = "51 is 17 times 3."
	askRate       = "scenario:error_rate"
	askBroken     = "scenario:error_stream"
	model         = "mock-model-1"
)

// thought is what providers that tell it thought about askThinking.
const thought = "First, 17 is prime.\nThen 17 × 3 = 51."

// providers and what each cannot do without.
var providers = map[string]string{
	"openai":      `{}`,
	"azure":       `{"azure_instance":"acme","azure_deployment_id":"mock","azure_api_version":"2024-10-21"}`,
	"anthropic":   `{"anthropic_version":"2023-06-01"}`,
	"bedrock":     `{"bedrock":{"aws_region":"us-east-1"}}`,
	"cerebras":    `{}`,
	"cohere":      `{}`,
	"dashscope":   `{}`,
	"databricks":  `{"databricks":{"workspace_instance_id":"dbc-1"}}`,
	"deepseek":    `{}`,
	"gemini":      `{}`,
	"huggingface": `{}`,
	"llama2":      `{"llama2_format":"openai","upstream_url":"http://llama.test/v1/chat/completions"}`,
	"mistral":     `{"mistral_format":"openai"}`,
	"ollama":      `{"upstream_url":"http://ollama.test/api/chat"}`,
	"vllm":        `{"upstream_url":"http://vllm.test/v1/chat/completions"}`,
	"xai":         `{}`,
}

// counted: the provider tells usage in streams, which the mocks of these two do
// only when they are asked in a way that the providers refuse.
func counted(provider string) bool { return provider != "databricks" && provider != "mistral" }

// thinks: the provider's format tells thoughts.
func thinks(provider string) bool { return provider != "openai" && provider != "azure" }

// route is a route of the generated kong.yml.
type route struct{ format, routeType, provider, options, path string }

func (r route) entity() map[string]any {
	var options map[string]any
	if err := json.Unmarshal([]byte(r.options), &options); err != nil {
		panic(err)
	}
	auth := map[string]any{"header_name": "Authorization", "header_value": "Bearer gateway"}
	if r.provider == "bedrock" {
		auth = map[string]any{"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
	}
	name := model
	if strings.Contains(r.path, "claude") {
		name = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
	}
	target := map[string]any{"route_type": r.routeType, "auth": auth, "logging": map[string]any{"log_statistics": true},
		"model": map[string]any{"provider": r.provider, "name": name, "options": options}}
	return map[string]any{
		"name": strings.Trim(strings.ReplaceAll(r.path, "/", "-"), "-"), "paths": []string{r.path},
		"plugins": []any{map[string]any{"name": "go-ai-proxy", "config": map[string]any{
			"llm_format": r.format, "balancer": map[string]any{"retries": 0}, "targets": []any{target}}}},
	}
}

// gateway runs standalone with these routes until the test binary ends.
func gateway(dir string, mock bool, routes []route) (url string, stop func(), err error) {
	var entities []any
	for _, r := range routes {
		entities = append(entities, r.entity())
	}
	conf, err := json.Marshal(map[string]any{"_format_version": "3.0",
		"services": []any{map[string]any{"name": "ai", "url": "http://localhost:32000", "routes": entities}}})
	if err != nil {
		return "", nil, err
	}
	file := filepath.Join(dir, fmt.Sprintf("kong-%v.yml", mock))
	if err := os.WriteFile(file, conf, 0o600); err != nil {
		return "", nil, err
	}
	args := []string{"standalone", "-listen", "127.0.0.1:0", "-config", file}
	if mock {
		args = append(args, "-mock")
	}
	cmd := exec.Command(filepath.Join(dir, "go-ai-proxy"), args...)
	out := &buffer{}
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, after, ok := strings.Cut(out.String(), " on http://"); ok && strings.Contains(after, "\n") {
			return "http://" + after[:strings.IndexByte(after, '\n')], stop, nil
		}
	}
	stop()
	return "", nil, fmt.Errorf("not serving: %s", out)
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var (
	mocked string // the gateway whose providers are the mock
	direct string // the gateway in front of invoke_test.go's server
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "go-ai-proxy-sdk")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-C", "../..", "-o", filepath.Join(dir, "go-ai-proxy"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	var routes []route
	for name, options := range providers {
		routes = append(routes,
			route{"openai", "llm/v1/chat", name, options, "/openai/" + name + "/chat/completions"},
			route{"openai", "llm/v1/responses", name, options, "/openai/" + name + "/responses"},
			route{"anthropic", "llm/v1/chat", name, options, "/anthropic/" + name},
			route{"gemini", "llm/v1/chat", name, options, "/gemini/" + name},
			route{"bedrock", "llm/v1/chat", name, options, "/bedrock/" + name})
	}
	var stop func()
	if mocked, stop, err = gateway(dir, true, routes); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stop()
	invoked := newInvoke()
	defer invoked.Close()
	options := fmt.Sprintf(`{"upstream_url":%q,"bedrock":{"aws_region":"us-east-1"}}`, invoked.URL)
	var stopDirect func()
	direct, stopDirect, err = gateway(dir, false, []route{
		{"bedrock", "llm/v1/chat", "bedrock", options, "/bedrock/claude"}, {"anthropic", "llm/v1/chat", "bedrock", options, "/anthropic/claude"},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stopDirect()
	return m.Run()
}

// each runs a test for every provider.
func each(t *testing.T, f func(t *testing.T, ctx context.Context, provider string)) {
	for name := range providers {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			f(t, ctx, name)
		})
	}
}

func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// city is the argument of a call of get_weather.
func city(t *testing.T, arguments []byte) string {
	t.Helper()
	var a struct{ City string }
	if err := json.Unmarshal(arguments, &a); err != nil {
		t.Errorf("arguments %s: %v", arguments, err)
	}
	return a.City
}

var weather = map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}}
