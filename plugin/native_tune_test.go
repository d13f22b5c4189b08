package plugin

import (
	"strings"
	"testing"
)

// The options are laid over bodies that pass as they are under the format's own
// names; all other bytes stay.
func TestOptionsWinInForwardedBodies(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	const four = `"max_tokens":7,"temperature":0.5,"top_p":0.25,"top_k":3`
	const fast = `"bedrock":{"aws_region":"us-east-1","performance_config_latency":"optimized"}`
	const newer, older = "claude-opus-4-7", "claude-3-haiku"
	for _, c := range []struct{ name, format, provider, model, options, path, body, want string }{
		{"anthropic", "anthropic", "anthropic", older, four, "/v1/messages", `{ "max_tokens":1e3,"temperature":1,"top_p":1, "messages":[ 1 ], "top_k":9,"x":1.50 }`,
			`{ "max_tokens":7,"temperature":0.5,"top_p":0.25, "messages":[ 1 ], "top_k":3,"x":1.50,"model":"claude-3-haiku" }`},
		{"anthropic, nothing said", "anthropic", "anthropic", older, four, "/v1/messages", `{"messages":[1]}`,
			`{"messages":[1],"model":"claude-3-haiku","max_tokens":7,"temperature":0.5,"top_p":0.25,"top_k":3}`},
		{"anthropic, one option", "anthropic", "anthropic", older, `"max_tokens":7`, "/v1/messages", `{"messages":[1],"max_tokens":9,"temperature":1}`,
			`{"messages":[1],"max_tokens":7,"temperature":1,"model":"claude-3-haiku"}`},
		{"anthropic, a temperature above its range", "anthropic", "anthropic", older, `"temperature":1.5`, "/v1/messages", `{"messages":[1]}`,
			`{"messages":[1],"model":"claude-3-haiku","temperature":1}`},
		{"anthropic, a model without sampling", "anthropic", "anthropic", newer, four, "/v1/messages", `{"messages":[1]}`,
			`{"messages":[1],"model":"claude-opus-4-7","max_tokens":7}`},
		{"anthropic, temperature or top_p", "anthropic", "anthropic", "claude-opus-4-1", `"temperature":0.5`, "/v1/messages", `{"messages":[1],"top_p":0.9}`,
			`{"messages":[1],"model":"claude-opus-4-1","temperature":0.5}`},
		{"anthropic, top_p or temperature", "anthropic", "anthropic", "claude-opus-4-1", `"top_p":0.5`, "/v1/messages", `{"messages":[1],"temperature":0.9}`,
			`{"messages":[1],"model":"claude-opus-4-1","top_p":0.5}`},
		{"anthropic, both configured", "anthropic", "anthropic", "claude-opus-4-1", `"temperature":0.5,"top_p":0.5`, "/v1/messages", `{"messages":[1],"top_p":0.9}`,
			`{"messages":[1],"model":"claude-opus-4-1","temperature":0.5}`},
		{"anthropic, thinking", "anthropic", "anthropic", older, four, "/v1/messages", `{"messages":[1],"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2000}}`,
			`{"messages":[1],"max_tokens":2007,"thinking":{"type":"enabled","budget_tokens":2000},"model":"claude-3-haiku"}`},
		{"anthropic, thinking within the limit", "anthropic", "anthropic", older, `"max_tokens":2001,"top_p":0.95`, "/v1/messages", `{"messages":[1],"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2000}}`,
			`{"messages":[1],"max_tokens":2001,"thinking":{"type":"enabled","budget_tokens":2000},"model":"claude-3-haiku","top_p":0.95}`},
		{"anthropic, no thinking", "anthropic", "anthropic", older, `"top_k":3`, "/v1/messages", `{"messages":[1],"thinking":{"type":"disabled"}}`,
			`{"messages":[1],"thinking":{"type":"disabled"},"model":"claude-3-haiku","top_k":3}`},
		{"anthropic, counting tokens", "anthropic", "anthropic", older, four, "/v1/messages/count_tokens", `{"messages":[1]}`, `{"messages":[1],"model":"claude-3-haiku"}`},
		{"Claude on Bedrock", "anthropic", "bedrock", "anthropic.claude-3-haiku-v1:0", four + "," + fast, "/v1/messages", `{"messages":[1],"max_tokens":9}`,
			`{"messages":[1],"max_tokens":7,"temperature":0.5,"top_p":0.25,"top_k":3,"anthropic_version":"bedrock-2023-05-31"}`},
		{"Claude on Vertex", "anthropic", "gemini", older, four + "," + vertexOptions, "/v1/messages", `{"messages":[1],"max_tokens":9}`,
			`{"messages":[1],"max_tokens":7,"temperature":0.5,"top_p":0.25,"top_k":3,"anthropic_version":"vertex-2023-10-16"}`},

		{"converse", "bedrock", "bedrock", "qwen.q", four, "/model/qwen.q/converse", `{"messages":[1], "inferenceConfig":{"maxTokens":9,"stopSequences":["x"]}}`,
			`{"messages":[1], "inferenceConfig":{"maxTokens":7,"stopSequences":["x"],"temperature":0.5,"topP":0.25},"additionalModelRequestFields":{"top_k":3}}`},
		{"converse, no top_k", "bedrock", "bedrock", "meta.llama3", four, "/model/meta.llama3/converse", `{"messages":[1],"inferenceConfig":null}`,
			`{"messages":[1],"inferenceConfig":{"maxTokens":7,"temperature":0.5,"topP":0.25}}`},
		{"converse, Nova", "bedrock", "bedrock", "amazon.nova-pro", `"top_k":3`, "/model/amazon.nova-pro/converse", `{"messages":[1],"additionalModelRequestFields":{"a":1,"inferenceConfig":{"b":2}}}`,
			`{"messages":[1],"additionalModelRequestFields":{"a":1,"inferenceConfig":{"b":2,"topK":3}}}`},
		{"converse, the model's own names", "bedrock", "bedrock", "meta.llama3", four, "/model/meta.llama3/converse", `{"messages":[1],"additionalModelRequestFields":{"max_tokens":9,"temperature":1,"top_p":1,"max_gen_len":9,"x":1}}`,
			`{"messages":[1],"additionalModelRequestFields":{"x":1},"inferenceConfig":{"maxTokens":7,"temperature":0.5,"topP":0.25}}`},
		{"converse, the model's own names that are free", "bedrock", "bedrock", "meta.llama3", `"top_p":0.25`, "/model/meta.llama3/converse", `{"messages":[1],"additionalModelRequestFields":{"max_tokens":9,"temperature":1,"top_p":1}}`,
			`{"messages":[1],"additionalModelRequestFields":{"max_tokens":9,"temperature":1},"inferenceConfig":{"topP":0.25}}`},
		{"converse, Claude thinks", "bedrock", "bedrock", "anthropic.claude-3-7", four, "/model/anthropic.claude-3-7/converse", `{"messages":[1],"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2000}}}`,
			`{"messages":[1],"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2000}},"inferenceConfig":{"maxTokens":2007}}`},
		{"converse, Claude samples one way", "bedrock", "bedrock", "anthropic.claude-opus-4-1", `"temperature":0.5`, "/model/anthropic.claude-opus-4-1/converse", `{"messages":[1],"inferenceConfig":{"topP":0.9}}`,
			`{"messages":[1],"inferenceConfig":{"temperature":0.5}}`},
		{"converse, latency", "bedrock", "bedrock", "m", fast, "/model/m/converse", `{"messages":[1],"performanceConfig":{"latency":"standard"}}`,
			`{"messages":[1],"performanceConfig":{"latency":"optimized"}}`},
		{"converse, a stream", "bedrock", "bedrock", "m", `"max_tokens":7,` + fast, "/model/m/converse-stream", `{"messages":[1]}`,
			`{"messages":[1],"inferenceConfig":{"maxTokens":7},"performanceConfig":{"latency":"optimized"}}`},
		{"invoke, Claude", "bedrock", "bedrock", "anthropic.claude-3-haiku", four, "/model/anthropic.claude-3-haiku/invoke", `{"max_tokens":9,"messages":[]}`,
			`{"max_tokens":7,"messages":[],"temperature":0.5,"top_p":0.25,"top_k":3}`},
		{"invoke, Nova", "bedrock", "bedrock", "us.amazon.nova-pro-v1:0", four, "/model/us.amazon.nova-pro-v1:0/invoke", `{"messages":[]}`,
			`{"messages":[],"inferenceConfig":{"maxTokens":7,"temperature":0.5,"topP":0.25,"topK":3}}`},
		{"invoke, Titan", "bedrock", "bedrock", "amazon.titan-text-express-v1", four, "/model/amazon.titan-text-express-v1/invoke", `{"inputText":"a","textGenerationConfig":{"topP":0.90}}`,
			`{"inputText":"a","textGenerationConfig":{"topP":0.25,"maxTokenCount":7,"temperature":0.5}}`},
		{"invoke, Llama", "bedrock", "bedrock", "meta.llama3-8b", four, "/model/meta.llama3-8b/invoke", `{"prompt":"a"}`, `{"prompt":"a","max_gen_len":7,"temperature":0.5,"top_p":0.25}`},
		{"invoke, embeddings", "bedrock", "bedrock", "amazon.titan-embed-text-v2:0", four, "/model/amazon.titan-embed-text-v2:0/invoke", `{"inputText":"a"}`, `{"inputText":"a"}`},
		{"invoke, pictures", "bedrock", "bedrock", "amazon.nova-canvas-v1:0", four, "/model/amazon.nova-canvas-v1:0/invoke", `{"taskType":"a"}`, `{"taskType":"a"}`},
		{"retrieve", "bedrock", "bedrock", "m", `"max_tokens":7,` + fast, "/retrieveAndGenerate", `{"retrieveAndGenerateConfiguration":{"knowledgeBaseConfiguration":{"modelArn":"a"}}}`,
			`{"retrieveAndGenerateConfiguration":{"knowledgeBaseConfiguration":{"modelArn":"a","generationConfiguration":{"inferenceConfig":{"textInferenceConfig":{"maxTokens":7}},"performanceConfig":{"latency":"optimized"}}}}}`},

		{"gemini", "gemini", "gemini", "g", four, "/v1beta/models/g:generateContent", `{ "contents" : [1], "generationConfig":{"maxOutputTokens":9,"seed":1} }`,
			`{ "contents" : [1], "generationConfig":{"maxOutputTokens":7,"seed":1,"temperature":0.5,"topP":0.25,"topK":3} }`},
		{"gemini, nothing said", "gemini", "gemini", "g", `"max_tokens":7`, "/v1beta/models/g:streamGenerateContent", `{"contents":[1]}`, `{"contents":[1],"generationConfig":{"maxOutputTokens":7}}`},
		{"gemini, the other spelling", "gemini", "gemini", "g", four, "/v1beta/models/g:generateContent", `{"contents":[1],"generation_config":{"max_output_tokens":9,"top_p":1,"top_k":9,"temperature":1,"seed":1}}`,
			`{"contents":[1],"generation_config":{"temperature":0.5,"seed":1,"maxOutputTokens":7,"topP":0.25,"topK":3}}`},
		{"gemini, both spellings", "gemini", "gemini", "g", `"max_tokens":7,"temperature":0.5`, "/v1beta/models/g:generateContent",
			`{"contents":[1],"generationConfig":{},"generation_config":{"max_output_tokens":9,"maxOutputTokens":9,"temperature":1,"top_p":1}}`,
			`{"contents":[1],"generationConfig":{"maxOutputTokens":7,"temperature":0.5},"generation_config":{"top_p":1}}`},
		{"gemini, embeddings", "gemini", "gemini", "g", four, "/v1beta/models/g:embedContent", `{"content":1}`, `{"content":1}`},

		{"cohere", "cohere", "cohere", "c", four, "/v2/chat", `{"messages":[1],"p":1,"max_tokens":9}`, `{"messages":[1],"p":0.25,"max_tokens":7,"model":"c","temperature":0.5,"k":3}`},
		{"cohere, the first version", "cohere", "cohere", "c", `"max_tokens":7,"top_k":3`, "/v1/chat", `{"message":"x"}`, `{"message":"x","model":"c","max_tokens":7,"k":3}`},
		{"huggingface", "huggingface", "huggingface", "h", four, "/generate", `{"inputs":"x","parameters":{"max_new_tokens":9,"seed":1}}`,
			`{"inputs":"x","parameters":{"max_new_tokens":7,"seed":1,"temperature":0.5,"top_p":0.25,"top_k":3,"do_sample":true}}`},
		{"huggingface, what it refuses", "huggingface", "huggingface", "h", `"temperature":0,"top_p":1,"top_k":0`, "/generate", `{"inputs":"x"}`, `{"inputs":"x"}`},
	} {
		out, _ := s.post(s.instance(confOf(c.format, chatRoute, c.provider, c.model, c.options)), c.path, "", []byte(c.body))
		refused := strings.Contains(c.path, "tream") && out.status == 500 // {} is no stream
		if out.status != 200 && !refused || len(s.sent) != 1 || string(s.sent[0]) != c.want {
			t.Errorf("%s: %d %s\n got %s\nwant %s", c.name, out.status, out.body.String(), s.sent, c.want)
		}
	}
}

