package conformance

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
)

// The replay law: what a client is given it sends back, and then
//   - the provider that made a token gets it back, exactly, and no other does;
//   - no mark of ours reaches a provider;
//   - ids of calls are the maker's own when they come back to it, and an id that a
//     provider does not take is the same in the call, its result and each later turn;
//   - what was said, called and answered reaches each provider that takes over;
//   - what was sent in a turn is sent again in the next, byte for byte: prompts are
//     cached by their beginning.

// first is an answer with all that comes back: a signed thought, text, and two calls in
// one turn, with ids that every provider takes.
func (p *pair) first(thought chat.Part, id string) *mock.Scenario {
	p.unsigned(&thought)
	return answering("first",
		thought,
		chat.Part{Kind: chat.Text, Text: jsonedit.Plain("I look at “both”.")},
		chat.Part{Kind: chat.ToolCall, ID: id + "a", Name: "look", Arguments: jsonedit.Plain(`{"city":"東京","exact":12345678901234567}`), Signature: thought.Signature},
		chat.Part{Kind: chat.ToolCall, ID: id + "b", Name: "look", Arguments: jsonedit.Plain(`{"city":"Oslo"}`)},
	)
}

// second is an answer with one more call.
func (p *pair) second(thought chat.Part, id string) *mock.Scenario {
	p.unsigned(&thought)
	return answering("second",
		thought,
		chat.Part{Kind: chat.ToolCall, ID: id, Name: "count", Arguments: jsonedit.Plain(`{"n":2}`), Signature: thought.Signature},
	)
}

// unsigned takes the signature off, where the API has none.
func (p *pair) unsigned(thought *chat.Part) {
	if p.lacks(Signatures) {
		thought.Signature = ""
	}
}

func answering(name string, parts ...chat.Part) *mock.Scenario {
	finish := chat.Stop
	for i := range parts {
		if parts[i].Kind == chat.ToolCall {
			finish = chat.ToolCalls
		}
	}
	return &mock.Scenario{Name: name, Pieces: 7, Answer: chat.Response{
		ID: "law-" + name, Model: mock.Model, Created: 1700000000, Usage: chat.Usage{Prompt: 90, Completion: 40, Total: 130},
		Choices: []chat.Choice{{Finish: finish, Parts: parts}},
	}}
}

// The thoughts of the answers are of scenarios: the mocks take back what they signed.
var firstThought, otherThought = thoughtOf("thinking_tools"), thoughtOf("thinking")

func thoughtOf(name string) chat.Part { return mock.Named(name).Answer.Choices[0].Parts[0] }

var bothResults = []string{"sunny in the first", "rainy in the second"}

func checkReplay(t *testing.T, p *pair, others []*pair) {
	history := p.client.says("Look at both cities.")
	u, err := p.ask(t, p.body(history, false), false)
	if err != nil {
		if p.had(t, Calls, false); !strings.Contains(err.Error(), "tools") {
			t.Errorf("the refusal does not name the tools: %v", err)
		}
		return
	}
	s := p.first(firstThought, "lawAbc12")
	whole, provided := u.whole(t, s)
	if !p.had(t, Calls, strings.Contains(string(provided), "lawAbc12") || len(whole.of(chat.ToolCall)) > 0) {
		return
	}
	u.checkTold(t, s, whole, provided)
	kept := [][]json.RawMessage{whole.kept}
	answers := []*told{whole}
	if !p.op.NoStream {
		streaming, err := p.ask(t, p.body(history, true), true)
		if err != nil {
			t.Fatal(err)
		}
		contentType, events := streaming.mock.Stream(s, streaming.upstream)
		streamed := streaming.streamed(t, contentType, events)
		ownIDs := strings.Contains(string(provided), "lawAbc12")
		if got, want := joinedParts(t, streamed, ownIDs), joinedParts(t, whole, ownIDs); got != want {
			t.Errorf("the stream says %s\nthe whole answer %s", got, want)
		}
		kept, answers = append(kept, streamed.kept), append(answers, streamed)
	}
	for i := range kept {
		c := &replayed{pair: p, provided: string(provided)}
		c.history = append(append(append([]json.RawMessage(nil), history...), kept[i]...), p.client.results(answers[i].of(chat.ToolCall), bothResults)...)
		c.back(t)
		if i == len(kept)-1 { // where there is a stream, of what is kept of it
			c.moved(t, others)
		}
	}
}

// body is the request of a turn.
func (p *pair) body(history []json.RawMessage, stream bool) []byte {
	return p.client.request(history, &asked{model: p.target.Model, stream: stream, thinks: true, tools: true})
}

