package mock

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"go-ai-proxy/translators/frame"
)

func init() { register(bedrockClaude{}) }

// bedrockClaude is POST /model/{id}/invoke and /invoke-with-response-stream of Claude:
// Anthropic's bodies, without model and stream, in AWS's frames.
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
type bedrockClaude struct{ bedrockConverse }

func (bedrockClaude) Name() string { return "bedrock/invoke-claude" }

func (bedrockClaude) Match(r *http.Request) bool {
	model, operation, ok := bedrockPath(r)
	return ok && strings.Contains(model, "claude") && (operation == "invoke" || operation == "invoke-with-response-stream")
}

func (bedrockClaude) Streamed(r *http.Request, _ []byte) bool {
	_, operation, _ := bedrockPath(r)
	return operation == "invoke-with-response-stream"
}

func (bedrockClaude) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	var q map[string]json.RawMessage
	if err := json.Unmarshal(body, &q); err != nil {
		return err
	}
	if string(q["anthropic_version"]) != `"bedrock-2023-05-31"` {
		return fmt.Errorf("anthropic_version: %s is no version", q["anthropic_version"])
	}
	for _, name := range []string{"model", "stream"} {
		if q[name] != nil {
			return fmt.Errorf("%s: Extra inputs are not permitted", name)
		}
	}
	delete(q, "anthropic_version")
	delete(q, "anthropic_beta")
	model, _, _ := bedrockPath(r)
	q["model"] = json.RawMessage(quote(model))
	rest, err := json.Marshal(q)
	if err != nil {
		return err
	}
	return checkAnthropic(rest)
}

func (bedrockClaude) Whole(s *Scenario, body []byte) []byte {
	return anthropicMessages{}.Whole(s, body)
}

func (bedrockClaude) Stream(s *Scenario, body []byte) (string, [][]byte) {
	_, events := anthropicMessages{}.Stream(s, body)
	for i, e := range events {
		_, data, _ := bytes.Cut(e, []byte("data: "))
		events[i] = frame.AppendEventStream(nil, []frame.Header{
			{Name: ":event-type", Value: "chunk"}, {Name: ":content-type", Value: "application/json"}, {Name: ":message-type", Value: "event"},
		}, fmt.Appendf(nil, `{"bytes":%q}`, base64.StdEncoding.EncodeToString(bytes.TrimSpace(data))))
	}
	return "application/vnd.amazon.eventstream", events
}
