package translators

import (
	"fmt"
	"strings"
	"testing"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// What a client of each dialect sends, with something of everything.
var clientBodies = map[string]struct {
	dialect chat.Dialect
	body    string
}{
	"completions": {openai.Completions, `{"model":"m","prompt":["a"],"stop":["x"],"logit_bias":{"1":2},"extra":{"a":[1]},"max_tokens":5}`},
	"responses": {openai.Responses, `{"model":"m","instructions":"be brief","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"},{"type":"input_image","image_url":"data:image/png;base64,aW1n"}]},` +
		`{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"x"},{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},` +
		`{"type":"function_call_output","call_id":"c1","output":"x"}],"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{"a":{"type":"string"}}}}],"metadata":{"a":"b"}}`},
	"anthropic": {anthropic.Dialect, `{"model":"m","max_tokens":5,"system":[{"type":"text","text":"be brief"}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aW1n"}}]},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"tool_use","id":"t1","name":"f","input":{"a":["b"]}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"x"}]}]}],` +
		`"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"a":{"type":"string"}}}}],"stop_sequences":["x"]}`},
	"gemini": {gemini.Dialect, `{"systemInstruction":{"parts":[{"text":"be brief"}]},"contents":[{"role":"user","parts":[{"text":"hi"},{"inlineData":{"mimeType":"image/png","data":"aW1n"}}]},` +
		`{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":["b"]}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"x":1}}}]}],` +
		`"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string"}}}}]}],"generationConfig":{"stopSequences":["x"],"responseSchema":{"type":"object","properties":{"a":{"type":"string"}}}},"safetySettings":[{"a":1}]}`},
	"bedrock": {bedrock.Dialect, `{"system":[{"text":"be brief"}],"messages":[{"role":"user","content":[{"text":"hi"},{"image":{"format":"png","source":{"bytes":"aW1n"}}}]},` +
		`{"role":"assistant","content":[{"text":"a"},{"toolUse":{"toolUseId":"t1","name":"f","input":{"a":["b"]}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"text":"x"},{"json":{"a":1}}]}}]}],` +
		`"inferenceConfig":{"stopSequences":["x"]},"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{"a":{"type":"string"}}}}}}]},"additionalModelRequestFields":{"a":[1]}}`},
}

var plainTarget = target.Target{Provider: "openai", Route: "llm/v1/chat", Model: "m", Options: &target.Options{}}

// An answer in OpenAI's format with something of everything, whole and streamed.
const (
	fullAnswer = `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi","reasoning_content":"hm","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls","logprobs":{"content":[{"token":"a","logprob":1,"bytes":[1],"top_logprobs":[]}]}}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`
	fullStream = `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"hm"}}]}
{"id":"c","choices":[{"index":0,"delta":{"content":"hi"}}]}
{"id":"c","choices":[{"index":0,"delta":{"refusal":"no"}}]}
{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":""}}]}}]}
{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]}}]}
{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}
{"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}
[DONE]`
)

func growing(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("times say nothing here")
	}
}

func TestDialectsReadAndWriteInLinearTime(t *testing.T) {
	growing(t)
	var events []frame.Event
	for line := range strings.Lines(fullStream) {
		events = append(events, frame.Event{Data: []byte(strings.TrimSpace(line))})
	}
	for name, c := range clientBodies {
		t.Run(name, func(t *testing.T) {
			if _, err := chat.ParseRequest(c.dialect, []byte(c.body)); err != nil {
				t.Fatal(err)
			}
			growth.Check(t, func(body []byte) {
				if req, err := chat.ParseRequest(c.dialect, body); err == nil {
					_, _ = openai.Upstream{}.AppendRequest(nil, &plainTarget, req)
				}
				if members, err := jsonedit.Object(body, nil); err == nil {
					openai.PromptWords(members)
				}
			}, []byte(c.body))
			growth.Check(t, func(body []byte) {
				if resp, err := (openai.Upstream{}).ParseResponse(&plainTarget, body); err == nil {
					_, _ = c.dialect.AppendResponse(nil, resp)
				}
				c.dialect.AppendError(nil, chat.ErrorFrom(400, body))
			}, []byte(fullAnswer))
			conformance.GrowStream(t, events, func(events []frame.Event) {
				from, to := openai.Upstream{}.NewStream(&plainTarget), c.dialect.NewEncoder(chat.Meta{ID: "x", Model: "m"})
				var dst []byte
				for _, ev := range events {
					deltas, err := from.Next(ev)
					if err != nil {
						return
					}
					for i := range deltas {
						dst = to.Append(dst[:0], &deltas[i])
					}
				}
			})
		})
	}
}

