// Package failover decides what a failed attempt means: whether another target is
// asked, which ones are for it, and whether it says something about the target's
// health. It knows how attempts fail, and nothing of how they are made. Start with
// Policy.
package failover

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
)

// Failure is an attempt that failed before anything was sent to the client.
type Failure struct {
	// Criterion is how it failed, in the words of failover_criteria: error, timeout,
	// http_500 …
	Criterion string
	Reason    chat.Reason // why, as the provider's error says; "" if it does not
	Sent      bool        // the provider may have started to work
	Consumed  bool        // the client's body was forwarded and not kept
}

// Criteria beside those of Kong and the reasons of providers.
const (
	// Refused is an attempt that ended before the provider was called: its target
	// cannot do what the client wants. It cannot be configured.
	Refused = "refused"
	// SlowStart is a stream without content within first_token_timeout.
	SlowStart = "slow_start"
	// Filtered is an answer without content because of what it would say.
	Filtered = string(chat.Filtered)
)

// kongs are Kong's criteria. As in nginx, a request that the provider may have acted
// upon is repeated by them for idempotent methods only, or with non_idempotent. All
// other criteria are named to have requests repeated, and are refusals but for
// SlowStart.
var kongs = []string{"error", "timeout", "invalid_header", "http_500", "http_502", "http_503", "http_504", "http_403", "http_404", "http_429"}

const nonIdempotent = "non_idempotent"

// Policy is what a configuration says of failures. The zero Policy allows nothing.
type Policy struct {
	criteria []string // failover_criteria
}

// New returns the policy of failover_criteria.
func New(criteria []string) Policy { return Policy{criteria: criteria} }

// Has says whether a criterion is configured.
func (p Policy) Has(criterion string) bool { return slices.Contains(p.criteria, criterion) }

// Allows returns the configured criterion by which another target may be asked after
// f, for a request with that method; "" if none allows it.
func (p Policy) Allows(f *Failure, method string) string {
	if f.Sent && f.Consumed {
		return "" // the body was forwarded and is no longer there
	}
	idempotent := method != http.MethodPost && method != http.MethodPatch && method != "LOCK"
	for _, criterion := range f.names() {
		if criterion != "" && p.Has(criterion) && (!f.Sent || idempotent || p.Has(nonIdempotent) || !slices.Contains(kongs, criterion)) {
			return criterion
		}
	}
	return ""
}

// Holds says whether an answer may be replaced after it has begun, for a request with
// that method. If not, nothing need be held back.
func (p Policy) Holds(method string, consumed bool) bool {
	for _, criterion := range p.criteria {
		if strings.HasPrefix(criterion, "http_") || criterion == nonIdempotent {
			continue
		}
		if p.Allows(&Failure{Criterion: criterion, Sent: true, Consumed: consumed}, method) != "" {
			return true
		}
	}
	return false
}

// IsFor says whether a target with this fallback_for is to be used after f.
func (f *Failure) IsFor(fallbackFor []string) bool {
	return slices.ContainsFunc(f.names(), func(name string) bool { return name != "" && slices.Contains(fallbackFor, name) })
}

// names are the criteria that the failure meets, the reason before the status.
func (f *Failure) names() []string { return []string{string(f.Reason), f.Criterion} }

// Verdict says what f means for its target's health. Transport errors are failures; a
// status or a reason is one only if it is a criterion, and 403 and 404 never are by
// themselves. The zero Failure is a success.
func (p Policy) Verdict(f *Failure) balancer.Verdict {
	switch {
	case f.Criterion == "":
		return balancer.Good
	case f.AboutRequest():
		return balancer.Neutral
	case f.Reason != "" && p.Has(string(f.Reason)):
		return balancer.Bad
	case slices.Contains([]string{"error", "timeout", "invalid_header"}, f.Criterion):
		return balancer.Bad
	case f.Criterion == "http_403", slices.Contains(requestsFault, f.Criterion):
		return balancer.Neutral
	case p.Has(f.Criterion):
		return balancer.Bad
	}
	return balancer.Neutral
}

// AboutRequest says whether f can only be the request's own fault.
func (f *Failure) AboutRequest() bool {
	return f.Reason == chat.ContextLength || f.Reason == chat.Filtered
}

// Lasts says whether the same target would fail in the same way again.
func (f *Failure) Lasts() bool { return f.Reason != "" && f.Reason != chat.Overloaded }

// requestsFault are the criteria that may be the request's own fault: a client that
// sends nonsense must not make a good target look bad.
var requestsFault = []string{Refused, "http_400", "http_404", "http_409", "http_413", "http_415", "http_422"}

// MayBeRequests says whether f may be the request's own fault.
func (f *Failure) MayBeRequests() bool {
	return f.AboutRequest() || slices.Contains(requestsFault, f.Criterion) && (f.Reason == "" || f.Reason == chat.InvalidModel)
}

// CriterionOf names an error of calling a provider in the words of failover_criteria.
func CriterionOf(err error) string {
	var t *wire.TransportError
	switch {
	case errors.As(err, &t) && t.Timeout:
		return "timeout"
	case t != nil && t.Phase == wire.Sent && strings.Contains(t.Error(), "malformed"): // the word that net/http and net/textproto use
		return "invalid_header"
	}
	return "error"
}

// maxRest is the longest time for which a provider's Retry-After excludes a
// target.
const maxRest = 5 * time.Minute

// RetryAfter is for how long, from now on, a provider asks with its Retry-After header to
// be left alone, at most maxRest. The header is in seconds or a date (RFC 9110
// §10.2.3).
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	d := time.Duration(0)
	if n, err := strconv.ParseFloat(v, 64); err == nil {
		d = time.Duration(min(n, maxRest.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRest)
}
