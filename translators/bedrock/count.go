package bedrock

import (
	"encoding/base64"
	"regexp"
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// counter is CountTokens for the body of a Converse. Only Claude's models have it.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html
// https://docs.aws.amazon.com/bedrock/latest/userguide/count-tokens.html
var counter = provider.Counter{
	Members: []string{"messages", "system", "toolConfig", "additionalModelRequestFields"},
	Tokens:  "inputTokens",
	Wrap: func(dst []byte, _ *target.Target, body []byte) []byte {
		return append(append(append(dst, `{"input":{"converse":`...), body...), "}}"...)
	},
}

// profile is what an inference profile has before the name of the model. CountTokens
// takes models only.
// https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
var profile = regexp.MustCompile(`^(global|us-gov|us|eu|apac|jp|au|ca|sa|me)\.`)

func countPath(t *target.Target, _ bool) (string, error) {
	model := *t
	model.Model = profile.ReplaceAllString(t.Model, "")
	at, err := pathOf(&model, false)
	return strings.TrimSuffix(at, "/converse") + "/count-tokens", err
}

// countDialect reads the bodies of CountTokens: that of a Converse, or that of an
// InvokeModel, which is of Anthropic's format.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokensInput.html
type countDialect struct{ chat.Dialect }

// ParseRequest implements chat.Dialect.
func (d countDialect) ParseRequest(body *jsonedit.Value) (*chat.Request, error) {
	input := body.Get("input")
	if converse := input.GetObject("converse"); converse != nil {
		return d.Dialect.ParseRequest(converse)
	}
	coded, err := input.Get("invokeModel", "body").StringBytes()
	if err != nil {
		return nil, &chat.RequestError{Field: "input", Message: "must have converse, or invokeModel with a body"}
	}
	invoked, err := base64.StdEncoding.AppendDecode(nil, coded)
	if err != nil {
		return nil, &chat.RequestError{Field: "input.invokeModel.body", Message: "must be base64"}
	}
	return chat.ParseRequest(anthropic.Dialect, invoked)
}

// appendTokens writes the answer of CountTokens.
func appendTokens(dst []byte, tokens int) []byte {
	return append(jsonedit.AppendInt(append(dst, '{'), "inputTokens", tokens), '}')
}
