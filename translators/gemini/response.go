package gemini

import (
	"slices"
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// noCandidates is Kong's text.
const noCandidates = "no generation candidates received from Gemini, or max_tokens too short"

// ParseResponse reads a generateContent answer. It does not set the model, since
// modelVersion is not the name that was asked for.
func (generate) ParseResponse(_ *target.Target, body []byte) (*chat.Response, error) {
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: "the answer of Gemini is not valid JSON"}
	}
	resp := &chat.Response{ID: string(v.GetStringBytes("responseId")), Created: jsonedit.Unix(v, "createTime")}
	resp.NoUsage = !readUsage(v, &resp.Usage)
	for i, c := range v.GetArray("candidates") {
		resp.Choices = append(resp.Choices, parseCandidate(resp.ID, i, c))
		if i == 0 {
			for _, name := range candidateExtras {
				if m := c.Get(name); m != nil {
					resp.Extra = append(resp.Extra, chat.Member{Name: name, Value: jsonedit.AppendValue(nil, m)})
				}
			}
		}
	}
	if len(resp.Choices) > 0 {
		return resp, nil
	}
	feedback := v.Get("promptFeedback")
	if len(feedback.GetStringBytes("blockReason")) == 0 {
		return nil, &chat.ResponseError{Message: noCandidates}
	}
	resp.Choices = []chat.Choice{{Finish: chat.ContentFilter}}
	resp.Extra = append(resp.Extra, chat.Member{Name: "promptFeedback", Value: jsonedit.AppendValue(nil, feedback)})
	return resp, nil
}

// candidateExtras lists members of the first candidate that a client gets unchanged.
var candidateExtras = [...]string{"groundingMetadata", "citationMetadata", "urlContextMetadata"}

// maxCandidates is the highest number of candidates that are kept. Google sends 8 at
// most.
const maxCandidates = 128

// place returns a candidate's index: its own, or its position.
func place(i int, candidate *jsonedit.Value) int {
	if index := candidate.Get("index"); index != nil {
		i = index.GetInt()
	}
	return min(max(i, 0), maxCandidates)
}

func parseCandidate(id string, i int, v *jsonedit.Value) chat.Choice {
	c := chat.Choice{Index: place(i, v)}
	calls := 0
	var parts chat.Joiner
	var sources grounding
	var ran serverRuns
	cited := v.Get("groundingMetadata")
	for _, p := range v.GetArray("content", "parts") {
		part, ok := parsePart(p)
		if cited != nil {
			sources.add(&part)
		}
		if !ok {
			continue
		}
		if run := ran.begin(p); run != nil {
			part = chat.Part{Kind: chat.HostedRun, Run: run}
		} else if run, token := ran.end(p); run != nil {
			all := parts.Parts()
			all[slices.IndexFunc(all, func(p chat.Part) bool { return p.Run == run })].Signature = token
			continue
		}
		if part.Kind == chat.ToolCall {
			if part.ID == "" {
				part.ID = string(appendCallID(nil, []byte(id), c.Index, calls, part.Name, part.Arguments.String()))
			}
			calls++
		}
		if part.Kind == chat.Text || part.Kind == chat.Thinking {
			parts.Join(part)
		} else {
			parts.Add(part)
		}
	}
	c.Parts, c.Citations = parts.Parts(), sources.read(cited)
	var searched searches
	if !ran.looked {
		searched.read(cited)
	}
	for _, run := range searched.list {
		c.Parts = append(c.Parts, chat.Part{Kind: chat.HostedRun, Run: run})
	}
	c.Finish = finishReason(v.GetStringBytes("finishReason"), calls > 0)
	if c.Finish == chat.Failed {
		c.StopText = failure(v)
	}
	if l := v.Get("logprobsResult"); l != nil {
		c.Logprobs = appendLogprobs(nil, l)
	}
	return c
}

// parsePart reads a part. It returns false if the part is empty.
func parsePart(p *jsonedit.Value) (chat.Part, bool) {
	part := chat.Part{Signature: string(first(p, "thoughtSignature", "thought_signature").GetStringBytes())}
	if call := first(p, "functionCall", "function_call"); call != nil {
		part.Kind = chat.ToolCall
		part.ID = string(call.GetStringBytes("id"))
		part.Name = string(call.GetStringBytes("name"))
		part.Arguments = jsonedit.PlainBytes(argumentsOf(nil, call))
		return part, true
	}
	if blob := first(p, "inlineData", "inline_data"); blob != nil {
		mime := string(first(blob, "mimeType", "mime_type").GetStringBytes())
		part.Kind = kindOf(mime)
		part.Media = &chat.Media{MIME: mime, Data: standardBase64(blob.GetText("data")), Filename: string(first(blob, "displayName", "display_name").GetStringBytes())}
		return part, true
	}
	if file := first(p, "fileData", "file_data"); file != nil {
		mime := string(first(file, "mimeType", "mime_type").GetStringBytes())
		part.Kind = kindOf(mime)
		part.Media = &chat.Media{MIME: mime, URL: string(first(file, "fileUri", "file_uri").GetStringBytes())}
		return part, true
	}
	if said := p.Get("text"); said != nil {
		part.Text = said.GetText()
		if p.GetBool("thought") {
			part.Kind = chat.Thinking
			return part, !part.Text.Empty() || part.Signature != ""
		}
		return part, !part.Text.Empty()
	}
	if o := p.GetObject(); o != nil && o.Len() > 0 {
		part.Kind, part.Raw = chat.Opaque, jsonedit.AppendValue(nil, p)
		o.Visit(func(key []byte, _ *jsonedit.Value) {
			if part.Type == "" {
				part.Type = string(key)
			}
		})
		return part, true
	}
	return part, false
}