// checkTold checks what the client was told of s: all that the provider said of it.
func (u *turn) checkTold(t *testing.T, s *mock.Scenario, a *told, provided []byte) {
	t.Helper()
	equal(t, "text", a.text(chat.Text), joined(s.Answer.Choices[0].Parts, chat.Text))
	thought := joined(s.Answer.Choices[0].Parts, chat.Thinking)
	if strings.Contains(string(provided), thought) {
		equal(t, "thought", a.text(chat.Thinking), thought)
	}
	var want []chat.Part
	for _, p := range s.Answer.Choices[0].Parts {
		if p.Kind == chat.ToolCall {
			want = append(want, p)
		}
	}
	got := a.of(chat.ToolCall)
	if len(got) != len(want) {
		t.Fatalf("calls: got %+v, want %d", got, len(want))
	}
	for i := range want {
		equal(t, "name of a call", got[i].name, want[i].Name)
		if !reflect.DeepEqual(decodeNumbers(t, []byte(got[i].arguments)), decodeNumbers(t, []byte(want[i].Arguments.String()))) {
			t.Errorf("arguments: got %s, want %s", got[i].arguments, want[i].Arguments)
		}
		if strings.Contains(string(provided), want[i].ID) {
			equal(t, "id of a call", got[i].id, want[i].ID)
		}
	}
}

// replayed is a conversation whose first answer, with its results, comes back.
type replayed struct {
	*pair
	provided string            // the provider's first answer
	history  []json.RawMessage // in the client's form
}

// back sends the conversation to the provider that began it, for two more turns.
func (c *replayed) back(t *testing.T) {
	t.Helper()
	u, err := c.ask(t, c.body(c.history, false), false)
	if err != nil {
		t.Fatalf("the second turn is refused: %v", err)
	}
	c.checkReplayed(t, u, firstThought.Signature, "lawAbc12a", "lawAbc12b")
	s := c.second(otherThought, "lawAbc12c")
	next, provided := u.whole(t, s)
	u.checkTold(t, s, next, provided)
	history := append(append(append([]json.RawMessage(nil), c.history...), next.kept...), c.client.results(next.of(chat.ToolCall), []string{"two it is"})...)
	third, err := c.ask(t, c.body(history, false), false)
	if err != nil {
		t.Fatalf("the third turn is refused: %v", err)
	}
	c.checkReplayed(t, third, firstThought.Signature, "lawAbc12a", "lawAbc12b", "lawAbc12c")
	third.wants(t, "two it is")
	before, now := u.messages(t), third.messages(t)
	for i := range before {
		if i >= len(now) || string(before[i]) != string(now[i]) {
			t.Errorf("message %d was %s\nand in the next turn is %s", i, before[i], now[min(i, len(now)-1)])
			break
		}
	}
}

// checkReplayed checks a request that has the first answer in it.
func (c *replayed) checkReplayed(t *testing.T, u *turn, token string, ids ...string) {
	t.Helper()
	u.noMarks(t)
	u.wants(t, append([]string{"Look at both cities.", "I look at “both”.", "東京", "Oslo", "look"}, bothResults...)...)
	if strings.Contains(c.provided, token) && !u.has(t, token) {
		t.Errorf("the provider's own token did not come back to it: %s", clip(u.upstream))
	}
	for _, id := range ids {
		if strings.Contains(c.provided, ids[0]) && !c.lacks(ToolIDs) && !strings.Contains("\n"+textsOf(t, u.upstream), "\n"+id+"\n") {
			t.Errorf("the id %s of a call did not come back to its maker: %s", id, clip(u.upstream))
		}
	}
}

// moved sends the conversation to each other provider, and back.
func (c *replayed) moved(t *testing.T, others []*pair) {
	t.Helper()
	for i, q := range others {
		if q == c.pair || q.lacks(Calls) || (raceEnabled || testing.Short()) && i%few != 0 && len(others) > few {
			continue
		}
		t.Run("to "+q.player.Name, func(t *testing.T) {
			u, err := q.ask(t, q.body(c.history, false), false)
			if err != nil {
				t.Fatalf("the conversation is refused: %v", err)
			}
			u.noMarks(t)
			u.wants(t, append([]string{"Look at both cities.", "I look at “both”.", "東京", "Oslo"}, bothResults...)...)
			own := c.op.Own(c.target)
			if u.has(t, firstThought.Signature) && u.op.Own(q.target) != own && !u.asItCame() {
				t.Errorf("the token of %s reached another provider: %s", own, clip(u.upstream))
			}
			c.andBack(t, q, u)
		})
	}
}

// andBack has the other provider answer, and the first one go on.
func (c *replayed) andBack(t *testing.T, q *pair, u *turn) {
	t.Helper()
	s := q.second(otherThought, "lawXyz98d")
	answer, provided := u.whole(t, s)
	u.checkTold(t, s, answer, provided)
	history := append(append(append([]json.RawMessage(nil), c.history...), answer.kept...), c.client.results(answer.of(chat.ToolCall), []string{"two it is"})...)
	back, err := c.ask(t, c.body(history, false), false)
	if err != nil {
		t.Fatalf("the conversation is refused when it comes back: %v", err)
	}
	c.checkReplayed(t, back, firstThought.Signature, "lawAbc12a", "lawAbc12b")
	back.wants(t, "two it is", "count")
	if back.has(t, otherThought.Signature) && u.op.Own(q.target) != back.op.Own(c.target) && !back.asItCame() {
		t.Errorf("the token of %s reached another provider: %s", q.player.Name, clip(back.upstream))
	}
}
