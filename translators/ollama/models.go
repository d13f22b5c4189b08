package ollama

import "go-ai-proxy/translators/provider"

// families are the families that cannot think, whose server refuses to ask them to
// ("does not support thinking"), and those that think by level. All others are asked
// as the client wants. A model is listed when the library does not give it the
// capability thinking.
var families = provider.Families{
	{Prefix: "gpt-oss-", Efforts: []string{"low", "medium", "high"}, Document: "https://docs.ollama.com/capabilities/thinking"},
	{Prefix: "llama", Document: library + "/llama3.3"},
	{Prefix: "codellama", Document: library + "/codellama"},
	{Prefix: "tinyllama", Document: library + "/tinyllama"},
	{Prefix: "gemma-", Document: library + "/gemma"},
	{Prefix: "gemma2-", Document: library + "/gemma2"},
	{Prefix: "gemma3", Document: library + "/gemma3"},
	{Prefix: "mistral-medium-3.5-", Efforts: all, Document: library + "/mistral-medium-3.5"},
	{Prefix: "mistral-", Document: library + "/mistral"},
	{Prefix: "ministral", Document: library + "/ministral-3"},
	{Prefix: "mixtral-", Document: library + "/mixtral"},
	{Prefix: "devstral", Document: library + "/devstral"},
	{Prefix: "codestral-", Document: library + "/codestral"},
	{Prefix: "phi-", Document: library + "/phi"},
	{Prefix: "phi3", Document: library + "/phi3"},
	{Prefix: "phi4-", Document: library + "/phi4"},
	{Prefix: "qwen-", Document: library + "/qwen"},
	{Prefix: "qwen2", Document: library + "/qwen2.5"},
	{Prefix: "qwen3-coder-", Document: library + "/qwen3-coder"},
	{Prefix: "deepseek-coder", Document: library + "/deepseek-coder-v2"},
	{Prefix: "deepseek-llm-", Document: library + "/deepseek-llm"},
	{Prefix: "deepseek-v2", Document: library + "/deepseek-v2"},
	{Prefix: "deepseek-v3-", Document: library + "/deepseek-v3"},
	{Prefix: "command-r", Document: library + "/command-r"},
	{Prefix: "starcoder", Document: library + "/starcoder2"},
	{Prefix: "llava", Document: library + "/llava"},
	{Prefix: "smollm", Document: library + "/smollm2"},
	{Prefix: "hermes3-", Document: library + "/hermes3"},
	{Prefix: "falcon", Document: library + "/falcon3"},
	{Prefix: "vicuna", Document: library + "/vicuna"},
	{Efforts: all, Document: "https://docs.ollama.com/capabilities/thinking"},
}

const library = "https://ollama.com/library"

// all are the levels of models that know none, too: they take any as true.
var all = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}
