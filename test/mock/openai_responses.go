package mock

import (
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
const responsesMembers = " background conversation include input instructions max_output_tokens max_tool_calls metadata model parallel_tool_calls " +
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
	return nil
}

func (openAIResponses) Whole(s *Scenario, _ []byte) []byte {
	return []byte(responseObject(s, responseItems(s), true))
}

// responseItems are the items of the output: reasoning, the message, calls.
func responseItems(s *Scenario) []string {
	parts := s.Answer.Choices[0].Parts
	var items []string
	if t := joined(parts, chat.Thinking); t != "" {
		items = append(items, fmt.Sprintf(`{"type":"reasoning","id":%s,"summary":[{"type":"summary_text","text":%s}]}`, quote("rs_"+s.Answer.ID), quote(t)))
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
		items = append(items, fmt.Sprintf(`{"type":"function_call","id":%s,"call_id":%s,"name":%s,"arguments":%s,"status":"completed"}`, quote("fc_"+c.ID), quote(c.ID), quote(c.Name), quote(c.Arguments)))
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

func (openAIResponses) Stream(s *Scenario, _ []byte) (string, [][]byte) {
	var events [][]byte
	emit := func(typ, members string) {
		events = append(events, sse(typ, fmt.Sprintf(`{"type":%q,"sequence_number":%d%s}`, typ, len(events), members)))
	}
	emit("response.created", `,"response":`+responseObject(s, nil, false))
	output := 0
	for _, p := range s.Answer.Choices[0].Parts {
		typ, text, id := "response.output_text.delta", p.Text, "msg_"+s.Answer.ID
		switch p.Kind {
		case chat.Thinking:
			typ, id = "response.reasoning_summary_text.delta", "rs_"+s.Answer.ID
		case chat.Refusal:
			typ = "response.refusal.delta"
		case chat.ToolCall:
			typ, text, id = "response.function_call_arguments.delta", p.Arguments, "fc_"+p.ID
			emit("response.output_item.added", fmt.Sprintf(`,"output_index":%d,"item":{"type":"function_call","id":%s,"call_id":%s,"name":%s,"arguments":"","status":"in_progress"}`,
				output, quote(id), quote(p.ID), quote(p.Name)))
		}
		for i, t := range Cut(text, s.Pieces) {
			emit(typ, fmt.Sprintf(`,"item_id":%s,"output_index":%d,"content_index":0,"delta":%s`, quote(id), output, quoteNth(i, t)))
		}
		output++
	}
	end := "response.completed"
	if f := s.Answer.Choices[0].Finish; f == chat.Length || f == chat.ContentFilter {
		end = "response.incomplete"
	}
	emit(end, `,"response":`+responseObject(s, responseItems(s), true))
	return "text/event-stream", events
}
