package translators

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"reflect"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// at one target: a provider's operation for a route.
func operationOf(t *testing.T, name, routeType, model string, o target.Options) (*provider.Operation, *target.Target) {
	t.Helper()
	p := Lookup(name)
	tt := &target.Target{Provider: name, Route: route.Type(routeType), Model: model, Options: &o}
	if p.Variant != nil {
		p = p.Variant(tt)
	}
	op := p.Operations[route.Type(routeType)]
	if op == nil {
		t.Fatalf("%s has no %s", name, routeType)
	}
	return op, tt
}

func matches(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%s is no JSON: %v\n%s", what, err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("%s\n got %s\nwant %s", what, got, want)
	}
}

var (
	aws      = target.Options{Bedrock: target.Bedrock{AWSRegion: "us-east-1", EmbeddingsNormalize: true, VideoOutputS3URI: "s3://bucket/videos", BatchRoleARN: "arn:aws:iam::1:role/b", BatchBucketPrefix: "s3://bucket/batch/"}}
	onVertex = target.Options{Gemini: target.Gemini{APIEndpoint: "us-central1-aiplatform.googleapis.com", ProjectID: "p", LocationID: "us-central1"}}
	meta     = chat.Meta{ID: "unique", Created: 1700000000, Model: "asked", PromptTokens: 3}
)

func TestEmbeddingsOfEveryProviderAreTranslated(t *testing.T) {
	dimensions := 256
	withDimensions := aws
	withDimensions.EmbeddingsDimensions = &dimensions
	yielding := withDimensions
	yielding.Override = new(false)
	plain := target.Options{Bedrock: target.Bedrock{AWSRegion: "us-east-1"}}
	two := `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,0.5]},{"object":"embedding","index":1,"embedding":[2,-1e-3]}],"model":"asked","usage":{"prompt_tokens":%,"total_tokens":%}}`
	one := `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,0.5]}],"model":"asked","usage":{"prompt_tokens":%,"total_tokens":%}}`
	for _, c := range []struct {
		name, provider, model string
		options               target.Options
		body, path, request   string
		answer, response      string
		tokens                string
	}{
		{"titan v2", "bedrock", "amazon.titan-embed-text-v2:0", withDimensions, `{"input":"hi","encoding_format":"base64"}`, "/model/amazon.titan-embed-text-v2%3A0/invoke",
			`{"inputText":"hi","dimensions":256,"normalize":true}`, `{"embedding":[1,0.5],"inputTextTokenCount":7}`, one, "7"},
		{"titan v2, not normalized", "bedrock", "amazon.titan-embed-text-v2:0", plain, `{"input":"hi"}`, "/model/amazon.titan-embed-text-v2%3A0/invoke",
			`{"inputText":"hi","normalize":false}`, `{"embedding":[1,0.5],"inputTextTokenCount":7}`, one, "7"},
		{"titan v2, as the client says", "bedrock", "amazon.titan-embed-text-v2:0", yielding, `{"input":"hi","normalize":false}`, "/model/amazon.titan-embed-text-v2%3A0/invoke",
			`{"inputText":"hi","dimensions":256,"normalize":false}`, `{"embedding":[1,0.5],"inputTextTokenCount":7}`, one, "7"},
		{"titan for images", "bedrock", "amazon.titan-embed-image-v1", withDimensions, `{"input":"hi"}`, "/model/amazon.titan-embed-image-v1/invoke",
			`{"inputText":"hi","embeddingConfig":{"outputEmbeddingLength":256}}`, `{"embedding":[1,0.5],"inputTextTokenCount":7}`, one, "7"},
		{"titan v1", "bedrock", "amazon.titan-embed-text-v1", withDimensions, `{"input":["hi"]}`, "/model/amazon.titan-embed-text-v1/invoke",
			`{"inputText":"hi"}`, `{"embedding":[1,0.5],"inputTextTokenCount":7}`, one, "7"},
		{"cohere on bedrock", "bedrock", "cohere.embed-english-v3", aws, `{"input":["a","b"],"input_type":"search_query"}`, "/model/cohere.embed-english-v3/invoke",
			`{"texts":["a","b"],"input_type":"search_query"}`, `{"embeddings":[[1,0.5],[2,-1e-3]]}`, two, "3"},
		{"cohere v4 on bedrock", "bedrock", "cohere.embed-v4:0", aws, `{"input":"a","dimensions":512}`, "/model/cohere.embed-v4%3A0/invoke",
			`{"texts":["a"],"input_type":"search_document","embedding_types":["float"],"output_dimension":512}`, `{"embeddings":{"float":[[1,0.5]]}}`, one, "3"},
		{"gemini", "gemini", "gemini-embedding-001", target.Options{}, `{"input":["a","b\n\"c\""],"dimensions":8,"task_type":"clustering"}`, "/v1beta/models/gemini-embedding-001:batchEmbedContents",
			`{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING","outputDimensionality":8},{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"b\n\"c\""}]},"taskType":"CLUSTERING","outputDimensionality":8}]}`,
			`{"embeddings":[{"values":[1,0.5]},{"values":[2,-1e-3]}]}`, two, "3"},
		{"vertex", "gemini", "text-embedding-005", onVertex, `{"input":["a","b"],"dimensions":8,"input_type":"search_query"}`, "/v1/projects/p/locations/us-central1/publishers/google/models/text-embedding-005:predict",
			`{"instances":[{"content":"a","task_type":"RETRIEVAL_QUERY"},{"content":"b","task_type":"RETRIEVAL_QUERY"}],"parameters":{"outputDimensionality":8}}`,
			`{"predictions":[{"embeddings":{"values":[1,0.5],"statistics":{"token_count":4}}},{"embeddings":{"values":[2,-1e-3],"statistics":{"token_count":5}}}]}`, two, "9"},
		{"vertex, second generation", "gemini", "gemini-embedding-2", onVertex, `{"input":"a","dimensions":8}`, "/v1/projects/p/locations/us-central1/publishers/google/models/gemini-embedding-2:embedContent",
			`{"content":{"parts":[{"text":"a"}]},"embedContentConfig":{"outputDimensionality":8}}`, `{"embedding":{"values":[1,0.5]},"usageMetadata":{"promptTokenCount":6}}`, one, "6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			op, tt := operationOf(t, c.provider, "llm/v1/embeddings", c.model, c.options)
			path, err := op.Path(tt, false)
			if err != nil || path != c.path {
				t.Errorf("path %s %v, want %s", path, err, c.path)
			}
			got, err := op.Body.AppendRequest([]byte("x"), tt, []byte(c.body))
			if err != nil || got[0] != 'x' {
				t.Fatal(err)
			}
			matches(t, "request", got[1:], c.request)
			var seen chat.Seen
			got, err = op.Body.AppendResponse(nil, tt, []byte(c.answer), meta, &seen)
			if err != nil {
				t.Fatal(err)
			}
			matches(t, "response", got, strings.ReplaceAll(c.response, "%", c.tokens))
			if counted := c.tokens != "3"; seen.HasUsage != counted || counted && seen.Usage.Prompt == 0 {
				t.Errorf("seen %+v", seen)
			}
		})
	}
}

