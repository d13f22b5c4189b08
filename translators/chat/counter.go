package chat

import "go-ai-proxy/translators/jsonedit"

// mostCounted is above what any request takes. A larger number would make sums overflow.
const mostCounted = 1 << 40

// Counter sets *to to the counter v and reports whether it is one: a whole number, not
// below 0, and of a size that is counted. Otherwise it leaves *to alone, so that no provider
// takes from a budget or a sum what others used.
func Counter(to *int, v *jsonedit.Value) bool { return v != nil && CounterIn(to, v.Raw()) }

// CounterIn is Counter for a counter's JSON text.
func CounterIn(to *int, text []byte) bool {
	n, ok := jsonedit.Int(text)
	if ok = ok && n >= 0 && n <= mostCounted; ok {
		*to = n
	}
	return ok
}
