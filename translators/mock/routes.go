package mock

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// route is an operation that is neither chat nor embeddings: one method and
// path, the members that its body may and must have, and an answer that is
// always the same, except for values from the path.
type route struct {
	openAIErrors
	name   string
	method string
	path   *regexp.Regexp
	// members lists what a JSON body may have; "!" precedes the required ones. A name
	// with a dot is a member of an object. Without members no body is accepted.
	members string
	// form are the parts that a multipart form must have; JSON is refused
	// then, unless there are members, too.
	form []string
	// contentType is that of the answer, "" for JSON.
	contentType string
	answer      string // $1 … are the path's groups
}

func (r *route) Name() string { return r.name }

func (r *route) Match(req *http.Request) bool {
	return req.Method == r.method && r.path.MatchString(req.URL.Path)
}

func (r *route) Streamed(*http.Request, []byte) bool { return false }

func (r *route) Check(req *http.Request, body []byte) error {
	media, params, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	switch {
	case r.form != nil && (media == "multipart/form-data" || r.members == ""):
		return checkForm(media, params["boundary"], body, r.form)
	case r.members == "":
		if len(body) > 0 {
			return fmt.Errorf("%s %s takes no body", req.Method, req.URL.Path)
		}
		return nil
	case media != "application/json":
		return fmt.Errorf("content-type: want application/json, got %q", media)
	}
	var v map[string]json.RawMessage
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	return checkMembers("", v, strings.Fields(r.members))
}

// checkMembers refuses unknown members and missing required ones, also those of nested
// objects and of the first object in a list.
func checkMembers(at string, v map[string]json.RawMessage, rules []string) error {
	known := map[string]bool{}
	for _, rule := range rules {
		name, needed := strings.CutPrefix(rule, "!")
		rest, inside := strings.CutPrefix(name, at)
		if !inside || rest == "" {
			continue
		}
		own, deeper, _ := strings.Cut(rest, ".")
		known[own] = true
		value, there := v[own]
		if deeper == "" && needed && !there {
			return fmt.Errorf("%s is required", name)
		}
		if deeper != "" && there {
			var inner map[string]json.RawMessage
			var list []map[string]json.RawMessage
			if json.Unmarshal(value, &inner) != nil && json.Unmarshal(value, &list) == nil && len(list) > 0 {
				inner = list[0]
			}
			if err := checkMembers(at+own+".", inner, rules); err != nil {
				return err
			}
		}
	}
	for name := range v {
		if !known[name] && !known["*"] {
			return fmt.Errorf("unknown member %q", at+name)
		}
	}
	return nil
}

func checkForm(media, boundary string, body []byte, needed []string) error {
	if media != "multipart/form-data" || boundary == "" {
		return fmt.Errorf("content-type: want multipart/form-data with a boundary, got %q", media)
	}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	var names []string
	for {
		p, err := parts.NextPart()
		if err != nil {
			break
		}
		names = append(names, strings.TrimSuffix(p.FormName(), "[]"))
	}
	for _, n := range needed {
		if !slices.Contains(names, n) {
			return fmt.Errorf("the part %q is missing", n)
		}
	}
	return nil
}

// Whole is not used: the answer may depend on the path, which At knows.
func (r *route) Whole(*Scenario, []byte) []byte { return []byte(r.answer) }

// At returns the answer to a request, and its content type.
func (r *route) At(req *http.Request) (contentType string, answer []byte) {
	groups := r.path.FindStringSubmatchIndex(req.URL.Path)
	contentType = r.contentType
	if contentType == "" {
		contentType = "application/json"
	}
	return contentType, r.path.ExpandString(nil, r.answer, req.URL.Path, groups)
}

func (r *route) Stream(s *Scenario, body []byte) (string, [][]byte) {
	return "application/json", [][]byte{r.Whole(s, body)}
}

func (r *route) Error(status int, message string) []byte {
	if strings.HasPrefix(r.name, "openai/") {
		return openAIError(status, message)
	}
	return fmt.Appendf(nil, `{"error":{"code":%d,"message":%s,"status":"FAILED"}}`, status, quote(message))
}

// Picture is what the mocks draw, a PNG of one pixel, in base64.
const Picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// Sound is what the mocks say: the head of an MP3 frame, again and again.
var Sound = bytes.Repeat([]byte{0xff, 0xfb, 0x90, 0x00}, 1024)

func init() {
	openAIRoutes()
	googleRoutes()
	otherRoutes()
}

