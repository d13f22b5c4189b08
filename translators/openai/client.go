package openai

import (
	"net/http"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// Client lists what clients of OpenAI's API may call. Each route type is one of its
// APIs. If targets have several route types, the end of the path identifies the API,
// or else a member of the body.
// https://platform.openai.com/docs/api-reference
var Client = provider.ClientFormat{
	Name:    "openai",
	Errors:  Chat,
	Headers: []string{"Openai-"},
	// Those of the SDKs, and of Codex:
	// https://github.com/openai/codex/tree/main/codex-rs/core/src
	Private: []string{"X-Stainless-", "X-Codex-", "X-Openai-", "Chatgpt-", "Originator", "Session_id", "Conversation_id", "Session-Id", "Thread-Id"},
	Models:  Models,
	Others:  []string{"models", "fine_tuning", "audio", "images", "chat"},
	Paths: []provider.ClientPath{
		{Path: "/chat/completions", Member: "messages", Route: route.Chat, API: &provider.API{
			Format: provider.OpenAIChat, Dialect: Chat, Check: checkPrompt, Streams: true, Tuned: true, Prose: PromptWords, BareData: true,
		}},
		{Path: "/completions", Member: "prompt", Route: route.Completions, API: &provider.API{
			Format: provider.OpenAICompletions, Dialect: Completions, Check: checkPrompt, Streams: true, Tuned: true, Prose: PromptWords, BareData: true,
		}},
		{Path: "/audio/speech", Member: "voice", Route: route.Speech, API: &provider.API{
			Format: provider.OpenAISpeech, Check: provider.Needs("input"),
		}},
		{Path: "/audio/transcriptions", Route: route.Transcriptions, API: &provider.API{
			Format: provider.OpenAITranscriptions, Body: provider.TakeForm, Form: []string{"file"}, FormOnly: true, Streams: true, OnDemand: true, Tokens: true,
		}},
		{Path: "/audio/translations", Route: route.Translations, API: &provider.API{
			Format: provider.OpenAITranscriptions, Body: provider.TakeForm, Form: []string{"file"}, FormOnly: true, Tokens: true,
		}},
		{Path: "/images/edits", Member: "images", Route: route.ImageEdits, API: &provider.API{
			Format: provider.OpenAIImages, Check: provider.Needs("prompt"), Body: provider.TakeForm, Form: []string{"prompt"}, Streams: true, OnDemand: true, Tokens: true,
		}},
		{Path: "/images/generations", Member: "prompt", Route: route.ImageGenerations, API: &provider.API{
			Format: provider.OpenAIImages, Check: provider.Needs("prompt"), Streams: true, OnDemand: true, Tokens: true,
		}},
		{Path: "/realtime", Route: route.Realtime, API: &provider.API{
			Format: provider.OpenAIRealtime, Body: provider.TakeSocket, Model: provider.ModelInQuery, Tokens: true,
		}},
		{Path: "/embeddings", Member: "input", Route: route.Embeddings, API: &provider.API{
			Format: provider.OpenAIEmbeddings, Check: checkInput, Prose: PromptWords,
		}},
		{Path: "/batches", Member: "input_file_id", Route: route.Batches, API: &provider.API{
			Format: provider.OpenAIBatches, Nested: true, Check: checkBatch, Model: provider.ModelTaken, Resources: &clientBatches,
		}},
		{Path: "/responses", Member: "input", Route: route.Responses, API: &provider.API{
			Format: provider.OpenAIResponses, Dialect: Responses, Through: route.Chat, Prose: PromptWords, Check: checkResponses,
			Streams: true, Ends: true, Tuned: true, Limit: "max_output_tokens", Tokens: true, Resources: &clientResponses,
			// Codex compacts a conversation when response.failed says so; a status it shows to the user.
			InStream: (*chat.Error).IsContextTooLong, Fails: true,
		}},
		{Path: "/moderations", Route: route.Moderations, API: &provider.API{
			Format: provider.OpenAIModerations, Check: provider.Needs("input"), Model: provider.ModelTaken,
		}},
		// What has files of its own is before the files.
		{Path: "/conversations", Route: route.Conversations, API: resource(provider.OpenAIConversations, &clientConversations)},
		{Path: "/vector_stores", Route: route.VectorStores, API: resource(provider.OpenAIVectorStores, &clientVectorStores)},
		{Path: "/containers", Route: route.Containers, API: resource(provider.OpenAIContainers, &clientContainers)},
		{Path: "/uploads", Route: route.Uploads, API: resource(provider.OpenAIUploads, &clientUploads)},
		{Path: "/skills", Route: route.Skills, API: resource(provider.OpenAISkills, &clientSkills)},
		{Path: "/files", Route: route.Files, API: &provider.API{
			Format: provider.OpenAIFiles, Body: provider.TakeForm, Form: []string{"file"}, FormOnly: true, Model: provider.ModelTaken, Resources: &clientFiles,
		}},
		{Path: "/assistants", Route: route.Assistants, API: &provider.API{
			Format: provider.OpenAIAssistants, Model: provider.ModelTaken, Resources: &clientAssistants, Streams: true, OnDemand: true,
		}},
		{Path: "/videos", Member: "prompt", Route: route.Videos, API: &provider.API{
			Format: provider.OpenAIVideo, Check: provider.Needs("prompt"), Body: provider.TakeForm, Form: []string{"prompt"}, Resources: &clientVideos,
		}},
		{Route: route.Preserve, API: &provider.API{Body: provider.TakeRaw, Model: provider.ModelTaken}},
	},
}

// checkPrompt requires messages for chat and a prompt for completions, with Kong's
// texts.
func checkPrompt(body []jsonedit.Member, wanted route.Type) error {
	messages := provider.HasElements(jsonedit.Find(body, "messages"))
	p := jsonedit.Find(body, "prompt")
	prompt := jsonedit.IsString(p) || provider.HasElements(p)
	switch {
	case messages && prompt:
		return chat.NewError(http.StatusBadRequest, "request matches multiple LLM request formats")
	case !messages && !prompt:
		e := chat.NewError(http.StatusBadRequest, "request body doesn't contain valid prompts")
		e.Param = "messages"
		if wanted == route.Completions {
			e.Param = "prompt"
		}
		return e
	case messages && wanted != route.Chat:
		return otherFormat(route.Chat, wanted)
	case prompt && wanted != route.Completions:
		return otherFormat(route.Completions, wanted)
	}
	return nil
}

func otherFormat(sent, wanted route.Type) error {
	return chat.NewError(http.StatusBadRequest, "["+string(sent)+"] message format is not compatible with ["+string(wanted)+"] route type")
}

func checkInput(body []jsonedit.Member, _ route.Type) error {
	if in := jsonedit.Find(body, "input"); !provider.HasElements(in) && !provider.HasText(in) {
		return provider.Missing("input")
	}
	return nil
}

func checkResponses(body []jsonedit.Member, _ route.Type) error {
	for _, k := range []string{"input", "prompt", "previous_response_id", "conversation"} {
		if v := jsonedit.Find(body, k); v != nil && !jsonedit.IsNull(v) {
			return nil
		}
	}
	return provider.Missing("input")
}

// checkBatch requires the input of a batch: a file, or the requests themselves.
func checkBatch(body []jsonedit.Member, _ route.Type) error {
	if !provider.HasText(jsonedit.Find(body, "input_file_id")) && !provider.HasElements(jsonedit.Find(body, "requests")) {
		e := chat.NewError(http.StatusBadRequest, "input_file_id: must name the file with the requests of the batch")
		e.Param = "input_file_id"
		return e
	}
	return nil
}
