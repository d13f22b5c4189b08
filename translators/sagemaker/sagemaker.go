// Package sagemaker is Amazon SageMaker: endpoints whose containers (vLLM's, TGI's,
// DJL's LMI) take OpenAI's bodies at the one path that SageMaker gives them. A streamed
// answer comes in AWS's frames, which are parts of the container's own stream.
//
// Start with Provider. Facts are from
// https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html,
// API_runtime_InvokeEndpointWithResponseStream.html, and of the containers
// https://docs.djl.ai/master/docs/serving/serving/docs/lmi/user_guides/chat_input_output_schema.html,
// https://github.com/vllm-project/vllm/tree/main/vllm/entrypoints/sagemaker and
// https://github.com/huggingface/text-generation-inference/blob/main/router/src/sagemaker.rs
package sagemaker

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/compatible"
	"go-ai-proxy/translators/huggingface"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Provider is Amazon SageMaker. The caller signs its requests (Signature Version 4,
// service "sagemaker"). The model's name is the endpoint's unless endpoint_name is set.
var Provider = func() provider.Provider {
	p := *unnamed
	p.Variant = variant
	p.Kinds = []provider.Kind{
		{},
		{Name: "endpoint_name", Options: target.Options{Sagemaker: target.Sagemaker{EndpointName: "my-endpoint"}}},
		{Name: "embeddings_format: huggingface", Options: target.Options{Sagemaker: target.Sagemaker{EmbeddingsFormat: "huggingface"}}},
	}
	return p
}()

// unnamed sends bodies without a model: servers refuse a name that is not theirs, and
// take none for their own. named is for containers with several.
var (
	unnamed = endpoint([]string{"model"})
	named   = endpoint(nil)
)

func variant(t *target.Target) *provider.Provider {
	p := unnamed
	if t.Options.Sagemaker.EndpointName != "" {
		p = named
	}
	if t.Options.Sagemaker.EmbeddingsFormat != "huggingface" {
		return p
	}
	other := *p
	other.Operations = provider.With(provider.With(map[route.Type]*provider.Operation{}, p.Operations), inputs)
	return &other
}

// inputs are embeddings of Text Embeddings Inference and of DJL.
// https://github.com/huggingface/text-embeddings-inference
// https://docs.djl.ai/master/docs/serving/serving/docs/lmi/user_guides/embedding-user-guide.html
var inputs = map[route.Type]*provider.Operation{
	route.Embeddings: {Path: path, Format: provider.HuggingfaceVector, Body: huggingface.Embeddings, NoStream: true, OwnErrors: true},
}

// endpoint is SageMaker with bodies in OpenAI's format, without the members in drop.
func endpoint(drop []string) *provider.Provider {
	chats := openai.ChatOf(path, provider.Edit{
		Drop: drop, Rename: compatible.OlderLimit, Request: compatible.SystemRole, Rewrite: rewrite,
		History: func(*target.Target) *provider.History { return &provider.History{Thought: provider.ThoughtInReasoning} },
	})
	chats.Fields["model"] = provider.Mapped.With("the endpoint's name, in the path; in the body if endpoint_name is set")
	completions := openai.CompletionsAt("", provider.Edit{Drop: drop, Rewrite: rewrite})
	embeddings := openai.EmbeddingsAt("")
	embeddings.Edit.Drop = drop
	ops := map[route.Type]*provider.Operation{route.Chat: chats, route.Completions: completions, route.Embeddings: embeddings}
	for _, op := range ops {
		op.Path, op.OwnErrors, op.Parts = path, true, "X-Amzn-Sagemaker-Content-Type"
	}
	return &provider.Provider{
		Name:        "sagemaker",
		Base:        func(t *target.Target) (string, error) { return provider.AWSHost(t, "runtime.sagemaker") },
		PathOverURL: true,
		Identity:    provider.AWS,
		Service:     func(*target.Target) string { return "sagemaker" },
		ModelLands:  target.InSegment,
		Header:      header,
		Reasons:     reasons,
		Operations:  ops,
	}
}

// rewrite gives an answer OpenAI's words for thoughts and for its end.
func rewrite(dst, data []byte) []byte {
	return compatible.FinishReasons(dst, compatible.ReasoningContent(nil, data))
}

// path is that of InvokeEndpoint, or of InvokeEndpointWithResponseStream. The latter
// does not know the header that names a multi-model endpoint's model.
func path(t *target.Target, stream bool) (string, error) {
	field, name := "model", t.Model
	if t.Options.Sagemaker.EndpointName != "" {
		field, name = "model.options.sagemaker.endpoint_name", t.Options.Sagemaker.EndpointName
	}
	name, err := provider.Segment(field, name)
	switch {
	case err != nil:
		return "", err
	case !stream:
		return "/endpoints/" + name + "/invocations", nil
	case t.Options.Sagemaker.TargetModel != "":
		return "", &chat.RequestError{Field: "stream", Message: "a multi-model endpoint cannot stream: send the request without stream"}
	}
	return "/endpoints/" + name + "/invocations-response-stream", nil
}

// header says which of an endpoint's models is meant.
func header(t *target.Target) (headers [][2]string) {
	o := &t.Options.Sagemaker
	for _, h := range [...][2]string{
		{"X-Amzn-SageMaker-Inference-Component", o.InferenceComponent},
		{"X-Amzn-SageMaker-Target-Model", o.TargetModel},
		{"X-Amzn-SageMaker-Target-Variant", o.TargetVariant},
		{"X-Amzn-SageMaker-Target-Container-Hostname", o.TargetContainerHostname},
	} {
		if h[1] != "" {
			headers = append(headers, h)
		}
	}
	return headers
}
