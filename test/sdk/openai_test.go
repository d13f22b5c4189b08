package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

func openAI(provider string) openai.Client {
	return openai.NewClient(option.WithBaseURL(mocked+"/openai/"+provider), option.WithAPIKey("client"), option.WithMaxRetries(0))
}

func asks(text string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)}}
}

var weatherTool = openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "get_weather", Parameters: weather})

// thoughts are the text of the reasoning_content that the SDK has no field for.
func thoughts(raw string) string {
	var m struct {
		Reasoning string `json:"reasoning_content"`
	}
	if json.Unmarshal([]byte(raw), &m) != nil {
		return ""
	}
	return m.Reasoning
}

func TestOpenAIChat(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		c := openAI(provider)
		whole, err := c.Chat.Completions.New(ctx, asks(askText))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "text", whole.Choices[0].Message.Content, answerText)
		same(t, "finish", whole.Choices[0].FinishReason, "stop")
		same(t, "prompt tokens", whole.Usage.PromptTokens, 18)
		same(t, "completion tokens", whole.Usage.CompletionTokens, 10)

		params := asks(askText)
		params.StreamOptions.IncludeUsage = openai.Bool(true)
		stream := c.Chat.Completions.NewStreaming(ctx, params)
		var acc openai.ChatCompletionAccumulator
		for stream.Next() {
			if !acc.AddChunk(stream.Current()) {
				t.Errorf("a chunk that does not belong: %s", stream.Current().RawJSON())
			}
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		same(t, "streamed text", acc.Choices[0].Message.Content, answerText)
		same(t, "streamed finish", acc.Choices[0].FinishReason, "stop")
		if counted(provider) {
			same(t, "streamed prompt tokens", acc.Usage.PromptTokens, 18)
			same(t, "streamed completion tokens", acc.Usage.CompletionTokens, 10)
		}
	})
}

func TestOpenAITools(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		c := openAI(provider)
		params := asks(askTools)
		params.Tools = []openai.ChatCompletionToolUnionParam{weatherTool}
		whole, err := c.Chat.Completions.New(ctx, params)
		if err != nil {
			t.Fatal(err)
		}
		stream := c.Chat.Completions.NewStreaming(ctx, params)
		var acc openai.ChatCompletionAccumulator
		for stream.Next() {
			acc.AddChunk(stream.Current())
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		for _, answer := range []openai.ChatCompletion{*whole, acc.ChatCompletion} {
			same(t, "finish", answer.Choices[0].FinishReason, "tool_calls")
			calls := answer.Choices[0].Message.ToolCalls
			if len(calls) != 1 {
				t.Fatalf("calls: %+v", calls)
			}
			same(t, "name", calls[0].Function.Name, "get_weather")
			same(t, "city", city(t, []byte(calls[0].Function.Arguments)), "Paris")
			if calls[0].ID == "" {
				t.Error("a call without an id")
			}
		}
		// The call goes back, with its result.
		again := asks(askResult)
		again.Tools = params.Tools
		again.Messages = append(again.Messages, whole.Choices[0].Message.ToParam(), openai.ToolMessage("21 °C", whole.Choices[0].Message.ToolCalls[0].ID))
		answer, err := c.Chat.Completions.New(ctx, again)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "text", answer.Choices[0].Message.Content, answerResult)
	})
}

func TestOpenAIStructuredOutput(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		c := openAI(provider)
		params := asks(askStructured)
		params.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
			Name: "person", Strict: openai.Bool(true), Schema: map[string]any{"type": "object", "additionalProperties": false, "required": []string{"name", "age", "tags"},
				"properties": map[string]any{"name": map[string]any{"type": "string"}, "age": map[string]any{"type": "integer"}, "tags": map[string]any{"type": "array", "items": map[string]any{"type": "string"}}}},
		}}
		answer, err := c.Chat.Completions.New(ctx, params)
		if err != nil {
			t.Fatal(err)
		}
		var person struct {
			Name string
			Age  int
		}
		if err := json.Unmarshal([]byte(answer.Choices[0].Message.Content), &person); err != nil || person.Name != "Ada" || person.Age != 36 {
			t.Errorf("%v: %s", err, answer.Choices[0].Message.Content)
		}
	})
}

func TestOpenAIThinking(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		c := openAI(provider)
		params := asks(askThinking)
		params.ReasoningEffort = shared.ReasoningEffortMedium
		whole, err := c.Chat.Completions.New(ctx, params)
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		streamed := ""
		stream := c.Chat.Completions.NewStreaming(ctx, params)
		for stream.Next() {
			for _, choice := range stream.Current().Choices {
				streamed += thoughts(choice.Delta.RawJSON())
				said += choice.Delta.Content
			}
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		same(t, "text", whole.Choices[0].Message.Content, answerThought)
		same(t, "streamed text", said, answerThought)
		same(t, "streamed thoughts", streamed, thoughts(whole.Choices[0].Message.RawJSON()))
		if thinks(provider) && streamed != "" {
			same(t, "thoughts", streamed, thought)
		}
	})
}

