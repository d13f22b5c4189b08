package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/document"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
)

// held is an HTTP client that keeps the request's body to itself: the SDK
// closes its own as soon as an answer begins, which net/http may take for a
// failure to send it, and then breaks the connection.
type held struct{}

func (held) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultClient.Do(r)
}

func bedrock(base string) *bedrockruntime.Client {
	return bedrockruntime.New(bedrockruntime.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(base), Retryer: aws.NopRetryer{}, HTTPClient: held{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "dummy", SecretAccessKey: "dummy"}, nil
		}),
	})
}

func turn(role types.ConversationRole, blocks ...types.ContentBlock) types.Message {
	return types.Message{Role: role, Content: blocks}
}

func userSays(text string) []types.Message {
	return []types.Message{turn(types.ConversationRoleUser, &types.ContentBlockMemberText{Value: text})}
}

// conversed is what an answer says.
type conversed struct {
	text, thinking string
	call           types.ToolUseBlock
	input          string
	stop           types.StopReason
	usage          *types.TokenUsage
}

func converse(t *testing.T, ctx context.Context, c *bedrockruntime.Client, messages []types.Message, tools *types.ToolConfiguration) [2]conversed {
	t.Helper()
	var answers [2]conversed
	whole, err := c.Converse(ctx, &bedrockruntime.ConverseInput{ModelId: aws.String(model), Messages: messages, ToolConfig: tools})
	if err != nil {
		t.Fatal(err)
	}
	a := &answers[0]
	a.stop, a.usage = whole.StopReason, whole.Usage
	for _, b := range whole.Output.(*types.ConverseOutputMemberMessage).Value.Content {
		switch b := b.(type) {
		case *types.ContentBlockMemberText:
			a.text += b.Value
		case *types.ContentBlockMemberToolUse:
			a.call = b.Value
			raw, err := b.Value.Input.MarshalSmithyDocument()
			if err != nil {
				t.Fatal(err)
			}
			a.input = string(raw)
		case *types.ContentBlockMemberReasoningContent:
			if r, ok := b.Value.(*types.ReasoningContentBlockMemberReasoningText); ok {
				a.thinking += *r.Value.Text
			}
		}
	}
	out, err := c.ConverseStream(ctx, &bedrockruntime.ConverseStreamInput{ModelId: aws.String(model), Messages: messages, ToolConfig: tools})
	if err != nil {
		t.Fatal(err)
	}
	if err := answers[1].collect(out.GetStream()); err != nil {
		t.Fatal(err)
	}
	return answers
}

func (a *conversed) collect(stream *bedrockruntime.ConverseStreamEventStream) error {
	defer stream.Close()
	for ev := range stream.Events() {
		switch ev := ev.(type) {
		case *types.ConverseStreamOutputMemberContentBlockStart:
			if use, ok := ev.Value.Start.(*types.ContentBlockStartMemberToolUse); ok {
				a.call = types.ToolUseBlock{Name: use.Value.Name, ToolUseId: use.Value.ToolUseId}
			}
		case *types.ConverseStreamOutputMemberContentBlockDelta:
			switch d := ev.Value.Delta.(type) {
			case *types.ContentBlockDeltaMemberText:
				a.text += d.Value
			case *types.ContentBlockDeltaMemberToolUse:
				a.input += *d.Value.Input
			case *types.ContentBlockDeltaMemberReasoningContent:
				if r, ok := d.Value.(*types.ReasoningContentBlockDeltaMemberText); ok {
					a.thinking += r.Value
				}
			}
		case *types.ConverseStreamOutputMemberMessageStop:
			a.stop = ev.Value.StopReason
		case *types.ConverseStreamOutputMemberMetadata:
			a.usage = ev.Value.Usage
		}
	}
	return stream.Err()
}

