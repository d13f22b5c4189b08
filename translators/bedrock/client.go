package bedrock

import (
	"net/http"
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// Client lists what clients with AWS's SDKs may call.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/welcome.html
var Client = provider.ClientFormat{
	Name:        "bedrock",
	Bound:       true,
	Errors:      Dialect,
	ErrorHeader: func(status int) (name, value string) { return "X-Amzn-Errortype", errorType(status) },
	Headers:     []string{"X-Amzn-", "Amz-Sdk-"},
	Before:      "/model/", Joiner: "/",
	Paths: []provider.ClientPath{
		{Path: "/model/{model}/converse", Route: route.Chat, API: converseAPI},
		{Path: "/model/{model}/converse-stream", Route: route.Chat, API: converseAPI, Stream: true},
		{Path: "/model/{model}/invoke", Route: route.Chat, API: invokeAPI},
		{Path: "/model/{model}/invoke", Route: route.Embeddings, API: invokeAPI},
		{Path: "/model/{model}/invoke-with-response-stream", Route: route.Chat, API: invokeAPI, Stream: true},
		{Path: "/model/{model}/count-tokens", Route: route.Chat, API: countAPI},
		{Path: "/retrieveAndGenerate", Route: route.Chat, API: retrieveAPI},
		{Path: "/retrieveAndGenerateStream", Route: route.Chat, API: retrieveAPI, Stream: true},
		{Path: "/rerank", Route: route.Chat, API: &provider.API{
			Format: provider.BedrockRerank, Nested: true, Model: provider.ModelIgnored,
		}},
		{Route: route.Videos, API: &provider.API{
			Format: provider.BedrockAsync, Body: provider.TakeAny, Model: provider.ModelTaken, Member: "modelId", Resources: &clientAsync,
		}},
		{Route: route.Batches, API: &provider.API{
			Format: provider.BedrockJobs, Body: provider.TakeAny, Model: provider.ModelTaken, Member: "modelId", Resources: &clientJobs,
		}},
	},
}

var (
	converseAPI = &provider.API{
		Format: provider.BedrockConverse, Dialect: Dialect, Check: provider.Needs("messages"), Streams: true, Model: provider.ModelInPath,
		Framing: frame.EventStream, Media: "application/vnd.amazon.eventstream", Ends: true,
		Prose: openai.PromptWords,
	}
	invokeAPI = &provider.API{
		Format: provider.BedrockInvoke, Streams: true, Model: provider.ModelInPath,
		Framing: frame.EventStream, Media: "application/vnd.amazon.eventstream", Prose: openai.PromptWords,
	}
	countAPI = &provider.API{
		Format: provider.BedrockCount, Dialect: countDialect{Dialect}, Count: appendTokens, Beside: provider.BedrockConverse,
		Check: provider.Present("input"), Model: provider.ModelInPath,
	}
	retrieveAPI = &provider.API{
		Format: provider.BedrockRetrieve, Nested: true, Streams: true, Model: provider.ModelIgnored, Framing: frame.EventStream,
	}
)

var (
	clientAsync = provider.Resources{
		Names:   []string{"async-invoke"},
		Allowed: map[string][]string{"": {"GET", "POST"}, "/{}": {"GET"}},
	}
	clientJobs = provider.Resources{
		Names:   []string{"model-invocation-job", "model-invocation-jobs", "model-invocations"},
		Allowed: map[string][]string{"": {"GET", "POST"}, "/{}": {"GET"}, "/{}/stop": {"POST"}},
		Aliases: map[string]string{"model-invocations": "model-invocation-job"}, // Kong's name for it
	}
)

// meterHeaders reads the usage from the headers of InvokeModel, for models whose
// answers do not have it.
// https://docs.aws.amazon.com/bedrock/latest/userguide/inference-invoke.html
func meterHeaders(h http.Header, seen *chat.Seen) { readCounts(h, seen, true) }

// meterEmbeddings is meterHeaders for embeddings, which have no output to count.
func meterEmbeddings(h http.Header, seen *chat.Seen) { readCounts(h, seen, false) }

func readCounts(h http.Header, seen *chat.Seen, output bool) {
	prompt, err := strconv.Atoi(h.Get("X-Amzn-Bedrock-Input-Token-Count"))
	if err != nil {
		return
	}
	completion, err := strconv.Atoi(h.Get("X-Amzn-Bedrock-Output-Token-Count"))
	if err != nil && output {
		return
	}
	seen.Usage.Prompt, seen.Usage.Completion, seen.HasUsage = prompt, completion, true
}
