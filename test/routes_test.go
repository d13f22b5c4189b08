package test

import (
	"fmt"
	"strings"
	"testing"
)

// form is a multipart request of these fields; image is a file.
func form(fields ...string) request {
	const boundary = "xxBOUNDARYxx"
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		b.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + fields[i] + `"`)
		if fields[i] == "image" {
			b.WriteString("; filename=\"a.png\"\r\nContent-Type: image/png")
		}
		b.WriteString("\r\n\r\n" + fields[i+1] + "\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n")
	return request{body: b.String(), header: map[string]string{"Content-Type": "multipart/form-data; boundary=" + boundary}}
}

// mentions is a value with these texts somewhere in it.
func mentions(parts ...string) func(any) bool {
	return func(v any) bool {
		s := fmt.Sprint(v)
		for _, p := range parts {
			if !strings.Contains(s, p) {
				return false
			}
		}
		return true
	}
}

var embeddingRows = []row{
	{acceptance: []int{173}, name: "bedrock", send: request{body: `{"input":"hi"}`}, answer: answer{body: `{"embedding":[0.5,-0.25],"inputTextTokenCount":3}`},
		config: bedrock("/model/amazon.titan-embed-text-v2%3A0/invoke", "route_type", "llm/v1/embeddings", "model.name", "amazon.titan-embed-text-v2:0", "model.options.embeddings_dimensions", 256, "model.options.bedrock.embeddings_normalize", true),
		want: want{up: obj{whole: document(`{"inputText":"hi","dimensions":256,"normalize":true}`)}, json: obj{"object": "list", "data": document(`[{"object":"embedding","index":0,"embedding":[0.5,-0.25]}]`), "usage.prompt_tokens": 3, "usage.total_tokens": 3},
			log: obj{"ai.proxy.usage.prompt_tokens": 3}}},
	{acceptance: []int{208}, name: "cohere", config: cohere("/v2/embed", "route_type", "llm/v1/embeddings", "model.name", "embed-v4.0", "model.options.cohere", obj{"embedding_input_type": "search_query"}),
		send: request{body: `{"input":["a","b"]}`}, answer: answer{body: `{"id":"e","embeddings":{"float":[[0.5],[0.25]]},"texts":["a","b"],"meta":{"billed_units":{"input_tokens":2}},"response_type":"embeddings_by_type"}`},
		want: want{up: obj{"texts": list{"a", "b"}, "input_type": "search_query", "model": "embed-v4.0", "embedding_types": list{"float"}, "input": gone},
			json: obj{"object": "list", "data": document(`[{"object":"embedding","index":0,"embedding":[0.5]},{"object":"embedding","index":1,"embedding":[0.25]}]`), "usage.prompt_tokens": 2}, log: obj{"ai.proxy.usage.prompt_tokens": 2}}},
}

var mediaRows = []row{
	{acceptance: []int{174}, name: "bedrock, a film", config: bedrock("/async-invoke", "route_type", "video/v1/videos/generations", "genai_category", "video/generation", "model.name", "amazon.nova-reel-v1:1", "model.options.bedrock.video_output_s3_uri", "s3://films/out"),
		send:   request{body: `{"prompt":"A cat","seconds":"6","size":"1280x720","extra_body":{"fps":24}}`},
		answer: answer{body: `{"invocationArn":"arn:aws:bedrock:us-east-1:1:async-invoke/abc"}`},
		want: want{up: obj{"modelId": "amazon.nova-reel-v1:1", "modelInput.taskType": "TEXT_VIDEO", "modelInput.textToVideoParams.text": "A cat", "modelInput.videoGenerationConfig.fps": 24, "modelInput.videoGenerationConfig.durationSeconds": 6,
			"modelInput.videoGenerationConfig.dimension": "1280x720", "outputDataConfig.s3OutputDataConfig.s3Uri": contains("s3://films/out"), "extra_body": gone, "fps": gone}, json: obj{"object": "video", "status": "queued"}}},
	{acceptance: []int{175}, name: "bedrock, a picture edited", config: bedrock("/model/m/invoke", "route_type", "image/v1/images/edits", "genai_category", "image/generation", "model.name", "amazon.nova-canvas-v1:0"),
		send: form("prompt", "a hat", "image", "PNGBYTES"), answer: answer{body: `{"images":["aW1n"]}`},
		want: want{upHeader: map[string]string{"Content-Type": "application/json"}, up: obj{whole: mentions("UE5HQllURVM=", "a hat")}, json: obj{"data.0.b64_json": "aW1n"}}},
	{acceptance: []int{191}, name: "vertex, a picture", config: vertexAI("gemini-3-pro-image-preview", "route_type", "image/v1/images/generations", "genai_category", "image/generation", "model.options.upstream_url", "$UP"+vertexModels+"google/models/gemini-3-pro-image-preview:generateContent"),
		send:   request{body: `{"prompt":"A cat","n":1,"generationConfig":{"imageConfig":{"aspectRatio":"16:9","imageSize":"4k"}}}`},
		answer: answer{body: `{"candidates":[{"content":{"role":"model","parts":[{"text":"Here."},{"inlineData":{"mimeType":"image/png","data":"aW1n"}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":100,"thoughtsTokenCount":20,"totalTokenCount":124}}`},
		want: want{up: obj{"contents": document(`[{"role":"user","parts":[{"text":"A cat"}]}]`), "generationConfig.imageConfig": document(`{"aspectRatio":"16:9","imageSize":"4k"}`), "generationConfig.responseModalities": document(`["TEXT","IMAGE"]`), "prompt": gone},
			json: obj{"data.0.b64_json": "aW1n", "usage.input_tokens": 4, "usage.output_tokens": 120}, log: obj{"ai.proxy.usage.prompt_tokens": 4, "ai.proxy.usage.completion_tokens": 120}}},
	{acceptance: []int{237}, name: "xai, a picture", config: provider("xai", "/v1/images/generations", "route_type", "image/v1/images/generations", "genai_category", "image/generation", "model.name", "grok-2-image"),
		send: request{body: `{"prompt":"A cat"}`}, answer: answer{body: `{"data":[{"url":"https://imgen.x.ai/a.jpg"}]}`},
		want: want{up: obj{"prompt": "A cat", "model": "grok-2-image"}, exactly: `{"data":[{"url":"https://imgen.x.ai/a.jpg"}]}`}},
	{acceptance: []int{241}, name: "dashscope, a picture", config: provider("dashscope", "/api/v1/services/aigc/multimodal-generation/generation", "route_type", "image/v1/images/generations", "genai_category", "image/generation", "model.name", "qwen-image-plus"),
		send: request{body: `{"prompt":"A cat","size":"1024x1024"}`}, answer: answer{body: `{"output":{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":[{"image":"https://oss/a.png"}]}}]},"usage":{"width":1024,"height":1024,"image_count":1},"request_id":"r"}`},
		want: want{up: obj{"model": "qwen-image-plus", "input.messages": document(`[{"role":"user","content":[{"text":"A cat"}]}]`), "parameters.size": "1024*1024", "prompt": gone}, json: obj{"data.0.url": "https://oss/a.png"}}},
}

func TestEmbeddingsOfOthers(t *testing.T)       { run(t, embeddingRows) }
func TestPicturesAndFilmsOfOthers(t *testing.T) { run(t, mediaRows) }
