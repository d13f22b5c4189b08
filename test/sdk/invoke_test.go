package sdk

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// What newInvoke answers, in Anthropic's format.
const (
	claudeOnBedrock = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
	invokeText      = "Hello, wörld."
	invokeAnswer    = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5-20251001","content":[{"type":"text","text":"Hello, wörld."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":9}}`
)

var invokeEvents = []string{
	`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5-20251001","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":1}}}`,
	`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
	`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello, "}}`,
	`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"wörld."}}`,
	`{"type":"content_block_stop","index":0}`,
	`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}`,
	`{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":10,"outputTokenCount":9}}`,
}

// newInvoke is InvokeModel of Bedrock with a Claude. Its frames are written by
// AWS's own encoder.
func newInvoke() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var m map[string]any
		switch {
		case err != nil || json.Unmarshal(body, &m) != nil:
			http.Error(w, `{"message":"not JSON"}`, http.StatusBadRequest)
		case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"):
			http.Error(w, `{"message":"not signed by the gateway"}`, http.StatusForbidden)
		case m["anthropic_version"] != "bedrock-2023-05-31" || m["model"] != nil || m["stream"] != nil:
			http.Error(w, `{"message":"Malformed input request"}`, http.StatusBadRequest)
		case strings.HasSuffix(r.URL.EscapedPath(), "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke"):
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, invokeAnswer)
		case strings.HasSuffix(r.URL.EscapedPath(), "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke-with-response-stream"):
			w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
			w.Header().Set("X-Amzn-Bedrock-Content-Type", "application/json")
			for _, e := range invokeEvents {
				w.Write(chunk(e))
				w.(http.Flusher).Flush()
			}
		default:
			http.NotFound(w, r)
		}
	}))
}

func chunk(event string) []byte {
	payload, err := json.Marshal(map[string]any{"bytes": []byte(event)})
	if err != nil {
		panic(err)
	}
	m := eventstream.Message{Payload: payload}
	m.Headers.Set(":event-type", eventstream.StringValue("chunk"))
	m.Headers.Set(":content-type", eventstream.StringValue("application/json"))
	m.Headers.Set(":message-type", eventstream.StringValue("event"))
	var b bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}
