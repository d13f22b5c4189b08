package gemini

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

func onPublic(model string) target.Target {
	return target.Target{Provider: "gemini", Route: "llm/v1/chat", Model: model, Options: &target.Options{}}
}

// translate is the body for an OpenAI request.
func translate(t *testing.T, to target.Target, body string) (string, error) {
	t.Helper()
	req, err := chat.ParseRequest(openai.Chat, []byte(body))
	if err != nil {
		return "", err
	}
	if _, err := (&provider.Operation{Hosts: hosts}).Offer(&to, req); err != nil {
		return "", err
	}
	out, err := Generate.AppendRequest([]byte("x"), &to, req)
	if err != nil {
		return "", err
	}
	if out[0] != 'x' || !json.Valid(out[1:]) {
		t.Fatalf("not JSON, or not appended: %s", out)
	}
	return string(out[1:]), nil
}

func TestConversationBecomesContents(t *testing.T) {
	got, err := translate(t, onPublic("gemini-1.5-flash"), `{"max_tokens":8192,"temperature":0.8,"top_p":0.6,"top_k":1,"messages":[
		{"role":"system","content":"You add."},{"role":"user","content":"1+2?"},{"role":"assistant","content":"3"},
		{"role":"developer","content":"Be kind."},{"role":"user","content":"Times 2?"},{"role":"user","content":"Please."}]}`)
	if err != nil {
		t.Fatal(err)
	}
	jsontest.Same(t, got, `{"systemInstruction":{"parts":[{"text":"You add.\nBe kind."}]},
		"contents":[{"role":"user","parts":[{"text":"1+2?"}]},{"role":"model","parts":[{"text":"3"}]},{"role":"user","parts":[{"text":"Times 2?"},{"text":"Please."}]}],
		"generationConfig":{"maxOutputTokens":8192,"temperature":0.8,"topP":0.6,"topK":1}}`)
}

