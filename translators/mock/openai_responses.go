package mock

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go-ai-proxy/translators/chat"
)

func init() { register(openAIResponses{}) }

// openAIResponses is POST …/responses.
// https://platform.openai.com/docs/api-reference/responses/create
type openAIResponses struct{ openAIErrors }

func (openAIResponses) Name() string { return "openai/responses" }

func (openAIResponses) Match(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/responses")
}

func (openAIResponses) Streamed(_ *http.Request, body []byte) bool { return asksForStream(body) }

func (openAIResponses) StreamError(message string) []byte {
	return sse("error", fmt.Sprintf(`{"type":"error","code":"server_error","message":%s,"param":null,"sequence_number":99}`, quote(message)))
}

// responsesMembers are those of the API; others are refused.
const responsesMembers = " background client_metadata conversation include input instructions max_output_tokens max_tool_calls metadata model parallel_tool_calls " +
	"previous_response_id prompt prompt_cache_key prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options " +
	"temperature text tool_choice tools top_logprobs top_p truncation user "

func (openAIResponses) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	var q map[string]json.RawMessage
	if err := json.Unmarshal(body, &q); err != nil {
		return err
	}
	for name := range q {
		if !strings.Contains(responsesMembers, " "+name+" ") {
			return fmt.Errorf("unknown parameter: %q", name)
		}
	}
	if len(q["model"]) == 0 || len(q["input"])+len(q["prompt"])+len(q["previous_response_id"])+len(q["conversation"]) == 0 {
		return errors.New("model and one of input, prompt, previous_response_id and conversation are required")
	}
	if err := checkResponsesTools(q["tools"]); err != nil {
		return err
	}
	return checkItems(q["input"], len(q["previous_response_id"])+len(q["conversation"]) > 0)
}

func (openAIResponses) Whole(s *Scenario, body []byte) []byte {
	return []byte(responseObject(s, responseItems(s, sealedFor(s, body)), true))
}

// sealedFor is the encrypted_content of the reasoning, with the member's name, if the
// request asks for it.
func sealedFor(s *Scenario, body []byte) string {
	if !bytes.Contains(body, []byte(`"reasoning.encrypted_content"`)) {
		return ""
	}
	for _, p := range s.Answer.Choices[0].Parts {
		if p.Kind == chat.Thinking && p.Signature != "" {
			return `,"encrypted_content":` + quote(p.Signature)
		}
	}
	return ""
}

// responseItems are the items of the output: reasoning, the message, calls.
func responseItems(s *Scenario, sealed string) []string {
	parts := s.Answer.Choices[0].Parts
	var items []string
	if t := joined(parts, chat.Thinking); t != "" {
		items = append(items, fmt.Sprintf(`{"type":"reasoning","id":%s,"summary":[{"type":"summary_text","text":%s}]%s}`, quote("rs_"+s.Answer.ID), quote(t), sealed))
	}
	var content []string
	if t := joined(parts, chat.Text); t != "" {
		content = append(content, fmt.Sprintf(`{"type":"output_text","text":%s,"annotations":[]}`, quote(t)))
	}
	if t := joined(parts, chat.Refusal); t != "" {
		content = append(content, fmt.Sprintf(`{"type":"refusal","refusal":%s}`, quote(t)))
	}
	if len(content) > 0 {
		items = append(items, fmt.Sprintf(`{"type":"message","id":%s,"status":"completed","role":"assistant","content":[%s]}`, quote("msg_"+s.Answer.ID), strings.Join(content, ",")))
	}
	for _, c := range calls(parts) {
		items = append(items, fmt.Sprintf(`{"type":"function_call","id":%s,"call_id":%s,"name":%s,"arguments":%s,"status":"completed"}`, quote("fc_"+c.ID), quote(c.ID), quote(c.Name), quote(c.Arguments.String())))
	}
	return items
}

