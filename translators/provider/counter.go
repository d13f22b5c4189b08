package provider

import (
	"slices"
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// Counter describes an operation that counts the tokens of a prompt: how its body
// is made of the body of a chat, and where its answer has the number.
type Counter struct {
	// Instead means that the body is that of the operation which the provider's chat
	// has Instead.
	Instead bool
	// AtHome means that it is asked at the provider's own host only: servers with a
	// compatible API do not have it, and might take the question for another.
	AtHome bool
	// Members are those of the chat's body that are counted; all others are left out.
	Members []string
	// Wrap, if set, appends to dst the body that the API takes around body, which has
	// only Members.
	Wrap func(dst []byte, t *target.Target, body []byte) []byte
	// Tokens is the member of the answer that holds the number.
	Tokens string
}

// AppendRequest appends the counter's body for t to dst. body is that of the chat
// whose prompt is counted. Errors are *chat.RequestError.
func (c *Counter) AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error) {
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, &chat.RequestError{Message: err.Error()}
	}
	counted := []byte{'{'}
	for i := range members {
		if name := string(members[i].Key); slices.Contains(c.Members, name) {
			counted = jsonedit.AppendRaw(counted, name, members[i].Value)
		}
	}
	counted = append(counted, '}')
	if c.Wrap == nil {
		return append(dst, counted...), nil
	}
	return c.Wrap(dst, t, counted), nil
}

// Read returns the number of tokens in an answer. Errors are *chat.ResponseError.
func (c *Counter) Read(body []byte) (int, error) {
	n, err := strconv.Atoi(string(jsonedit.Lookup(body, c.Tokens)))
	if err != nil || n < 0 {
		return 0, &chat.ResponseError{Message: "'" + c.Tokens + "' is not a number of tokens in the answer of the counter"}
	}
	return n, nil
}