func TestRequestParts(t *testing.T) {
	user := func(parts string) string {
		return `{"messages":[{"role":"user","content":[` + parts + `]}]}`
	}
	for _, c := range []struct{ name, model, body, want string }{
		{"image on the web", "gemini-2.5-pro", user(`{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}`),
			`[{"role":"user","parts":[{"fileData":{"mimeType":"image/generic","fileUri":"https://x.example/a.png"}}]}]`},
		{"image in a bucket", "gemini-2.5-pro", user(`{"type":"image_url","image_url":{"url":"gs://b/a.jpg"}}`),
			`[{"role":"user","parts":[{"fileData":{"mimeType":"image/jpeg","fileUri":"gs://b/a.jpg"}}]}]`},
		{"image data", "gemini-2.5-pro", user(`{"type":"image_url","image_url":{"url":"data:image/png;base64,XX=="}}`),
			`[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"XX=="}}]}]`},
		{"sound", "gemini-2.5-pro", user(`{"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}}`),
			`[{"role":"user","parts":[{"inlineData":{"mimeType":"audio/wav","data":"UklG"}}]}]`},
		{"document", "gemini-2.5-pro", user(`{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}}`),
			`[{"role":"user","parts":[{"inlineData":{"mimeType":"application/pdf","data":"JVBE"}}]}]`},
		{"uploaded file", "gemini-2.5-pro", user(`{"type":"file","file":{"file_id":"files/abc"}}`),
			`[{"role":"user","parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/abc"}}]}]`},
		{"calls and results", "gemini-2.5-pro", `{"messages":[{"role":"user","content":"go"},
			{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1.0}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":""}}]},
			{"role":"tool","tool_call_id":"c2","content":"late"},{"role":"tool","tool_call_id":"c1","content":"{\"ok\":true}"},{"role":"user","content":"so?"}]}`,
			`[{"role":"user","parts":[{"text":"go"}]},
			{"role":"model","parts":[{"functionCall":{"id":"c1","name":"f","args":{"a":1.0}}},{"functionCall":{"id":"c2","name":"g","args":{}}}]},
			{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"f","response":{"ok":true}}},{"functionResponse":{"id":"c2","name":"g","response":{"output":"late"}}}]},
			{"role":"user","parts":[{"text":"so?"}]}]`},
		{"calls without a signature, to Gemini 3", "gemini-3-flash", `{"messages":[{"role":"user","content":"go"},
			{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},
			{"role":"tool","tool_call_id":"c1","content":"[1]"},{"role":"tool","tool_call_id":"c2","content":"2"}]}`,
			`[{"role":"user","parts":[{"text":"go"}]},
			{"role":"model","parts":[{"functionCall":{"id":"c1","name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"c2","name":"g","args":{}}}]},
			{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"f","response":{"output":"[1]"}}},{"functionResponse":{"id":"c2","name":"g","response":{"output":"2"}}}]}]`},
		{"a call's own signature", "gemini-3-flash", `{"messages":[{"role":"user","content":"go"},
			{"role":"assistant","tool_calls":[{"id":"c1","type":"function","extra_content":{"google":{"thought_signature":"c2ln"}},"function":{"name":"f","arguments":"{}"}}]},
			{"role":"tool","tool_call_id":"c1","content":"1"}]}`,
			`[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"id":"c1","name":"f","args":{}},"thoughtSignature":"c2ln"}]},
			{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"f","response":{"output":"1"}}}]}]`},
		{"an unsigned thought is not sent back", "gemini-2.5-pro", `{"messages":[{"role":"user","content":"go"},{"role":"assistant","reasoning_content":"hm","content":"done"},{"role":"user","content":"more"}]}`,
			`[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"text":"done"}]},{"role":"user","parts":[{"text":"more"}]}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := translate(t, onPublic(c.model), c.body)
			if err != nil {
				t.Fatal(err)
			}
			var body struct{ Contents json.RawMessage }
			if err := json.Unmarshal([]byte(got), &body); err != nil {
				t.Fatal(err)
			}
			jsontest.Same(t, string(body.Contents), c.want)
		})
	}
}

func TestVertexV1HasNoCallIDs(t *testing.T) {
	got, err := translate(t, onGoogleCloud("gemini-2.5-pro"), `{"messages":[{"role":"user","content":"go"},
		{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"1"}]}`)
	if err != nil || strings.Contains(got, "c1") {
		t.Errorf("an id reaches Vertex: %s (%v)", got, err)
	}
}

func TestSameFunctionCalledInTwoTurnsKeepsItsName(t *testing.T) {
	got, err := translate(t, onPublic("gemini-2.5-pro"), `{"messages":[{"role":"user","content":"go"},
		{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"first","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"1"},
		{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"second","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"2"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got, `{"functionResponse":{"id":"c1","name":"first","response":{"output":"1"}}}`) ||
		!strings.Contains(got, `{"functionResponse":{"id":"c1","name":"second","response":{"output":"2"}}}`) {
		t.Errorf("names: %s", got)
	}
}

func TestUntranslatableRequestsAreRefused(t *testing.T) {
	for _, c := range []struct{ name, model, body, want string }{
		{"text part without text", "m", `{"messages":[{"role":"user","content":[{"type":"text"}]}]}`, "message part type is 'text' but is missing .text block"},
		{"image without URL", "m", `{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, "message part type is 'image_url' but is missing .image_url.url block"},
		{"unknown part", "m", `{"messages":[{"role":"user","content":[{"type":"doesnt_exist"}]}]}`, "cannot transform part of type 'doesnt_exist' to Gemini format"},
		{"empty content", "m", `{"messages":[{"role":"user","content":"a"},{"role":"user","content":[]}]}`, "message at position 2 does not match expected array format"},
		{"system for 1.0", "gemini-1.0-pro", `{"messages":[{"role":"system","content":"a"},{"role":"user","content":"a"}]}`, "system prompts aren't supported on gemini-1.0 models"},
		{"arguments", "m", `{"messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{oops"}}]}]}`, "messages[0].tool_calls[0].function.arguments: must be a JSON object"},
		{"result of nothing", "m", `{"messages":[{"role":"tool","tool_call_id":"a","content":"1"}]}`, "messages[0].tool_call_id: no earlier tool call has the id 'a'"},
		{"tool of another maker", "m", `{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"file_search"}]}`, "tools[0]: the target runs no file_search of its own"},
		{"file of another maker", "m", `{"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]}`, "messages[0].content[0]: Gemini knows no file 'file-1'"},
		{"generationConfig", "m", `{"messages":[{"role":"user","content":"a"}],"generationConfig":[1]}`, "generationConfig: must be an object"},
		{"response format", "m", `{"messages":[{"role":"user","content":"a"}],"response_format":{"type":"grammar"}}`, "response_format.type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := translate(t, onPublic(c.model), c.body)
			var refused *chat.RequestError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, %v, want a RequestError with %q", got, err, c.want)
			}
		})
	}
}