func add(name, method, path, members, answer string) *route {
	r := &route{name: name, method: method, path: regexp.MustCompile(path), members: members, answer: answer}
	register(r)
	return r
}

const (
	imageMembers = " background model moderation !prompt n output_compression output_format partial_images quality response_format size stream style user input_fidelity "
	mediaUsage   = `"usage":{"type":"tokens","input_tokens":12,"input_tokens_details":{"text_tokens":12,"image_tokens":0},"output_tokens":30,"total_tokens":42}`
	fileAnswer   = `{"id":"file-mock1","object":"file","bytes":2,"created_at":1700000000,"filename":"in.jsonl","purpose":"batch","status":"processed"}`
	batchAnswer  = `{"id":"batch_mock1","object":"batch","endpoint":"/v1/chat/completions","errors":null,"input_file_id":"file-mock1","completion_window":"24h","status":"completed","output_file_id":"file-mock2","error_file_id":null,"created_at":1700000000,"request_counts":{"total":1,"completed":1,"failed":0},"metadata":null}`
	videoAnswer  = `{"id":"video_mock1","object":"video","model":"sora-2","status":"completed","progress":100,"created_at":1700000000,"seconds":"4","size":"720x1280","error":null}`
	batchOutput  = `{"id":"batch_req_1","custom_id":"a","response":{"status_code":200,"request_id":"r","body":{"id":"c","object":"chat.completion","model":"mock","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}},"error":null}` + "\n"
)

