package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"google.golang.org/genai"
)

func google(t *testing.T, ctx context.Context, provider string) *genai.Client {
	t.Helper()
	c, err := genai.NewClient(ctx, &genai.ClientConfig{APIKey: "client", Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{
		BaseURL: mocked + "/gemini/" + provider, RetryOptions: &genai.HTTPRetryOptions{Attempts: genai.Ptr[int32](1)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// generated is what an answer says, whole or streamed.
type generated struct {
	text, thinking string
	calls          []*genai.FunctionCall
	finish         genai.FinishReason
	usage          *genai.GenerateContentResponseUsageMetadata
}

func (g *generated) add(r *genai.GenerateContentResponse) {
	if r.UsageMetadata != nil {
		g.usage = r.UsageMetadata
	}
	for _, c := range r.Candidates {
		if c.FinishReason != "" {
			g.finish = c.FinishReason
		}
		if c.Content == nil {
			continue
		}
		for _, p := range c.Content.Parts {
			switch {
			case p.FunctionCall != nil:
				g.calls = append(g.calls, p.FunctionCall)
			case p.Thought:
				g.thinking += p.Text
			default:
				g.text += p.Text
			}
		}
	}
}

func generate(t *testing.T, ctx context.Context, c *genai.Client, contents []*genai.Content, config *genai.GenerateContentConfig) [2]generated {
	t.Helper()
	var answers [2]generated
	whole, err := c.Models.GenerateContent(ctx, model, contents, config)
	if err != nil {
		t.Fatal(err)
	}
	answers[0].add(whole)
	for chunk, err := range c.Models.GenerateContentStream(ctx, model, contents, config) {
		if err != nil {
			t.Fatal(err)
		}
		answers[1].add(chunk)
	}
	return answers
}

func TestGeminiGenerateContent(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		config := &genai.GenerateContentConfig{SystemInstruction: genai.NewContentFromText("Be brief.", genai.RoleUser)}
		for i, g := range generate(t, ctx, google(t, ctx, provider), genai.Text(askText), config) {
			same(t, "text", g.text, answerText)
			same(t, "finish", g.finish, genai.FinishReasonStop)
			if i == 0 || counted(provider) {
				same(t, "prompt tokens", g.usage.PromptTokenCount, 18)
				same(t, "completion tokens", g.usage.CandidatesTokenCount, 10)
			}
		}
	})
}

func TestGeminiTools(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		c := google(t, ctx, provider)
		config := &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{Name: "get_weather", ParametersJsonSchema: weather}}}}}
		var call *genai.FunctionCall
		for _, g := range generate(t, ctx, c, genai.Text(askTools), config) {
			if len(g.calls) != 1 || g.calls[0].Name != "get_weather" || g.calls[0].Args["city"] != "Paris" {
				t.Fatalf("calls: %+v", g.calls)
			}
			call = g.calls[0]
		}
		response := genai.NewPartFromFunctionResponse(call.Name, map[string]any{"result": "21 °C"})
		response.FunctionResponse.ID = call.ID
		history := []*genai.Content{
			genai.NewContentFromText(askResult, genai.RoleUser),
			{Role: genai.RoleModel, Parts: []*genai.Part{{FunctionCall: call}}},
			{Role: genai.RoleUser, Parts: []*genai.Part{response}},
		}
		for _, g := range generate(t, ctx, c, history, config) {
			same(t, "text after the result", g.text, answerResult)
		}
	})
}

func TestGeminiStructuredOutputAndThinking(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		c := google(t, ctx, provider)
		config := &genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseJsonSchema: map[string]any{"type": "object",
			"properties": map[string]any{"name": map[string]any{"type": "string"}}, "required": []string{"name"}}}
		for _, g := range generate(t, ctx, c, genai.Text(askStructured), config) {
			var person struct{ Name string }
			if err := json.Unmarshal([]byte(g.text), &person); err != nil || person.Name != "Ada" {
				t.Errorf("%v: %s", err, g.text)
			}
		}
		config = &genai.GenerateContentConfig{ThinkingConfig: &genai.ThinkingConfig{IncludeThoughts: true}}
		for _, g := range generate(t, ctx, c, genai.Text(askThinking), config) {
			same(t, "text", g.text, answerThought)
			if g.thinking != "" {
				same(t, "thoughts", g.thinking, thought)
			}
		}
	})
}

func TestGeminiErrors(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, provider string) {
		c := google(t, ctx, provider)
		_, err := c.Models.GenerateContent(ctx, model, genai.Text(askRate), nil)
		var refused genai.APIError
		if !errors.As(err, &refused) || refused.Code != 429 || refused.Message == "" {
			t.Errorf("got %v", err)
		}
		var broken error
		for _, err := range c.Models.GenerateContentStream(ctx, model, genai.Text(askBroken), nil) {
			broken = err
		}
		if broken == nil {
			t.Error("a stream that broke off ends well")
		}
	})
}