func TestRequestMembers(t *testing.T) {
	const tool = `{"type":"function","function":{"name":"f","parameters":%}}`
	with := func(members string) string { return `{"messages":[{"role":"user","content":"a"}],` + members + `}` }
	function := func(schema string) string { return with(`"tools":[` + strings.ReplaceAll(tool, "%", schema) + `]`) }
	for _, c := range []struct {
		name   string
		to     target.Target
		body   string
		member string
		want   string
	}{
		{"a schema that fits", onPublic("m"), function(`{"type":"object","properties":{"a":{"type":"string","enum":["x"]}},"required":["a"]}`), "tools",
			`[{"functionDeclarations":[{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string","enum":["x"]}},"required":["a"]}}]}]`},
		{"a schema that does not", onPublic("m"), function(`{"type":"object","properties":{"a":{"type":["string","null"]}},"additionalProperties":false}`), "tools",
			`[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object","properties":{"a":{"type":["string","null"]}},"additionalProperties":false}}]}]`},
		{"a schema of an object without properties", onPublic("m"), function(`{"type":"object"}`), "tools",
			`[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object","properties":{}}}]}]`},
		{"an object without properties inside", onPublic("m"), function(`{"type":"object","properties":{"a":{"type":"object"}}}`), "tools",
			`[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object","properties":{"a":{"type":"object"}}}}]}]`},
		{"native tools", onPublic("m"), with(`"tools":[{"googleSearch":{}},{"type":"function","function":{"name":"f"}},{"codeExecution":{}}]`), "tools",
			`[{"functionDeclarations":[{"name":"f"}]},{"googleSearch":{}},{"codeExecution":{}}]`},
		{"no tools", onPublic("m"), with(`"tools":[]`), "tools", `null`},
		{"a chosen tool", onPublic("m"), with(`"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"f"}}`), "toolConfig",
			`{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}`},
		{"its own tool config", onPublic("m"), with(`"tool_choice":"auto","tools":[{"googleMaps":{}}],"tool_config":{"retrievalConfig":{"languageCode":"de"}}`), "toolConfig",
			`{"retrievalConfig":{"languageCode":"de"}}`},
		{"a choice among functions", onPublic("m"), with(`"tool_choice":"auto","tools":[{"function":{"name":"f"}}]`), "toolConfig", `{"functionCallingConfig":{"mode":"AUTO"}}`},
		{"search beside functions", onPublic("gemini-3-pro"), with(`"tools":[{"function":{"name":"f"}},{"type":"web_search_20250305","name":"web_search"}]`), "toolConfig", `{"includeServerSideToolInvocations":true}`},
		{"search beside functions for 2.5", onPublic("models/gemini-2.5-pro"), with(`"tools":[{"function":{"name":"f"}},{"type":"web_search"}]`), "tools", `[{"functionDeclarations":[{"name":"f"}]}]`},
		{"search beside functions on Vertex", onGoogleCloud("gemini-3-pro"), with(`"tools":[{"function":{"name":"f"}},{"type":"web_search"}]`), "tools", `[{"functionDeclarations":[{"name":"f"}]}]`},
		{"other makers' tools", onPublic("gemini-2.5-pro"), with(`"tool_choice":{"type":"function","function":{"name":"web_search"}},"tools":[{"type":"web_search"},{"type":"web_fetch_20250910","name":"web_fetch"},{"type":"code_interpreter"}]`), "tools",
			`[{"googleSearch":{}},{"urlContext":{}},{"codeExecution":{}}]`},
		{"effort for 2.5", onPublic("gemini-2.5-flash"), with(`"reasoning_effort":"medium"`), "generationConfig", `{"thinkingConfig":{"includeThoughts":true,"thinkingBudget":8192}}`},
		{"no effort for 2.5", onPublic("gemini-2.5-flash"), with(`"reasoning_effort":"none"`), "generationConfig", `{"thinkingConfig":{"includeThoughts":false,"thinkingBudget":0}}`},
		{"no effort for 2.5 Pro", onPublic("gemini-2.5-pro"), with(`"reasoning_effort":"none"`), "generationConfig", `{"thinkingConfig":{"includeThoughts":false,"thinkingBudget":128}}`},
		{"effort for 3", onPublic("gemini-3.8-flash"), with(`"reasoning_effort":"minimal"`), "generationConfig", `{"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"LOW"}}`},
		{"no thinking for 3", onPublic("gemini-3-flash-preview"), with(`"reasoning_effort":"none"`), "generationConfig", `{"thinkingConfig":{"includeThoughts":false,"thinkingLevel":"MINIMAL"}}`},
		{"effort that the first 3 Pro lacks", onPublic("gemini-3-pro-preview"), with(`"reasoning_effort":"medium"`), "generationConfig", `{"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"HIGH"}}`},
		{"a name with its path", onPublic("models/gemini-2.5-flash"), with(`"reasoning_effort":"low"`), "generationConfig", `{"thinkingConfig":{"includeThoughts":true,"thinkingBudget":1024}}`},
		{"Gemma 3 does not think", onPublic("gemma-3-27b-it"), with(`"reasoning_effort":"low"`), "generationConfig", `null`},
		{"Gemma 3 has no system", onPublic("gemma-3-27b-it"), `{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}]}`, "contents", `[{"role":"user","parts":[{"text":"Be brief."},{"text":"hi"}]}]`},
		{"system only", onPublic("gemini-2.5-pro"), `{"messages":[{"role":"system","content":"Say hi."}]}`, "contents", `[{"role":"user","parts":[{"text":"."}]}]`},
		{"JSON beside tools before 3", onPublic("gemini-2.5-flash"), with(`"tools":[{"function":{"name":"f"}}],"response_format":{"type":"json_object"}`), "systemInstruction", `{"parts":[{"text":"Answer with one valid JSON object and nothing else."}]}`},
		{"JSON beside tools in 3", onPublic("gemini-3-pro"), with(`"tools":[{"function":{"name":"f"}}],"response_format":{"type":"json_object"}`), "generationConfig", `{"responseMimeType":"application/json"}`},
		{"effort for the latest", onPublic("gemini-flash-latest"), with(`"reasoning_effort":"xhigh"`), "generationConfig", `{"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"HIGH"}}`},
		{"effort for 2.0", onPublic("gemini-2.0-flash"), with(`"reasoning_effort":"high"`), "generationConfig", `null`},
		{"its own generationConfig", onPublic("gemini-2.5-pro"), with(`"reasoning_effort":"low","temperature":0.1,"generationConfig":{"temperature":0.2,"thinkingConfig":{"thinkingBudget":7},"imageConfig":{"aspectRatio":"1:1"}}`), "generationConfig",
			`{"temperature":0.2,"thinkingConfig":{"includeThoughts":true,"thinkingBudget":7},"imageConfig":{"aspectRatio":"1:1"}}`},
		{"JSON", onPublic("m"), with(`"response_format":{"type":"json_object"}`), "generationConfig", `{"responseMimeType":"application/json"}`},
		{"JSON of a schema", onPublic("m"), with(`"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"a":{"const":1}}}}}`), "generationConfig",
			`{"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"a":{"const":1}}}}`},
		{"pictures", onPublic("m"), with(`"modalities":["text","image"]`), "generationConfig", `{"responseModalities":["TEXT","IMAGE"]}`},
		{"speech", onPublic("m"), with(`"modalities":["text","audio"],"audio":{"voice":"Kore","format":"wav"}`), "generationConfig",
			`{"responseModalities":["AUDIO"],"speechConfig":{"voiceConfig":{"prebuiltVoiceConfig":{"voiceName":"Kore"}}}}`},
		{"safety settings", onPublic("m"), with(`"safety_settings":[{"category":"A"}]`), "safetySettings", `[{"category":"A"}]`},
		{"cached content", onPublic("m"), with(`"cachedContent":"cachedContents/1"`), "cachedContent", `"cachedContents/1"`},
		{"labels", onPublic("m"), with(`"labels":{"a":"b"}`), "labels", `null`},
		{"labels on Vertex", onGoogleCloud("m"), with(`"labels":{"a":"b"}`), "labels", `{"a":"b"}`},
		{"service tier", onPublic("m"), with(`"service_tier":"flex"`), "serviceTier", `"flex"`},
		{"service tier on Vertex", onGoogleCloud("m"), with(`"service_tier":"flex"`), "serviceTier", `null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := translate(t, c.to, c.body)
			if err != nil {
				t.Fatal(err)
			}
			var body map[string]json.RawMessage
			if err := json.Unmarshal([]byte(got), &body); err != nil {
				t.Fatal(err)
			}
			member := string(body[c.member])
			if member == "" {
				member = "null"
			}
			jsontest.Same(t, member, c.want)
		})
	}
}

func TestSchemasThatGooglesOwnFormLacksGoAsJSONSchema(t *testing.T) {
	for schema, want := range map[string]string{
		`{"type":"object","properties":{"a":{"anyOf":[{"type":"integer"},{"type":"number"}]}}}`:                                                        `"parameters":{"type":"object","properties":{"a":{"anyOf":[{"type":"integer"},{"type":"number"}]}}}`,
		`{"type":"object","properties":{"a":{"title":"A","anyOf":[{"type":"integer"},{"type":"number"}]}}}`:                                            `"parametersJsonSchema":{"type":"object","properties":{"a":{"title":"A","anyOf":[{"type":"integer"},{"type":"number"}]}}}`,
		`{"type":"object","properties":{"a":{"type":"string","enum":["x",""]}}}`:                                                                       `"parametersJsonSchema":{"type":"object","properties":{"a":{"type":"string","enum":["x"]}}}`,
		`{"type":"object","properties":{"a":{"type":"string","enum":[]}}}`:                                                                             `"parametersJsonSchema":{"type":"object","properties":{"a":{"type":"string"}}}`,
		`{"type":"object","properties":{"a":{"type":"string"}},"required":["a","b"]}`:                                                                  `"parametersJsonSchema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`,
		`{"type":"object","properties":{"a":{"type":"object","required":["b"],"properties":{"required":{"type":"array","items":{"type":"string"}}}}}}`: `"parametersJsonSchema":{"type":"object","properties":{"a":{"type":"object","properties":{"required":{"type":"array","items":{"type":"string"}}}}}}`,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"string"}}}`:                                                    `"parametersJsonSchema":{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"string"}}}`,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/A","description":"d"}},"$defs":{"A":{"type":"string"}}}`:                                  `"parametersJsonSchema":{"type":"object","properties":{"a":{"description":"d","type":"string"}}}`,
		`{"type":"object","properties":{"enum":{"type":"string","const":"x"}}}`:                                                                        `"parametersJsonSchema":{"type":"object","properties":{"enum":{"type":"string","const":"x"}}}`,
	} {
		got, err := translate(t, onPublic("gemini-2.5-flash"), `{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","parameters":`+schema+`}}]}`)
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("%s\nbecame %s, %v\nwant %s", schema, got, err, want)
		}
	}
}