// InvokeModel's body is the model's own: what Bedrock is to do is in a header.
func TestLatencyOfInvokeModelComesFromAHeader(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	const name, own = "X-Amzn-Bedrock-Performanceconfig-Latency", "standard"
	for _, c := range []struct{ format, options, path, want string }{
		{"bedrock", `"bedrock":{"aws_region":"us-east-1","performance_config_latency":"optimized"}`, "/model/" + claudeOnBedrock + "/invoke", "optimized"},
		{"bedrock", "", "/model/" + claudeOnBedrock + "/invoke", own},
		{"anthropic", `"bedrock":{"aws_region":"us-east-1","performance_config_latency":"optimized"}`, "/v1/messages", "optimized"},
	} {
		out, _ := s.post(s.instance(confOf(c.format, chatRoute, "bedrock", claudeOnBedrock, c.options)), c.path, "", []byte(`{"messages":[1]}`), name, own)
		if out.status != 200 || s.seen[0].Header.Get(name) != c.want {
			t.Errorf("%s %s: %d %q", c.format, c.path, out.status, s.seen[0].Header.Get(name))
		}
	}
}

// A client of another format did not mean OpenAI's rules; one of OpenAI's is told
// of them by the provider.
func TestFieldsThatAReasoningModelRefusesAreLeftOut(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{"choices":[]}`))
	const asked = `"messages":[{"role":"user","content":"x"}],"temperature":0.2,"top_p":0.9`
	for _, c := range []struct{ format, provider, model, body, want string }{
		{"anthropic", "openai", "gpt-5", `{` + asked + `,"max_tokens":9,"stop_sequences":["X"]}`, `"max_completion_tokens":9`},
		{"anthropic", "openai", "gpt-5.1", `{` + asked + `,"max_tokens":9}`, `"max_completion_tokens":9`},
		{"anthropic", "azure", "o3-mini", `{` + asked + `,"max_tokens":9,"stop_sequences":["X"]}`, `"max_completion_tokens":9`},
		{"anthropic", "openai", "gpt-4o", `{` + asked + `,"max_tokens":9,"stop_sequences":["X"]}`, `"temperature":0.2 "top_p":0.9 "stop":["X"]`},
		{"anthropic", "openai", "gpt-5-chat-latest", `{` + asked + `,"max_tokens":9}`, `"temperature":0.2 "top_p":0.9 "max_completion_tokens":9`},
		{"anthropic", "xai", "grok-4", `{` + asked + `,"max_tokens":9,"stop_sequences":["X"]}`, `"temperature":0.2 "top_p":0.9`},
		{"anthropic", "xai", "grok-3", `{` + asked + `,"max_tokens":9,"stop_sequences":["X"]}`, `"temperature":0.2 "top_p":0.9 "stop":["X"]`},
		{"openai", "openai", "gpt-5", `{` + asked + `,"stop":["X"]}`, `"temperature":0.2 "top_p":0.9 "stop":["X"]`},
	} {
		path := map[string]string{"anthropic": "/v1/messages", "openai": "/chat"}[c.format]
		s.post(s.instance(confOf(c.format, chatRoute, c.provider, c.model, "")), path, "", []byte(c.body))
		if len(s.sent) != 1 {
			t.Errorf("%s: nothing was sent", c.model)
			continue
		}
		sent := string(s.sent[0])
		for _, member := range []string{`"temperature":0.2`, `"top_p":0.9`, `"stop":["X"]`, `"max_completion_tokens":9`} {
			if strings.Contains(sent, member) != strings.Contains(c.want, member) {
				t.Errorf("%s of %s: sent %s, want %s", c.model, c.format, sent, c.want)
				break
			}
		}
	}
}

// TestOverrideDecidesWhoWins: with override false, the client's values stay, in every
// format, and options hold where the client says nothing.
func TestOverrideDecidesWhoWins(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	const four = `"max_tokens":7,"temperature":0.5,"top_p":0.25,"top_k":3`
	const region = `"bedrock":{"aws_region":"us-east-1","performance_config_latency":"optimized"}`
	const vectors = `"embeddings_dimensions":64`
	for _, c := range []struct {
		name, format, provider, model, route, options, path, body string
		client, both                                              []string // what is sent by override false, and true
	}{
		{"chat as it is", "openai", "openai", "gpt-4o", chatRoute, four, "/chat", `{"messages":[{"role":"user","content":"x"}],"max_completion_tokens":9,"temperature":1}`,
			[]string{`"max_completion_tokens":9`, `"temperature":1`, `"top_p":0.25`}, []string{`"max_tokens":7`, `"temperature":0.5`, `"top_p":0.25`}},
		{"chat, an older name", "openai", "openai", "gpt-4o", chatRoute, four, "/chat", `{"messages":[{"role":"user","content":"x"}],"max_tokens":9,"top_p":null}`, []string{`"max_tokens":9`, `"temperature":0.5`, `"top_p":0.25`}, []string{`"max_tokens":7`}},
		{"responses", "openai", "openai", "gpt-4o", "llm/v1/responses", four, "/responses", `{"input":"x","max_output_tokens":9}`, []string{`"max_output_tokens":9`, `"temperature":0.5`}, []string{`"max_output_tokens":7`}},
		{"chat translated", "openai", "anthropic", "claude-3-haiku", chatRoute, four + `,"anthropic_version":"2023-06-01"`, "/chat", `{"messages":[{"role":"user","content":"x"}],"max_tokens":9}`,
			[]string{`"max_tokens":9`, `"temperature":0.5`}, []string{`"max_tokens":7`}},
		{"messages translated", "anthropic", "openai", "gpt-4o", chatRoute, four, "/v1/messages", `{"messages":[{"role":"user","content":"x"}],"max_tokens":9}`, []string{`"max_tokens":9`, `"temperature":0.5`}, []string{`"max_tokens":7`}},
		{"messages", "anthropic", "anthropic", "claude-opus-4-1", chatRoute, four + `,"anthropic_version":"2023-06-01"`, "/v1/messages", `{"messages":[1],"max_tokens":9,"top_p":0.9,"temperature":1}`,
			[]string{`"max_tokens":9`, `"temperature":1`, `"top_p":0.9`, `"top_k":3`}, []string{`"max_tokens":7`, `"temperature":0.5`}},
		{"converse", "bedrock", "bedrock", "meta.llama3", chatRoute, four[:len(four)-len(`,"top_k":3`)] + "," + region, "/model/meta.llama3/converse", `{"messages":[1],"inferenceConfig":{"maxTokens":9},"performanceConfig":{"latency":"standard"}}`,
			[]string{`"maxTokens":9`, `"temperature":0.5`, `"latency":"standard"`}, []string{`"maxTokens":7`, `"latency":"optimized"`}},
		{"converse, the model's own name", "bedrock", "bedrock", "meta.llama3", chatRoute, `"max_tokens":7,` + region, "/model/meta.llama3/converse", `{"messages":[1],"additionalModelRequestFields":{"max_gen_len":9}}`,
			[]string{`"max_gen_len":9`}, []string{`"maxTokens":7`}},
		{"converse translated", "openai", "bedrock", "meta.llama3", chatRoute, region, "/chat", `{"messages":[{"role":"user","content":"x"}],"performanceConfig":{"latency":"standard"}}`, []string{`"latency":"standard"`}, []string{`"latency":"optimized"`}},
		{"invoke", "bedrock", "bedrock", "meta.llama3", chatRoute, `"max_tokens":7,` + region, "/model/meta.llama3/invoke", `{"prompt":"x","max_gen_len":9}`, []string{`"max_gen_len":9`}, []string{`"max_gen_len":7`}},
		{"gemini", "gemini", "gemini", "g", chatRoute, four, "/v1beta/models/g:generateContent", `{"contents":[1],"generation_config":{"max_output_tokens":9}}`, []string{`"max_output_tokens":9`, `"temperature":0.5`}, []string{`"maxOutputTokens":7`}},
		{"cohere", "cohere", "cohere", "c", chatRoute, four, "/v2/chat", `{"messages":[1],"p":0.9}`, []string{`"p":0.9`, `"max_tokens":7`}, []string{`"p":0.25`}},
		{"TGI", "huggingface", "huggingface", "h", chatRoute, four, "/generate", `{"inputs":"x","parameters":{"max_new_tokens":9}}`, []string{`"max_new_tokens":9`, `"temperature":0.5`}, []string{`"max_new_tokens":7`}},
		{"embeddings as they are", "openai", "openai", "e", "llm/v1/embeddings", vectors, "/embeddings", `{"input":"x","dimensions":8}`, []string{`"dimensions":8`}, []string{`"dimensions":64`}},
		{"embeddings translated", "openai", "cohere", "e", "llm/v1/embeddings", vectors, "/embeddings", `{"input":"x","dimensions":8}`, []string{`"output_dimension":8`}, []string{`"output_dimension":64`}},
		{"gemini's embeddings", "gemini", "gemini", "g", "llm/v1/embeddings", vectors, "/v1beta/models/g:batchEmbedContents", `{"requests":[{"content":{},"output_dimensionality":8},{"content":{}}]}`,
			[]string{`"output_dimensionality":8`, `{"content":{},"outputDimensionality":64}`}, []string{`[{"content":{},"outputDimensionality":64},{"content":{},"outputDimensionality":64}]`}},
		{"vertex's embeddings, the older place", "gemini", "gemini", "gemini-embedding-2", "llm/v1/embeddings", vectors + "," + vertexOptions, vertexModels + "gemini-embedding-2:embedContent", `{"content":{},"output_dimensionality":8}`,
			[]string{`{"content":{},"output_dimensionality":8}`}, []string{`{"content":{},"embedContentConfig":{"outputDimensionality":64}}`}},
		{"vertex's embeddings, the other spelling", "gemini", "gemini", "gemini-embedding-2", "llm/v1/embeddings", vectors + "," + vertexOptions, vertexModels + "gemini-embedding-2:embedContent", `{"embed_content_config":{"output_dimensionality":8}}`,
			[]string{`{"embed_content_config":{"output_dimensionality":8}}`}, []string{`{"embed_content_config":{"outputDimensionality":64}}`}},
		{"cohere's embeddings", "cohere", "cohere", "e", "llm/v1/embeddings", vectors, "/v2/embed", `{"texts":["x"],"output_dimension":8}`, []string{`"output_dimension":8`}, []string{`"output_dimension":64`}},
		{"Titan's embeddings", "openai", "bedrock", "amazon.titan-embed-text-v2:0", "llm/v1/embeddings", vectors + `,"bedrock":{"aws_region":"us-east-1","embeddings_normalize":true}`, "/embeddings", `{"input":"x","normalize":false}`,
			[]string{`"normalize":false`, `"dimensions":64`}, []string{`"normalize":true`, `"dimensions":64`}},
	} {
		for override, want := range map[string][]string{"false": c.client, "true": c.both} {
			out, _ := s.post(s.instance(confOf(c.format, c.route, c.provider, c.model, c.options+`,"override":`+override)), c.path, "", []byte(c.body))
			if len(s.sent) == 0 {
				t.Fatalf("%s: nothing is sent: %s", c.name, out.body.String())
			}
			got := string(s.sent[len(s.sent)-1])
			for _, w := range want {
				if !strings.Contains(got, w) {
					t.Errorf("%s, override %s: %s\nhas no %s", c.name, override, got, w)
				}
			}
		}
	}
}

// TestSpeechIsPaidByTheCharacter: no answer counts what is spoken.
func TestSpeechIsPaidByTheCharacter(t *testing.T) {
	s := newStage(t, says(200, "audio/mpeg", "sound"))
	_, r := s.post(s.instance(confOf("openai", "audio/v1/audio/speech", "openai", "tts-1", `"character_cost":15`)), "/audio/speech", "", []byte(`{"input":"Grüß dich","voice":"v"}`))
	if d := r.Data(); d.Usage.Characters != 9 || d.Cost() != 9*15/1e6 {
		t.Errorf("%d characters cost %v", d.Usage.Characters, d.Cost())
	}
}

// TestKongsDefaultYieldsToTheClientsNormalize: false cannot be told from what is not
// configured, so that it holds where the client says nothing, and there only.
func TestKongsDefaultYieldsToTheClientsNormalize(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	for _, c := range []struct{ model, route, body, want string }{
		{"amazon.titan-embed-text-v2:0", "llm/v1/embeddings", `{"inputText":"x"}`, `{"inputText":"x","normalize":false}`},
		{"amazon.titan-embed-text-v2:0", "llm/v1/embeddings", `{"inputText":"x","normalize":true}`, `{"inputText":"x","normalize":true}`},
		{"amazon.titan-embed-text-v1", "llm/v1/embeddings", `{"inputText":"x"}`, `{"inputText":"x"}`},
		{"amazon.titan-embed-text-v2:0", chatRoute, `{"inputText":"x"}`, `{"inputText":"x"}`},
	} {
		options := `"bedrock":{"aws_region":"us-east-1","embeddings_normalize":false}`
		out, _ := s.post(s.instance(confOf("bedrock", c.route, "bedrock", c.model, options)), "/model/"+c.model+"/invoke", "", []byte(c.body))
		if len(s.sent) != 1 || string(s.sent[0]) != c.want {
			t.Errorf("%s: sent %s, want %s: %s", c.model, s.sent, c.want, out.body.String())
		}
	}
}

// TestOnlyOpenAIGetsFunctionsAsTheyWereBeforeTools: others refuse or overlook them, and the
// client is answered in its words.
func TestOnlyOpenAIGetsFunctionsAsTheyWereBeforeTools(t *testing.T) {
	for _, to := range [][3]string{
		{"mistral", "mistral-large-2512", `"mistral_format":"openai"`}, {"deepseek", "deepseek-chat", ""}, {"vllm", "qwen3", `"upstream_url":"http://127.0.0.1:1/v1/chat/completions"`},
		{"xai", "grok-4", ""}, {"dashscope", "qwen3-max", ""},
	} {
		functionsAsTools(t, to[0], to[1], to[2])
	}
	s := newStage(t, says(200, "application/json", `{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}`))
	s.post(s.instance(confOf("openai", chatRoute, "openai", "gpt-4o", "")), "/chat", "", []byte(`{"messages":[{"role":"user","content":"\"function\""}],"functions":[{"name":"f"}]}`))
	if len(s.sent) != 1 || !strings.Contains(string(s.sent[0]), `"functions":[`) {
		t.Errorf("openai: sent %s", s.sent)
	}
}

func functionsAsTools(t *testing.T, provider, model, options string) {
	t.Helper()
	s := newStage(t, says(200, "application/json", `{"id":"1","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"","tool_calls":[{"id":"abcdefghi","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`))
	const history = `"messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"7"}]`
	const functions = `,"functions":[{"name":"f","parameters":{"type":"object","properties":{}}}],"function_call":{"name":"f"}`
	for body, want := range map[string][]string{
		"{" + history + functions + "}": {`"tools":[`, `"tool_choice":{`, `"tool_calls":[`, `"role":"tool"`},
		"{" + history + "}":             {`"tool_calls":[`, `"role":"tool"`},
	} {
		out, _ := s.post(s.instance(confOf("openai", chatRoute, provider, model, options)), "/chat", "", []byte(body))
		for _, w := range want {
			if out.status != 200 || len(s.sent) != 1 || !strings.Contains(string(s.sent[0]), w) || strings.Contains(string(s.sent[0]), `"function_call"`) {
				t.Errorf("%s: %d: sent %s, want %s", provider, out.status, s.sent, w)
			}
		}
	}
}
