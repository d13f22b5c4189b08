package translators

import (
	"encoding/json"
	"reflect"
	"testing"

	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/target"
)

// Acceptance 169 and 197: what the native formats of Bedrock and Gemini say, in
// OpenAI's words.
func TestNativeRequestsTranslateToOpenAIsFormat(t *testing.T) {
	const schema = `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a","b"]}`
	for _, c := range []struct {
		name         string
		dialect      chat.Dialect
		client, want string
	}{
		{"bedrock, functions and chatter", bedrock.Dialect,
			`{"system":[{"text":"You are a calculator."}],"messages":[
				{"role":"user","content":[{"text":"What is 2 + 12?"},{"image":{"format":"png","source":{"bytes":"aW1n"}}}]},
				{"role":"assistant","content":[{"text":"I add."},{"toolUse":{"toolUseId":"t1","name":"add","input":{"a":2,"b":12}}}]},
				{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"json":{"result":14}}]}},{"text":"Thanks."}]}],
			"inferenceConfig":{"temperature":0.5,"maxTokens":9,"topP":0.25,"stopSequences":["x"]},
			"toolConfig":{"tools":[{"toolSpec":{"name":"add","description":"Adds","inputSchema":{"json":` + schema + `}}}]}}`,
			`{"messages":[{"role":"system","content":"You are a calculator."},
				{"role":"user","content":[{"type":"text","text":"What is 2 + 12?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aW1n"}}]},
				{"role":"assistant","content":"I add.","tool_calls":[{"id":"t1","type":"function","function":{"name":"add","arguments":"{\"a\":2,\"b\":12}"}}]},
				{"role":"tool","tool_call_id":"t1","content":"{\"result\":14}"},{"role":"user","content":"Thanks."}],
			"temperature":0.5,"max_tokens":9,"top_p":0.25,"stop":["x"],"tools":[{"type":"function","function":{"name":"add","description":"Adds","parameters":` + schema + `}}]}`},
		{"gemini, a chat", gemini.Dialect,
			`{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"text":"hello"}]},{"role":"user","parts":[{"text":"bye"}]}],"generationConfig":{"temperature":0.5,"maxOutputTokens":9}}`,
			`{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"},{"role":"assistant","content":"hello"},{"role":"user","content":"bye"}],"temperature":0.5,"max_tokens":9}`},
		{"gemini, pictures", gemini.Dialect,
			`{"contents":{"role":"user","parts":[{"text":"What?"},{"inline_data":{"mime_type":"image/png","data":"aW1n"}},{"file_data":{"file_uri":"https://x/y.png","mime_type":"image/png"}}]}}`,
			`{"messages":[{"role":"user","content":[{"type":"text","text":"What?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aW1n"}},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}`},
		{"gemini, functions and chatter", gemini.Dialect,
			`{"contents":[{"role":"user","parts":[{"text":"What is 2 + 12?"}]},{"role":"model","parts":[{"text":"I add."},{"functionCall":{"id":"t1","name":"add","args":{"a":2,"b":12}}}]},
				{"role":"function","parts":[{"functionResponse":{"id":"t1","name":"add","response":{"sum":14}}}]}],"tools":[{"functionDeclarations":[{"name":"add","description":"Adds","parameters":` + schema + `}]}]}`,
			`{"messages":[{"role":"user","content":"What is 2 + 12?"},{"role":"assistant","content":"I add.","tool_calls":[{"id":"t1","type":"function","function":{"name":"add","arguments":"{\"a\":2,\"b\":12}"}}]},
				{"role":"tool","tool_call_id":"t1","content":"{\"sum\":14}"}],"tools":[{"type":"function","function":{"name":"add","description":"Adds","parameters":` + schema + `}}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := chat.ParseRequest(c.dialect, []byte(c.client))
			if err != nil {
				t.Fatal(err)
			}
			req.Model = "m"
			body, err := openai.Upstream{}.AppendRequest(nil, &target.Target{Model: "m", Options: &target.Options{}}, req)
			if err != nil {
				t.Fatal(err)
			}
			var got, want map[string]any
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			for name, value := range want {
				if !reflect.DeepEqual(got[name], value) {
					t.Errorf("%s is\n%v, not\n%v", name, got[name], value)
				}
			}
		})
	}
}