// What clients ask of operations that are no chat, by the end of the route type.
var otherBodies = map[string]string{
	"embeddings":  `{"model":"m","input":["a","b"],"input_type":"x","dimensions":3,"extra_body":{"parameters":{"a":1}}}`,
	"generations": `{"model":"m","prompt":"a","n":1,"size":"1024x1024","image":["data:image/png;base64,aW1n"],"images":[{"image_url":"https://x/y.png"}],"seconds":"4","parameters":{"a":[1]},"input_reference":"https://x/y.png"}`,
	"edits":       `{"model":"m","prompt":"a","image":["data:image/png;base64,aW1n"],"parameters":{"a":[1]}}`,
	"batches":     `{"input_file_id":"s3://b/in.jsonl","endpoint":"/v1/chat/completions","completion_window":"24h","roleArn":"r","metadata":{"a":"b"},"requests":[{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"hi"}]}}]}`,
	"files":       `{"a":1}`,
}

// otherAnswer has what answers of operations that are no chat have, all at once:
// each reader takes its own.
const otherAnswer = `{"id":"x","name":"operations/x","object":"list","data":[{"id":"x","embedding":[0.5,1],"index":0,"status":"running"}],"embeddings":[{"values":[0.5,1]}],"embedding":[0.5,1],"embeddingsByType":{"float":[[1,2]]},"inputTextTokenCount":3,` +
	`"predictions":[{"embeddings":{"values":[0.5],"statistics":{"token_count":3}},"bytesBase64Encoded":"aW1n","mimeType":"image/png"}],"images":["aW1n"],"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"aW1n"}}]}}],` +
	`"output":{"choices":[{"message":{"content":[{"image":"https://x/y.png"}]}}],"results":[{"url":"https://x/y.png"}]},"operations":[{"name":"x","metadata":{"state":"x"}}],"invocationJobSummaries":[{"jobArn":"x"}],"asyncInvokeSummaries":[{"invocationArn":"x"}],` +
	`"batchPredictionJobs":[{"name":"x"}],"response":{"inlinedResponses":{"inlinedResponses":[{"metadata":{"key":"a"},"response":{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}}]},"generateVideoResponse":{"generatedSamples":[{"video":{"uri":"x"}}]}},"usage":{"prompt_tokens":3},"meta":{"billed_units":{"input_tokens":1}}}`

// batchResults are lines of the results of a batch, in several providers' forms.
const batchResults = `{"custom_id":"a","key":"a","recordId":"a","result":{"type":"succeeded","message":{"type":"message","content":[{"type":"text","text":"a"}],"usage":{"input_tokens":1,"output_tokens":2}}},"response":{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"body":{"usage":{"prompt_tokens":1}}}}`

func TestOtherOperationsReadAndWriteInLinearTime(t *testing.T) {
	growing(t)
	done := map[string]bool{}
	for _, name := range Names() {
		to := plainTarget
		options := needs[name]
		options.Bedrock.AWSRegion = "us-east-1"
		to.Provider, to.Options = name, &options
		variants := []*provider.Provider{Lookup(name)}
		if v := variants[0].Variant; v != nil {
			onCloud := to
			cloud := options
			cloud.Gemini = target.Gemini{APIEndpoint: "us-central1-aiplatform.googleapis.com", ProjectID: "p", LocationID: "us-central1"}
			onCloud.Options = &cloud
			variants = append(variants, v(&to), v(&onCloud))
		}
		for _, p := range variants {
			for route, op := range p.Operations {
				reader := fmt.Sprintf("%T %T", op.Body, op.Resource)
				if op.Body == nil && op.Resource == nil || done[reader] {
					continue
				}
				done[reader] = true
				to := to
				to.Route = route
				body := []byte(otherBodies[string(route[strings.LastIndexByte(string(route), '/')+1:])])
				t.Run(name+" "+string(route), func(t *testing.T) { growOther(t, op, &to, body) })
			}
		}
	}
}

func growOther(t *testing.T, op *provider.Operation, to *target.Target, body []byte) {
	meta := chat.Meta{ID: "x", Model: "m"}
	if op.Body != nil {
		growth.Check(t, func(body []byte) { _, _ = op.Body.AppendRequest(nil, to, body) }, body)
		growth.Check(t, func(body []byte) { _, _ = op.Body.AppendResponse(nil, to, body, meta, new(chat.Seen)) }, []byte(otherAnswer))
		return
	}
	growth.Check(t, func(body []byte) {
		_, _ = op.Resource.Request(to, &provider.Call{Method: "POST", Body: body}, meta)
	}, body)
	calls := []*provider.Call{{Method: "POST", Body: body}, {Method: "GET"}, {Method: "GET", Path: "/batch_YQ"}, {Method: "GET", Path: "/video_YQ/content"}, {Method: "GET", Path: "/file-x/content"}}
	growth.Check(t, func(answer []byte) {
		for _, c := range calls {
			_, _ = op.Resource.Answer(to, c, answer, meta, new(chat.Seen))
		}
	}, []byte(otherAnswer))
	growth.Linear(t, "lines of results", func(n int) func() {
		lines := []byte(strings.Repeat(batchResults+"\n", n))
		return func() {
			for _, c := range calls {
				_, _ = op.Resource.Answer(to, c, lines, meta, new(chat.Seen))
			}
		}
	})
}
