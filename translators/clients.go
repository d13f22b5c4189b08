package translators

import "go-ai-proxy/translators/openai"

// Client is the format that clients speak where llm_format names none of a
// provider's own.
var Client = &openai.Client
