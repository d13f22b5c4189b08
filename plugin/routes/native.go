package plugin

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/cohere"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/huggingface"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// native is a format of a provider's own that clients may speak, llm_format.
// Which of its APIs a request is for is told by the end of its path.
type native struct {
	apis []api
	// errors writes the format's error answers, also before the API is known.
	errors errorWriter
	// joiner stands between a model and an operation in paths, for routes that
	// capture both by name; "" where the model is in the body.
	before, joiner string
	// errorType, if set, is the value of the header X-Amzn-ErrorType for a status.
	errorType func(status int) string
	// headers are the prefixes of headers that mean something in this format only.
	headers []string
}

// errorWriter is the part of a dialect that an error of the relay needs.
type errorWriter interface {
	AppendError(dst []byte, e *chat.Error) []byte
}

// api is one thing to call in a native format.
type api struct {
	// path is the end of the client's path; {model} stands for a segment, or
	// the part of one before a colon. It is "" where surface.rest finds it.
	path string
	// route is the route type of which the API is a part; llm/v1/chat serves
	// every API of a format.
	route   route.Type
	surface *surface
	stream  bool // the path asks for a stream
}

// natives are the native formats by llm_format. Where one path ends like
// another, the longer one comes first. The first of each is what a route without
// a path of the format is for.
var natives = map[string]*native{
	"anthropic": {
		errors: anthropic.Dialect, headers: []string{"Anthropic-"},
		apis: []api{
			{path: "/v1/messages", route: route.Chat, surface: anthropicMessages},
			{path: "/v1/messages/count_tokens", route: route.Chat, surface: anthropicCount},
			{route: route.Batches, surface: anthropicBatches},
		},
	},
	"bedrock": {
		errors: bedrock.Dialect, errorType: bedrock.ErrorType, headers: []string{"X-Amzn-", "Amz-Sdk-"}, before: "/model/", joiner: "/",
		apis: []api{
			{path: "/model/{model}/converse", route: route.Chat, surface: bedrockConverse},
			{path: "/model/{model}/converse-stream", route: route.Chat, surface: bedrockConverse, stream: true},
			{path: "/model/{model}/invoke", route: route.Chat, surface: bedrockInvoke},
			{path: "/model/{model}/invoke-with-response-stream", route: route.Chat, surface: bedrockInvoke, stream: true},
			{path: "/retrieveAndGenerate", route: route.Chat, surface: bedrockRetrieve},
			{path: "/retrieveAndGenerateStream", route: route.Chat, surface: bedrockRetrieve, stream: true},
			{path: "/rerank", route: route.Chat, surface: bedrockRerank},
			{route: route.Videos, surface: bedrockAsync},
			{route: route.Batches, surface: bedrockJobs},
		},
	},
	"gemini": {
		errors: gemini.Dialect, headers: []string{"X-Goog-"}, before: "/models/", joiner: ":",
		apis: []api{
			{path: "/models/{model}:generateContent", route: route.Chat, surface: geminiGenerate},
			{path: "/models/{model}:streamGenerateContent", route: route.Chat, surface: geminiGenerate, stream: true},
			{path: "/models/{model}:countTokens", route: route.Chat, surface: geminiCount},
			{path: "/models/{model}:embedContent", route: route.Embeddings, surface: geminiEmbed},
			{path: "/models/{model}:batchEmbedContents", route: route.Embeddings, surface: geminiEmbedBatch},
			{path: "/models/{model}:batchEmbedContent", route: route.Embeddings, surface: geminiEmbedBatch},
			{path: "/models/{model}:batchGenerateContent", route: route.Batches, surface: geminiBatch},
			{path: "/models/{model}:predict", route: route.Embeddings, surface: geminiPredict},
			{path: "/models/{model}:predictLongRunning", route: route.Videos, surface: geminiPredictLong},
			{path: "/models/{model}:fetchPredictOperation", route: route.Videos, surface: geminiFetch},
			{path: "BidiGenerateContent", route: route.Realtime, surface: geminiLive},
			{route: route.Videos, surface: geminiOperations},
			{route: route.Files, surface: geminiUpload},
			{route: route.Files, surface: geminiFiles},
			{route: route.Batches, surface: geminiBatches},
			{route: route.Batches, surface: vertexJobs},
			{route: route.Chat, surface: vertexRank},
		},
	},
	"cohere": {
		errors: cohere.Errors,
		apis: []api{
			{path: "/v2/chat", route: route.Chat, surface: cohereChatV2},
			{path: "/v1/chat", route: route.Chat, surface: cohereChatV1},
			{path: "/v2/rerank", route: route.Chat, surface: cohereRerankV2},
			{path: "/rerank", route: route.Chat, surface: cohereRerankV1},
			{path: "/v2/embed", route: route.Embeddings, surface: cohereEmbedV2},
			{path: "/v1/embed", route: route.Embeddings, surface: cohereEmbedV1},
		},
	},
	"huggingface": {
		errors: huggingface.Errors,
		apis: []api{
			{path: "/generate", route: route.Chat, surface: huggingfaceGenerate},
			{path: "/generate_stream", route: route.Chat, surface: huggingfaceGenerate, stream: true},
		},
	},
}

