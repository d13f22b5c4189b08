package chat_test

import (
	"errors"
	"io"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/chat/chattest"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// scripted is a stream whose one event yields deltas.
type scripted []chat.Delta

func (s scripted) Next(frame.Event) ([]chat.Delta, error) { return s, nil }

func gathered(deltas []chat.Delta) (*chat.Response, error) {
	return chat.Gather(frame.Single([]byte("{}")), scripted(deltas))
}

func TestAnswerIsTheSameGatheredFromItsDeltas(t *testing.T) {
	resp := &chat.Response{ID: "c", Model: "m", Created: 7, Usage: chat.Usage{Prompt: 5, Completion: 2}, Choices: []chat.Choice{
		{Finish: chat.ToolCalls, Citations: []chat.Citation{{URL: "https://a"}}, Parts: []chat.Part{
			{Kind: chat.Thinking, Text: jsonedit.Plain("hm"), Signature: "s", Origin: origin.Anthropic},
			{Kind: chat.RedactedThinking, Text: jsonedit.Plain("r"), Origin: origin.Anthropic},
			{Kind: chat.Text, Text: jsonedit.Plain("héllo")},
			{Kind: chat.ToolCall, ID: "1", Name: "f", Arguments: jsonedit.Plain(`{"q":1}`), Signature: "g"},
			{Kind: chat.ToolCall, ID: "2", Name: "g", Arguments: jsonedit.Plain(`{}`)},
			{Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("aa")}},
		}},
		{Index: 1, Finish: chat.Stop, StopText: "END", Parts: []chat.Part{{Kind: chat.Refusal, Text: jsonedit.Plain("no")}}},
	}}
	got, err := gathered(resp.Deltas())
	if err != nil || !chattest.Equal(got, resp) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, resp)
	}
}

func TestPiecesAreGathered(t *testing.T) {
	text := func(kind chat.DeltaKind, index int, s string) chat.Delta {
		return chat.Delta{Kind: kind, Index: index, Text: []byte(s)}
	}
	start := func(index int, name string) chat.Delta {
		return chat.Delta{Kind: chat.ToolStart, Index: index, ID: []byte(name), Name: []byte(name)}
	}
	got, err := gathered([]chat.Delta{
		text(chat.TextDelta, 0, "a"), text(chat.TextDelta, 0, "b"), start(0, "f"), start(1, "g"), text(chat.ToolArguments, 1, "{"), text(chat.ToolArguments, 0, "[1"),
		text(chat.ToolArguments, 1, "}"), text(chat.TextDelta, 0, "c"), text(chat.ToolArguments, 0, "]"), {Kind: chat.Finish, Reason: chat.Stop}, {Kind: chat.End},
	})
	want := []chat.Part{{Text: jsonedit.Plain("ab")}, {Kind: chat.ToolCall, ID: "f", Name: "f", Arguments: jsonedit.Plain("[1]")},
		{Kind: chat.ToolCall, ID: "g", Name: "g", Arguments: jsonedit.Plain("{}")}, {Text: jsonedit.Plain("c")}}
	if err != nil || len(got.Choices) != 1 || !chattest.Equal(got.Choices[0].Parts, want) || !got.NoUsage {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestStreamThatFailsIsNoAnswer(t *testing.T) {
	var told *chat.Error
	if _, err := gathered([]chat.Delta{{Kind: chat.ErrorDelta, Err: &chat.Error{Message: "x"}}}); !errors.As(err, &told) || told.Message != "x" {
		t.Errorf("an error: %v", err)
	}
	if _, err := gathered([]chat.Delta{{Kind: chat.TextDelta, Text: []byte("a")}}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("no finish: %v", err)
	}
}

func TestWholeAnswersEndWithoutAReasonToo(t *testing.T) {
	for want, parts := range map[chat.FinishReason][]chat.Part{
		chat.Stop: {{Kind: chat.Text, Text: jsonedit.Plain("x")}}, chat.ToolCalls: {{Kind: chat.ToolCall, ID: "a", Name: "f"}},
	} {
		got, err := gathered((&chat.Response{Choices: []chat.Choice{{Parts: parts}}}).Deltas())
		if err != nil || got.Choices[0].Finish != want {
			t.Errorf("got %+v, %v, want %s", got, err, want)
		}
	}
}