// kindOf returns the kind of part for a media type.
func kindOf(mime string) chat.PartKind {
	for _, k := range [...]struct {
		prefix string
		kind   chat.PartKind
	}{{"image/", chat.Image}, {"audio/", chat.Audio}, {"video/", chat.Video}} {
		if len(mime) > len(k.prefix) && mime[:len(k.prefix)] == k.prefix {
			return k.kind
		}
	}
	return chat.File
}

// finishReason returns Google's finish reason in OpenAI's words, or "" if the model
// has not finished. https://ai.google.dev/api/generate-content#FinishReason
func finishReason(reason []byte, called bool) chat.FinishReason {
	switch string(reason) {
	case "", "FINISH_REASON_UNSPECIFIED":
		return ""
	case "MAX_TOKENS":
		return chat.Length
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return chat.ContentFilter
	case "STOP":
		if called {
			return chat.ToolCalls
		}
		return chat.Stop
	}
	return chat.Failed // MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL, OTHER, and what is new
}

// failure says why a candidate's generation failed.
func failure(candidate *jsonedit.Value) string {
	why := string(candidate.GetStringBytes("finishReason"))
	if detail := candidate.GetStringBytes("finishMessage"); len(detail) > 0 {
		why += ": " + string(detail)
	}
	return why
}

// appendCallID makes the id of a call that has none. The same call of the same answer
// gets the same id, streamed or whole, and every other call another one.
func appendCallID[T string | []byte](dst []byte, response []byte, candidate, n int, name, arguments T) []byte {
	sum := hash(fnvOffset, response)
	var head [48]byte
	sum = hash(sum, strconv.AppendInt(append(strconv.AppendInt(head[:0], int64(candidate), 10), '/'), int64(n), 10))
	if len(response) == 0 {
		sum = hash(hash(sum, name), arguments)
	}
	dst = append(dst, "call_"...)
	for i := 60; i >= 0; i -= 4 {
		dst = append(dst, hexDigits[sum>>i&15])
	}
	return dst
}

// hash continues FNV-1a over s.
func hash[T string | []byte](sum uint64, s T) uint64 {
	for i := 0; i < len(s); i++ {
		sum = (sum ^ uint64(s[i])) * 1099511628211
	}
	return sum
}

const (
	fnvOffset uint64 = 14695981039346656037
	hexDigits        = "0123456789abcdef"
)

// readUsage replaces the counters of u by those in v.usageMetadata and reports
// whether there is one. Counters are running totals; a counter that is not sent has
// not changed.
func readUsage(v *jsonedit.Value, u *chat.Usage) bool {
	if n := paidSearches(v); n > 0 {
		u.SearchUnits = n
	}
	m := v.Get("usageMetadata")
	if m == nil || m.Type() != jsonedit.TypeObject {
		return false
	}
	addUp(&u.Prompt, m, "promptTokenCount", "toolUsePromptTokenCount")
	if addUp(&u.Completion, m, "candidatesTokenCount", "thoughtsTokenCount") {
		u.Reasoning = 0
		chat.Counter(&u.Reasoning, m.Get("thoughtsTokenCount"))
	}
	chat.Counter(&u.Total, m.Get("totalTokenCount"))
	chat.Counter(&u.Cached, m.Get("cachedContentTokenCount"))
	for _, d := range m.GetArray("promptTokensDetails") {
		modality(d, &u.PromptText, &u.PromptImage, &u.PromptAudio)
	}
	for _, d := range m.GetArray("candidatesTokensDetails") {
		modality(d, &u.CompletionText, &u.CompletionImage, &u.CompletionAudio)
	}
	for _, name := range [...]string{"serviceTier", "trafficType"} {
		if tier := m.GetStringBytes(name); len(tier) > 0 && string(tier) != u.ServiceTier {
			u.ServiceTier = string(tier)
		}
	}
	return true
}

// addUp sets *to to the sum of the counters of m that are there, if there is any, and
// reports that.
func addUp(to *int, m *jsonedit.Value, names ...string) (found bool) {
	sum := 0
	for _, name := range names {
		n := 0
		found = chat.Counter(&n, m.Get(name)) || found
		sum += n
	}
	if found {
		*to = sum
	}
	return found
}

func modality(d *jsonedit.Value, inText, inImage, inAudio *int) {
	n := d.Get("tokenCount")
	switch string(d.GetStringBytes("modality")) {
	case "TEXT":
		chat.Counter(inText, n)
	case "IMAGE":
		chat.Counter(inImage, n)
	case "AUDIO":
		chat.Counter(inAudio, n)
	}
}

// appendLogprobs writes a logprobsResult as OpenAI's logprobs object.
func appendLogprobs(dst []byte, v *jsonedit.Value) []byte {
	top := v.GetArray("topCandidates")
	dst = append(dst, `{"content":[`...)
	for i, chosen := range v.GetArray("chosenCandidates") {
		dst = append(appendToken(append(jsonedit.AppendComma(dst), '{'), chosen), `,"top_logprobs":[`...)
		if i < len(top) {
			for _, c := range top[i].GetArray("candidates") {
				dst = append(appendToken(append(jsonedit.AppendComma(dst), '{'), c), '}')
			}
		}
		dst = append(dst, `]}`...)
	}
	return append(dst, `]}`...)
}

func appendToken(dst []byte, v *jsonedit.Value) []byte {
	dst = jsonedit.AppendName(jsonedit.AppendText(dst, "token", v.GetStringBytes("token")), "logprob")
	if p := v.Get("logProbability"); p != nil {
		dst = jsonedit.AppendValue(dst, p)
	} else {
		dst = append(dst, '0')
	}
	return jsonedit.AppendRaw(dst, "bytes", "null")
}
