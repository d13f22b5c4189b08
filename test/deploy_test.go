package test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"go-ai-proxy/plugin"
	pluginconfig "go-ai-proxy/plugin/config"
	kongside "go-ai-proxy/plugin/gateway"
	"go-ai-proxy/plugin/monitor"
)

func source(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestShippedConfigurationIsServed starts the program with kong.yml, against
// the mock.
func TestShippedConfigurationIsServed(t *testing.T) {
	g := start(t, nil, "-mock", "-config", "../kong.yml")
	for _, path := range []string{"/openai/chat", "/anthropic/chat", "/models/mistral-small-latest/chat", "/mock/chat"} {
		resp, body := post(t, g.url+path, `{"messages":[{"role":"user","content":"hi"}]}`)
		if resp.StatusCode != 200 || !strings.Contains(body, `"choices"`) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}

// TestDockerfileMatchesTheProgramsNames holds Dockerfile, compose file and the
// program's own names against each other.
func TestDockerfileMatchesTheProgramsNames(t *testing.T) {
	docker := source(t, "Dockerfile")
	for _, want := range []string{
		"-o /" + plugin.Name + " .",
		"COPY --from=build /" + plugin.Name + " /usr/local/bin/" + plugin.Name,
		"COPY kong/plugins/go-ai-proxy schema.json /opt/go-ai-proxy/kong/plugins/go-ai-proxy/",
		"/usr/local/kong/" + plugin.Socket,
		`START_CMD="/usr/local/bin/` + plugin.Name + ` -kong-prefix /usr/local/kong"`,
		`QUERY_CMD="/usr/local/bin/` + plugin.Name + ` -dump"`,
		"USER kong",
	} {
		if !strings.Contains(docker, want) {
			t.Errorf("Dockerfile lacks %q", want)
		}
	}
	if last := docker[strings.LastIndex(docker, "\nUSER "):]; !strings.HasPrefix(last, "\nUSER kong") {
		t.Error("the image does not end as an unprivileged user")
	}
	if _, err := os.Stat("../kong/plugins/go-ai-proxy/handler.lua"); err != nil {
		t.Error(err)
	}
	gomod, version := source(t, "go.mod"), regexp.MustCompile(`golang:(\d+\.\d+)`).FindStringSubmatch(docker)
	if version == nil || !strings.Contains(gomod, "\ngo "+version[1]) {
		t.Errorf("the Dockerfile builds with %v, go.mod says otherwise", version)
	}
}

// TestShimAndProgramAgree holds the names that the Lua and the Go side share.
func TestShimAndProgramAgree(t *testing.T) {
	lua := source(t, "kong/plugins/go-ai-proxy/handler.lua") + source(t, "kong/plugins/go-ai-proxy/records.lua")
	for _, want := range []string{plugin.Version, kongside.RecordSocket, "770"} {
		if !strings.Contains(lua, want) {
			t.Errorf("the shim lacks %q", want)
		}
	}
	dump, err := exec.Command(binary, "-dump").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"` + plugin.Name + `"`, `"Priority":770`, `"Version":"` + plugin.Version + `"`} {
		if !strings.Contains(string(dump), want) {
			t.Errorf("-dump lacks %s", want)
		}
	}
}

// TestComposeFileMatchesTheOtherFiles holds ports, volumes, variables and the mock's
// address.
func TestComposeFileMatchesTheOtherFiles(t *testing.T) {
	var compose struct {
		Services map[string]struct {
			Build       string
			Image       string
			Profiles    []string
			Entrypoint  []string
			Environment map[string]string
			Ports       []string
			Volumes     []string
		}
	}
	if err := yaml.Unmarshal([]byte(source(t, "docker-compose.yml")), &compose); err != nil {
		t.Fatal(err)
	}
	kong, mock := compose.Services["kong"], compose.Services["mock"]
	if kong.Build != "." || kong.Environment["KONG_DECLARATIVE_CONFIG"] != "/etc/kong/kong.yml" || kong.Volumes[0] != "./kong.yml:/etc/kong/kong.yml:ro" {
		t.Errorf("kong: %+v", kong)
	}
	if len(mock.Profiles) != 1 || mock.Profiles[0] != "mock" || strings.Join(mock.Entrypoint, " ") != "/usr/local/bin/go-ai-proxy mock -listen 0.0.0.0:9100" {
		t.Errorf("mock: %+v", mock)
	}
	if redis := compose.Services["redis"]; !slices.Equal(redis.Profiles, []string{"redis"}) || !strings.HasPrefix(redis.Image, "redis:") || len(redis.Ports) > 0 {
		t.Errorf("redis: %+v", redis)
	}
	if kong.Environment[plugin.RedisEnv] != "${"+plugin.RedisEnv+":-}" {
		t.Errorf("%s is %q: without it there is no Redis", plugin.RedisEnv, kong.Environment[plugin.RedisEnv])
	}
	config := source(t, "kong.yml")
	if !strings.Contains(config, "http://mock:9100/") {
		t.Error("kong.yml has no route to the mock of the compose file")
	}
	for _, m := range regexp.MustCompile(`\{vault://env/([a-z-]+)\}`).FindAllStringSubmatch(config, -1) {
		name := strings.ToUpper(strings.ReplaceAll(m[1], "-", "_"))
		if _, ok := kong.Environment[name]; !ok {
			t.Errorf("kong.yml refers to %s, which docker-compose.yml does not pass on", name)
		}
	}
	scraped := source(t, "deploy/prometheus/prometheus.yml")
	if !strings.Contains(scraped, "kong:8100") || kong.Environment["KONG_STATUS_LISTEN"] != "0.0.0.0:8100" {
		t.Error("Prometheus does not scrape Kong's status listener")
	}
	if !strings.Contains(scraped, "kong:9542") || kong.Environment[monitor.AddrEnv] != "0.0.0.0:9542" || kong.Environment[monitor.PublicEnv] != "on" {
		t.Error("Prometheus does not scrape the plugin")
	}
	docker := source(t, "Dockerfile")
	for name := range kong.Environment {
		if strings.HasPrefix(name, "GO_AI_PROXY_") && !strings.Contains(docker, name) {
			t.Errorf("Kong does not pass %s on: it is not in KONG_NGINX_MAIN_ENV", name)
		}
	}
	for name, s := range compose.Services {
		for _, v := range s.Volumes {
			file, _, _ := strings.Cut(v, ":")
			if _, err := os.Stat("../" + file); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, p := range s.Ports {
			if (name == "grafana" || name == "prometheus") && !strings.HasPrefix(p, "127.0.0.1:") || strings.HasSuffix(p, ":9542") && !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: %s has no password and is published to all", name, p)
			}
		}
	}
	var provider struct {
		Providers []struct{ Options struct{ Path string } }
	}
	if err := yaml.Unmarshal([]byte(source(t, "deploy/grafana/provisioning/dashboards/dashboards.yml")), &provider); err != nil {
		t.Fatal(err)
	}
	if path := provider.Providers[0].Options.Path; !slices.Contains(compose.Services["grafana"].Volumes, "./deploy/grafana/dashboards:"+path+":ro") {
		t.Errorf("Grafana looks for dashboards in %s", path)
	}
}

// documents returns the documents of a YAML file of deploy/.
func documents(t *testing.T, name string) (all []map[string]any) {
	t.Helper()
	for d := yaml.NewDecoder(strings.NewReader(source(t, "deploy/"+name))); ; {
		var one map[string]any
		switch err := d.Decode(&one); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, one)
	}
}

// TestKubernetesFilesConfigureThePlugin: each config in them is one that the schema
// takes, with the secret that a patch puts in.
func TestKubernetesFilesConfigureThePlugin(t *testing.T) {
	schema, err := pluginconfig.NewSchema([]byte(source(t, "schema.json")))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, d := range documents(t, "kubernetes/plugins.yaml") {
		kind := d["kind"].(string)
		seen[kind] = true
		// https://developer.konghq.com/operator/reference/secrets
		if labels, _ := d["metadata"].(map[string]any)["labels"].(map[string]any); kind == "Secret" && labels["konghq.com/secret"] != "true" {
			t.Errorf("Kong's operator does not read the secret: labels %v", labels)
		}
		if kind != "KongPlugin" && kind != "KongClusterPlugin" {
			continue
		}
		if d["plugin"] != plugin.Name || d["apiVersion"] != "configuration.konghq.com/v1" {
			t.Errorf("%s: plugin %v, apiVersion %v", kind, d["plugin"], d["apiVersion"])
		}
		c := d["config"].(map[string]any)
		patches, _ := d["configPatches"].([]any)
		for _, p := range patches {
			path := strings.Split(strings.TrimPrefix(p.(map[string]any)["path"].(string), "/"), "/")
			c[path[0]].(map[string]any)[path[1]] = "Bearer key"
		}
		if _, err := schema.Process(c); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, kind := range []string{"Secret", "KongPlugin", "KongClusterPlugin", "HTTPRoute", "Service"} {
		if !seen[kind] {
			t.Errorf("no %s", kind)
		}
	}
	if out, err := exec.Command(binary, "check", "-strict", "../deploy/deck.yaml").CombinedOutput(); err == nil || strings.Count(string(out), "is not set") != 1 || !strings.Contains(string(out), "0 errors, 1 warning") {
		t.Errorf("deck.yaml: %s", out)
	}
}

// TestHelmValuesAgreeWithTheImage: the settings, the paths and the prefix.
func TestHelmValuesAgreeWithTheImage(t *testing.T) {
	docker := source(t, "Dockerfile")
	for _, name := range []string{"values-image.yaml", "values-init-container.yaml"} {
		values := documents(t, "kubernetes/"+name)[0]
		env := values["env"].(map[string]any)
		for key := range env {
			if variable := "KONG_" + strings.ToUpper(key); !strings.Contains(docker, variable) && key != "nginx_proxy_client_body_buffer_size" {
				t.Errorf("%s: %s is not among the image's settings", name, variable)
			}
		}
		for key, want := range map[string]string{
			"plugins":                         "bundled," + plugin.Name,
			"pluginserver_go_ai_proxy_socket": "/kong_prefix/" + plugin.Socket,
		} {
			if env[key] != want {
				t.Errorf("%s: %s is %v, want %s", name, key, env[key], want)
			}
		}
		if start := env["pluginserver_go_ai_proxy_start_cmd"].(string); !strings.HasSuffix(start, "/go-ai-proxy -kong-prefix /kong_prefix") {
			t.Errorf("%s: start command %q", name, start)
		}
		outlives(t, name, values, values)
		for variable := range values["customEnv"].(map[string]any) {
			if passed, ok := env["nginx_main_env"].(string); ok && !strings.Contains(passed, variable) || !strings.Contains(docker, variable) {
				t.Errorf("%s: Kong does not pass %s on", name, variable)
			}
		}
	}
	command := documents(t, "kubernetes/values-init-container.yaml")[0]["deployment"].(map[string]any)["initContainers"].([]any)[0].(map[string]any)["command"].([]any)[2].(string)
	for _, from := range []string{"/usr/local/bin/go-ai-proxy", "/opt/go-ai-proxy/kong"} {
		if !strings.Contains(command, from) || !strings.Contains(docker, from) {
			t.Errorf("the init container copies %q; the image has %s", command, from)
		}
	}
	operated := documents(t, "kubernetes/gateway-operator.yaml")[0]
	pod := at(operated, "spec.dataPlaneOptions.deployment.podTemplateSpec.spec").(map[string]any)
	outlives(t, "gateway-operator.yaml", pod, pod["containers"].([]any)[0].(map[string]any))
	image := fmt.Sprint(operated)
	for _, want := range []string{"bundled," + plugin.Name, "go-ai-proxy:v" + plugin.Version} {
		if !strings.Contains(image, want) {
			t.Errorf("gateway-operator.yaml lacks %s", want)
		}
	}
}

// outlives holds that a pod is given more time than kong quit takes: without --timeout it
// ends open streams after 10 s, whatever terminationGracePeriodSeconds says.
func outlives(t *testing.T, file string, pod, container map[string]any) {
	t.Helper()
	var wait, timeout int
	command := fmt.Sprint(at(container, "lifecycle.preStop.exec.command"))
	if _, err := fmt.Sscanf(command, "[kong quit --wait=%d --timeout=%d]", &wait, &timeout); err != nil {
		t.Errorf("%s: preStop is %q: %v", file, command, err)
	}
	if grace, _ := pod["terminationGracePeriodSeconds"].(int); timeout < 60 || grace <= wait+timeout {
		t.Errorf("%s: kong quit takes up to %d s, the pod is given %d s", file, wait+timeout, grace)
	}
}

// TestServiceUnitStartsTheProgram: its command line is one that the program takes.
func TestServiceUnitStartsTheProgram(t *testing.T) {
	unit := source(t, "deploy/systemd/go-ai-proxy.service")
	m := regexp.MustCompile(`ExecStart=/usr/local/bin/go-ai-proxy (.+)`).FindStringSubmatch(unit)
	if m == nil {
		t.Fatal("no ExecStart")
	}
	args := strings.Fields(strings.Replace(m[1], "/etc/go-ai-proxy/kong.yml", "/nowhere/kong.yml", 1))
	out, err := command(t.Context(), nil, args...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "/nowhere/kong.yml: no such file") {
		t.Errorf("%v: %s", err, out)
	}
}
