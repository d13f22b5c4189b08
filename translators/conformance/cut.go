package conformance

import (
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/mock"
)

// checkCountWhenCutOff checks the output tokens that are counted for a stream that is
// cut off at any point: the provider's count so far, or else an estimate of four
// bytes of output per token. A provider's initial guess does not count. It tests
// both translated answers and answers that are forwarded and metered.
func checkCountWhenCutOff(t *testing.T, r *run) {
	for _, name := range []string{"text", "thinking", "tools", "long_arguments"} {
		s := mock.Named(name)
		if r.skips(s) {
			continue
		}
		kind, provided := r.streamOf(t, s, r.send(t, r.request(s, true), true))
		from := r.op.Chat.NewStream(&r.target)
		said, told := 0, 0
		var seen chat.Seen
		for i, ev := range Events(t, kind, provided) {
			deltas, err := from.Next(ev)
			if err != nil {
				t.Fatal(err)
			}
			for j := range deltas {
				switch d := &deltas[j]; d.Kind {
				case chat.TextDelta, chat.ThinkingDelta, chat.ToolStart, chat.ToolArguments:
					said += len(d.Text)
				case chat.UsageDelta:
					told = d.Usage.Completion
				}
			}
			r.op.Meter.Event(ev, &seen)
			if told > 0 && told < s.Answer.Usage.Completion && told < said/12 {
				t.Fatalf("%s cut after event %d: the translator tells %d tokens of output for %d bytes", name, i, told, said)
			}
			counted := seen.Usage.Completion
			if counted == 0 {
				counted = (seen.TextLen + 3) / 4
			}
			if counted < s.Answer.Usage.Completion && counted < said/12 {
				t.Fatalf("%s cut after event %d: the meter counts %d tokens of output for %d bytes", name, i, counted, said)
			}
		}
	}
}
