package chat

import "testing"

func TestConversationsThatAreTooLongAreKnownByEveryProvidersWords(t *testing.T) {
	for message, want := range map[string]bool{
		"This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.":                          true,
		"Your input exceeds the context window of this model. Please adjust your input and try again.":                                     true,
		"prompt is too long: 208310 tokens > 200000 maximum":                                                                               true,
		"input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length":                               true,
		"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).":                                          true,
		"The model returned the following errors: Input is too long for requested model.":                                                  true,
		"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length":                           true,
		"This model's maximum prompt length is 131072 but the request contains 140000 tokens.":                                             true,
		"too many tokens: total number of tokens in the prompt cannot exceed 128000":                                                       true,
		"request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it":                                        true,
		"`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 20 `max_new_tokens`":                          true,
		"The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length.":                   true,
		"The decoder prompt (length 40123) is longer than the maximum model length of 32768. Make sure that `max_model_len` is no smaller": true,
		"the input length exceeds the context length":                                                                                      true,
		"max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens":                                                 false,
		"Too many requests, please wait before trying again.":                                                                              false,
		"string too long. Expected a string with maximum length 64":                                                                        false,
	} {
		if got := (&Error{Status: 400, Message: message}).IsContextTooLong(); got != want {
			t.Errorf("%s: got %v", message, got)
		}
	}
	if (&Error{Status: 429, Message: "prompt is too long"}).IsContextTooLong() {
		t.Error("a limit of the rate is no limit of the context")
	}
	if !(&Error{Code: "context_length_exceeded"}).IsContextTooLong() {
		t.Error("the code says it")
	}
}

func TestTheTokensOfATooLongConversationAreReadFromTheMessage(t *testing.T) {
	for message, want := range map[string][2]int{
		"This model's maximum context length is 128000 tokens. However, you requested 130000 tokens (129000 in the messages, 1000 in the completion).": {130000, 128000},
		"input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length":                                           {209573, 200000},
		"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).":                                                      {1200000, 1048576},
		"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length":                                       {40000, 32768},
		"request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it":                                                    {9000, 8192},
		"The decoder prompt (length 40123) is longer than the maximum model length of 32768. Make sure that it is no smaller":                          {40123, 32768},
		"too many tokens: total number of tokens in the prompt cannot exceed 128000":                                                                   {0, 0},
		"Input is too long for requested model.": {0, 0},
	} {
		tokens, maximum := (&Error{Message: message}).ContextTokens()
		if tokens != want[0] || maximum != want[1] {
			t.Errorf("%s: got %d, %d", message, tokens, maximum)
		}
	}
}

func TestAFailureOfAProvidersModelIsOneThatClientsRetry(t *testing.T) {
	for status, want := range map[int]int{424: 502, 429: 429, 400: 400, 529: 529} {
		if got := (&Error{Status: status, Message: "no"}).ClientStatus(); got != want {
			t.Errorf("%d: got %d, want %d", status, got, want)
		}
	}
}
