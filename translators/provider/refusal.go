package provider

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// Refusal is an error by which an API says that a model does not take some part of a
// request, where the model's name does not tell it: names of one's own, inference
// profiles, models to come. The request is then made again without that part.
type Refusal struct {
	Status int      // 0 is any of 400 to 499
	Words  []string // of the message, all of them, in lower case
	What   string   // the part is, in words for the record
	// Without returns the valid body without the part that the message is about; body
	// itself if it does not have it. The message is "" when the model has refused the part
	// of an earlier request: what only the message could tell stays then.
	Without  func(body []byte, message string) []byte
	Document string
}

// Is reports whether e is this error.
func (r *Refusal) Is(e *chat.Error) bool {
	if e.Status < 400 || e.Status > 499 || r.Status != 0 && e.Status != r.Status {
		return false
	}
	said := strings.ToLower(e.Message)
	for _, word := range r.Words {
		if !strings.Contains(said, word) {
			return false
		}
	}
	return true
}

// WithoutMember is a Refusal.Without for a top-level member.
func WithoutMember(name string) func(body []byte, message string) []byte {
	return func(body []byte, _ string) []byte { return jsonedit.With(body, name, nil) }
}
