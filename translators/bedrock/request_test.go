package bedrock

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/target"
)

const (
	sonnet  = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
	sonnet3 = "anthropic.claude-3-5-sonnet-20240620-v1:0"
	opus    = "global.anthropic.claude-opus-4-7"
	nova    = "amazon.nova-pro-v1:0"
	nova2   = "us.amazon.nova-2-lite-v1:0"
	llama   = "meta.llama3-70b-instruct-v1:0"
	gptOSS  = "openai.gpt-oss-120b-1:0"
)

func chatTarget(model string) *target.Target {
	return &target.Target{Provider: "bedrock", Route: "llm/v1/chat", Model: model, Options: options()}
}

// accepted fails the test when Bedrock would refuse body.
func accepted(t *testing.T, to *target.Target, body []byte) {
	t.Helper()
	path, err := pathOf(to, false)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", path, nil)
	r.Header.Set("Content-Type", "application/json")
	for _, kv := range signed {
		r.Header.Set(kv[0], kv[1])
	}
	if err := mock.ByName("bedrock/converse").Check(r, body); err != nil {
		t.Errorf("Bedrock refuses: %v\n%s", err, body)
	}
}

// translate turns an OpenAI body into Converse's, and shows it to the strict mock.
func translate(t *testing.T, to *target.Target, body string) (map[string]any, error) {
	t.Helper()
	req, err := chat.ParseRequest(openai.Chat, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if _, err := operation.Offer(to, req); err != nil {
		return nil, err
	}
	out, err := Converse.AppendRequest(nil, to, req)
	if err != nil {
		return nil, err
	}
	accepted(t, to, out)
	return decode(t, out), nil
}

func decode(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return m
}

// sends fails the test unless body becomes, for model, a Converse body with
// the wanted members: JSON, or "-" for none. Others are not looked at.
func sends(t *testing.T, to *target.Target, body string, want map[string]string) {
	t.Helper()
	got, err := translate(t, to, body)
	if err != nil {
		t.Fatal(err)
	}
	for path, w := range want {
		v, ok := at(got, path)
		if w == "-" {
			if ok {
				t.Errorf("%s: got %v, want none", path, v)
			}
			continue
		}
		var wanted any
		if err := json.Unmarshal([]byte(w), &wanted); err != nil {
			t.Fatalf("%s: %v", w, err)
		}
		if !reflect.DeepEqual(v, wanted) {
			text, _ := json.Marshal(v)
			t.Errorf("%s: got %s, want %s", path, text, w)
		}
	}
}

// at is the member at a path of names with dots between them.
func at(v any, path string) (any, bool) {
	for _, name := range strings.Split(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[name]; !ok {
			return nil, false
		}
	}
	return v, true
}

func TestRequestIsInConversesFormat(t *testing.T) {
	const tools = `,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"$schema":"x","properties":{"a":{"type":"string"}},"additionalProperties":false}}}]`
	const hello = `"messages":[{"role":"user","content":"hello"}]`
	const person = `,"response_format":{"type":"json_schema","json_schema":{"name":"person","schema":{"type":"object","properties":{"name":{"type":"string"}}}}}`
	rows := []struct {
		name, model, body string
		want              map[string]string
	}{
		{"system and developer messages stand in order, their texts joined", sonnet,
			`{"messages":[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"user","content":"hi"},{"role":"developer","content":"c"}]}`,
			map[string]string{"system": `[{"text":"a\n\nb"},{"text":"c"}]`, "messages": `[{"role":"user","content":[{"text":"hi"}]}]`}},
		{"a cache_control becomes a cache point after what it caches", sonnet,
			`{"messages":[{"role":"system","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"b"}]},` +
				`{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}`,
			map[string]string{"system": `[{"text":"a"},{"cachePoint":{"type":"default","ttl":"1h"}},{"text":"b"}]`,
				"messages": `[{"role":"user","content":[{"text":"hi"},{"cachePoint":{"type":"default"}}]}]`}},
		{"models without a cache get no cache point", llama,
			`{"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}`,
			map[string]string{"messages": `[{"role":"user","content":[{"text":"hi"}]}]`}},
		{"turns of one role are merged, blank ones left out, and the user begins", sonnet,
			`{"messages":[{"role":"assistant","content":"a"},{"role":"user","content":"b"},{"role":"user","content":" "},{"role":"user","content":"c"}]}`,
			map[string]string{"messages": `[{"role":"user","content":[{"text":"."}]},{"role":"assistant","content":[{"text":"a"}]},{"role":"user","content":[{"text":"b"},{"text":"c"}]}]`}},
		{"an answer to be continued loses the white space at its end", sonnet,
			`{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"well, \n"}]}`,
			map[string]string{"messages": `[{"role":"user","content":[{"text":"hi"}]},{"role":"assistant","content":[{"text":"well,"}]}]`}},
		{"settings", "qwen.qwen3-32b-v1:0",
			`{` + hello + `,"max_tokens":10,"temperature":0.5,"top_p":0.25,"top_k":7,"stop":"END","service_tier":"flex","metadata":{"team":"a","bad":"é","n":1}}`,
			map[string]string{"inferenceConfig": `{"maxTokens":10,"temperature":0.5,"topP":0.25,"stopSequences":["END"]}`, "serviceTier": `{"type":"flex"}`,
				"additionalModelRequestFields": `{"top_k":7}`, "requestMetadata": `{"team":"a"}`}},
		{"top_k of Nova", nova, `{` + hello + `,"top_k":7}`, map[string]string{"additionalModelRequestFields": `{"inferenceConfig":{"topK":7}}`}},
		{"top_k of Cohere", "cohere.command-r-v1:0", `{` + hello + `,"top_k":7}`, map[string]string{"additionalModelRequestFields": `{"k":7}`}},
		{"top_k is left out for Llama, which has none", llama, `{` + hello + `,"top_k":7}`, map[string]string{"additionalModelRequestFields": `-`}},
		{"newer Claudes take one sampling parameter", sonnet, `{` + hello + `,"temperature":1.5,"top_p":0.5}`, map[string]string{"inferenceConfig": `{"temperature":1}`}},
		{"older ones take both", sonnet3, `{` + hello + `,"temperature":0.5,"top_p":0.5}`, map[string]string{"inferenceConfig": `{"temperature":0.5,"topP":0.5}`}},
		{"no max_tokens is invented", sonnet, `{` + hello + `}`, map[string]string{"inferenceConfig": `-`, "additionalModelRequestFields": `-`, "outputConfig": `-`}},

		{"tools", sonnet, `{` + hello + tools + `,"tool_choice":"required"}`, map[string]string{"toolConfig": `{"tools":[{"toolSpec":{"name":"f","description":"d",` +
			`"inputSchema":{"json":{"type":"object","$schema":"x","properties":{"a":{"type":"string"}},"additionalProperties":false}}}}],"toolChoice":{"any":{}}}`}},
		{"Nova's schemas have three members", nova, `{` + hello + tools + `,"tool_choice":"auto"}`, map[string]string{"toolConfig": `{"tools":[{"toolSpec":{"name":"f","description":"d",` +
			`"inputSchema":{"json":{"type":"object","properties":{"a":{"type":"string"}}}}}}],"toolChoice":{"auto":{}}}`}},
		{"Llama is not told that it may choose", llama, `{` + hello + tools + `,"tool_choice":"auto"}`, map[string]string{"toolConfig.toolChoice": `-`}},
		{"a function is chosen", sonnet, `{` + hello + tools + `,"tool_choice":{"type":"function","function":{"name":"f"}}}`,
			map[string]string{"toolConfig.toolChoice": `{"tool":{"name":"f"}}`}},
		{"with none, no tools", sonnet, `{` + hello + tools + `,"tool_choice":"none"}`, map[string]string{"toolConfig": `-`}},
		{"a native tool", nova2, `{` + hello + `,"tools":[{"systemTool":{"name":"nova_grounding"}}]}`,
			map[string]string{"toolConfig": `{"tools":[{"systemTool":{"name":"nova_grounding"}}]}`}},

		{"a schema is the text of outputConfig, closed as Claude demands", sonnet, `{` + hello + person + `}`, map[string]string{
			"outputConfig": `{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"name":"person","schema":` +
				`"{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}},\"additionalProperties\":false}"}}}}`, "toolConfig": `-`}},
		{"a schema is a forced tool where the model has no structured outputs", sonnet3, `{` + hello + person + `}`, map[string]string{"outputConfig": `-`,
			"toolConfig": `{"tools":[{"toolSpec":{"name":"response_format_json","description":"Gives the answer. Call it once, as the last step.","inputSchema":{"json":` +
				`{"type":"object","properties":{"name":{"type":"string"}}}}}}],"toolChoice":{"tool":{"name":"response_format_json"}}}`}},
		{"and one of the tools beside others", nova, `{` + hello + tools + person + `}`, map[string]string{"toolConfig.toolChoice": `{"any":{}}`}},
		{"JSON without a schema is asked for in words", sonnet, `{` + hello + `,"response_format":{"type":"json_object"}}`,
			map[string]string{"system": `[{"text":"Answer with one valid JSON object and nothing else."}]`}},

		{"Claude thinks within a budget", sonnet, `{` + hello + `,"reasoning_effort":"high","max_tokens":100,"temperature":0.5,"top_k":3}`, map[string]string{
			"additionalModelRequestFields": `{"thinking":{"type":"enabled","budget_tokens":4096}}`, "inferenceConfig": `{"maxTokens":4196}`}},
		{"newer ones as hard as told", opus, `{` + hello + `,"reasoning_effort":"low","temperature":0.5}`, map[string]string{
			"additionalModelRequestFields": `{"thinking":{"type":"adaptive","display":"summarized"}}`, "outputConfig": `{"effort":"low"}`, "inferenceConfig": `-`}},
		{"the client's own thinking", sonnet, `{` + hello + `,"thinking":{"type":"enabled","budget_tokens":2000}}`, map[string]string{
			"additionalModelRequestFields": `{"thinking":{"type":"enabled","budget_tokens":2000}}`}},
		{"a forced tool and thoughts exclude each other", sonnet, `{` + hello + tools + `,"tool_choice":"required","reasoning_effort":"high"}`,
			map[string]string{"additionalModelRequestFields": `-`}},
		{"Nova 2", nova2, `{` + hello + `,"reasoning_effort":"medium","max_tokens":9}`, map[string]string{
			"additionalModelRequestFields": `{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"medium"}}`, "inferenceConfig": `{"maxTokens":9}`}},
		{"Nova 2 at its hardest takes no settings", nova2, `{` + hello + `,"reasoning_effort":"high","max_tokens":9,"temperature":0.1}`, map[string]string{
			"additionalModelRequestFields": `{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}}`, "inferenceConfig": `-`}},
		{"Nova 2 told not to", nova2, `{` + hello + `,"reasoning_effort":"none"}`, map[string]string{"additionalModelRequestFields": `{"reasoningConfig":{"type":"disabled"}}`}},
		{"gpt-oss", gptOSS, `{` + hello + `,"reasoning_effort":"minimal"}`, map[string]string{"additionalModelRequestFields": `{"reasoning_effort":"low"}`}},
		{"Llama does not reason", llama, `{` + hello + `,"reasoning_effort":"high"}`, map[string]string{"additionalModelRequestFields": `-`, "outputConfig": `-`}},
		{"a model that nobody knows", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", `{` + hello + `,"reasoning_effort":"xhigh"}`,
			map[string]string{"outputConfig": `{"effort":"xhigh"}`}},

		{"Converse's own members", sonnet, `{` + hello + `,"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1","trace":"enabled"},"performanceConfig":{"latency":"standard"},` +
			`"additionalModelRequestFields":{"top_k":9,"a":1},"top_k":5,"requestMetadata":{"a":"b"},"serviceTier":{"type":"reserved"},"additionalModelResponseFieldPaths":["/stop_sequence"],` +
			`"inferenceConfig":{"maxTokens":1,"topP":0.5},"max_tokens":8}`, map[string]string{
			"guardrailConfig": `{"guardrailIdentifier":"g","guardrailVersion":"1","trace":"enabled"}`, "performanceConfig": `{"latency":"standard"}`,
			"additionalModelRequestFields": `{"top_k":9,"a":1}`, "requestMetadata": `{"a":"b"}`, "serviceTier": `{"type":"reserved"}`,
			"additionalModelResponseFieldPaths": `["/stop_sequence"]`, "inferenceConfig": `{"maxTokens":8,"topP":0.5}`}},
		{"the same in an object of their own", sonnet, `{` + hello + tools + `,"bedrock":{"toolConfig":{"tools":[{"systemTool":{"name":"s"}}]},"additionalModelRequestFields":{"a":1}}}`,
			map[string]string{"toolConfig": `{"tools":[{"systemTool":{"name":"s"}}]}`, "additionalModelRequestFields": `{"a":1}`, "bedrock": `-`}},
		{"a prompt of prompt management brings its own messages", "arn:aws:bedrock:us-east-1:123456789012:prompt/P:1", `{"messages":[{"role":"user","content":""}],"promptVariables":{"a":{"text":"b"}}}`,
			map[string]string{"messages": `-`, "promptVariables": `{"a":{"text":"b"}}`}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { sends(t, chatTarget(row.model), row.body, row.want) })
	}
}

func TestConfiguredOptionsReachBedrock(t *testing.T) {
	to := chatTarget(sonnet)
	to.Options.Bedrock.PerformanceConfigLatency, to.Options.AnthropicVersion = "optimized", "v"
	sends(t, to, `{"messages":[{"role":"user","content":"hi"}],"performanceConfig":{"latency":"standard"}}`, map[string]string{
		"performanceConfig": `{"latency":"optimized"}`, "anthropic_version": `"v"`,
	})
}

func TestToolHistoryIsPairedAndInOrder(t *testing.T) {
	const history = `"messages":[{"role":"user","content":"go"},` +
		`{"role":"assistant","content":"ok","tool_calls":[{"id":"functions.a:0","type":"function","function":{"name":"a","arguments":"{\"x\":1}"}},` +
		`{"id":"b","type":"function","function":{"name":"b","arguments":""}},{"id":"c","type":"function","function":{"name":"a","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"c","content":"[1,2]"},{"role":"tool","tool_call_id":"functions.a:0","content":[{"type":"text","text":"{\"y\":"},{"type":"text","text":"2}"}]},` +
		`{"role":"tool","tool_call_id":"b","content":""},{"role":"user","content":"and?"}]`
	const want = `[{"role":"user","content":[{"text":"go"}]},` +
		`{"role":"assistant","content":[{"text":"ok"},{"toolUse":{"toolUseId":"tooluse_9Zxo6zjD3yG","name":"a","input":{"x":1}}},` +
		`{"toolUse":{"toolUseId":"b","name":"b","input":{}}},{"toolUse":{"toolUseId":"c","name":"a","input":{}}}]},` +
		`{"role":"user","content":[{"toolResult":{"toolUseId":"tooluse_9Zxo6zjD3yG","content":[{"json":{"y":2}}]}},` +
		`{"toolResult":{"toolUseId":"b","content":[{"json":{}}]}},{"toolResult":{"toolUseId":"c","content":[{"json":{"result":[1,2]}}]}},{"text":"and?"}]}]`
	sends(t, chatTarget(sonnet), `{`+history+`}`, map[string]string{"messages": want,
		"toolConfig": `{"tools":[{"toolSpec":{"name":"a","inputSchema":{"json":{"type":"object"}}}},{"toolSpec":{"name":"b","inputSchema":{"json":{"type":"object"}}}}]}`})
	sends(t, chatTarget(sonnet), `{`+history+`,"tools":[{"type":"function","function":{"name":"a"}}],"tool_choice":"none"}`, map[string]string{
		"toolConfig": `{"tools":[{"toolSpec":{"name":"a","inputSchema":{"json":{"type":"object","properties":{}}}}}]}`})
}

func TestFailedToolResultHasStatusAndImage(t *testing.T) {
	req := &chat.Request{Messages: []chat.Message{
		{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("go")}}},
		{Role: chat.Assistant, Parts: []chat.Part{{Kind: chat.ToolCall, ID: "1", Name: "f", Arguments: jsonedit.Plain("{}")}}},
		{Role: chat.User, Parts: []chat.Part{{Kind: chat.ToolResult, ID: "1", IsError: true, CacheControl: chat.Raw(`{"type":"ephemeral"}`), Parts: []chat.Part{
			{Kind: chat.Text, Text: jsonedit.Plain("no")}, {Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("aGk=")}}}}}},
	}}
	to := chatTarget(sonnet)
	body, err := Converse.AppendRequest(nil, to, req)
	if err != nil {
		t.Fatal(err)
	}
	accepted(t, to, body)
	want := `{"toolResult":{"toolUseId":"1","content":[{"text":"no"},{"image":{"format":"png","source":{"bytes":"aGk="}}}],"status":"error"}},{"cachePoint":{"type":"default"}}`
	if !strings.Contains(string(body), want) {
		t.Errorf("got %s, want in it %s", body, want)
	}
}

