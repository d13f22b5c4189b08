package bedrock

import (
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// routes are the operations other than chat: bodies of InvokeModel, asynchronous
// invocations, and jobs.
var routes = map[route.Type]*provider.Operation{
	route.Embeddings:       {Path: invokePath, Format: provider.BedrockInvoke, Body: embeddings{}, MeterHeaders: meterEmbeddings, NoStream: true},
	route.ImageGenerations: {Path: invokePath, Format: provider.BedrockInvoke, Body: images{}, NoStream: true},
	route.ImageEdits:       {Path: invokePath, Format: provider.BedrockInvoke, Body: images{}, NoStream: true},
	route.Videos:           {Path: always("/async-invoke"), Format: provider.BedrockAsync, Resource: videos{}, NoStream: true},
	route.Batches:          {Base: endpoint("bedrock"), Path: always("/model-invocation-job"), Format: provider.BedrockJobs, Resource: batches{}, NoStream: true},
}
