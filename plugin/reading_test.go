package plugin

import (
	"testing"

	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/jsonedit"
)

// Names of members are checked at no more cost than the body is read.
func TestNamesAreCheckedInLinearTime(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("times say nothing here")
	}
	growth.Check(t, func(body []byte) {
		if members, err := jsonedit.Object(body, nil); err == nil {
			_ = checkNames(members)
		}
	}, []byte(`{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}],"x":"y"}`))
}
