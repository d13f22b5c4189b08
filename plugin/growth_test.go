package plugin

import (
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// What a client sends in extra_body, and in members of a provider's own, costs
// no more than the rest of its body.
func TestExtraMembersAreMergedInLinearTime(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("times say nothing here")
	}
	n, f := 5, 0.5
	to := &target.Target{Model: "m", Options: &target.Options{MaxTokens: &n, Temperature: &f, TopP: &f, TopK: &n}}
	b := newBench(t, chatConf, answer)
	growth.Check(t, func(extra []byte) {
		a := &attempt{request: &request{}, endpoint: b.instance.targets[0], target: to, pieces: [][]byte{[]byte(`{"model":"m","generationConfig":{"a":1},"options":{"b":2}}`)}}
		_ = mergeExtraBody(a, extra)
		// And where the provider's body has as many.
		a.pieces = [][]byte{extra}
		_ = mergeExtraBody(a, extra)
		members, err := jsonedit.Object(extra, nil)
		if err != nil {
			return
		}
		_ = checkNames(members)
		var own []chat.Member
		for _, m := range members {
			own = append(own, chat.Member{Name: string(m.Key), Value: m.Value})
		}
		unpinnedExtra(a, own)
	}, []byte(`{"generationConfig":{"maxOutputTokens":5,"thinking":{"temperature":1}},"options":{"num_predict":7,"stop":["a"]},"model":"m","x":"y"}`))
}
