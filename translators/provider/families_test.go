package provider

import (
	"encoding/json"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

func TestTheFirstRowWithTheBeginningOfANameCounts(t *testing.T) {
	m := Families{{Prefix: "a-pro-", Document: "1"}, {Prefix: "a-", Document: "2"}, {Prefix: "b", Document: "3"}}
	for name, want := range map[string]string{"a": "2", "A-mini": "2", "a-pro": "1", "a-pro-2025": "1", "ft:a-pro:acme::id": "1", "b2:20b": "3", "maker/a-pro": "1", "accounts/x/models/b": "3", "a.1": "", "": ""} {
		row := m.Of(name)
		if got := row != nil; got != (want != "") || got && row.Document != want {
			t.Errorf("%q: got %+v, want row %s", name, row, want)
		}
	}
}

func TestEffortIsTheLeastLevelThatIsNoLess(t *testing.T) {
	two := &Family{Efforts: []string{"none", "high"}}
	for _, c := range []struct {
		row          *Family
		wanted, want string
	}{
		{two, "medium", "high"}, {two, "none", "none"}, {two, "max", "high"}, {two, "", ""}, {two, "a word to come", "high"},
		{&Family{}, "high", ""}, {&Family{Efforts: []string{"low"}}, "none", "low"}, {nil, "high", "high"}, {nil, "none", ""},
	} {
		if got := c.row.Effort(c.wanted); got != c.want {
			t.Errorf("%v: %q became %q, want %q", c.row, c.wanted, got, c.want)
		}
	}
}

func TestAModelThatIsQuietWithFunctionsIsToldSoAndTheRecordToo(t *testing.T) {
	row := &Family{Efforts: []string{"none", "high"}, QuietTools: true}
	r := &chat.Request{ReasoningBudget: "9000", Tools: []chat.Tool{{Name: "f"}}}
	if got := row.Fit(r).ReasoningEffort; got != "none" {
		t.Errorf("effort %q beside functions", got)
	}
	if got := row.Caveats(r); len(got) != 1 || !strings.HasPrefix(got[0], "reasoning_effort: high became none") {
		t.Errorf("caveats %q", got)
	}
	if row.Default = "none"; row.Fit(&chat.Request{ReasoningBudget: "-1", Tools: r.Tools}).ReasoningEffort != "" || row.Fit(r).ReasoningEffort != "none" {
		t.Error("a model that does not reason by default is told so though nobody asked for effort, or is not told though somebody did")
	}
	r.Tools = nil
	if got := row.Fit(r).ReasoningEffort; got != "high" || row.Caveats(r) != nil || (*Family)(nil).Caveats(r) != nil {
		t.Errorf("effort %q without functions, caveats %q", got, row.Caveats(r))
	}
}

func TestASchemaForAModelWithoutSchemasGoesInWords(t *testing.T) {
	r := &chat.Request{Messages: []chat.Message{{Role: chat.User}}, ResponseFormat: chat.ResponseFormat{Type: "json_schema", Schema: chat.Raw(`{"type":"object"}`)}}
	got := (&Family{NoSchema: true}).Fit(r)
	if got.ResponseFormat.Type != "json_object" || got.ResponseFormat.Schema != nil || len(got.Messages) != 2 || len(r.Messages) != 1 {
		t.Fatalf("got %+v", got)
	}
	if words := got.Messages[0].Parts[0].Text.String(); !strings.Contains(words, `{"type":"object"}`) {
		t.Errorf("the words are %q", words)
	}
}

func TestOptionsThatAModelRefusesAreNotSet(t *testing.T) {
	e := Edit{Models: Families{{Refuses: []string{"temperature"}, Limit: "max_completion_tokens"}}}
	body := []byte(`{"max_tokens":5,"temperature":1}`)
	members, _ := jsonedit.Object(body, nil)
	set := []jsonedit.Edit{{Key: "temperature", Value: []byte("0.5")}, {Key: "max_tokens", Value: []byte("7")}}
	out := jsonedit.Join(nil, e.Apply(nil, &target.Target{}, body, members, set))
	var got map[string]float64
	if err := json.Unmarshal(out, &got); err != nil || len(got) != 2 || got["temperature"] != 1 || got["max_completion_tokens"] != 7 {
		t.Errorf("got %s (%v); the client's own temperature is the client's", out, err)
	}
}

// A model that always reasons has no way to call functions on chat/completions.
func TestAModelThatAlwaysReasonsCallsFunctionsInResponses(t *testing.T) {
	row := &Family{Efforts: []string{"low", "high"}, QuietTools: true}
	for _, effort := range []string{"", "none", "high"} {
		r := &chat.Request{ReasoningEffort: effort, Tools: []chat.Tool{{Name: "f"}}}
		if !row.NeedsResponses(r) {
			t.Errorf("effort %q: chat is taken", effort)
		}
		if got := row.Fit(r).ReasoningEffort; got == "none" || row.Caveats(r) != nil {
			t.Errorf("effort %q became %q: %q", effort, got, row.Caveats(r))
		}
		if r.Tools = nil; row.NeedsResponses(r) {
			t.Errorf("effort %q: Responses is taken without functions", effort)
		}
	}
}
