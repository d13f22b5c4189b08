package openai

import (
	"net/url"
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// The operations of OpenAI's API. Providers that have the same API at other paths
// use them, too.
// https://platform.openai.com/docs/api-reference

// ChatAt returns chat in OpenAI's format at a path. edit is how the API differs from
// OpenAI's.
func ChatAt(p string, edit provider.Edit) *provider.Operation {
	return ChatOf(provider.Path(p), edit)
}

// ChatOf is ChatAt for a path that depends on the target.
func ChatOf(path func(*target.Target, bool) (string, error), edit provider.Edit) *provider.Operation {
	if edit.History == nil {
		edit.History = func(*target.Target) *provider.History { return &anyHistory }
	}
	op := &provider.Operation{
		Path: path, Format: provider.OpenAIChat, Meter: Meter, Edit: edit,
		Chat: edited{edit: &edit}, Fields: fieldsOf(&edit),
		Hosts: func(t *target.Target, r *chat.Request, tool *chat.Tool) bool {
			return Hosts(t, r, tool) || edit.Hosting.Of(t.Model).Runs(r, tool)
		},
		Origin: func(t *target.Target) origin.Name { return ownOf(edit.History(t), t) },
		Caveats: func(t *target.Target, r *chat.Request) []string {
			model := edit.Models.Of(t.Model)
			caveats := model.Caveats(r)
			if model.Takes("stop") {
				caveats = append(caveats, edit.Limits.Caveats(r)...)
			}
			return caveats
		},
	}
	if !edit.CustomTools {
		op.Rephrase = func(t *target.Target, ms []jsonedit.Member) bool {
			return hasCustomTools(ms) || hasFunctions(ms) || edit.Models.Of(t.Model).IsBlind() && jsonedit.Contains(jsonedit.Find(ms, "messages"), `"image_url"`)
		}
	}
	op.Edit.Request = func(dst []byte, t *target.Target, body []byte) []byte {
		if h := edit.History(t); h.Only != nil || h.Bridge != "" || handedOut(body, h.Thought) || h.NoThought != "" && jsonedit.Contains(body, `"assistant"`) {
			body = ownHistory(h, ownOf(h, t), body)
		}
		if edit.Request == nil {
			return body
		}
		return edit.Request(dst, t, body)
	}
	return op
}

// edited is OpenAI's format with the edits of an API that differs from it, for
// clients that speak another format.
type edited struct {
	Upstream
	edit *provider.Edit
}

// AppendRequest implements chat.Upstream.
func (e edited) AppendRequest(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	h, model := e.edit.History(t), e.edit.Models.Of(t.Model)
	req = e.edit.Limits.Fit(model.Choose(req))
	body, err := Upstream{History: h, Model: model, Hosting: e.edit.Hosting.Of(t.Model)}.AppendRequest(nil, t, req)
	if err != nil {
		return nil, err
	}
	body = ownHistory(h, ownOf(h, t), body)
	if e.edit.Request != nil {
		body = e.edit.Request(nil, t, body)
	}
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, err
	}
	var edits []jsonedit.Edit
	if e.edit.RefusesStreamOptions(t) {
		edits = append(edits, jsonedit.Edit{Key: "stream_options"})
	}
	if model != nil {
		for _, name := range model.Refuses {
			edits = append(edits, jsonedit.Edit{Key: name})
		}
		if model.Thinking != nil {
			edits = appendThinking(edits, model.Thinking(t.Model, req))
		}
		if model.Off.Key != "" && provider.Effort(req) == "none" {
			edits = append(edits, model.Off)
		}
	}
	return jsonedit.Join(dst, e.edit.Apply(nil, t, body, members, edits)), nil
}

// appendThinking adds Anthropic's member thinking, which says all of it. Claude refuses
// the sampling parameters while it thinks.
// https://platform.claude.com/docs/en/build-with-claude/extended-thinking
func appendThinking(edits []jsonedit.Edit, thinking []byte) []jsonedit.Edit {
	if thinking == nil {
		return edits
	}
	edits = append(edits, jsonedit.Edit{Key: "thinking", Value: thinking}, jsonedit.Edit{Key: "reasoning_effort"})
	if string(jsonedit.Lookup(thinking, "type")) == `"disabled"` {
		return edits
	}
	for _, name := range []string{"temperature", "top_p", "top_k"} {
		edits = append(edits, jsonedit.Edit{Key: name})
	}
	return edits
}