// The surfaces of the native formats.
var (
	anthropicMessages = &surface{
		format: provider.AnthropicMessages, dialect: anthropic.Dialect, check: needs("messages"), streams: true, prose: openai.PromptWords, ends: true,
	}
	anthropicCount   = &surface{format: provider.AnthropicCount, check: needs("messages")}
	anthropicBatches = &surface{format: provider.AnthropicBatches, nested: true, take: takeAny, model: modelTaken, rest: &family{[]string{"messages/batches"}, map[string][]string{
		"": {"GET", "POST"}, "/{}": {"GET", "DELETE"}, "/{}/cancel": {"POST"}, "/{}/results": {"GET"},
	}}}

	bedrockConverse = &surface{
		format: provider.BedrockConverse, dialect: bedrock.Dialect, check: needs("messages"), streams: true, model: modelInPath,
		framing: frame.EventStream, media: "application/vnd.amazon.eventstream", ends: true,
	}
	bedrockInvoke   = &surface{format: provider.BedrockInvoke, streams: true, model: modelInPath, framing: frame.EventStream}
	bedrockRetrieve = &surface{format: provider.BedrockRetrieve, nested: true, streams: true, model: modelIgnored, framing: frame.EventStream}
	bedrockRerank   = &surface{format: provider.BedrockRerank, nested: true, model: modelIgnored}
	bedrockAsync    = &surface{format: provider.BedrockAsync, take: takeAny, model: modelTaken, member: "modelId", rest: &family{[]string{"async-invoke"}, map[string][]string{
		"": {"GET", "POST"}, "/{}": {"GET"},
	}}}
	bedrockJobs = &surface{format: provider.BedrockJobs, take: takeAny, model: modelTaken, member: "modelId", rest: &family{
		[]string{"model-invocation-job", "model-invocation-jobs", "model-invocations"}, map[string][]string{
			"": {"GET", "POST"}, "/{}": {"GET"}, "/{}/stop": {"POST"},
		}}}

	geminiGenerate = &surface{
		format: provider.GeminiGenerate, dialect: gemini.ArrayDialect, check: present("contents"), streams: true, model: modelInPath,
		framing: frame.Array, media: "application/json",
	}
	// geminiGenerateSSE is for clients that ask for alt=sse.
	geminiGenerateSSE = &surface{
		format: provider.GeminiGenerate, dialect: gemini.Dialect, check: present("contents"), streams: true, model: modelInPath,
	}
	geminiCount       = &surface{format: provider.GeminiCount, model: modelInPath}
	geminiEmbed       = &surface{format: provider.GeminiEmbed, model: modelInPath, remodel: gemini.SetModel}
	geminiEmbedBatch  = &surface{format: provider.GeminiEmbedBatch, model: modelInPath, remodel: gemini.SetModel}
	geminiBatch       = &surface{format: provider.GeminiBatch, model: modelInPath}
	geminiPredict     = &surface{format: provider.GeminiPredict, model: modelInPath}
	geminiPredictLong = &surface{format: provider.GeminiPredictLong, model: modelInPath}
	geminiFetch       = &surface{format: provider.GeminiFetch, model: modelInPath}
	geminiOperations  = &surface{format: provider.GeminiOperations, take: takeAny, model: modelInPath, rest: &family{[]string{"operations"}, map[string][]string{
		"/{}": {"GET"},
	}}}
	geminiLive = &surface{format: provider.GeminiLive, take: takeSocket, model: modelIgnored, tokens: true}
	// SDKs send the pieces of a file without a content type.
	geminiUpload = &surface{format: provider.GeminiUpload, take: takeUnread, model: modelIgnored, rest: &family{[]string{"upload/v1beta/files"}, map[string][]string{
		"": {"POST"},
	}}}
	geminiFiles = &surface{format: provider.GeminiFiles, take: takeAny, model: modelIgnored, rest: &family{[]string{"files"}, map[string][]string{
		"": {"GET", "POST"}, "/{}": {"GET", "DELETE"},
	}}}
	geminiBatches = &surface{format: provider.GeminiBatches, take: takeAny, model: modelIgnored, rest: &family{[]string{"batches"}, map[string][]string{
		"": {"GET"}, "/{}": {"GET", "POST", "DELETE"},
	}}}
	vertexJobs = &surface{format: provider.VertexJobs, nested: true, take: takeAny, model: modelIgnored, rest: &family{[]string{"batchPredictionJobs"}, map[string][]string{
		"": {"GET", "POST"}, "/{}": {"GET", "POST", "DELETE"},
	}}}
	vertexRank = &surface{format: provider.VertexRank, nested: true, take: takeAny, model: modelIgnored, rest: &family{[]string{"rankingConfigs"}, map[string][]string{
		"/{}": {"POST"},
	}}}

	cohereChatV2   = &surface{format: provider.CohereChatV2, check: needs("messages"), streams: true, ends: true}
	cohereChatV1   = &surface{format: provider.CohereChatV1, check: needs("message"), streams: true, framing: frame.Lines, ends: true}
	cohereRerankV2 = &surface{format: provider.CohereRerankV2, check: needs("query")}
	cohereRerankV1 = &surface{format: provider.CohereRerankV1, check: needs("query")}
	cohereEmbedV2  = &surface{format: provider.CohereEmbed}
	cohereEmbedV1  = &surface{format: provider.CohereEmbedV1}

	huggingfaceGenerate = &surface{format: provider.HuggingfaceTGI, check: needs("inputs"), streams: true, model: modelIgnored, prose: inputWords}
)

