package plugin

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

func TestDeliveryFollowsFromTheRelationAndWhatTheAnswerIs(t *testing.T) {
	frames := string(frame.AppendEventStream(nil, []frame.Header{{Name: ":event-type", Value: "messageStart"}}, []byte("{}")))
	const events, object = "data: {}\n\n", `{"a":1}`
	for _, c := range []struct {
		name   string
		how    relation
		route  route.Type
		stream bool
		label  string
		body   string
		want   delivery
		framed frame.Kind
	}{
		{"JSON of the same format", same, route.Chat, false, "application/json", object, plainWhole, frame.Array},
		{"a stream of the same format", same, route.Chat, true, "text/event-stream", events, byEvent, frame.SSE},
		{"a stream that nobody asked for", same, route.Chat, false, "text/event-stream", events, byEvent, frame.SSE},
		{"a stream without a label", same, route.Chat, true, "", events, byEvent, frame.SSE},
		{"a stream that is called JSON", same, route.Chat, true, "application/json", events, byEvent, frame.SSE},
		{"JSON instead of a stream", same, route.Chat, true, "application/json", object, plainWhole, frame.Array},
		{"a page of a chat API", same, route.Chat, false, "text/html", "<html>", plainWhole, frame.SSE}, // checkWhole refuses it
		{"a page", same, route.Embeddings, false, "text/html; charset=utf-8", "<html>", refused, frame.SSE},
		{"sound", same, route.Speech, false, "audio/mpeg", "ID3", byByte, frame.SSE},
		{"lines of JSON", same, route.Embeddings, false, "application/x-ndjson", object, byByte, frame.Lines},
		{"translated JSON", viaChat, route.Chat, false, "application/json", object, chatWhole, frame.Array},
		{"a translated stream", viaChat, route.Chat, true, "text/event-stream", events, byChatEvent, frame.SSE},
		{"a translated stream of frames", viaChat, route.Chat, true, "application/vnd.amazon.eventstream", "\x00", byChatEvent, frame.EventStream},
		{"a translated stream that is called text", viaChat, route.Chat, true, "text/plain", events, byChatEvent, frame.SSE},
		{"a translated stream that is called lines", viaChat, route.Chat, true, "application/x-ndjson", events, byChatEvent, frame.SSE},
		{"a translated stream of lines", viaChat, route.Chat, true, "application/x-ndjson", object, byChatEvent, frame.Lines},
		{"frames that are called bytes", viaChat, route.Chat, true, "application/octet-stream", frames, byChatEvent, frame.EventStream},
		{"one object without a label", viaChat, route.Chat, true, "", object, wholeAsEvents, frame.SSE},
		{"one object instead of a translated stream", viaChat, route.Chat, true, "application/json", object, wholeAsEvents, frame.Array},
		{"a translated page", viaChat, route.Chat, true, "text/html", "<html>", chatWhole, frame.SSE},
		{"the operation's own", viaBody, route.Embeddings, false, "application/json", object, bodyWhole, frame.Array},
		{"a count", viaCounter, route.Chat, false, "application/json", object, countWhole, frame.Array},
		{"a resource", viaResource, route.Files, false, "audio/mpeg", "ID3", resourceWhole, frame.SSE},
	} {
		header := http.Header{}
		if c.label != "" {
			header.Set("Content-Type", c.label)
		}
		p := &plan{
			how: c.how, op: &provider.Operation{},
			request: &request{in: &wire.Inbound{Method: http.MethodPost}, api: routes.Of(c.route), route: c.route, stream: c.stream},
		}
		is, kind, body := contentOf(p, &wire.Answer{Status: 200, Header: header}, strings.NewReader(c.body))
		if got := deliveries[c.how][is]; got != c.want || kind != c.framed {
			t.Errorf("%s: delivery %d, framing %d, want %d and %d", c.name, got, kind, c.want, c.framed)
		}
		if all, err := io.ReadAll(body); err != nil || string(all) != c.body {
			t.Errorf("%s: %q is read, %v", c.name, all, err)
		}
	}
}

// A relation that translates delivers nothing unchanged.
func TestNothingThatIsTranslatedIsDeliveredUnchanged(t *testing.T) {
	for how, row := range deliveries {
		for is, d := range row {
			if relation(how).translates() && (d == plainWhole || d == byEvent || d == byByte) {
				t.Errorf("relation %d, content %d: unchanged", how, is)
			}
		}
	}
}
