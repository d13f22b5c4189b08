package test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// broken are configurations that no rule lets pass, and why.
var broken = []struct {
	acceptance []int
	name       string
	config     obj
	want       string
}{
	{[]int{1}, "llama2 without a URL", provider("llama2", "/x", "model.options.llama2_format", "openai", "model.options.upstream_url", absent{}), "must set 'model.options.upstream_url' for self-hosted providers/models"},
	{[]int{3}, "llama2 without a format", provider("llama2", "/x"), "must set 'model.options.llama2_format' for llama2 provider"},
	{[]int{4}, "mistral without a format", provider("mistral", "/x"), "must set 'model.options.mistral_format' for mistral provider"},
	{[]int{5}, "anthropic without a version", provider("anthropic", "/x"), "must set 'model.options.anthropic_version' for anthropic provider"},
	{[]int{6}, "statistics that do not exist", with(claude, "route_type", "llm/v1/completions"), "anthropic does not support statistics when route_type is llm/v1/completions"},
	{[]int{7}, "azure without an instance", azure("model.options.azure_instance", absent{}), "must set 'model.options.azure_instance' for azure provider"},
	{[]int{8}, "azure without a deployment", azure("model.options.azure_deployment_id", absent{}), "must set 'model.options.azure_deployment_id' for azure provider"},
	{[]int{9}, "half a header", chat("auth.header_value", absent{}), "config.auth: all or none of these fields must be set: 'header_name', 'header_value'"},
	{[]int{11}, "a parameter without a place", chat("auth", obj{"param_name": "a", "param_value": "b"}), "config.auth"},
	{[]int{14}, "bedrock with another's key", provider("bedrock", "/x", "auth", obj{"allow_override": true}), "bedrock and gemini only support auth.allow_override = false"},
	{[]int{15}, "gemini with another's key", provider("gemini", "/x", "auth", obj{"header_name": "a", "header_value": "b", "allow_override": true}), "bedrock and gemini only support auth.allow_override = false"},
	{[]int{16}, "a format of another provider", chat("llm_format", "bedrock"), "native llm_format 'bedrock' can only be used with the 'bedrock' model.provider"},
	{[]int{17}, "a format of another provider, gemini", chat("llm_format", "gemini"), "native llm_format 'gemini' can only be used with the 'gemini' model.provider"},
	{[]int{19}, "half of Vertex", provider("gemini", "/x", "model.options.gemini", obj{"api_endpoint": "x"}), "config.model.options.gemini"},
	{[]int{20}, "too hot", chat("model.options.temperature", 5.1), "config.model.options.temperature: value should be between 0 and 5"},
	{[]int{20}, "too much", chat("model.options.top_p", 1.1), "config.model.options.top_p: value should be between 0 and 1"},
	{[]int{20}, "too many", chat("model.options.top_k", 501), "config.model.options.top_k: value should be between 0 and 500"},
	{[]int{21}, "no weight", targets("weight", 0), "config.targets[1].weight: value should be between 1 and 65535"},
	{[]int{21}, "too few slots", with(targets(), "balancer.slots", 9), "config.balancer.slots: value should be between 10 and 65536"},
	{[]int{22}, "a tier without a name", chat("model.options.service_tier_factor", list{obj{"tier": "", "factor": 1}}), "config.model.options.service_tier_factor[1].tier: length must be at least 1"},
	{[]int{23}, "nobody allowed", with(targets(), "acls.allow", list{}), "config.acls.allow"},
	{[]int{50}, "an operation that the provider lacks", provider("anthropic", "/", "route_type", "llm/v1/embeddings", "model.options.anthropic_version", "2023-06-01"), "config.route_type: provider anthropic has nothing of llm/v1/embeddings: use one of llm/v1/batches, llm/v1/chat"},
	{[]int{223}, "an operation that the format lacks", llama2("raw", "/raw", "route_type", "llm/v1/embeddings"), "config.route_type: provider llama2 has nothing of llm/v1/embeddings: use one of llm/v1/chat"},
	{nil, "a field that does not exist", chat("model.optoins", obj{}), "config.model.optoins: unknown field"},
}

// targets is a configuration with a list of one target.
func targets(more ...any) obj {
	return obj{"targets": list{with(chat("model.options.upstream_url", "http://localhost/x"), more...)}}
}

// What is wrong with a configuration is said in one line, with the exit status 1.
func TestInvalidConfigurationEndsTheProgram(t *testing.T) {
	for _, c := range broken {
		t.Run(c.name, func(t *testing.T) {
			status, stderr := refused(t, nil, "-config", writeConfig(t, declare(on("/chat", there(c.config, "http://localhost")))))
			if status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) ||
				!strings.Contains(stderr, "services[ai].routes[chat].plugins[go-ai-proxy]: ") {
				t.Errorf("exit status %d, %q; want one line with %q", status, stderr, c.want)
			}
		})
	}
}

func TestStartErrorsAreOneLineThatNamesTheCause(t *testing.T) {
	secret := chat("auth.header_value", "{vault://env/my-openai-key}", "model.options.upstream_url", "http://localhost/x")
	config := writeConfig(t, declare(on("/chat", secret)))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		want string
	}{
		{"a key", nil, []string{"-config", config}, 1, "config.auth.header_value: {vault://env/my-openai-key}: environment variable MY_OPENAI_KEY is not set"},
		{"a port", []string{"MY_OPENAI_KEY=x"}, []string{"-config", config, "-listen", taken.Addr().String()}, 1,
			fmt.Sprintf("listen %s: address already in use: choose another with -listen", taken.Addr())},
		{"a file", nil, []string{"-config", filepath.Join(t.TempDir(), "nothing.yml")}, 1, "nothing.yml: no such file or directory"},
		{"all files", nil, nil, 1, "no kong.yml here: name one with -config, or try -mock"},
		{"a flag", nil, []string{"-colour"}, 2, "flag provided but not defined: -colour: -h lists them"},
		{"what a word means", nil, []string{"-mock", "now"}, 2, `standalone: what is "now"? -h lists the flags`},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, stderr := refused(t, c.env, c.args...)
			if status != c.code || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
				t.Errorf("exit status %d, %q; want one line with %q", status, stderr, c.want)
			}
		})
	}
}

func TestMockRunsStandalone(t *testing.T) {
	cmd := command(t.Context(), nil, "mock", "-listen", "127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stderr).ReadString('\n')
	_, url, ok := strings.Cut(strings.TrimSpace(line), " on ")
	if err != nil || !ok {
		t.Fatalf("%q %v", line, err)
	}
	resp, err := client.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(strings.Replace(chatBody, "{", `{"model":"x",`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || resp.StatusCode != 200 {
		t.Errorf("%s, then %v", resp.Status, err)
	}
}

func TestTheMockNeedsNoConfiguration(t *testing.T) {
	g := start(t, nil, "-mock")
	_, after, ok := strings.Cut(g.stderr.String(), "try:  curl ")
	if !ok {
		t.Fatalf("no request to try in %s", g.stderr.String())
	}
	url, rest, _ := strings.Cut(after, " ")
	_, body, _ := strings.Cut(rest, "-d '")
	body, _, _ = strings.Cut(body, "'")
	resp, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || at(g.only(t, 1), "ai.proxy.usage.total_tokens") == any(absent{}) {
		t.Errorf("%s", resp.Status)
	}
}
