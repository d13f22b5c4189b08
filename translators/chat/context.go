package chat

import (
	"net/http"
	"strconv"
	"strings"
)

// ContextTooLong is the code of an error that says that a conversation is longer than
// the model's context. Clients compact it then and go on.
// https://platform.openai.com/docs/guides/error-codes
const ContextTooLong = "context_length_exceeded"

// contextTexts are what providers say of a conversation that is too long, in lower
// case. All words of one of them are in the message.
var contextTexts = [][]string{
	{"maximum context length"},            // OpenAI, DeepSeek, Mistral, vLLM and most that copied the format
	{"exceeds the context window"},        // OpenAI's Responses API
	{"prompt is too long"},                // https://platform.claude.com/docs/en/api/errors
	{"exceed context limit"},              // Anthropic, for the input and max_tokens together
	{"input token count", "exceeds"},      // https://ai.google.dev/gemini-api/docs/troubleshooting
	{"input is too long"},                 // https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
	{"too many input tokens"},             // Bedrock's Nova and Llama
	{"input tokens exceeded"},             // Bedrock's Nova
	{"maximum model length"},              // vLLM's check of the prompt alone
	{"exceeds the context length"},        // Ollama
	{"maximum prompt length"},             // https://docs.x.ai/docs/guides
	{"too many tokens", "exceed"},         // https://docs.cohere.com/reference/errors
	{"exceeds the available context"},     // llama.cpp, Ollama
	{"reduce the length of the messages"}, // Groq
	{"`inputs` tokens", "must be <="},     // text-generation-inference
}

// IsContextTooLong reports whether e says that the conversation is longer than the
// model's context, in the words of whichever provider.
func (e *Error) IsContextTooLong() bool {
	if e.Code == ContextTooLong {
		return true
	}
	if e.Status == http.StatusTooManyRequests || e.Status >= 500 {
		return false
	}
	message := strings.ToLower(e.Message)
	for _, words := range contextTexts {
		found := true
		for _, w := range words {
			found = found && strings.Contains(message, w)
		}
		if found {
			return true
		}
	}
	return false
}

// ClientStatus returns the HTTP status for the client. A conversation that is too long
// is a bad request in every client's API; some providers say 413, and 0 in a stream. 424
// is how Bedrock says that its model failed, and that the same request may succeed; other
// APIs have no such status, and their clients repeat no request for it.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
func (e *Error) ClientStatus() int {
	switch {
	case e.IsContextTooLong():
		return http.StatusBadRequest
	case e.Status == http.StatusFailedDependency:
		return http.StatusBadGateway
	}
	return e.Status
}

// leastContext is less than any model's context: smaller numbers in a message count
// something else.
const leastContext = 512

// ContextTokens returns the tokens of a conversation that is too long, and how many
// the model takes, as the provider's message has them. Both are 0 if it has not both.
func (e *Error) ContextTokens() (tokens, maximum int) {
	var counts []int
	sum := false
	for word := range strings.FieldsSeq(e.Message) {
		n, err := strconv.Atoi(strings.Trim(word, "().,;:"))
		switch {
		case err != nil:
			sum = word == "+"
			continue
		case sum && len(counts) > 0: // input + max_tokens > limit
			counts[len(counts)-1] += n
		case n >= leastContext:
			counts = append(counts, n)
		}
		sum = false
	}
	for _, n := range counts {
		tokens = max(tokens, n)
	}
	for _, n := range counts { // the others count parts of the conversation, and come last
		if n < tokens {
			return tokens, n
		}
	}
	return 0, 0
}
