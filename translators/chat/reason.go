package chat

import (
	"net/http"
	"slices"
	"strings"
)

// Reason is why a provider did not answer, as far as that decides whether another
// target may: what the provider says, not how it says it. "" is any other reason.
type Reason string

// The reasons.
const (
	Overloaded    Reason = "overloaded"     // it has no capacity for anybody at the moment
	ContextLength Reason = "context_length" // the conversation is longer than the model's context
	Filtered      Reason = "content_filter" // it refuses the prompt or the answer for what it says
	Auth          Reason = "auth"           // the credentials are not accepted
	Quota         Reason = "quota"          // the account's money or allowance is used up; waiting a moment does not help
	InvalidModel  Reason = "invalid_model"  // it has no such model, or not for this account
)

// AllReasons lists the reasons.
var AllReasons = []Reason{Overloaded, ContextLength, Filtered, Auth, Quota, InvalidModel}

// ReasonRow says by which errors of a provider a reason is known. All that is set must
// hold.
type ReasonRow struct {
	Reason Reason
	Status int      // the HTTP status; 0 for any
	Name   string   // the error's type or code; "" for any
	Words  []string // all are in the message, in lower case
	// Document describes the error, or shows one that was received.
	Document string
}

// Reasons are what is known of a provider's errors. The first row that matches counts.
type Reasons []ReasonRow

// general is what all providers' errors have in common: the statuses of HTTP.
// 529 is Anthropic's, and others have copied it.
var general = Reasons{
	{Reason: Auth, Status: http.StatusUnauthorized},
	{Reason: Auth, Status: http.StatusForbidden},
	{Reason: Quota, Status: http.StatusPaymentRequired},
	{Reason: Overloaded, Status: http.StatusServiceUnavailable},
	{Reason: Overloaded, Status: 529},
	{Reason: Overloaded, Name: "overloaded_error"},
}

// Of returns why e was answered, by the provider's rows, and by what all providers have
// in common where no row matches.
func (rows Reasons) Of(e *Error) Reason {
	if e.IsContextTooLong() {
		return ContextLength
	}
	message := strings.ToLower(e.Message)
	for _, list := range [...]Reasons{rows, general} {
		if i := slices.IndexFunc(list, func(r ReasonRow) bool { return r.matches(e, message) }); i >= 0 {
			return list[i].Reason
		}
	}
	return ""
}

// matches says whether the row is about e, whose message is given in lower case.
func (r *ReasonRow) matches(e *Error, message string) bool {
	return (r.Status == 0 || r.Status == e.Status) &&
		(r.Name == "" || r.Name == e.Type || r.Name == e.Code) &&
		!slices.ContainsFunc(r.Words, func(w string) bool { return !strings.Contains(message, w) })
}
