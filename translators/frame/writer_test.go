package frame

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

func TestWrittenEventsAreReadBack(t *testing.T) {
	for _, c := range []struct{ event, data, want, back string }{
		{"", `{"a":1}`, "data: {\"a\":1}\n\n", `{"a":1}`},
		{"message_stop", "{}", "event: message_stop\ndata: {}\n\n", "{}"},
		{"", "", "data: \n\n", ""},
		{"", "a\nb\r\nc\rd\n", "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n", "a\nb\nc\nd\n"},
		{"", "a\n\r\nb", "data: a\ndata: \ndata: b\n\n", "a\n\nb"},
		{"x\r\ndata: forged\n", " {}", "event: xdata: forged\ndata:  {}\n\n", " {}"},
	} {
		got := string(AppendSSE([]byte("dst"), []byte(c.event), []byte(c.data)))
		if got != "dst"+c.want {
			t.Errorf("%q %q: %q", c.event, c.data, got)
		}
		events, err := read(SSE, strings.NewReader(got[3:]), 0)
		if err != nil || len(events) != 1 || events[0].Data != c.back || events[0].NoData {
			t.Errorf("%q %q: read back as %v, %v", c.event, c.data, events, err)
		}
	}
}

func TestSDKReadsWrittenFrames(t *testing.T) {
	in := AppendEventStream(nil, []Header{{":event-type", "chunk"}, {":message-type", "event"}, {"long", strings.Repeat("x", 1<<16)}}, []byte(`{"bytes":"e30="}`))
	in = AppendEventStream(in, nil, nil)
	r := bytes.NewReader(in)
	m, err := eventstream.NewDecoder().Decode(r, nil)
	if err != nil || string(m.Payload) != `{"bytes":"e30="}` || m.Headers.Get(":event-type").String() != "chunk" || len(m.Headers.Get("long").String()) != 1<<15-1 {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err = eventstream.NewDecoder().Decode(r, nil); err != nil || len(m.Headers) != 0 || len(m.Payload) != 0 || r.Len() != 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestFramesOfTheSDKAreRead(t *testing.T) {
	var b bytes.Buffer
	message := eventstream.Message{Payload: []byte("{}")}
	message.Headers.Set("a", eventstream.BoolValue(true))
	message.Headers.Set("b", eventstream.BoolValue(false))
	message.Headers.Set("c", eventstream.Int8Value(1))
	message.Headers.Set("d", eventstream.Int16Value(1))
	message.Headers.Set("e", eventstream.Int32Value(1))
	message.Headers.Set("f", eventstream.Int64Value(1))
	message.Headers.Set("g", eventstream.BytesValue("abc"))
	message.Headers.Set("h", eventstream.TimestampValue{})
	message.Headers.Set("i", eventstream.UUIDValue{})
	message.Headers.Set(":event-type", eventstream.StringValue("metadata"))
	if err := eventstream.NewEncoder().Encode(&b, message); err != nil {
		t.Fatal(err)
	}
	events, err := read(EventStream, &b, 0)
	if err != nil || len(events) != 1 || events[0].Type != "metadata" || events[0].Data != "{}" {
		t.Errorf("%v, %v", events, err)
	}
}

func TestBrokenHeadersAreErrors(t *testing.T) {
	for _, headers := range []string{"\x05ab", "\x01a", "\x01a\x0a", "\x01a\x07", "\x01a\x07\x00", "\x01a\x07\x00\x02x", "\x01a\x05\x00"} {
		// A frame with these headers as its payload, and the lengths and sums set right.
		frame := AppendEventStream(nil, nil, []byte(headers))
		frame = headersOf(frame, len(headers))
		if events, err := read(EventStream, bytes.NewReader(frame), 0); err == nil || len(events) != 0 {
			t.Errorf("%q: %v, %v", headers, events, err)
		}
	}
	long := headersOf(AppendEventStream(nil, nil, []byte("abc")), 4)
	if _, err := read(EventStream, bytes.NewReader(long), 0); err == nil || !strings.Contains(err.Error(), "impossible lengths") {
		t.Error(err)
	}
}