func TestBedrockConverse(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		for i, a := range converse(t, ctx, bedrock(mocked+"/bedrock/"+provider), userSays(askText), nil) {
			same(t, "text", a.text, answerText)
			same(t, "stop reason", a.stop, types.StopReasonEndTurn)
			if i == 0 || counted(provider) {
				same(t, "input tokens", *a.usage.InputTokens, 18)
				same(t, "output tokens", *a.usage.OutputTokens, 10)
			}
		}
	})
}

func TestBedrockTools(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		c := bedrock(mocked + "/bedrock/" + provider)
		tools := &types.ToolConfiguration{Tools: []types.Tool{&types.ToolMemberToolSpec{Value: types.ToolSpecification{
			Name: aws.String("get_weather"), InputSchema: &types.ToolInputSchemaMemberJson{Value: document.NewLazyDocument(weather)}}}}}
		var last conversed
		for _, a := range converse(t, ctx, c, userSays(askTools), tools) {
			same(t, "stop reason", a.stop, types.StopReasonToolUse)
			same(t, "name", aws.ToString(a.call.Name), "get_weather")
			same(t, "city", city(t, []byte(a.input)), "Paris")
			last = a
		}
		history := append(userSays(askResult),
			turn(types.ConversationRoleAssistant, &types.ContentBlockMemberToolUse{Value: types.ToolUseBlock{
				ToolUseId: last.call.ToolUseId, Name: last.call.Name, Input: document.NewLazyDocument(map[string]any{"city": "Paris"})}}),
			turn(types.ConversationRoleUser, &types.ContentBlockMemberToolResult{Value: types.ToolResultBlock{
				ToolUseId: last.call.ToolUseId, Content: []types.ToolResultContentBlock{&types.ToolResultContentBlockMemberText{Value: "21 °C"}}}}))
		for _, a := range converse(t, ctx, c, history, tools) {
			same(t, "text after the result", a.text, answerResult)
		}
	})
}

func TestBedrockThinking(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		for _, a := range converse(t, ctx, bedrock(mocked+"/bedrock/"+provider), userSays(askThinking), nil) {
			same(t, "text", a.text, answerThought)
			if a.thinking != "" {
				same(t, "thoughts", a.thinking, thought)
			}
		}
	})
}

func TestBedrockErrors(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		c := bedrock(mocked + "/bedrock/" + provider)
		_, err := c.Converse(ctx, &bedrockruntime.ConverseInput{ModelId: aws.String(model), Messages: userSays(askRate)})
		var throttled *types.ThrottlingException
		if !errors.As(err, &throttled) || throttled.ErrorMessage() == "" {
			t.Errorf("got %v", err)
		}
		out, err := c.ConverseStream(ctx, &bedrockruntime.ConverseStreamInput{ModelId: aws.String(model), Messages: userSays(askBroken)})
		if err != nil {
			t.Fatal(err)
		}
		if err := new(conversed).collect(out.GetStream()); err == nil {
			t.Error("a stream that broke off ends well")
		}
	})
}

func TestBedrockInvokeModel(t *testing.T) {
	c := bedrock(direct + "/bedrock/claude")
	body := []byte(`{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`)
	whole, err := c.InvokeModel(t.Context(), &bedrockruntime.InvokeModelInput{ModelId: aws.String(claudeOnBedrock), Body: body})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "body", string(whole.Body), invokeAnswer)
	out, err := c.InvokeModelWithResponseStream(t.Context(), &bedrockruntime.InvokeModelWithResponseStreamInput{ModelId: aws.String(claudeOnBedrock), Body: body})
	if err != nil {
		t.Fatal(err)
	}
	stream := out.GetStream()
	defer stream.Close()
	text := ""
	for ev := range stream.Events() {
		chunk, ok := ev.(*types.ResponseStreamMemberChunk)
		if !ok {
			t.Fatalf("got %T", ev)
		}
		var m struct{ Delta struct{ Text string } }
		if err := json.Unmarshal(chunk.Value.Bytes, &m); err != nil {
			t.Fatal(err)
		}
		text += m.Delta.Text
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	same(t, "text", text, invokeText)
}