// openAIRoutes are https://platform.openai.com/docs/api-reference, wherever
// Azure and others have them.
func openAIRoutes() {
	images := `{"created":1700000000,"data":[{"b64_json":"` + Picture + `"}],` + mediaUsage + `}`
	add("openai/images", "POST", `/images/generations$`, imageMembers, images)
	add("openai/images/edits", "POST", `/images/edits$`, imageMembers+"images mask", images).form = []string{"prompt", "image"}
	speech := add("openai/speech", "POST", `/audio/speech$`, "!model !input voice instructions response_format speed stream_format", string(Sound))
	speech.contentType = "audio/mpeg"
	add("openai/transcriptions", "POST", `/audio/(transcriptions|translations)$`, "", `{"text":"hello","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":0,"audio_tokens":14},"output_tokens":5,"total_tokens":19}}`).form = []string{"file", "model"}
	add("openai/files", "POST", `/files$`, "", fileAnswer).form = []string{"file", "purpose"}
	add("openai/files", "GET", `/(v1|openai)/files$`, "", `{"object":"list","data":[`+fileAnswer+`],"has_more":false}`)
	add("openai/files", "GET", `/(v1|openai)/files/([^/]+)$`, "", strings.Replace(fileAnswer, "file-mock1", "$2", 1))
	add("openai/files", "DELETE", `/files/([^/]+)$`, "", `{"id":"$1","object":"file","deleted":true}`)
	add("openai/files", "GET", `/files/([^/]+)/content$`, "", batchOutput).contentType = "application/octet-stream"
	add("openai/batches", "POST", `/(v1|openai)/batches$`, "!input_file_id !endpoint !completion_window metadata output_expires_after", batchAnswer)
	add("openai/batches", "GET", `/(v1|openai)/batches$`, "", `{"object":"list","data":[`+batchAnswer+`],"has_more":false}`)
	add("openai/batches", "GET", `/(v1|openai)/batches/([^/]+)$`, "", strings.Replace(batchAnswer, "batch_mock1", "$2", 1))
	add("openai/batches", "POST", `/(v1|openai)/batches/([^/]+)/cancel$`, "", strings.Replace(strings.Replace(batchAnswer, "batch_mock1", "$2", 1), "completed", "cancelling", 1))
	add("openai/assistants", "POST", `/assistants$`, "!model name description instructions tools tool_resources metadata temperature top_p response_format reasoning_effort", `{"id":"asst_mock1","object":"assistant","model":"mock"}`)
	add("openai/assistants", "GET", `/assistants/([^/]+)$`, "", `{"id":"$1","object":"assistant","model":"mock"}`)
	add("openai/threads", "POST", `/threads$`, "messages tool_resources metadata", `{"id":"thread_mock1","object":"thread","created_at":1700000000}`)
	add("openai/threads", "GET", `/threads/([^/]+)$`, "", `{"id":"$1","object":"thread","created_at":1700000000}`)
	add("openai/moderations", "POST", `/moderations$`, "!input model", `{"id":"modr_mock1","model":"omni-moderation-latest","results":[{"flagged":false,"categories":{"violence":false},"category_scores":{"violence":0.01},"category_applied_input_types":{"violence":["text"]}}]}`)
	add("openai/conversations", "POST", `/conversations$`, "items metadata", `{"id":"conv_mock1","object":"conversation","created_at":1700000000,"metadata":{}}`)
	add("openai/vector_stores", "POST", `/vector_stores$`, "name file_ids metadata expires_after chunking_strategy description", `{"id":"vs_mock1","object":"vector_store","created_at":1700000000,"name":"mock","usage_bytes":0,"status":"completed","file_counts":{"in_progress":0,"completed":0,"failed":0,"cancelled":0,"total":0}}`)
	add("openai/containers", "POST", `/containers$`, "!name file_ids expires_after memory_limit", `{"id":"cntr_mock1","object":"container","created_at":1700000000,"status":"running","name":"mock"}`)
	add("openai/uploads", "POST", `/uploads$`, "!filename !purpose !bytes !mime_type expires_after", `{"id":"upload_mock1","object":"upload","bytes":2147483648,"created_at":1700000000,"filename":"large.jsonl","purpose":"batch","status":"pending","expires_at":1700003600}`)
	add("openai/skills", "GET", `/skills$`, "", `{"object":"list","data":[{"id":"skill_mock1","object":"skill","name":"mock","created_at":1700000000}],"has_more":false}`)
	add("openai/conversations", "POST", `/conversations$`, "items metadata", `{"id":"conv_mock1","object":"conversation","created_at":1700000000,"metadata":{}}`)
	add("openai/moderations", "POST", `/moderations$`, "!input model", `{"id":"modr-mock1","model":"omni-moderation-latest","results":[{"flagged":false,"categories":{},"category_scores":{}}]}`)
	add("openai/vector_stores", "POST", `/vector_stores$`, "name file_ids expires_after chunking_strategy metadata description", `{"id":"vs_mock1","object":"vector_store","created_at":1700000000,"name":"mock","status":"completed"}`)
	add("openai/containers", "POST", `/containers$`, "!name expires_after file_ids memory_limit skills network_policy", `{"id":"cntr_mock1","object":"container","created_at":1700000000,"name":"mock","status":"running"}`)
	add("openai/uploads", "POST", `/uploads$`, "!filename !purpose !bytes !mime_type expires_after", `{"id":"upload_mock1","object":"upload","created_at":1700000000,"status":"pending"}`)
	add("openai/skills", "GET", `/skills$`, "", `{"object":"list","data":[],"has_more":false}`)
	add("openai/videos", "POST", `/v1/videos$`, "model !prompt seconds size input_reference", videoAnswer).form = []string{"prompt"}
	add("openai/videos", "GET", `/v1/videos/([^/]+)$`, "", strings.Replace(videoAnswer, "video_mock1", "$1", 1))
	add("openai/videos", "DELETE", `/v1/videos/([^/]+)$`, "", `{"id":"$1","object":"video.deleted","deleted":true}`)
	add("openai/videos", "GET", `/v1/videos/([^/]+)/content$`, "", "film").contentType = "video/mp4"
	add("azure/video-jobs", "POST", `/openai/v1/video/generations/jobs$`, "!model !prompt n_seconds n_variants width height", `{"object":"video.generation.job","id":"task_mock1","status":"queued","created_at":1700000000,"model":"sora","generations":[]}`)
	add("azure/video-jobs", "GET", `/openai/v1/video/generations/jobs/([^/]+)$`, "", `{"object":"video.generation.job","id":"$1","status":"succeeded","created_at":1700000000,"model":"sora","generations":[{"id":"gen_mock1"}]}`)
	add("azure/video-jobs", "GET", `/openai/v1/video/generations/([^/]+)/content/video$`, "", "film").contentType = "video/mp4"
}

