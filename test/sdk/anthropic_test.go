package sdk

import (
	"context"
	"errors"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

func claude(base string) anthropic.Client {
	return anthropic.NewClient(option.WithBaseURL(base), option.WithAPIKey("client"), option.WithMaxRetries(0))
}

func prompt(text string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{Model: model, MaxTokens: 4096, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(text))}}
}

// both asks whole and streamed.
func both(t *testing.T, ctx context.Context, c anthropic.Client, params anthropic.MessageNewParams) []anthropic.Message {
	t.Helper()
	whole, err := c.Messages.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	stream := c.Messages.NewStreaming(ctx, params)
	var acc anthropic.Message
	for stream.Next() {
		if err := acc.Accumulate(stream.Current()); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	return []anthropic.Message{*whole, acc}
}

// blocks are the text, the thoughts and the calls of a message.
func blocks(m anthropic.Message) (text, thinking string, calls []anthropic.ToolUseBlock) {
	for _, b := range m.Content {
		switch b := b.AsAny().(type) {
		case anthropic.TextBlock:
			text += b.Text
		case anthropic.ThinkingBlock:
			thinking += b.Thinking
		case anthropic.ToolUseBlock:
			calls = append(calls, b)
		}
	}
	return text, thinking, calls
}

func TestAnthropicMessages(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		params := prompt(askText)
		params.System = []anthropic.TextBlockParam{{Text: "Be brief.", CacheControl: anthropic.NewCacheControlEphemeralParam()}, {Text: "Be kind."}}
		for i, m := range both(t, ctx, claude(mocked+"/anthropic/"+provider), params) {
			text, _, _ := blocks(m)
			same(t, "text", text, answerText)
			same(t, "stop reason", m.StopReason, anthropic.StopReasonEndTurn)
			if i == 0 || counted(provider) {
				same(t, "input tokens", m.Usage.InputTokens, 18)
				same(t, "output tokens", m.Usage.OutputTokens, 10)
			}
		}
	})
}

func TestAnthropicTools(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		c := claude(mocked + "/anthropic/" + provider)
		params := prompt(askTools)
		params.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{Name: "get_weather", Description: anthropic.String("Weather of a city."),
			InputSchema: anthropic.ToolInputSchemaParam{Properties: weather["properties"], Required: []string{"city"}}}}}
		var first anthropic.Message
		for _, m := range both(t, ctx, c, params) {
			_, _, calls := blocks(m)
			same(t, "stop reason", m.StopReason, anthropic.StopReasonToolUse)
			if len(calls) != 1 {
				t.Fatalf("calls: %s", m.RawJSON())
			}
			same(t, "name", calls[0].Name, "get_weather")
			same(t, "city", city(t, calls[0].Input), "Paris")
			first = m
		}
		_, _, calls := blocks(first)
		again := prompt(askResult)
		again.Tools = params.Tools
		again.Messages = append(again.Messages, first.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock(calls[0].ID, "21 °C", false)))
		answer, err := c.Messages.New(ctx, again)
		if err != nil {
			t.Fatal(err)
		}
		text, _, _ := blocks(*answer)
		same(t, "text after the result", text, answerResult)
	})
}

func TestAnthropicThinking(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		params := prompt(askThinking)
		params.Thinking = anthropic.ThinkingConfigParamOfEnabled(2048)
		for _, m := range both(t, ctx, claude(mocked+"/anthropic/"+provider), params) {
			text, thinking, _ := blocks(m)
			same(t, "text", text, answerThought)
			if thinking != "" {
				same(t, "thoughts", thinking, thought)
			}
		}
	})
}

func TestAnthropicErrors(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		c := claude(mocked + "/anthropic/" + provider)
		_, err := c.Messages.New(ctx, prompt(askRate))
		var refused *anthropic.Error
		if !errors.As(err, &refused) || refused.StatusCode != 429 || refused.Type() != anthropic.ErrorTypeRateLimitError {
			t.Errorf("got %v", err)
		}
		stream := c.Messages.NewStreaming(ctx, prompt(askBroken))
		for stream.Next() {
		}
		if stream.Err() == nil {
			t.Error("a stream that broke off ends well")
		}
	})
}

func TestAnthropicOfClaudeOnBedrock(t *testing.T) {
	params := prompt("hi")
	params.Model = claudeOnBedrock
	for _, m := range both(t, t.Context(), claude(direct+"/anthropic/claude"), params) {
		text, _, _ := blocks(m)
		same(t, "text", text, invokeText)
		same(t, "input tokens", m.Usage.InputTokens, 10)
		same(t, "output tokens", m.Usage.OutputTokens, 9)
	}
}