// present refuses a body without a member called name.
func present(name string) func([]jsonedit.Member, route.Type) error {
	return func(body []jsonedit.Member, _ route.Type) error {
		if v := jsonedit.Find(body, name); v == nil || jsonedit.IsNull(v) || jsonedit.IsArray(v) && !filled(v) {
			return missing(name)
		}
		return nil
	}
}

// inputWords counts the words of a text-generation prompt.
func inputWords(body []jsonedit.Member) int {
	inputs, _ := jsonedit.String(jsonedit.Find(body, "inputs"))
	return len(strings.Fields(inputs))
}

// meetNative finds the API of the configured format that the request is for.
func (q *request) meetNative(n *native) error {
	found, path, err := n.find(q)
	if err != nil {
		return err
	}
	q.surface, q.stream = found.surface, found.stream
	if q.surface == geminiGenerate && found.stream && q.queryValues().Get("alt") == "sse" {
		q.surface = geminiGenerateSSE
	}
	if q.surface.rest != nil {
		q.sub, q.family = q.surface.rest.find(path)
		if q.family == "model-invocations" { // Kong's name of it
			q.family = "model-invocation-job"
		}
		if err := q.surface.rest.check(q.family, q.sub, q.in.Method); err != nil {
			return err
		}
	} else if q.in.Method != http.MethodPost && q.surface.take != takeSocket {
		return notAllowed(q.in.Method, found.name(), http.MethodPost)
	}
	if q.surface.model == modelInPath {
		if q.model, err = n.model(path); err != nil {
			return err
		}
	}
	q.route, err = q.instance.serving(found)
	return err
}