func TestUntranslatableEmbeddingsRequestsNameTheField(t *testing.T) {
	for _, c := range []struct{ provider, model, body, field string }{
		{"bedrock", "amazon.titan-embed-text-v2:0", `{"input":["a","b"]}`, "input"},
		{"bedrock", "cohere.embed-english-v3", `{"input":[1,2]}`, "input[0]"},
		{"gemini", "m", `{"input":[[1,2]]}`, "input[0]"},
		{"gemini", "m", `{"input":[]}`, "input"},
		{"gemini", "m", `{"input":"a","dimensions":"x"}`, "dimensions"},
		{"gemini", "m", `{"input":"a","encoding_format":"hex"}`, "encoding_format"},
	} {
		op, tt := operationOf(t, c.provider, "llm/v1/embeddings", c.model, aws)
		_, err := op.Body.AppendRequest(nil, tt, []byte(c.body))
		var e *chat.RequestError
		if !errors.As(err, &e) || e.Field != c.field {
			t.Errorf("%s %s: %v", c.model, c.body, err)
		}
	}
}

const pixel = "iVBORw0KGgo="

func TestImagesOfEveryProviderAreTranslated(t *testing.T) {
	const gen, edit = "image/v1/images/generations", "image/v1/images/edits"
	picture := `"images":[{"image_url":"data:image/png;base64,` + pixel + `"}]`
	data := `{"created":1700000000,"data":[{"b64_json":"AAAA"}]}`
	for _, c := range []struct {
		name, provider, model, route string
		options                      target.Options
		body, path, request          string
		answer, response             string
	}{
		{"nova canvas", "bedrock", "amazon.nova-canvas-v1:0", gen, aws, `{"prompt":"a cat","n":2,"size":"1024x512","quality":"hd","seed":7}`, "/model/amazon.nova-canvas-v1%3A0/invoke",
			`{"taskType":"TEXT_IMAGE","textToImageParams":{"text":"a cat"},"imageGenerationConfig":{"numberOfImages":2,"width":1024,"height":512,"quality":"premium","seed":7}}`,
			`{"images":["AAAA"]}`, data},
		{"titan variation", "bedrock", "amazon.titan-image-generator-v2:0", edit, aws, `{"prompt":"a cat",` + picture + `}`, "/model/amazon.titan-image-generator-v2%3A0/invoke",
			`{"taskType":"IMAGE_VARIATION","imageVariationParams":{"images":["` + pixel + `"],"text":"a cat"},"imageGenerationConfig":{"numberOfImages":1}}`, `{"images":["AAAA"]}`, data},
		{"inpainting", "bedrock", "amazon.nova-canvas-v1:0", edit, aws, `{"prompt":"a cat",` + picture + `,"mask":{"image_url":"data:image/png;base64,AAAA"}}`, "/model/amazon.nova-canvas-v1%3A0/invoke",
			`{"taskType":"INPAINTING","inPaintingParams":{"image":"` + pixel + `","maskImage":"AAAA","text":"a cat"},"imageGenerationConfig":{"numberOfImages":1}}`, `{"images":["AAAA"]}`, data},
		{"stability", "bedrock", "stability.sd3-5-large-v1:0", gen, aws, `{"prompt":"a cat","size":"1792x1024","output_format":"png"}`, "/model/stability.sd3-5-large-v1%3A0/invoke",
			`{"prompt":"a cat","mode":"text-to-image","aspect_ratio":"16:9","output_format":"png"}`, `{"seeds":[1],"finish_reasons":[null],"images":["AAAA"]}`, data},
		{"stability edit", "bedrock", "stability.sd3-5-large-v1:0", edit, aws, `{"prompt":"a cat",` + picture + `}`, "/model/stability.sd3-5-large-v1%3A0/invoke",
			`{"prompt":"a cat","mode":"image-to-image","image":"` + pixel + `","strength":0.7}`, `{"images":["AAAA"]}`, data},
		{"gemini", "gemini", "gemini-2.5-flash-image", gen, target.Options{}, `{"prompt":"a cat","n":1,"size":"1536x1024"}`, "/v1beta/models/gemini-2.5-flash-image:generateContent",
			`{"contents":[{"role":"user","parts":[{"text":"a cat"}]}],"generationConfig":{"responseModalities":["TEXT","IMAGE"],"candidateCount":1,"imageConfig":{"aspectRatio":"3:2"}}}`,
			`{"candidates":[{"content":{"parts":[{"text":"here"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":10,"thoughtsTokenCount":2,"totalTokenCount":17,"promptTokensDetails":[{"modality":"TEXT","tokenCount":5}],"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":10}]}}`,
			`{"created":1700000000,"data":[{"b64_json":"AAAA"}],"output_format":"png","usage":{"input_tokens":5,"output_tokens":12,"total_tokens":17,"input_tokens_details":{"text_tokens":5,"image_tokens":0},"output_tokens_details":{"text_tokens":0,"image_tokens":10,"reasoning_tokens":2}}}`},
		{"vertex, with its own settings", "gemini", "gemini-3-pro-image", gen, onVertex, `{"prompt":"a cat","generationConfig":{"imageConfig":{"aspectRatio":"21:9","imageSize":"4K"}}}`, "/v1/projects/p/locations/us-central1/publishers/google/models/gemini-3-pro-image:generateContent",
			`{"contents":[{"role":"user","parts":[{"text":"a cat"}]}],"generationConfig":{"responseModalities":["TEXT","IMAGE"],"imageConfig":{"aspectRatio":"21:9","imageSize":"4K"}}}`,
			`{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/jpeg","data":"AAAA"}}]}}]}`, `{"created":1700000000,"data":[{"b64_json":"AAAA"}],"output_format":"jpeg"}`},
		{"gemini edit", "gemini", "gemini-2.5-flash-image", edit, target.Options{}, `{"prompt":"a cat",` + picture + `}`, "/v1beta/models/gemini-2.5-flash-image:generateContent",
			`{"contents":[{"role":"user","parts":[{"text":"a cat"},{"inlineData":{"mimeType":"image/png","data":"` + pixel + `"}}]}],"generationConfig":{"responseModalities":["TEXT","IMAGE"]}}`,
			`{"candidates":[{"content":{"parts":[{"inline_data":{"mime_type":"image/png","data":"AAAA"}}]}}]}`, `{"created":1700000000,"data":[{"b64_json":"AAAA"}],"output_format":"png"}`},
		{"imagen", "gemini", "imagen-4.0-generate-001", gen, onVertex, `{"prompt":"a cat","n":2}`, "/v1/projects/p/locations/us-central1/publishers/google/models/imagen-4.0-generate-001:predict",
			`{"instances":[{"prompt":"a cat"}],"parameters":{"sampleCount":2}}`, `{"predictions":[{"bytesBase64Encoded":"AAAA","mimeType":"image/png"}]}`, `{"created":1700000000,"data":[{"b64_json":"AAAA"}],"output_format":"png"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			op, tt := operationOf(t, c.provider, c.route, c.model, c.options)
			if path, err := op.Path(tt, false); err != nil || path != c.path {
				t.Errorf("path %s %v", path, err)
			}
			got, err := op.Body.AppendRequest(nil, tt, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			matches(t, "request", got, c.request)
			var seen chat.Seen
			if got, err = op.Body.AppendResponse(nil, tt, []byte(c.answer), meta, &seen); err != nil {
				t.Fatal(err)
			}
			matches(t, "response", got, c.response)
		})
	}
}

func TestAnswersWithoutAnImageGiveTheReason(t *testing.T) {
	for _, c := range []struct{ provider, answer, want string }{
		{"bedrock", `{"finish_reasons":["Filter reason: prompt"]}`, "Filter reason: prompt"},
		{"bedrock", `{"images":[],"error":"blocked"}`, "blocked"},
		{"gemini", `{"candidates":[{"finishReason":"IMAGE_SAFETY"}]}`, "IMAGE_SAFETY"},
		{"gemini", `{"promptFeedback":{"blockReason":"SAFETY"}}`, "SAFETY"},
		{"gemini", `nonsense`, "failed to decode"},
	} {
		op, tt := operationOf(t, c.provider, "image/v1/images/generations", "m", aws)
		_, err := op.Body.AppendResponse(nil, tt, []byte(c.answer), meta, &chat.Seen{})
		var e *chat.ResponseError
		if !errors.As(err, &e) || !strings.Contains(e.Message, c.want) {
			t.Errorf("%s: %v", c.answer, err)
		}
	}
}

// OpenAI's masks are transparent where Amazon's are black.
func TestTransparentMaskPixelsAreBlackForAmazon(t *testing.T) {
	in := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	in.SetNRGBA(0, 0, color.NRGBA{R: 200, A: 255})
	var file bytes.Buffer
	if err := png.Encode(&file, in); err != nil {
		t.Fatal(err)
	}
	mask := base64.StdEncoding.EncodeToString(file.Bytes())
	op, tt := operationOf(t, "bedrock", "image/v1/images/edits", "amazon.nova-canvas-v1:0", aws)
	got, err := op.Body.AppendRequest(nil, tt, []byte(`{"prompt":"x","image":"data:image/png;base64,`+pixel+`","mask":"data:image/png;base64,`+mask+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		InPaintingParams struct{ MaskImage []byte }
	}
	if err := json.Unmarshal(got, &body); err != nil {
		t.Fatal(err)
	}
	out, err := png.Decode(bytes.NewReader(body.InPaintingParams.MaskImage))
	if err != nil {
		t.Fatal(err)
	}
	kept, _, _, _ := out.At(0, 0).RGBA()
	changed, _, _, _ := out.At(1, 0).RGBA()
	if kept != 0xffff || changed != 0 {
		t.Errorf("kept %x, changed %x", kept, changed)
	}
}

// exchange is one step of a Resource: what is asked, what it answers, what the
// client gets.
type exchange struct {
	method, path, body string // the client's
	asked, sent        string // "METHOD path", and its body
	answer             string
	want               string // "" when the answer is another call
	next               string // that call
}

func TestResourcesOfEveryProviderAreTranslated(t *testing.T) {
	const video, batch = "video/v1/videos/generations", "llm/v1/batches"
	arn := "arn:aws:bedrock:us-east-1:1:async-invoke/abc"
	aID := openai.NameID("video_", arn)
	veo := openai.NameID("video_", "veo-3.1/op1")
	job := "arn:aws:bedrock:us-east-1:1:model-invocation-job/j1"
	jobID := openai.NameID("batch_", job)
	lines := `"requests":[{"custom_id":"a","url":"/v1/chat/completions","body":{"model":"x","messages":[{"role":"user","content":"hi"}],"max_tokens":5}}]`
	fresh := func(id, model, status, seconds string) string {
		return `{"id":"` + id + `","object":"video","model":"` + model + `","status":"` + status + `","progress":0,"created_at":1700000000,"completed_at":null,"expires_at":null,"seconds":` + seconds + `,"size":null,"remixed_from_video_id":null,"error":null}`
	}
	for _, c := range []struct {
		name, provider, route, model string
		options                      target.Options
		steps                        []exchange
	}{
		{"nova reel", "bedrock", video, "amazon.nova-reel-v1:1", aws, []exchange{
			{"POST", "", `{"prompt":"a cat","seconds":"6","extra_body":{"fps":24,"seed":3}}`, "POST /async-invoke",
				`{"modelId":"amazon.nova-reel-v1:1","modelInput":{"taskType":"TEXT_VIDEO","textToVideoParams":{"text":"a cat"},"videoGenerationConfig":{"durationSeconds":6,"fps":24,"dimension":"1280x720","seed":3}},"outputDataConfig":{"s3OutputDataConfig":{"s3Uri":"s3://bucket/videos"}}}`,
				`{"invocationArn":"` + arn + `"}`, fresh(aID, "asked", "queued", `"6"`), ""},
			{"GET", "/" + aID, "", "GET /async-invoke/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aasync-invoke%2Fabc", "",
				`{"invocationArn":"` + arn + `","modelArn":"arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-reel-v1:1","status":"InProgress","submitTime":"2023-11-14T22:13:20Z"}`,
				fresh(aID, "amazon.nova-reel-v1:1", "in_progress", "null"), ""},
			{"GET", "/" + aID + "/content", "", "GET /async-invoke/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aasync-invoke%2Fabc", "",
				`{"invocationArn":"` + arn + `","status":"Completed","outputDataConfig":{"s3OutputDataConfig":{"s3Uri":"s3://bucket/videos/abc"}}}`, "error: s3://bucket/videos/abc/output.mp4", ""},
			{"DELETE", "/" + aID, "", "error: not one of the operations", "", "", "", ""},
			{"GET", "/video_AAAA", "", "error: no id that this route has given out", "", "", "", ""},
		}},
		{"veo", "gemini", video, "veo-3.1", target.Options{}, []exchange{
			{"POST", "", `{"prompt":"a cat","seconds":8,"size":"1920x1080","input_reference":{"image_url":"data:image/png;base64,AAAA"},"extra_body":{"negativePrompt":"dogs"}}`, "POST /v1beta/models/veo-3.1:predictLongRunning",
				`{"instances":[{"prompt":"a cat","image":{"bytesBase64Encoded":"AAAA","mimeType":"image/png"}}],"parameters":{"durationSeconds":8,"aspectRatio":"16:9","resolution":"1080p","negativePrompt":"dogs"}}`,
				`{"name":"models/veo-3.1/operations/op1"}`, fresh(veo, "asked", "queued", `"8"`), ""},
			{"GET", "/" + veo, "", "GET /v1beta/models/veo-3.1/operations/op1", "", `{"name":"models/veo-3.1/operations/op1","done":true,"error":{"code":3,"message":"no dogs"}}`,
				strings.Replace(fresh(veo, "asked", "failed", "null"), `"error":null`, `"error":{"code":"video_generation_failed","message":"no dogs"}`, 1), ""},
			{"GET", "/" + veo + "/content", "", "GET /v1beta/models/veo-3.1/operations/op1", "",
				`{"name":"x","done":true,"response":{"generateVideoResponse":{"generatedSamples":[{"video":{"uri":"https://generativelanguage.googleapis.com/v1beta/files/f1:download?alt=media&key=k"}}]}}}`, "", "GET /v1beta/files/f1:download?alt=media"},
			{"GET", "/" + veo + "/content", "", "GET /v1beta/models/veo-3.1/operations/op1", "",
				`{"done":true,"response":{"generateVideoResponse":{"generatedSamples":[{"video":{"uri":"https://evil.example/v1beta/files/f1"}}]}}}`, "error: nowhere that is known", ""},
			{"GET", "/" + veo + "/content", "", "GET /v1beta/models/veo-3.1/operations/op1", "", `{"name":"x"}`, "error: its status is in_progress", ""},
		}},
		{"veo on vertex", "gemini", video, "veo-3.1", onVertex, []exchange{
			{"POST", "", `{"prompt":"a cat"}`, "POST /v1/projects/p/locations/us-central1/publishers/google/models/veo-3.1:predictLongRunning", `{"instances":[{"prompt":"a cat"}],"parameters":{}}`,
				`{"name":"projects/p/locations/us-central1/publishers/google/models/veo-3.1/operations/op1"}`, fresh(veo, "asked", "queued", "null"), ""},
			{"GET", "/" + veo, "", "POST /v1/projects/p/locations/us-central1/publishers/google/models/veo-3.1:fetchPredictOperation",
				`{"operationName":"projects/p/locations/us-central1/publishers/google/models/veo-3.1/operations/op1"}`, `{"name":"x"}`, fresh(veo, "asked", "in_progress", "null"), ""},
			{"GET", "/" + veo + "/content", "", "POST /v1/projects/p/locations/us-central1/publishers/google/models/veo-3.1:fetchPredictOperation", "",
				`{"done":true,"response":{"videos":[{"bytesBase64Encoded":"AAEC","mimeType":"video/mp4"}]}}`, "\x00\x01\x02", ""},
		}},
		{"azure jobs", "azure", video, "sora", target.Options{AzureInstance: "i"}, []exchange{
			{"POST", "", `{"prompt":"a cat","seconds":"5","size":"1280x720"}`, "POST /openai/v1/video/generations/jobs", `{"model":"sora","prompt":"a cat","n_seconds":5,"width":1280,"height":720}`,
				`{"id":"task_1","status":"queued","created_at":1700000000,"n_seconds":5,"width":1280,"height":720,"model":"sora"}`, strings.Replace(fresh("task_1", "sora", "queued", `"5"`), `"size":null`, `"size":"1280x720"`, 1), ""},
			{"GET", "/task_1/content", "", "GET /openai/v1/video/generations/jobs/task_1", "", `{"id":"task_1","status":"succeeded","generations":[{"id":"gen_1"}]}`, "", "GET /openai/v1/video/generations/gen_1/content/video"},
			{"DELETE", "/task_1", "", "DELETE /openai/v1/video/generations/jobs/task_1", "", ``, `{"id":"task_1","object":"video.deleted","deleted":true}`, ""},
		}},
		{"bedrock jobs", "bedrock", batch, "anthropic.claude-3", aws, []exchange{
			{"POST", "", `{"input_file_id":"in.jsonl","endpoint":"/v1/chat/completions","completion_window":"24h"}`, "POST /model-invocation-job",
				`{"jobName":"batch-unique","modelId":"anthropic.claude-3","roleArn":"arn:aws:iam::1:role/b","inputDataConfig":{"s3InputDataConfig":{"s3Uri":"s3://bucket/batch/in.jsonl"}},"outputDataConfig":{"s3OutputDataConfig":{"s3Uri":"s3://bucket/batch/output/"}}}`,
				`{"jobArn":"` + job + `"}`, batchJSON(jobID, "/v1/chat/completions", "asked", "in.jsonl", "validating", "null", 1700000000, "null", 0, 0, 0), ""},
			{"GET", "/" + jobID, "", "GET /model-invocation-job/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Amodel-invocation-job%2Fj1", "",
				`{"jobArn":"` + job + `","modelId":"m","status":"Completed","submitTime":"2023-11-14T22:13:20Z","endTime":"2023-11-14T22:13:21Z","totalRecordCount":3,"successRecordCount":2,"errorRecordCount":1,"inputDataConfig":{"s3InputDataConfig":{"s3Uri":"s3://b/in.jsonl"}},"outputDataConfig":{"s3OutputDataConfig":{"s3Uri":"s3://b/out/"}}}`,
				batchJSON(jobID, "", "m", "s3://b/in.jsonl", "completed", `"s3://b/out/j1/"`, 1700000000, "1700000001", 3, 2, 1), ""},
			{"POST", "/" + jobID + "/cancel", "", "POST /model-invocation-job/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Amodel-invocation-job%2Fj1/stop", "", "", batchJSON(jobID, "", "asked", "", "cancelling", "null", 1700000000, "null", 0, 0, 0), ""},
		}},
		{"vertex jobs", "gemini", batch, "gemini-2.5-flash", onVertex, []exchange{
			{"POST", "", `{"input_file_id":"gs://b/dir/in.jsonl","endpoint":"/v1/chat/completions"}`, "POST /v1/projects/p/locations/us-central1/batchPredictionJobs",
				`{"displayName":"batch-unique","model":"publishers/google/models/gemini-2.5-flash","inputConfig":{"instancesFormat":"jsonl","gcsSource":{"uris":["gs://b/dir/in.jsonl"]}},"outputConfig":{"predictionsFormat":"jsonl","gcsDestination":{"outputUriPrefix":"gs://b/dir"}}}`,
				`{"name":"projects/p/locations/us-central1/batchPredictionJobs/77","state":"JOB_STATE_PENDING","model":"publishers/google/models/gemini-2.5-flash","createTime":"2023-11-14T22:13:20Z","inputConfig":{"gcsSource":{"uris":["gs://b/dir/in.jsonl"]}}}`,
				batchJSON("batch_77", "/v1/chat/completions", "gemini-2.5-flash", "gs://b/dir/in.jsonl", "validating", "null", 1700000000, "null", 0, 0, 0), ""},
			{"POST", "/batch_77/cancel", "", "POST /v1/projects/p/locations/us-central1/batchPredictionJobs/77:cancel", "", "{}", batchJSON("batch_77", "", "", "", "cancelling", "null", 1700000000, "null", 0, 0, 0), ""},
			{"POST", "", `{"input_file_id":"file-1"}`, "error: Cloud Storage", "", "", "", ""},
		}},
		{"gemini batches", "gemini", batch, "gemini-2.5-flash", target.Options{}, []exchange{
			{"POST", "", `{` + lines + `}`, "POST /v1beta/models/gemini-2.5-flash:batchGenerateContent",
				`{"batch":{"displayName":"batch-unique","inputConfig":{"requests":{"requests":[{"request":{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":5}},"metadata":{"key":"a"}}]}}}}`,
				`{"name":"batches/b1","metadata":{"state":"BATCH_STATE_PENDING","model":"models/gemini-2.5-flash","createTime":"2023-11-14T22:13:20Z","batchStats":{"requestCount":"1"}}}`,
				batchJSON("batch_b1", "/v1/chat/completions", "gemini-2.5-flash", "", "validating", "null", 1700000000, "null", 1, 0, 0), ""},
			{"GET", "/batch_b1", "", "GET /v1beta/batches/b1", "", `{"name":"batches/b1","done":true,"metadata":{"state":"BATCH_STATE_SUCCEEDED","createTime":"2023-11-14T22:13:20Z","endTime":"2023-11-14T22:13:21Z"}}`,
				batchJSON("batch_b1", "/v1/chat/completions", "", "", "completed", `"batch_b1"`, 1700000000, "1700000001", 0, 0, 0), ""},
			{"POST", "", `{"input_file_id":"file-1"}`, "error: no input files", "", "", "", ""},
		}},
		{"anthropic batches", "anthropic", batch, "claude-sonnet-4-5", target.Options{}, []exchange{
			{"POST", "", `{` + lines + `}`, "POST /v1/messages/batches", `{"requests":[{"custom_id":"a","params":{"model":"claude-sonnet-4-5","stream":false,"max_tokens":5,"messages":[{"role":"user","content":"hi"}]}}]}`,
				`{"id":"msgbatch_1","type":"message_batch","processing_status":"in_progress","request_counts":{"processing":1,"succeeded":0,"errored":0,"canceled":0,"expired":0},"created_at":"2023-11-14T22:13:20Z","ended_at":null}`,
				batchJSON("msgbatch_1", "/v1/chat/completions", "asked", "", "in_progress", "null", 1700000000, "null", 1, 0, 0), ""},
			{"POST", "/msgbatch_1/cancel", "", "POST /v1/messages/batches/msgbatch_1/cancel", "", `{"id":"msgbatch_1","processing_status":"canceling","created_at":"2023-11-14T22:13:20Z"}`,
				batchJSON("msgbatch_1", "/v1/chat/completions", "asked", "", "cancelling", "null", 1700000000, "null", 0, 0, 0), ""},
		}},
		{"model studio", "dashscope", "image/v1/images/generations", "qwen-image-plus", target.Options{}, []exchange{
			{"POST", "", `{"prompt":"a cat","size":"1024x1024"}`, "POST /api/v1/services/aigc/multimodal-generation/generation",
				`{"model":"qwen-image-plus","input":{"messages":[{"role":"user","content":[{"text":"a cat"}]}]},"parameters":{"n":1,"size":"1024*1024"}}`,
				`{"output":{"choices":[{"message":{"role":"assistant","content":[{"image":"https://x/1.png"}]}}]},"usage":{"image_count":1}}`, `{"created":1700000000,"data":[{"url":"https://x/1.png"}]}`, ""},
			{"POST", "", `{"prompt":"a cat","parameters":{"watermark":true,"prompt_extend":false},"extra_body":{"parameters":{"watermark":false}}}`, "POST /api/v1/services/aigc/multimodal-generation/generation",
				`{"model":"qwen-image-plus","input":{"messages":[{"role":"user","content":[{"text":"a cat"}]}]},"parameters":{"n":1,"watermark":false,"prompt_extend":false}}`,
				`{"output":{"choices":[{"message":{"role":"assistant","content":[{"image":"https://x/1.png"}]}}]},"usage":{"image_count":1}}`, `{"created":1700000000,"data":[{"url":"https://x/1.png"}]}`, ""},
		}},
		{"model studio edits", "dashscope", "image/v1/images/edits", "wanx2.1-imageedit", target.Options{}, []exchange{
			{"POST", "", `{"prompt":"a cat","image":"https://x/0.png"}`, "POST /api/v1/services/aigc/image2image/image-synthesis",
				`{"model":"wanx2.1-imageedit","input":{"prompt":"a cat","function":"description_edit","base_image_url":"https://x/0.png"},"parameters":{"n":1}}`,
				`{"output":{"task_id":"t-1","task_status":"PENDING"}}`, "", "wait GET /api/v1/tasks/t-1"},
			{"POST", "", `{"prompt":"a cat","image":"https://x/0.png"}`, "POST /api/v1/services/aigc/image2image/image-synthesis", "",
				`{"output":{"task_id":"t-1","task_status":"SUCCEEDED","results":[{"url":"https://x/1.png"}]}}`, `{"created":1700000000,"data":[{"url":"https://x/1.png"}]}`, ""},
			{"POST", "", `{"prompt":"a cat","image":"https://x/0.png"}`, "POST /api/v1/services/aigc/image2image/image-synthesis", "",
				`{"output":{"task_id":"t-1","task_status":"FAILED","message":"too many cats"}}`, "error: too many cats", ""},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			op, tt := operationOf(t, c.provider, c.route, c.model, c.options)
			for _, s := range c.steps {
				client := &provider.Call{Method: s.method, Path: s.path, Body: []byte(s.body)}
				call, err := op.Resource.Request(tt, client, meta)
				if want, refused := strings.CutPrefix(s.asked, "error: "); refused {
					var e *chat.RequestError
					if !errors.As(err, &e) || !strings.Contains(e.Error(), want) {
						t.Errorf("%s %s: %v", s.method, s.path, err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%s %s: %v", s.method, s.path, err)
				}
				if got := call.Method + " " + call.Path; got != s.asked {
					t.Errorf("asked %s, want %s", got, s.asked)
				}
				if s.sent != "" {
					matches(t, "sent", call.Body, s.sent)
				}
				reply, err := op.Resource.Answer(tt, client, []byte(s.answer), meta, &chat.Seen{})
				if want, told := strings.CutPrefix(s.want, "error: "); told {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%s %s: %v", s.method, s.path, err)
					}
					continue
				}
				switch {
				case err != nil:
					t.Errorf("%s %s: %v", s.method, s.path, err)
				case s.next != "":
					got := ""
					if reply.Next != nil {
						got = reply.Next.Method + " " + reply.Next.Path
					}
					if reply.Wait {
						got = "wait " + got
					}
					if got != s.next {
						t.Errorf("next %s, want %s", got, s.next)
					}
				case reply.ContentType != "":
					if string(reply.Body) != s.want {
						t.Errorf("got %q", reply.Body)
					}
				default:
					matches(t, s.method+" "+s.path, reply.Body, s.want)
				}
			}
		})
	}
}

func batchJSON(id, endpoint, model, input, status, output string, created int, completed string, total, done, failed int) string {
	quoted := "null"
	if model != "" {
		quoted = `"` + model + `"`
	}
	b, _ := json.Marshal(map[string]any{
		"id": id, "object": "batch", "endpoint": endpoint, "model": json.RawMessage(quoted), "errors": nil, "input_file_id": input, "completion_window": "24h", "status": status,
		"output_file_id": json.RawMessage(output), "error_file_id": nil, "created_at": created, "expires_at": nil, "completed_at": json.RawMessage(completed), "failed_at": nil,
		"expired_at": nil, "cancelled_at": nil, "request_counts": map[string]int{"total": total, "completed": done, "failed": failed}, "metadata": nil,
	})
	return string(b)
}

func TestResultsOfBatchesBecomeOpenAIsLinesWithTheirUsage(t *testing.T) {
	for _, c := range []struct{ provider, path, asked, answer string }{
		{"anthropic", "/msgbatch_1/content", "/v1/messages/batches/msgbatch_1/results",
			`{"custom_id":"a","result":{"type":"succeeded","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2}}}}` + "\n" +
				`{"custom_id":"b","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"bad"}}}}` + "\n"},
		{"gemini", "/batch_b1/content", "/v1beta/batches/b1",
			`{"name":"batches/b1","metadata":{"output":{"inlinedResponses":{"inlinedResponses":[{"response":{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7}},"metadata":{"key":"a"}},{"error":{"code":3,"message":"bad"},"metadata":{"key":"b"}}]}}}}`},
	} {
		op, tt := operationOf(t, c.provider, "llm/v1/files", "m", target.Options{})
		client := &provider.Call{Method: "GET", Path: c.path}
		call, err := op.Resource.Request(tt, client, meta)
		if err != nil || call.Path != c.asked {
			t.Fatalf("%v %v", call, err)
		}
		var seen chat.Seen
		reply, err := op.Resource.Answer(tt, client, []byte(c.answer), meta, &seen)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(reply.Body)), "\n")
		if len(lines) != 2 || seen.Usage.Prompt != 5 || seen.Usage.Completion != 2 {
			t.Fatalf("%s\n%+v", reply.Body, seen.Usage)
		}
		var first, second struct {
			CustomID string `json:"custom_id"`
			Response struct {
				StatusCode int `json:"status_code"`
				Body       struct {
					Object  string
					Choices []struct{ Message struct{ Content string } }
				}
			}
			Error *struct{ Message string }
		}
		if err := errors.Join(json.Unmarshal([]byte(lines[0]), &first), json.Unmarshal([]byte(lines[1]), &second)); err != nil {
			t.Fatal(err)
		}
		if first.CustomID != "a" || first.Response.Body.Object != "chat.completion" || first.Response.Body.Choices[0].Message.Content != "hello" {
			t.Errorf("%s", lines[0])
		}
		if second.CustomID != "b" || second.Error == nil || second.Error.Message != "bad" {
			t.Errorf("%s", lines[1])
		}
	}
}

func FuzzBodiesOfOtherRoutes(f *testing.F) {
	for _, s := range []string{`{"input":["a"],"dimensions":2}`, `{"prompt":"x","n":2,"size":"1x2","images":[{"image_url":"data:image/png;base64,AA=="}],"mask":"u"}`, `{"prompt":"x","seconds":"4","extra_body":{"fps":1}}`, `{"requests":[{"custom_id":"a","body":{"messages":[]}}]}`, `{"input_file_id":"data:x;base64,e30K"}`} {
		f.Add([]byte(s))
	}
	routes := []route.Type{"llm/v1/embeddings", "image/v1/images/generations", "image/v1/images/edits", "video/v1/videos/generations", "llm/v1/batches", "llm/v1/files"}
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		for _, name := range []string{"bedrock", "gemini", "anthropic", "dashscope", "azure"} {
			for _, o := range []target.Options{aws, onVertex} {
				for _, route := range routes {
					p := Lookup(name)
					tt := &target.Target{Provider: name, Route: route, Model: "amazon.m", Options: &o}
					if p.Variant != nil {
						p = p.Variant(tt)
					}
					op := p.Operations[route]
					switch {
					case op == nil:
					case op.Body != nil:
						if out, err := op.Body.AppendRequest(nil, tt, body); err == nil && !json.Valid(out) {
							t.Fatalf("%s %s: %s", name, route, out)
						}
						_, _ = op.Body.AppendResponse(nil, tt, body, meta, &chat.Seen{})
					case op.Resource != nil:
						for _, path := range []string{"", "/x", "/video_YQ/content", "/x/cancel"} {
							c := &provider.Call{Method: "POST", Path: path, Body: body}
							if call, err := op.Resource.Request(tt, c, meta); err == nil && call.Body != nil && !json.Valid(call.Body) {
								t.Fatalf("%s %s: %s", name, route, call.Body)
							}
							_, _ = op.Resource.Answer(tt, c, body, meta, &chat.Seen{})
						}
					}
				}
			}
		}
	})
}
