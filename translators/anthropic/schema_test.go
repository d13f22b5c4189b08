package anthropic

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
)

func TestBoundsOfStrictSchemasBecomeWords(t *testing.T) {
	for schema, want := range map[string]string{
		`{"type":"object","properties":{"n":{"type":"integer","description":"how many","minimum":1,"maximum":10}},"required":["n"]}`: `{"type":"object","properties":{"n":{"type":"integer","description":"how many (minimum: 1, maximum: 10)"}},"required":["n"],"additionalProperties":false}`,
		`{"type":"array","items":{"type":"string","maxLength":3,"format":"color"},"minItems":2}`:                                     `{"type":"array","items":{"type":"string","description":"(maxLength: 3, format: \"color\")"},"description":"(minItems: 2)"}`,
		`{"type":"array","items":{"type":"string","format":"date"},"minItems":1}`:                                                    `{"type":"array","items":{"type":"string","format":"date"},"minItems":1}`,
		`{"properties":{"minimum":{"oneOf":[{"type":"string"},{"type":"null"}]}},"additionalProperties":true}`:                       `{"properties":{"minimum":{"anyOf":[{"type":"string"},{"type":"null"}]}},"additionalProperties":false}`,
		`{"type":"string","pattern":"^(?=a).*$"}`:                                                                                    `{"type":"string","description":"(pattern: \"^(?=a).*$\")"}`,
		`{"type":"string","pattern":"^a+$"}`:                                                                                         `{"type":"string","pattern":"^a+$"}`,
	} {
		if got := strictOf(chat.Raw(schema)); got == nil || string(got.text) != want {
			t.Errorf("%s\nbecame %s\nwant   %s", schema, got.text, want)
		}
	}
	if strictOf(chat.Raw(`{"type":"object","additionalProperties":{"type":"string"}}`)) != nil {
		t.Error("an object of any names can be enforced")
	}
}

func TestStrictToolsKeepToTheLimits(t *testing.T) {
	strict := true
	tool := func(properties string) chat.Tool {
		return chat.Tool{Name: "f", Strict: &strict, Parameters: chat.Raw(`{"type":"object","properties":{` + properties + `}}`)}
	}
	count := func(tools []chat.Tool) (n int) {
		for _, s := range StrictTools(&chat.Request{Tools: tools}) {
			if s != nil {
				n++
			}
		}
		return n
	}
	repeat := func(n int, t chat.Tool) (tools []chat.Tool) {
		for range n {
			tools = append(tools, t)
		}
		return tools
	}
	const optional, union = `"a":{"type":"string"},"b":{"type":"string"}`, `"a":{"type":["string","null"]},"b":{"anyOf":[]}`
	required := func(properties string) chat.Tool {
		t := tool(properties)
		t.Parameters = chat.Raw(strings.Replace(string(t.Parameters), `{"type":"object",`, `{"type":"object","required":["a","b"],`, 1))
		return t
	}
	for name, c := range map[string]struct {
		tools []chat.Tool
		want  int
	}{
		"21 tools": {repeat(21, tool("")), 20}, "26 optional properties": {repeat(13, tool(optional)), 12}, "18 unions": {repeat(9, required(union)), 8},
		"none is strict": {[]chat.Tool{{Name: "f"}}, 0},
	} {
		if got := count(c.tools); got != c.want {
			t.Errorf("%s: %d are strict, want %d", name, got, c.want)
		}
	}
}

func TestOlderModelsAreAskedForJSONInWords(t *testing.T) {
	body, err := translate(t, "claude-sonnet-4-20250514", `{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","strict":true}}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"verdict":{"type":"string"}}}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	if system, _ := body["system"].(string); !strings.Contains(system, "verdict") || body["output_config"] != nil {
		t.Errorf("system %q, output_config %v", system, body["output_config"])
	}
	if tool := body["tools"].([]any)[0].(map[string]any); tool["strict"] != nil {
		t.Errorf("the tool is strict: %v", tool)
	}
}

// "Not supported: Recursive schemas, External $ref".
// https://platform.claude.com/docs/en/build-with-claude/structured-outputs
func TestRecursiveSchemasAreNotEnforced(t *testing.T) {
	for schema, want := range map[string]bool{
		`{"type":"object","properties":{"next":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"object","properties":{"next":{"$ref":"#/$defs/A"}}}}}`: false,
		`{"type":"object","properties":{"next":{"$ref":"#"}}}`:                                      false,
		`{"type":"object","properties":{"a":{"$ref":"https://x.test/a.json"}}}`:                     false,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"string"}}}`: true,
	} {
		body, err := translate(t, "claude-sonnet-4-5", `{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":`+schema+`}}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":`+schema+`}}}`)
		if err != nil {
			t.Fatal(err)
		}
		strict := body["tools"].([]any)[0].(map[string]any)["strict"] != nil
		system, _ := body["system"].(string)
		if strict != want || (body["output_config"] != nil) != want || strings.Contains(system, "JSON schema") == want {
			t.Errorf("%s: strict %v, output_config %v, system %q", schema, strict, body["output_config"], system)
		}
	}
}
