package failover

import (
	"net/http"
	"testing"
	"time"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/translators/chat"
)

func TestPolicyAllowsByCriterionReasonAndMethod(t *testing.T) {
	for _, c := range []struct {
		name     string
		criteria []string
		f        Failure
		method   string
		want     string
	}{
		{"nothing configured", nil, Failure{Criterion: "error"}, "GET", ""},
		{"Kong's, before anything was sent", []string{"error"}, Failure{Criterion: "error"}, "POST", "error"},
		{"Kong's, after something was sent", []string{"error"}, Failure{Criterion: "error", Sent: true}, "POST", ""},
		{"Kong's, of a method that may be repeated", []string{"error"}, Failure{Criterion: "error", Sent: true}, "GET", "error"},
		{"Kong's, where repeating is allowed", []string{"error", "non_idempotent"}, Failure{Criterion: "error", Sent: true}, "PATCH", "error"},
		{"a status of Kong's", []string{"http_503"}, Failure{Criterion: "http_503", Sent: true}, "POST", ""},
		{"another status", []string{"http_529"}, Failure{Criterion: "http_529", Sent: true}, "POST", "http_529"},
		{"the reason of a status of Kong's", []string{"overloaded"}, Failure{Criterion: "http_503", Reason: chat.Overloaded, Sent: true}, "POST", "overloaded"},
		{"the reason comes first", []string{"http_529", "overloaded"}, Failure{Criterion: "http_529", Reason: chat.Overloaded, Sent: true}, "POST", "overloaded"},
		{"a slow start", []string{SlowStart}, Failure{Criterion: SlowStart, Sent: true}, "POST", SlowStart},
		{"another criterion", []string{"auth"}, Failure{Criterion: "http_503", Reason: chat.Overloaded}, "GET", ""},
		{"a body that is gone", []string{"overloaded"}, Failure{Criterion: "http_529", Reason: chat.Overloaded, Sent: true, Consumed: true}, "POST", ""},
		{"a body that was not read yet", []string{"error"}, Failure{Criterion: "error", Consumed: true}, "POST", "error"},
	} {
		if got := New(c.criteria).Allows(&c.f, c.method); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAnswersAreHeldBackForWhatMayReplaceThem(t *testing.T) {
	for _, c := range []struct {
		criteria []string
		consumed bool
		want     bool
	}{
		{[]string{"error", "timeout"}, false, false},
		{[]string{"error", "non_idempotent"}, false, true},
		{[]string{"http_500", "http_529", "non_idempotent"}, false, false},
		{[]string{"overloaded"}, false, true},
		{[]string{"overloaded"}, true, false},
		{[]string{SlowStart}, false, true},
	} {
		if got := New(c.criteria).Holds("POST", c.consumed); got != c.want {
			t.Errorf("%v, consumed %v: %v", c.criteria, c.consumed, got)
		}
	}
}

func TestVerdictIsAboutTheTarget(t *testing.T) {
	all := []string{"error", "timeout", "http_400", "http_403", "http_404", "http_500", "overloaded", "auth", "quota", "invalid_model", "context_length", "content_filter", SlowStart}
	for _, c := range []struct {
		criteria []string
		f        Failure
		want     balancer.Verdict
	}{
		{nil, Failure{}, balancer.Good},
		{nil, Failure{Criterion: "error"}, balancer.Bad},
		{nil, Failure{Criterion: "timeout"}, balancer.Bad},
		{nil, Failure{Criterion: "http_500"}, balancer.Neutral},
		{all, Failure{Criterion: "http_500"}, balancer.Bad},
		{all, Failure{Criterion: "http_400"}, balancer.Neutral},
		{all, Failure{Criterion: "http_403"}, balancer.Neutral},
		{all, Failure{Criterion: "http_404"}, balancer.Neutral},
		{all, Failure{Criterion: Refused}, balancer.Neutral},
		{all, Failure{Criterion: "http_403", Reason: chat.Auth}, balancer.Bad},
		{nil, Failure{Criterion: "http_403", Reason: chat.Auth}, balancer.Neutral},
		{all, Failure{Criterion: "http_404", Reason: chat.InvalidModel}, balancer.Bad},
		{all, Failure{Criterion: "error", Reason: chat.ContextLength}, balancer.Neutral},
		{all, Failure{Criterion: Filtered, Reason: chat.Filtered}, balancer.Neutral},
		{all, Failure{Criterion: SlowStart}, balancer.Bad},
	} {
		if got := New(c.criteria).Verdict(&c.f); got != c.want {
			t.Errorf("%v of %v: %v, want %v", c.f, c.criteria, got, c.want)
		}
	}
}

func TestRequestsAreToBlameForSome(t *testing.T) {
	for _, c := range []struct {
		f           Failure
		may, lasts  bool
		fallbackFor []string
		isFor       bool
	}{
		{Failure{Criterion: "http_400"}, true, false, []string{"http_400"}, true},
		{Failure{Criterion: "http_400", Reason: chat.Quota}, false, true, []string{"quota"}, true},
		{Failure{Criterion: "http_400", Reason: chat.ContextLength}, true, true, []string{"context_length"}, true},
		{Failure{Criterion: "http_404", Reason: chat.InvalidModel}, true, true, []string{"http_400"}, false},
		{Failure{Criterion: "http_401", Reason: chat.Auth}, false, true, nil, false},
		{Failure{Criterion: "http_529", Reason: chat.Overloaded}, false, false, []string{"overloaded", "quota"}, true},
		{Failure{Criterion: Refused}, true, false, []string{""}, false},
	} {
		if may, lasts, isFor := c.f.MayBeRequests(), c.f.Lasts(), c.f.IsFor(c.fallbackFor); may != c.may || lasts != c.lasts || isFor != c.isFor {
			t.Errorf("%v: %v %v %v", c.f, may, lasts, isFor)
		}
	}
}

func TestRetryAfterTakesSecondsAndDates(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "0.5": 500 * time.Millisecond, "-7": 0, "1e999": 0, "1e300": maxRest, "NaN": 0, "Inf": maxRest, "-Inf": 0, "soon": 0, "7 seconds": 0,
		"Mon, 23 Nov 2026 12:01:00 GMT": time.Minute, "Mon, 23 Nov 2026 11:00:00 GMT": 0, "Mon, 23 Nov 2099 11:00:00 GMT": maxRest,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {in}}, now); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
