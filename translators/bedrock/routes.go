package bedrock

import (
	"go-ai-proxy/translators/provider"
)

// routes are what is no chat: bodies of InvokeModel, asynchronous invocations,
// and jobs.
var routes = map[string]*provider.Operation{
	"llm/v1/embeddings":           {Path: invokePath, Format: provider.BedrockInvoke, Body: embeddings{}, NoStream: true},
	"image/v1/images/generations": {Path: invokePath, Format: provider.BedrockInvoke, Body: images{}, NoStream: true},
	"image/v1/images/edits":       {Path: invokePath, Format: provider.BedrockInvoke, Body: images{}, NoStream: true},
	"video/v1/videos/generations": {Path: always("/async-invoke"), Format: provider.BedrockAsync, Resource: videos{}, NoStream: true},
	"llm/v1/batches":              {Base: endpoint("bedrock"), Path: always("/model-invocation-job"), Format: provider.BedrockJobs, Resource: batches{}, NoStream: true},
}
