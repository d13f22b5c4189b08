package chat

import (
	"testing"

	"go-ai-proxy/translators/jsonedit"
)

func TestOnlyWhatIsCountedIsACounter(t *testing.T) {
	for text, want := range map[string]int{
		`{"n":0}`: 0, `{"n":7}`: 7, `{"n":7.0}`: 7, `{"n":1e3}`: 1000, `{"n":1099511627776}`: 1 << 40,
		`{"n":-7}`: 5, `{"n":1099511627777}`: 5, `{"n":9223372036854775807}`: 5, `{"n":1e300}`: 5, `{"n":0.5}`: 5,
		`{"n":"7"}`: 5, `{"n":null}`: 5, `{"n":[7]}`: 5, `{}`: 5,
	} {
		v, err := jsonedit.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got := 5
		if counted := Counter(&got, v.Get("n")); got != want || counted != (want != 5) {
			t.Errorf("%s: got %d, %v", text, got, counted)
		}
	}
}