// serving is the route type of the targets that serve a: its own, or that of
// chats.
func (inst *Instance) serving(a *api) (route.Type, error) {
	for _, wanted := range []route.Type{a.route, route.Chat} {
		if len(inst.byRoute[wanted]) > 0 {
			return wanted, nil
		}
	}
	return "", refuse(http.StatusBadRequest, fmt.Sprintf("[%s] message format is not compatible with [%s] route type", a.route, inst.targets[0].RouteType))
}

// find returns the API that a path is for, and that path: the client's own
// before Kong's route took a part of it, or what is left, or what the route
// captured as model and operation.
func (n *native) find(q *request) (*api, string, error) {
	for _, path := range []string{q.in.Kong.Path, q.in.Path, n.captured(q)} {
		for i := range n.apis {
			if n.apis[i].matches(path) {
				return &n.apis[i], path, nil
			}
		}
	}
	if strings.Trim(q.in.Path, "/") == "" && n.before == "" { // the route is for one API, and has a path of its own
		return &n.apis[0], q.in.Path, nil
	}
	names := make([]string, len(n.apis))
	for i := range n.apis {
		names[i] = n.apis[i].name()
	}
	return nil, "", refuse(http.StatusNotFound, fmt.Sprintf("%s is no path of the %s API; the paths are %s",
		cmp.Or(q.in.Kong.Path, q.in.Path), q.instance.config.LLMFormat, strings.Join(names, " ")))
}

// captured is the path that a route's named captures `model` and `operation` make.
func (n *native) captured(q *request) string {
	model, operation := q.in.Kong.Captures["model"], q.in.Kong.Captures["operation"]
	if n.before == "" || model == "" || operation == "" {
		return ""
	}
	return n.before + url.PathEscape(model) + n.joiner + operation
}

// name is the path that finds the API.
func (a *api) name() string {
	if a.surface.rest != nil {
		return "/" + a.surface.rest.names[0]
	}
	return a.path
}

func (a *api) matches(path string) bool {
	path = strings.TrimSuffix(path, "/")
	if a.surface.rest != nil {
		_, name := a.surface.rest.find(path)
		return name != ""
	}
	before, after, inPath := strings.Cut(a.path, "{model}")
	if !inPath {
		return strings.HasSuffix(path, a.path)
	}
	rest, ok := strings.CutSuffix(unescapeColon(path), after)
	if !ok {
		return false
	}
	i := strings.LastIndex(rest, before)
	return i >= 0 && !strings.Contains(rest[i+len(before):], "/")
}

// unescapeColon undoes the escape of the colon before a custom method, which
// some clients write.
func unescapeColon(path string) string {
	if i := strings.LastIndex(path, "%3A"); i >= 0 && !strings.Contains(path[i:], "/") {
		return path[:i] + ":" + path[i+3:]
	}
	return path
}

// model is the model that a path names, unescaped: the segment after before,
// up to a colon where that begins the operation.
func (n *native) model(path string) (string, error) {
	i := strings.LastIndex(path, n.before)
	if i < 0 {
		return "", nil
	}
	name, _, _ := strings.Cut(path[i+len(n.before):], "/")
	if n.joiner == ":" {
		name = unescapeColon(name)
		if i := strings.LastIndexByte(name, ':'); i >= 0 {
			name = name[:i]
		}
	}
	plain, err := url.PathUnescape(name)
	if err != nil {
		return "", refuse(http.StatusBadRequest, fmt.Sprintf("the model in path %q is not escaped correctly", path))
	}
	return plain, nil
}

// native is the native format of the instance's clients, nil for OpenAI's.
func (inst *Instance) native() *native { return natives[inst.config.LLMFormat] }

// needs are what the access phase must pass on for the format.
func (n *native) needs() []string {
	if n.before == "" {
		return []string{needPath}
	}
	return []string{needPath, needCaptures}
}

