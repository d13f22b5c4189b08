package target

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

// names are the options of a struct, by their names in JSON, with dots.
func names(prefix string, of reflect.Type, into map[string]bool) {
	for i := range of.NumField() {
		f := of.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch name := prefix + tag; {
		case f.Anonymous:
			names(prefix, f.Type, into)
		case f.Type.Kind() == reflect.Struct:
			names(name+".", f.Type, into)
		default:
			into[name] = true
		}
	}
}

func TestEveryOptionHasOneRow(t *testing.T) {
	fields, rows := map[string]bool{}, map[string]bool{}
	names("", reflect.TypeFor[Options](), fields)
	for i := range List {
		name := List[i].Name
		if rows[name] {
			t.Errorf("%s has two rows", name)
		}
		rows[name] = true
	}
	for name := range fields {
		if !rows[name] {
			t.Errorf("%s has no row", name)
		}
	}
	for i := range List {
		for _, other := range []string{List[i].Needs, List[i].Unless} {
			if other != "" && !rows[other] {
				t.Errorf("%s names %q, which is no option", List[i].Name, other)
			}
		}
	}
}

// optionsIn are the fields of `model.options` in schema.json, with their defaults.
func optionsIn(t *testing.T) map[string]any {
	data, err := os.ReadFile("../../schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type node = map[string]any
	var file node
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	at := func(n node, name string) node {
		for _, f := range n["fields"].([]any) {
			if m, ok := f.(node)[name]; ok {
				return m.(node)
			}
		}
		t.Fatal("schema.json has no " + name)
		return nil
	}
	found := map[string]any{}
	var walk func(prefix string, n node)
	walk = func(prefix string, n node) {
		for _, f := range n["fields"].([]any) {
			for name, m := range f.(node) {
				if m := m.(node); m["type"] == "record" {
					walk(prefix+name+".", m)
				} else {
					found[prefix+name] = m["default"]
				}
			}
		}
	}
	walk("", at(at(at(file, "config"), "model"), "options"))
	return found
}

func TestOptionRowsMatchTheSchema(t *testing.T) {
	fields := optionsIn(t)
	for i := range List {
		o := &List[i]
		value, found := fields[o.Name]
		if !found {
			t.Errorf("schema.json has no %s", o.Name)
		}
		written := ""
		switch value := value.(type) {
		case string:
			written = value
		case bool:
			if value {
				written = "true"
			}
		}
		if written != o.Default {
			t.Errorf("%s: the default is %q, in schema.json %v", o.Name, o.Default, value)
		}
		delete(fields, o.Name)
	}
	for name := range fields {
		t.Errorf("%s of schema.json has no row", name)
	}
}

func TestOptionWithItsDefaultCountsAsNotSet(t *testing.T) {
	for _, c := range []struct {
		name string
		set  bool
		o    Options
	}{
		{"max_tokens", false, Options{}},
		{"max_tokens", true, Options{MaxTokens: new(0)}},
		{"azure_api_version", false, Options{AzureAPIVersion: "2023-05-15"}},
		{"azure_api_version", true, Options{AzureAPIVersion: "preview"}},
		{"dashscope.international", false, Options{Dashscope: Dashscope{International: new(true)}}},
		{"dashscope.international", true, Options{Dashscope: Dashscope{International: new(false)}}},
		{"huggingface.use_cache", true, Options{Huggingface: Huggingface{UseCache: new(false)}}},
		{"service_tier_factor", false, Options{Prices: Prices{ServiceTierFactor: []TierFactor{}}}},
		{"service_tier_factor", true, Options{Prices: Prices{ServiceTierFactor: []TierFactor{{}}}}},
		{"bedrock.embeddings_normalize", true, Options{Bedrock: Bedrock{EmbeddingsNormalize: true}}},
	} {
		if got := Named(c.name).IsSet(&c.o); got != c.set {
			t.Errorf("%s: set %t", c.name, got)
		}
	}
}

func TestUnsetOptionIsTakenFromTheEnvironment(t *testing.T) {
	env := map[string]string{"AWS_DEFAULT_REGION": "eu-west-3"}
	getenv := func(name string) string { return env[name] }
	var o Options
	o.FromEnvironment("openai", getenv)
	if o.Bedrock.AWSRegion != "" {
		t.Errorf("another provider's option is set: %q", o.Bedrock.AWSRegion)
	}
	if o.FromEnvironment("bedrock", getenv); o.Bedrock.AWSRegion != "eu-west-3" {
		t.Errorf("region %q", o.Bedrock.AWSRegion)
	}
	env["AWS_REGION"] = "us-east-2"
	if o.FromEnvironment("bedrock", getenv); o.Bedrock.AWSRegion != "eu-west-3" {
		t.Errorf("what is configured was replaced: %q", o.Bedrock.AWSRegion)
	}
	o = Options{}
	if o.FromEnvironment("bedrock", getenv); o.Bedrock.AWSRegion != "us-east-2" {
		t.Errorf("the first variable does not win: %q", o.Bedrock.AWSRegion)
	}
}

func TestOptionsWithTemplatesAreStrings(t *testing.T) {
	for i := range List {
		o := &List[i]
		text := o.in(&Options{}).Kind() == reflect.String
		if !text && (o.Lands != Nowhere || o.Identity || o.Env != nil || o.Mock != "" || o.Logged != "") {
			t.Errorf("%s is no string", o.Name)
		}
	}
}