func TestSignedThinkingIsSentBackUnchanged(t *testing.T) {
	signedThought := mock.Named("thinking").Answer.Choices[0].Parts[0]
	req := &chat.Request{Messages: []chat.Message{
		{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("go")}}},
		{Role: chat.Assistant, Parts: []chat.Part{signedThought, {Kind: chat.Thinking, Text: jsonedit.Plain("unsigned")},
			{Kind: chat.RedactedThinking, Text: jsonedit.Plain("c2VjcmV0")}, {Kind: chat.Text, Text: jsonedit.Plain("so")}}},
		{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("on")}}},
	}}
	to := chatTarget(sonnet)
	body, err := Converse.AppendRequest(nil, to, req)
	if err != nil {
		t.Fatal(err)
	}
	accepted(t, to, body)
	if !strings.Contains(string(body), `{"reasoningContent":{"redactedContent":"c2VjcmV0"}}`) || strings.Contains(string(body), "unsigned") {
		t.Errorf("got %s", body)
	}
}

func TestMediaAreSentAsBytesOrS3Locations(t *testing.T) {
	part := func(parts string) string { return `{"messages":[{"role":"user","content":[` + parts + `]}]}` }
	rows := []struct{ name, parts, want string }{
		{"a JPEG", `{"type":"image_url","image_url":{"url":"data:image/jpg;base64,aGk="}}`, `{"image":{"format":"jpeg","source":{"bytes":"aGk="}}}`},
		{"a picture whose type is not said", `{"type":"image_url","image_url":{"url":"data:;base64,iVBORw0KGgo="}}`, `{"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}}`},
		{"a picture in S3", `{"type":"image_url","image_url":{"url":"s3://bucket/a.webp"}}`, `{"image":{"format":"webp","source":{"s3Location":{"uri":"s3://bucket/a.webp"}}}}`},
		{"a video", `{"type":"video_url","video_url":{"url":"data:video/quicktime;base64,aGk="}}`, `{"video":{"format":"mov","source":{"bytes":"aGk="}}}`},
		{"a sound", `{"type":"input_audio","input_audio":{"data":"aGk=","format":"mp3"}}`, `{"audio":{"format":"mp3","source":{"bytes":"aGk="}}}`},
		{"a picture sent as a file", `{"type":"file","file":{"file_data":"data:image/gif;base64,aGk="}}`, `{"image":{"format":"gif","source":{"bytes":"aGk="}}}`},
		{"a native block", `{"type":"guardContent","guardContent":{"text":{"text":"x"}}}`, `{"guardContent":{"text":{"text":"x"}}}`},
		{"documents are named, once each, and stand beside text",
			`{"type":"file","file":{"file_data":"data:application/pdf;base64,aGk=","filename":"Q3_report, final!!.pdf"}},{"type":"file","file":{"file_data":"data:text/csv;base64,aGk=","filename":"Q3 report final.csv"}},` +
				`{"type":"file","file":{"file_data":"data:application/json;base64,aGk="}}`,
			`{"document":{"format":"pdf","name":"Q3 report final","source":{"bytes":"aGk="}}},{"document":{"format":"csv","name":"Q3 report final (2)","source":{"bytes":"aGk="}}},` +
				`{"document":{"format":"txt","name":"document","source":{"bytes":"aGk="}}},{"text":"."}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			sends(t, chatTarget(nova), part(row.parts), map[string]string{"messages": `[{"role":"user","content":[` + row.want + `]}]`})
		})
	}
}

func TestRefusalsNameFieldAndReason(t *testing.T) {
	const call = `{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":%}}]}`
	rows := []struct{ name, model, body, want string }{
		{"a picture in the web", sonnet, `{"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"https://a/b.png"}}]}]}`,
			"messages[0].content[1].image_url: Bedrock fetches nothing from the web: send a data URI, or an s3:// URL"},
		{"a picture of a format that Converse does not have", sonnet, `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/tiff;base64,aGk="}}]}]}`,
			`messages[0].content[0].image_url: media type "image/tiff" is none of png, jpeg, gif, webp`},
		{"an uploaded file", sonnet, `{"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]}`, "messages[0].content[0].file: Bedrock keeps no uploaded files: send the data itself, or an s3:// URL"},
		{"content that nobody knows", sonnet, `{"messages":[{"role":"user","content":[{"type":"smell"}]}]}`, `messages[0].content[0]: Converse has no content of type "smell"`},
		{"a picture in a system message", sonnet, `{"messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}]},{"role":"user","content":"x"}]}`, "messages[0].content[0]: a system message can only be text"},
		{"a system message for Titan", "amazon.titan-text-express-v1", `{"messages":[{"role":"system","content":"x"},{"role":"user","content":"x"}]}`,
			"system prompts are unsupported for model 'amazon.titan-text-express-v1'"},
		{"arguments that are no JSON", sonnet, `{"messages":[{"role":"user","content":"x"},` + strings.ReplaceAll(call, "%", `"{\"a\":"`) + `,{"role":"tool","tool_call_id":"1","content":"x"}]}`,
			"failed to decode function response arguments from assistant's message, not JSON format"},
		{"nothing said", sonnet, `{"messages":[{"role":"user","content":""}]}`, "messages: must have at least one message that says something"},
		{"web search", sonnet, `{"messages":[{"role":"user","content":"x"}],"web_search_options":{}}`, "tools[0]: the target runs no web_search_options of its own: offer functions, or use a target that has it"},
		{"a tool of another provider", sonnet, `{"messages":[{"role":"user","content":"x"}],"tools":[{"googleSearch":{}}]}`, "tools[0]: the target runs no googleSearch of its own: offer functions, or use a target that has it"},
		{"a member that Converse does not have", sonnet, `{"messages":[{"role":"user","content":"x"}],"bedrock":{"modelId":"x"}}`, "bedrock.modelId: is no member that Converse has"},
		{"fields that are no object", sonnet, `{"messages":[{"role":"user","content":"x"}],"additionalModelRequestFields":[{}]}`, "additionalModelRequestFields: must be an object"},
		{"an unknown format", sonnet, `{"messages":[{"role":"user","content":"x"}],"response_format":{"type":"grammar"}}`, "response_format.type: must be text, json_object or json_schema"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := translate(t, chatTarget(row.model), row.body)
			var refused *chat.RequestError
			if !errors.As(err, &refused) || err.Error() != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

func TestPathIsOneEscapedSegment(t *testing.T) {
	for model, want := range map[string]string{
		llama: "/model/meta.llama3-70b-instruct-v1%3A0/converse",
		"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1-b_2~": "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fa1-b_2~/converse",
		"a?b#c é": "/model/a%3Fb%23c%20%C3%A9/converse",
	} {
		got, err := pathOf(chatTarget(model), false)
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", model, got, err, want)
		}
		if got, _ := pathOf(chatTarget(model), true); got != want+"-stream" {
			t.Errorf("%s, streamed: got %s", model, got)
		}
	}
	for _, model := range []string{"", ".", ".."} {
		if got, err := pathOf(chatTarget(model), false); err == nil {
			t.Errorf("model %q: got path %s, want an error", model, got)
		}
	}
}

func TestBaseIsTheEndpointOfTheRegion(t *testing.T) {
	for region, want := range map[string]string{
		"us-east-1": "https://bedrock-runtime.us-east-1.amazonaws.com", "cn-north-1": "https://bedrock-runtime.cn-north-1.amazonaws.com.cn",
		"eusc-de-east-1": "https://bedrock-runtime.eusc-de-east-1.amazonaws.eu",
		"":               "", "evil.com/": "", "us-east-1@evil": "", "US": "",
	} {
		to := chatTarget(sonnet)
		to.Options.Bedrock.AWSRegion = region
		got, err := base(to)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("region %q: got %q, %v, want %q", region, got, err, want)
		}
	}
	if _, err := base(&target.Target{}); err == nil {
		t.Error("without options: want an error")
	}
}

// Kong's own example of a request, where it is at hand.
func TestRequestEqualsKongs(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "spec", "data", "kong-oss-fixtures", "unit")
	body, err := os.ReadFile(filepath.Join(dir, "requests", "llm-v1-chat.json"))
	if err != nil {
		t.Skip("Kong's fixtures are not here")
	}
	want, err := os.ReadFile(filepath.Join(dir, "expected-requests", "bedrock", "llm-v1-chat.json"))
	if err != nil {
		t.Skip("Kong's fixtures are not here")
	}
	for _, model := range []string{"bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", llama} {
		req, err := chat.ParseRequest(openai.Chat, body)
		if err != nil {
			t.Fatal(err)
		}
		req.MaxTokens, req.Temperature, req.TopP = "8192", "0.8", "0.6" // the plugin's
		to := chatTarget(model)
		to.Options.AnthropicVersion = "bedrock-2023-05-31" // which Kong sends always
		got, err := Converse.AppendRequest(nil, to, req)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(decode(t, got), decode(t, want)) {
			t.Errorf("%s: got %s", model, got)
		}
	}
}

func TestMistralOnBedrockGetsIDsOfNineLetters(t *testing.T) {
	body := `{"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"call_abcdefghijkl","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_abcdefghijkl","content":"y"}]}`
	for model, pattern := range map[string]string{"mistral.ministral-3-14b-instruct": `"toolUseId":"([A-Za-z0-9]{9})"`, sonnet: `"toolUseId":"(call_abcdefghijkl)"`} {
		req, err := chat.ParseRequest(openai.Chat, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Converse.AppendRequest(nil, chatTarget(model), req)
		if err != nil {
			t.Fatal(err)
		}
		if ids := regexp.MustCompile(pattern).FindAllSubmatch(got, -1); len(ids) != 2 || string(ids[0][1]) != string(ids[1][1]) {
			t.Errorf("%s: got %s", model, got)
		}
	}
}

func TestOnlyModelsThatCacheGetCachePoints(t *testing.T) {
	const body = `{"messages":[{"role":"system","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":"x"},` +
		`{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"r","cache_control":{"type":"ephemeral"}}]}],"tools":[{"type":"function","function":{"name":"f"}}],"reasoning_effort":"low"}`
	for model, want := range map[string][2]bool{ // behind the system's words, behind a result
		sonnet: {true, true}, "us.amazon.nova-pro-v1:0": {true, false}, "qwen.qwen3-coder-30b-a3b-v1:0": {}, "openai.gpt-oss-120b-1:0": {},
	} {
		got, err := translate(t, chatTarget(model), body)
		if err != nil {
			t.Fatal(err)
		}
		system, _ := json.Marshal(got["system"])
		messages, _ := json.Marshal(got["messages"])
		if strings.Contains(string(system), "cachePoint") != want[0] || strings.Contains(string(messages), "cachePoint") != want[1] {
			t.Errorf("%s: system %s, messages %s", model, system, messages)
		}
		if model == "qwen.qwen3-coder-30b-a3b-v1:0" && got["outputConfig"] != nil {
			t.Errorf("%s: %v", model, got["outputConfig"])
		}
	}
}

func TestModelsThatCannotBeMadeToCallAToolAreAskedForJSONInWords(t *testing.T) {
	got, err := translate(t, chatTarget("us.meta.llama3-3-70b-instruct-v1:0"), `{"messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"verdict":{"type":"string"}}}}}}`)
	system, _ := json.Marshal(got["system"])
	if err != nil || got["toolConfig"] != nil || !strings.Contains(string(system), "verdict") {
		t.Errorf("%v, tools %v, system %s", err, got["toolConfig"], system)
	}
}

func TestAnthropicVersionIsSentOnlyIfConfigured(t *testing.T) {
	for _, version := range []string{"", "bedrock-2023-05-31"} {
		to := chatTarget(sonnet)
		to.Options.AnthropicVersion = version
		got, err := translate(t, to, `{"messages":[{"role":"user","content":"x"}]}`)
		if sent, _ := got["anthropic_version"].(string); err != nil || sent != version {
			t.Errorf("%q: %v %v", version, err, got["anthropic_version"])
		}
	}
}

func TestForcedCallsAreAskedForAsTheModelTakesThem(t *testing.T) {
	const tools = `{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}],"tool_choice":`
	for _, c := range []struct{ model, choice, want, words string }{
		{sonnet, `"required"`, `{"any":{}}`, ""},
		{sonnet, `{"type":"function","function":{"name":"g"}}`, `{"tool":{"name":"g"}}`, ""},
		{"mistral.mistral-large-2407-v1:0", `{"type":"function","function":{"name":"g"}}`, `{"any":{}}`, ""},
		{"us.meta.llama3-3-70b-instruct-v1:0", `"required"`, "-", "one of the tools"},
		{"acme.a-model-to-come", `{"type":"function","function":{"name":"g"}}`, "-", `the tool "g"`},
		{"us.anthropic.claude-opus-5-5", `"required"`, `{"auto":{}}`, "one of the tools"},
	} {
		got, err := translate(t, chatTarget(c.model), tools+c.choice+`}`)
		if err != nil {
			t.Fatal(err)
		}
		config := got["toolConfig"].(map[string]any)
		choice, _ := json.Marshal(config["toolChoice"])
		system, _ := json.Marshal(got["system"])
		if c.want == "-" {
			c.want = "null"
		}
		if words, _ := json.Marshal(c.words); string(choice) != c.want || !strings.Contains(string(system), strings.Trim(string(words), `"`)) || c.words == "" && got["system"] != nil {
			t.Errorf("%s %s: %s, system %s", c.model, c.choice, choice, system)
		}
		if alone := c.model[0] == 'm'; len(config["tools"].([]any)) == 1 != alone {
			t.Errorf("%s: %v tools", c.model, config["tools"])
		}
	}
}

func TestGPTOnBedrockIsAskedInItsOwnWords(t *testing.T) {
	sends(t, chatTarget("us.openai.gpt-5.6-sol"), `{"messages":[{"role":"user","content":"x"}],"max_tokens":9,"temperature":0.5,"top_p":0.5,"stop":"x","reasoning_effort":"none"}`,
		map[string]string{"inferenceConfig": `{"maxTokens":9}`, "additionalModelRequestFields": `{"reasoning":{"effort":"none"}}`})
	sends(t, chatTarget("openai.gpt-6-astra"), `{"messages":[{"role":"user","content":"x"}],"reasoning_effort":"minimal"}`,
		map[string]string{"additionalModelRequestFields": `{"reasoning":{"effort":"low"}}`})
}

func TestNewestClaudeOnBedrockHasNoStructuredOutput(t *testing.T) {
	const body = `{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object","properties":{}}}}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"verdict":{"type":"string"}}}}}}`
	for model, where := range map[string]string{
		"us.anthropic.claude-opus-4-6-v1": "outputConfig", "us.anthropic.claude-sonnet-5": "toolConfig", "us.anthropic.claude-haiku-5-5": "toolConfig", "us.anthropic.claude-opus-5-5": "system",
	} {
		got, err := translate(t, chatTarget(model), body)
		if err != nil {
			t.Fatal(err)
		}
		all, _ := json.Marshal(got)
		for _, member := range []string{"outputConfig", "toolConfig", "system"} {
			part, _ := json.Marshal(got[member])
			if strings.Contains(string(part), "verdict") != (member == where) {
				t.Errorf("%s: %s is %s", model, member, part)
			}
		}
		if strings.Contains(string(all), `"strict":true`) != (where == "outputConfig") {
			t.Errorf("%s: %s", model, all)
		}
	}
}

// Which of Amazon's tools must be called cannot be said: the model is told in words.
func TestASystemToolIsDemandedInWords(t *testing.T) {
	r := &chat.Request{
		Messages:   []chat.Message{{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("news?")}}}},
		Tools:      []chat.Tool{{Name: "f"}, chat.HostedTool("web_search", "", chat.Raw(`{"type":"web_search"}`))},
		ToolChoice: chat.ToolChoice{Mode: "function", Name: "web_search"},
	}
	to := chatTarget("us.amazon.nova-2-lite-v1:0")
	body, err := Converse.AppendRequest(nil, to, r)
	want := `"system":[{"text":"Answer by calling the tool \"nova_grounding\"."}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}},{"systemTool":{"name":"nova_grounding"}}],"toolChoice":{"auto":{}}}}`
	if err != nil || !strings.HasSuffix(string(body), want) {
		t.Errorf("sent %s, %v", body, err)
	}
	if got := operation.Caveats(to, r); len(got) != 1 || !strings.HasPrefix(got[0], "tool_choice: ") {
		t.Errorf("the record says %q", got)
	}
	r.Tools[1].Search, r.ToolChoice = &chat.Search{Allowed: []string{"example.org"}}, chat.ToolChoice{}
	if got := operation.Caveats(to, r); len(got) != 1 || !strings.HasPrefix(got[0], "tools: web_search ") {
		t.Errorf("of the domains the record says %q", got)
	}
}

// Nova takes type, properties and required at the top of a schema: what stands in $defs
// comes where it is referred to.
func TestNovaGetsDefinitionsWhereTheyAreReferredTo(t *testing.T) {
	const schema = `{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"string","enum":["x"]}},"required":["a"]}`
	for model, want := range map[string]string{
		"us.amazon.nova-2-lite-v1:0":                   `{"type":"object","properties":{"a":{"type":"string","enum":["x"]}},"required":["a"]}`,
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0": schema,
	} {
		got, err := translate(t, chatTarget(model), `{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":`+schema+`}}]}`)
		var sent, wanted any
		_ = json.Unmarshal([]byte(want), &wanted)
		if err == nil {
			sent = got["toolConfig"].(map[string]any)["tools"].([]any)[0].(map[string]any)["toolSpec"].(map[string]any)["inputSchema"].(map[string]any)["json"]
		}
		if !reflect.DeepEqual(sent, wanted) {
			t.Errorf("%s: %v, %v", model, sent, err)
		}
	}
}