// foreign says that the target's provider is not the one whose own format the
// client speaks: what is meant for that one is kept from it.
func (a *attempt) foreign() bool {
	return a.instance.native() != nil && a.instance.config.LLMFormat != a.endpoint.Model.Provider
}

// meant says whether a header means something in the client's format only. An
// operation of the same format takes its headers, but for those that it wants in
// the body.
func (a *attempt) meant(header string) bool {
	n := a.instance.native()
	if a.how == same && header != "Accept" {
		_, inBody := a.op.Edit.Headers[header]
		return inBody
	}
	return header == "Accept" || slices.ContainsFunc(n.headers, func(p string) bool { return strings.HasPrefix(header, p) })
}

// spliceNative puts the target's model and options in a body of the same format,
// and what else the provider wants otherwise than the client. All other bytes
// stay.
func (a *attempt) spliceNative() error {
	edits := a.edits[:0]
	named := a.surface.model == modelNeeded || a.surface.model == modelTaken && a.model != ""
	if named && a.target.Model != "" {
		edits = append(edits, jsonedit.Edit{Key: a.surface.modelMember(), Value: a.endpoint.modelAsJSON(a.target.Model)})
	}
	if a.stream && !a.surface.streamsByPath() {
		edits = append(edits, jsonedit.Edit{Key: "stream", Value: []byte("true")})
	}
	for header, member := range a.op.Edit.Headers {
		if value := member.List(a.in.Header[header]); value != nil {
			edits = append(edits, jsonedit.Edit{Key: member.Name, Value: value})
		}
	}
	body, members := a.body, a.members
	if a.surface.remodel != nil && a.model != a.target.Model {
		body = a.surface.remodel(body, a.target.Model)
	}
	if a.op.Edit.Request != nil {
		body = a.op.Edit.Request(nil, body)
	}
	if len(body) != len(a.body) || len(body) > 0 && &body[0] != &a.body[0] {
		var err error
		if members, err = jsonedit.Object(body, nil); err != nil {
			return err
		}
	}
	if a.op.Tune != nil {
		edits = append(edits, a.op.Tune(a.target, members)...)
	}
	a.pieces = a.op.Edit.Apply(a.parts[:0], a.target, body, members, edits)
	return nil
}

// nativePath is the path of a request to a configured URL. A URL without a path
// leaves it to the API; one with a path is for the format's chat, and where it
// ends as that API's does, its other APIs are beside it.
func (a *attempt) nativePath(u *url.URL, path string, bare bool) (string, bool) {
	if bare {
		return path, true
	}
	first := a.provider.Find(a.instance.native().apis[0].surface.format, route.Chat)
	if first == nil || first == a.op {
		return path, false
	}
	own, err := first.Path(a.target, false)
	if err != nil {
		return path, false
	}
	prefix, ok := strings.CutSuffix(u.EscapedPath(), own)
	if !ok {
		return path, false
	}
	return prefix + path, true
}

// markError sets the header in which the format says what an error is.
func (q *request) markError(h http.Header, status int) {
	if n := q.instance.native(); n != nil && n.errorType != nil {
		h["X-Amzn-Errortype"] = []string{n.errorType(status)}
	}
}

// meterHeaders reads the usage that Bedrock tells in headers, for models whose
// answers do not. Embeddings have no output to count.
// https://docs.aws.amazon.com/bedrock/latest/userguide/inference-invoke.html
func (a *attempt) meterHeaders() {
	embeds := a.how == viaBody && a.route == route.Embeddings
	if a.seen.HasUsage || a.surface != bedrockInvoke && !embeds {
		return
	}
	prompt, err := strconv.Atoi(a.answer.Header.Get("X-Amzn-Bedrock-Input-Token-Count"))
	if err != nil {
		return
	}
	completion, err := strconv.Atoi(a.answer.Header.Get("X-Amzn-Bedrock-Output-Token-Count"))
	if err != nil && !embeds {
		return
	}
	a.seen.Usage.Prompt, a.seen.Usage.Completion, a.seen.HasUsage = prompt, completion, true
}