// googleRoutes are https://ai.google.dev/api and Vertex AI's
// https://cloud.google.com/vertex-ai/docs/reference/rest.
func googleRoutes() {
	add("gemini/batchEmbedContents", "POST", `:batchEmbedContents$`, "!requests requests.model requests.content requests.taskType requests.title requests.outputDimensionality", `{"embeddings":[{"values":[0.5,-0.25]}]}`)
	add("gemini/predict", "POST", `/text-embedding[^/]*:predict$`, "!instances instances.content instances.task_type instances.title parameters parameters.outputDimensionality parameters.autoTruncate", `{"predictions":[{"embeddings":{"values":[0.5,-0.25],"statistics":{"token_count":3,"truncated":false}}}]}`)
	add("gemini/predict", "POST", `/imagen[^/]*:predict$`, "!instances instances.prompt parameters parameters.sampleCount parameters.aspectRatio", `{"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"`+Picture+`"}]}`)
	add("gemini/predictLongRunning", "POST", `/((?:v1|v1beta)/)(projects/[^/]+/locations/[^/]+/publishers/google/)?(models/[^/:]+):predictLongRunning$`,
		"!instances instances.prompt instances.image parameters parameters.*", `{"name":"${2}$3/operations/op1"}`)
	add("gemini/operations", "GET", `/v1beta/(models/[^/]+/operations/[^/]+)$`, "", `{"name":"$1","done":true,"response":{"generateVideoResponse":{"generatedSamples":[{"video":{"uri":"https://generativelanguage.googleapis.com/v1beta/files/film1:download?alt=media"}}]}}}`)
	add("gemini/fetchPredictOperation", "POST", `:fetchPredictOperation$`, "!operationName", `{"done":true,"response":{"videos":[{"bytesBase64Encoded":"`+base64.StdEncoding.EncodeToString([]byte("film"))+`","mimeType":"video/mp4"}]}}`)
	add("gemini/files", "GET", `/v1beta/files/[^/]+:download$`, "", "film").contentType = "video/mp4"
	add("gemini/batchGenerateContent", "POST", `:batchGenerateContent$`, "!batch batch.displayName !batch.inputConfig batch.inputConfig.requests batch.inputConfig.fileName", `{"name":"batches/mock1","metadata":{"state":"BATCH_STATE_PENDING","model":"models/mock","createTime":"2023-11-14T22:13:20Z","batchStats":{"requestCount":"1"}}}`)
	add("gemini/batches", "GET", `/v1beta/batches/([^/:]+)$`, "", `{"name":"batches/$1","done":true,"metadata":{"state":"BATCH_STATE_SUCCEEDED","createTime":"2023-11-14T22:13:20Z","output":{"inlinedResponses":{"inlinedResponses":[{"metadata":{"key":"a"},"response":{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":10}}}]}}}}`)
	add("gemini/batches", "POST", `/v1beta/batches/[^/:]+:cancel$`, "", `{}`)
	add("vertex/batchPredictionJobs", "POST", `/v1/(projects/[^/]+/locations/[^/]+)/batchPredictionJobs$`, "!displayName !model !inputConfig inputConfig.instancesFormat inputConfig.gcsSource !outputConfig outputConfig.predictionsFormat outputConfig.gcsDestination",
		`{"name":"$1/batchPredictionJobs/77","state":"JOB_STATE_PENDING","createTime":"2023-11-14T22:13:20Z"}`)
	add("vertex/batchPredictionJobs", "POST", `/batchPredictionJobs/[0-9]+:cancel$`, "", `{}`)
	add("vertex/batchPredictionJobs", "GET", `/v1/(projects/[^/]+/locations/[^/]+/batchPredictionJobs/[0-9]+)$`, "", `{"name":"$1","state":"JOB_STATE_SUCCEEDED","createTime":"2023-11-14T22:13:20Z","outputInfo":{"gcsOutputDirectory":"gs://b/out/1"}}`)
}

// A model that draws is known by its name, before those that only talk.
func init() {
	Formats = slices.Insert(Formats, 0, Format(&route{
		name: "gemini/images", method: "POST", path: regexp.MustCompile(`/models/[^/]*image[^/]*:generateContent$`),
		members: "!contents contents.role contents.parts !generationConfig !generationConfig.responseModalities generationConfig.candidateCount generationConfig.imageConfig generationConfig.seed safetySettings systemInstruction tools",
		answer:  `{"candidates":[{"content":{"role":"model","parts":[{"text":"here"},{"inlineData":{"mimeType":"image/png","data":"` + Picture + `"}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":30,"totalTokenCount":42}}`,
	}))
}