// responseObject is the response: in progress without items and usage, or at
// its end.
func responseObject(s *Scenario, items []string, ended bool) string {
	status, incomplete, usage := "in_progress", "null", "null"
	if ended {
		u := &s.Answer.Usage
		usage = fmt.Sprintf(`{"input_tokens":%d,"input_tokens_details":{"cached_tokens":%d},"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":%d},"total_tokens":%d}`,
			u.Prompt, u.Cached, u.Completion, u.Reasoning, u.TotalTokens())
		switch s.Answer.Choices[0].Finish {
		case chat.Length:
			status, incomplete = "incomplete", `{"reason":"max_output_tokens"}`
		case chat.ContentFilter:
			status, incomplete = "incomplete", `{"reason":"content_filter"}`
		default:
			status = "completed"
		}
	}
	return fmt.Sprintf(`{"id":%s,"object":"response","created_at":%d,"status":%q,"error":null,"incomplete_details":%s,"model":%s,"output":[%s],"service_tier":"default","usage":%s}`,
		quote("resp_"+s.Answer.ID), s.Answer.Created, status, incomplete, quote(s.Answer.Model), strings.Join(items, ","), usage)
}

// streamPart emits one item: that it begins, its pieces, and the whole of it,
// without which SDKs cannot put a response together.
func streamPart(s *Scenario, p chat.Part, sealed string, output int, emit func(typ, members string)) {
	typ, text, id := "response.output_text", p.Text, "msg_"+s.Answer.ID
	begun, ended := `{"type":"message","id":%s,"status":"in_progress","role":"assistant","content":[]}`, `{"type":"message","id":%s,"status":"completed","role":"assistant","content":[%s]}`
	part, whole := "response.content_part", `"text"`
	empty, full := `{"type":"output_text","text":"","annotations":[]}`, `{"type":"output_text","text":`+quote(p.Text.String())+`,"annotations":[]}`
	switch p.Kind {
	case chat.Thinking:
		typ, id, part = "response.reasoning_summary_text", "rs_"+s.Answer.ID, "response.reasoning_summary_part"
		begun, ended = `{"type":"reasoning","id":%s,"summary":[]}`, `{"type":"reasoning","id":%s,"summary":[%s]`+sealed+`}`
		empty, full = `{"type":"summary_text","text":""}`, `{"type":"summary_text","text":`+quote(p.Text.String())+`}`
	case chat.Refusal:
		typ, whole = "response.refusal", `"refusal"`
		empty, full = `{"type":"refusal","refusal":""}`, `{"type":"refusal","refusal":`+quote(p.Text.String())+`}`
	case chat.ToolCall:
		typ, text, id, part, whole = "response.function_call_arguments", p.Arguments, "fc_"+p.ID, "", `"arguments"`
		call := `{"type":"function_call","id":%s,"call_id":` + quote(p.ID) + `,"name":` + quote(p.Name)
		begun, ended = call+`,"arguments":"","status":"in_progress"}`, call+`,"arguments":%s,"status":"completed"}`
		full = quote(p.Arguments.String())
	}
	emit("response.output_item.added", fmt.Sprintf(`,"output_index":%d,"item":`+begun, output, quote(id)))
	at := fmt.Sprintf(`,"item_id":%s,"output_index":%d,"content_index":0,"summary_index":0`, quote(id), output)
	if part != "" {
		emit(part+".added", at+`,"part":`+empty)
	}
	for i, t := range Cut(text.String(), s.Pieces) {
		emit(typ+".delta", at+`,"delta":`+quoteNth(i, t))
	}
	emit(typ+".done", at+`,`+whole+`:`+quote(text.String()))
	if part != "" {
		emit(part+".done", at+`,"part":`+full)
	}
	emit("response.output_item.done", fmt.Sprintf(`,"output_index":%d,"item":`+ended, output, quote(id), full))
}

func (openAIResponses) Stream(s *Scenario, body []byte) (string, [][]byte) {
	var events [][]byte
	sealed := sealedFor(s, body)
	emit := func(typ, members string) {
		events = append(events, sse(typ, fmt.Sprintf(`{"type":%q,"sequence_number":%d%s}`, typ, len(events), members)))
	}
	emit("response.created", `,"response":`+responseObject(s, nil, false))
	for output, p := range s.Answer.Choices[0].Parts {
		streamPart(s, p, sealed, output, emit)
	}
	end := "response.completed"
	if f := s.Answer.Choices[0].Finish; f == chat.Length || f == chat.ContentFilter {
		end = "response.incomplete"
	}
	emit(end, `,"response":`+responseObject(s, responseItems(s, sealed), true))
	return "text/event-stream", events
}
