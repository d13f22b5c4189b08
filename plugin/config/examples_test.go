package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// variables stand in Kong's examples where a reader puts values of their own, or
// where decK does.
var variables = regexp.MustCompile(`\$\{([a-z_]+)\}|\$\{\{[^}]*\}\}`)

func fillVariables(value any) any {
	switch value := value.(type) {
	case string:
		return variables.ReplaceAllStringFunc(value, func(v string) string {
			if strings.Contains(v, "url") {
				return "https://llm.example/v1/chat/completions"
			}
			return strings.Trim(v, "${} ") + ".example"
		})
	case map[string]any:
		for k, v := range value {
			value[k] = fillVariables(v)
		}
	case []any:
		for i, v := range value {
			value[i] = fillVariables(v)
		}
	}
	return value
}

// refusedExamples are those of Kong's shipped examples that its own schema
// refuses, too: they have fields that no version of it knows, or lack one.
var refusedExamples = map[string]string{
	"ai-proxy/sdk-azure-deployment.yaml":             "config.model.model: unknown field",
	"ai-proxy/sdk-two-routes.yaml":                   "config: must set 'model.options.mistral_format' for mistral provider",
	"ai-proxy/video-generation-openai.yaml":          "config.model.options.seconds: unknown field; config.model.options.size: unknown field",
	"ai-proxy-advanced/video-generation-openai.yaml": "config.targets[1].model.options.seconds: unknown field; config.targets[1].model.options.size: unknown field",
	"ai-proxy-advanced/xai-image-generation.yaml":    "config.targets[1].genai_category: unknown field",
}

func TestKongsExamplesLoad(t *testing.T) {
	const dir = "../../../shared/spec/data/kong-docs-examples"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("Kong's examples are not here: ", err)
	}
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err != nil || ext != ".yaml" && ext != ".yml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var example struct{ Config any }
		if err := yaml.Unmarshal(data, &example); err != nil {
			return err
		}
		configs, ok := example.Config.([]any)
		if !ok {
			configs = []any{example.Config}
		}
		name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
		var all []error
		for _, one := range configs {
			raw, ok := fillVariables(one).(map[string]any)
			if !ok {
				return errors.New(path + ": no config")
			}
			_, err := load(raw)
			all = append(all, err)
			n++
		}
		got := ""
		if err := errors.Join(all...); err != nil {
			got = err.Error()
		}
		if got != refusedExamples[name] {
			t.Errorf("%s:\n got %q\nwant %q", name, got, refusedExamples[name])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 80 {
		t.Errorf("only %d examples", n)
	}
}