// otherRoutes are of Amazon, Alibaba and Anthropic.
func otherRoutes() {
	const model = `^/model/[^/]*`
	add("bedrock/invoke", "POST", model+`titan-embed[^/]*/invoke$`, "!inputText dimensions normalize", `{"embedding":[0.5,-0.25],"inputTextTokenCount":3}`)
	add("bedrock/invoke", "POST", model+`cohere\.embed[^/]*/invoke$`, "!texts !input_type truncate embedding_types output_dimension", `{"embeddings":[[0.5,-0.25]]}`)
	add("bedrock/invoke", "POST", model+`(nova-canvas|titan-image)[^/]*/invoke$`, "!taskType textToImageParams inPaintingParams imageVariationParams !imageGenerationConfig imageGenerationConfig.*", `{"images":["`+Picture+`"]}`)
	add("bedrock/invoke", "POST", model+`stability\.[^/]*/invoke$`, "!prompt mode image mask strength aspect_ratio seed negative_prompt output_format", `{"seeds":[1],"finish_reasons":[null],"images":["`+Picture+`"]}`)
	const arn = "arn:aws:bedrock:us-east-1:123456789012:"
	add("bedrock/async-invoke", "POST", `^/async-invoke$`, "!modelId !modelInput modelInput.* !outputDataConfig !outputDataConfig.s3OutputDataConfig", `{"invocationArn":"`+arn+`async-invoke/mock1"}`)
	add("bedrock/async-invoke", "GET", `^/async-invoke/(.+)$`, "", `{"invocationArn":"$1","modelArn":"arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-reel-v1:1","status":"Completed","submitTime":"2023-11-14T22:13:20Z","endTime":"2023-11-14T22:14:20Z","outputDataConfig":{"s3OutputDataConfig":{"s3Uri":"s3://bucket/videos/mock1"}}}`)
	add("bedrock/model-invocation-job", "POST", `^/model-invocation-job$`, "!jobName !modelId !roleArn !inputDataConfig inputDataConfig.s3InputDataConfig !outputDataConfig outputDataConfig.s3OutputDataConfig", `{"jobArn":"`+arn+`model-invocation-job/mock1"}`)
	add("bedrock/model-invocation-job", "GET", `^/model-invocation-job/(.+)$`, "", `{"jobArn":"$1","status":"InProgress","submitTime":"2023-11-14T22:13:20Z"}`)
	add("bedrock/model-invocation-job", "POST", `^/model-invocation-job/.+/stop$`, "", `{}`)
	add("dashscope/images", "POST", `/aigc/multimodal-generation/generation$`, "!model !input !input.messages parameters parameters.*", `{"output":{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":[{"image":"https://mock.example/1.png"}]}}]},"usage":{"image_count":1}}`)
	add("dashscope/images", "POST", `/aigc/(image2image|text2image)/image-synthesis$`, "!model !input !input.prompt input.function input.base_image_url input.mask_image_url input.images parameters parameters.*", `{"output":{"task_id":"mock1","task_status":"PENDING"}}`)
	add("dashscope/images", "GET", `/api/v1/tasks/([^/]+)$`, "", `{"output":{"task_id":"$1","task_status":"SUCCEEDED","results":[{"url":"https://mock.example/1.png"}]},"usage":{"image_count":1}}`)
	add("anthropic/batches", "POST", `/v1/messages/batches$`, "!requests requests.custom_id requests.params", `{"id":"msgbatch_mock1","type":"message_batch","processing_status":"in_progress","request_counts":{"processing":1,"succeeded":0,"errored":0,"canceled":0,"expired":0},"created_at":"2023-11-14T22:13:20Z","expires_at":"2023-11-15T22:13:20Z","ended_at":null}`)
	add("anthropic/batches", "GET", `/v1/messages/batches/([^/]+)$`, "", `{"id":"$1","type":"message_batch","processing_status":"ended","request_counts":{"processing":0,"succeeded":1,"errored":0,"canceled":0,"expired":0},"created_at":"2023-11-14T22:13:20Z","ended_at":"2023-11-14T23:13:20Z"}`)
	add("anthropic/batches", "POST", `/v1/messages/batches/([^/]+)/cancel$`, "", `{"id":"$1","type":"message_batch","processing_status":"canceling","request_counts":{"processing":1},"created_at":"2023-11-14T22:13:20Z"}`)
	add("anthropic/batches", "GET", `/v1/messages/batches/([^/]+)/results$`, "", `{"custom_id":"a","result":{"type":"succeeded","message":{"id":"msg_1","type":"message","role":"assistant","model":"mock","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":3}}}}`+"\n").contentType = "application/x-jsonl"
}