// ParseResponse implements chat.Upstream.
func (e edited) ParseResponse(t *target.Target, body []byte) (*chat.Response, error) {
	resp, err := e.Upstream.ParseResponse(t, body)
	if err != nil && e.edit.NoAnswer != nil {
		return nil, e.edit.NoAnswer(body)
	}
	return resp, err
}

// fieldsOf returns the rules for the fields of OpenAI's format at an API that has all
// fields but those that edit names.
func fieldsOf(edit *provider.Edit) provider.Fields {
	fields := provider.Fields{}
	for _, name := range Fields {
		fields[name] = provider.Mapped.With("as it is")
		renamed := edit.Rename != nil && edit.Rename(&target.Target{})[name] != ""
		if edit.Only != nil && !slices.Contains(edit.Only, name) && !renamed {
			fields[name] = provider.Dropped.With("not a member of the API")
		}
	}
	if !edit.CustomTools && edit.Only == nil {
		fields["functions"], fields["function_call"] = provider.Mapped.With("tools"), provider.Mapped.With("tool_choice")
	}
	for _, name := range edit.Drop {
		fields[name] = provider.Dropped.With("the API refuses it")
	}
	if edit.RefusesStreamOptions(&target.Target{Options: &target.Options{}}) {
		fields["stream_options"] = provider.Dropped.With("the API refuses it, and counts without")
	}
	return fields
}

// CompletionsAt returns the older completions at a path.
func CompletionsAt(p string, edit provider.Edit) *provider.Operation {
	return &provider.Operation{Path: provider.Path(p), Format: provider.OpenAICompletions, Meter: Meter, Edit: edit}
}

// EmbeddingsAt returns embeddings at a path.
func EmbeddingsAt(p string) *provider.Operation {
	return &provider.Operation{Path: provider.Path(p), Format: provider.OpenAIEmbeddings, Meter: Meter, NoStream: true}
}

// ResponsesAt returns the Responses API at a path, of the provider called own, which
// alone can read the sealed reasoning in its answers.
func ResponsesAt(p string, own origin.Name) *provider.Operation {
	op := &provider.Operation{Path: provider.Path(p), Format: provider.OpenAIResponses, Chat: responsesUpstream{}, Meter: ResponsesMeter,
		Origin: func(*target.Target) origin.Name { return own }}
	op.Edit.Request = func(dst []byte, _ *target.Target, body []byte) []byte { return ownSeals(dst, own, body) }
	if own != origin.OpenAI { // whose are those without a mark
		op.Edit.Rewrite = func(dst, data []byte) []byte { return markSeals(dst, own, data) }
	}
	return op
}

// RESTAt returns a family of REST operations: files, batches, videos.
func RESTAt(path func(*target.Target, bool) (string, error), format provider.Format) *provider.Operation {
	return &provider.Operation{Path: path, Format: format, Meter: Meter, NoStream: true}
}

// AssistantsAt returns the Assistants API; the paths of threads and runs are next
// to it. The client sends the header OpenAI-Beta, which the API requires.
func AssistantsAt(path func(*target.Target, bool) (string, error)) *provider.Operation {
	return &provider.Operation{Path: path, Format: provider.OpenAIAssistants, Meter: AssistantsMeter}
}

// SpeechAt returns text to speech, which answers with sound, or with events if the
// body asks for them.
func SpeechAt(path func(*target.Target, bool) (string, error)) *provider.Operation {
	return &provider.Operation{Path: path, Format: provider.OpenAISpeech, Meter: MediaMeter}
}

// TranscriptionsAt returns transcriptions or translations of sound. Only
// transcriptions can be streamed.
func TranscriptionsAt(path func(*target.Target, bool) (string, error)) *provider.Operation {
	return &provider.Operation{Path: path, Format: provider.OpenAITranscriptions, Meter: MediaMeter}
}

// ImagesAt returns the generation or the editing of images.
func ImagesAt(path func(*target.Target, bool) (string, error)) *provider.Operation {
	return &provider.Operation{Path: path, Format: provider.OpenAIImages, Meter: MediaMeter}
}

// realtimeAt returns the Realtime API, a WebSocket with the model in the query.
func realtimeAt(path func(*target.Target, bool) (string, error)) *provider.Operation {
	return &provider.Operation{Path: path, Format: provider.OpenAIRealtime, Meter: RealtimeMeter}
}

// realtimePath returns the path with the model, if the target has one.
func realtimePath(t *target.Target, _ bool) (string, error) {
	if t.Model == "" {
		return "/v1/realtime", nil
	}
	return "/v1/realtime?model=" + url.QueryEscape(t.Model), nil
}