// Vertex leaves out the domains that a client blocks. Where Google cannot, the record says
// so.
func TestASearchLeavesOutDomainsWhereGoogleCan(t *testing.T) {
	search := chat.HostedTool("web_search", "", chat.Raw(`{"type":"web_search"}`))
	public, cloud := onPublic("gemini-3-pro"), onGoogleCloud("gemini-3-pro")
	for name, c := range map[string]struct {
		to     *target.Target
		search chat.Search
		tool   string
		told   bool
	}{
		"blocked on Vertex": {&cloud, chat.Search{Blocked: []string{"a.test"}}, `{"googleSearch":{"excludeDomains":["a.test"]}}`, false},
		"blocked":           {&public, chat.Search{Blocked: []string{"a.test"}}, `{"googleSearch":{}}`, true},
		"allowed on Vertex": {&cloud, chat.Search{Allowed: []string{"a.test"}}, `{"googleSearch":{}}`, true},
		"all":               {&public, chat.Search{}, `{"googleSearch":{}}`, false},
	} {
		r := &chat.Request{Tools: []chat.Tool{search}, Messages: []chat.Message{{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("news?")}}}}}
		r.Tools[0].Search = &c.search
		body, err := Generate.AppendRequest(nil, c.to, r)
		if err != nil || !strings.Contains(string(body), `"tools":[`+c.tool+`]`) {
			t.Errorf("%s: sent %s, %v", name, body, err)
		}
		if told := caveats(c.to, r); (told != nil) != c.told {
			t.Errorf("%s: the record says %q", name, told)
		}
	}
}

// "Please ensure that function call turn comes immediately after a user turn or after a
// function response turn": what came before the call may have been cut away.
func TestAConversationThatBeginsWithACallGetsATurnOfTheUsers(t *testing.T) {
	const call = `{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"1"}`
	for begin, want := range map[string]string{
		"":                                    `"contents":[{"role":"user","parts":[{"text":"."}]},{"role":"model","parts":[{"functionCall"`,
		`{"role":"system","content":"s"},`:    `"contents":[{"role":"user","parts":[{"text":"."}]},{"role":"model","parts":[{"functionCall"`,
		`{"role":"assistant","content":"a"},`: `"contents":[{"role":"user","parts":[{"text":"."}]},{"role":"model","parts":[{"text":"a"},{"functionCall"`,
		`{"role":"user","content":"u"},`:      `"contents":[{"role":"user","parts":[{"text":"u"}]},{"role":"model","parts":[{"functionCall"`,
	} {
		got, err := translate(t, onPublic("gemini-2.5-flash"), `{"messages":[`+begin+call+`],"tools":[{"type":"function","function":{"name":"f"}}]}`)
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("after %q: %s, %v", begin, got, err)
		}
	}
}
