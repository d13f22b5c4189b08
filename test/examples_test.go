package test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// agent is what a program sends, in short, and what its stream must have.
type agent struct {
	path, body string
	headers    []string
	want       []string // in this order
}

const (
	openAIAgent = `{"model":"claude-sonnet-4-5","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"You are an agent."},{"role":"user","content":"scenario:tools"}],` +
		`"tools":[{"type":"function","function":{"name":"get_weather","description":"Weather.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}],"tool_choice":"auto"}`
	claudeCode = `{"model":"claude-haiku-4-5-20251001","max_tokens":32000,"stream":true,"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.0; cch=00000;"},{"type":"text","text":"You are Claude Code.","cache_control":{"type":"ephemeral"}}],` +
		`"messages":[{"role":"user","content":[{"type":"text","text":"scenario:tools","cache_control":{"type":"ephemeral"}}]}],"tools":[{"name":"get_weather","description":"Weather.","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}}],"metadata":{"user_id":"u"}}`
	codex = `{"model":"gpt-5-codex","instructions":"You are Codex.","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"scenario:tools"}]}],"tools":[{"type":"function","name":"shell","strict":false,"parameters":{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"}}}}},` +
		`{"type":"custom","name":"apply_patch","description":"Edits files.","format":{"type":"grammar","syntax":"lark","definition":"start: /.+/"}}],"tool_choice":"auto","parallel_tool_calls":false,"store":false,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"k","client_metadata":{"x-codex-installation-id":"i"}}`
	geminiCLI = `{"contents":[{"role":"user","parts":[{"text":"scenario:tools"}]}],"systemInstruction":{"role":"user","parts":[{"text":"You are an agent."}]},"tools":[{"functionDeclarations":[{"name":"get_weather","description":"Weather.","parametersJsonSchema":{"type":"object","properties":{"city":{"type":"string"}}}}]}],` +
		`"generationConfig":{"temperature":1,"topP":0.95,"topK":64,"thinkingConfig":{"includeThoughts":true,"thinkingBudget":-1}}}`
)

// agents are the programs that examples/ has a folder for.
var agents = map[string]agent{
	"codex": {"/v1/responses", codex, []string{"Originator", "codex_cli_rs", "Session_id", "s", "X-Codex-Turn-Metadata", "{}", "Accept", "text/event-stream"},
		[]string{"response.created", "function_call", "response.completed"}},
	"claude-code": {"/v1/messages?beta=true", claudeCode, []string{"Anthropic-Version", "2023-06-01", "Anthropic-Beta", "claude-code-20250219,interleaved-thinking-2025-05-14", "X-App", "cli", "X-Stainless-Lang", "js"},
		[]string{"message_start", "tool_use", "message_stop"}},
	"gemini-cli": {"/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", geminiCLI, []string{"X-Goog-Api-Key", "none", "X-Goog-Api-Client", "google-genai-sdk/1.0"},
		[]string{"functionCall", "finishReason"}},
	"opencode": {}, "cline": {}, "copilot-byok": {}, "open-webui": {}, "langchain": {}, "ai-sdk": {},
}

// speak sends what an agent sends to a route and looks at the stream it gets.
func speak(t *testing.T, g *gateway, name string) {
	t.Helper()
	a := agents[name]
	if a.path == "" {
		a = agent{"/v1/chat/completions", openAIAgent, []string{"X-Stainless-Lang", "js"}, []string{"tool_calls", `"usage":{`, "[DONE]"}}
	}
	req, err := http.NewRequest(http.MethodPost, g.url+"/"+name+a.path, strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer none")
	for i := 0; i < len(a.headers); i += 2 {
		req.Header.Set(a.headers[i], a.headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%d %v %s %v", resp.StatusCode, resp.Header, body, err)
	}
	rest, ok := string(body), true
	for _, want := range a.want {
		if _, rest, ok = strings.Cut(rest, want); !ok {
			t.Fatalf("no %s in its place in\n%s", want, body)
		}
	}
}

// TestExamplesServeTheirAgents starts the program with each example, and sends what
// the agent sends.
func TestExamplesServeTheirAgents(t *testing.T) {
	files, err := filepath.Glob("../examples/*/kong.yml")
	if err != nil || len(files) != len(agents) {
		t.Fatalf("%v of %d agents, %v", files, len(agents), err)
	}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		t.Run(name, func(t *testing.T) {
			if out, err := command(t.Context(), nil, "check", file).CombinedOutput(); err != nil || !strings.Contains(string(out), " 0 errors") {
				t.Errorf("check: %v\n%s", err, out)
			}
			speak(t, start(t, nil, "-mock", "-config", file), name)
		})
	}
}

func TestMockServesEveryAgentWithoutAConfiguration(t *testing.T) {
	g := start(t, nil, "-mock")
	for name := range agents {
		t.Run(name, func(t *testing.T) { speak(t, g, name) })
	}
}

// TestExamplesNameTheirRoute compares the addresses and files that each README names
// with its kong.yml.
func TestExamplesNameTheirRoute(t *testing.T) {
	main, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range agents {
		text, err := os.ReadFile("../examples/" + name + "/README.md")
		if err != nil {
			t.Fatal(err)
		}
		conf, err := os.ReadFile("../examples/" + name + "/kong.yml")
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n < 20 || n > 40 {
			t.Errorf("%s: %d lines", name, n)
		}
		if !strings.Contains(string(conf), `paths: ["/`+name+`"]`) || !strings.Contains(string(conf), "name: "+name+"\n") {
			t.Errorf("%s: kong.yml has another route", name)
		}
		addresses := regexp.MustCompile(`http://(?:localhost|host\.docker\.internal):(\d+)(/[a-z-]+)?`).FindAllStringSubmatch(string(text), -1)
		if len(addresses) == 0 {
			t.Errorf("%s: no address in the README", name)
		}
		for _, a := range addresses {
			if a[1] != "8000" || a[2] != "/"+name {
				t.Errorf("%s: the README names %s", name, a[0])
			}
		}
		if strings.Count(string(text), "-config examples/"+name+"/kong.yml") != 2 || !strings.Contains(string(main), "(../examples/"+name+")") {
			t.Errorf("%s: its README and docs/clients.md do not name its folder", name)
		}
		for variable := range strings.FieldsSeq("ANTHROPIC_API_KEY= OPENAI_AUTH_HEADER=") {
			vault := "{vault://env/" + strings.ToLower(strings.ReplaceAll(strings.TrimSuffix(variable, "="), "_", "-")) + "}"
			if strings.Contains(string(text), variable) != strings.Contains(string(conf), vault) {
				t.Errorf("%s: %s in one of README and kong.yml", name, variable)
			}
		}
	}
}