func TestOpenAIErrors(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		c := openAI(provider)
		_, err := c.Chat.Completions.New(ctx, asks(askRate))
		var refused *openai.Error
		if !errors.As(err, &refused) || refused.StatusCode != 429 || refused.Message == "" {
			t.Errorf("got %v", err)
		}
		stream := c.Chat.Completions.NewStreaming(ctx, asks(askBroken))
		for stream.Next() {
		}
		if stream.Err() == nil {
			t.Error("a stream that broke off ends well")
		}
	})
}

func askedOf(text string) responses.ResponseNewParams {
	return responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(text)}}
}

// respond streams a response and returns the last event's, and the pieces of
// its text, arguments and thoughts.
func respond(t *testing.T, ctx context.Context, c openai.Client, params responses.ResponseNewParams) (last responses.Response, text, arguments, summary string) {
	t.Helper()
	stream := c.Responses.NewStreaming(ctx, params)
	sequence := int64(0)
	for stream.Next() {
		ev := stream.Current()
		same(t, "sequence number", ev.SequenceNumber, sequence)
		sequence++
		switch ev := ev.AsAny().(type) {
		case responses.ResponseTextDeltaEvent:
			text += ev.Delta
		case responses.ResponseFunctionCallArgumentsDeltaEvent:
			arguments += ev.Delta
		case responses.ResponseReasoningSummaryTextDeltaEvent:
			summary += ev.Delta
		case responses.ResponseCompletedEvent:
			last = ev.Response
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	return last, text, arguments, summary
}

func TestOpenAIResponses(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		c := openAI(provider)
		whole, err := c.Responses.New(ctx, askedOf(askText))
		if err != nil {
			t.Fatal(err)
		}
		last, text, _, _ := respond(t, ctx, c, askedOf(askText))
		same(t, "text", whole.OutputText(), answerText)
		same(t, "streamed text", text, answerText)
		same(t, "final text", last.OutputText(), answerText)
		same(t, "status", last.Status, responses.ResponseStatusCompleted)
		same(t, "input tokens", whole.Usage.InputTokens, 18)
		if counted(provider) {
			same(t, "streamed input tokens", last.Usage.InputTokens, 18)
			same(t, "streamed output tokens", last.Usage.OutputTokens, 10)
		}

		params := askedOf(askTools)
		params.Tools = []responses.ToolUnionParam{{OfFunction: &responses.FunctionToolParam{Name: "get_weather", Parameters: weather}}}
		last, _, arguments, _ := respond(t, ctx, c, params)
		same(t, "city", city(t, []byte(arguments)), "Paris")
		var called *responses.ResponseFunctionToolCall
		for _, item := range last.Output {
			if call, ok := item.AsAny().(responses.ResponseFunctionToolCall); ok {
				called = &call
			}
		}
		if called == nil || called.CallID == "" || called.Name != "get_weather" {
			t.Fatalf("no call in %s", last.RawJSON())
		}
		input := responses.ResponseInputParam{
			responses.ResponseInputItemParamOfMessage(askResult, responses.EasyInputMessageRoleUser),
			responses.ResponseInputItemParamOfFunctionCall(called.Arguments, called.CallID, called.Name),
			{OfFunctionCallOutput: &responses.ResponseInputItemFunctionCallOutputParam{CallID: openai.String(called.CallID),
				Output: responses.ResponseInputItemFunctionCallOutputOutputUnionParam{OfString: openai.String("21 °C")}}},
		}
		again, err := c.Responses.New(ctx, responses.ResponseNewParams{Model: model, Tools: params.Tools, Input: responses.ResponseNewParamsInputUnion{OfInputItemList: input}})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "text after the result", again.OutputText(), answerResult)
	})
}

func TestOpenAIResponsesThink(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		params := askedOf(askThinking)
		params.Reasoning = shared.ReasoningParam{Effort: shared.ReasoningEffortMedium, Summary: shared.ReasoningSummaryAuto}
		last, text, _, summary := respond(t, ctx, openAI(provider), params)
		same(t, "text", text, answerThought)
		if summary != "" {
			same(t, "summary", summary, thought)
		}
		same(t, "status", last.Status, responses.ResponseStatusCompleted)
	})
}

func TestOpenAIResponsesNeedNoMemory(t *testing.T) {
	c := openAI("anthropic")
	params := askedOf(askText)
	params.PreviousResponseID = openai.String("resp_1")
	_, err := c.Responses.New(t.Context(), params)
	var refused *openai.Error
	if !errors.As(err, &refused) || refused.StatusCode != 400 || !strings.Contains(refused.Message, "stores no answers") {
		t.Errorf("got %v", err)
	}
}
