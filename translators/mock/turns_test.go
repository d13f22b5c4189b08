package mock

import (
	"regexp"
	"testing"
)

func TestTurnsMustAlternateAndAnswerEveryCall(t *testing.T) {
	type turn struct {
		role           string
		results, calls []string
	}
	for name, c := range map[string]struct {
		turns []turn
		tools bool
		fine  bool
	}{
		"a question":             {[]turn{{"user", nil, nil}}, false, true},
		"a call and its result":  {[]turn{{"user", nil, nil}, {"assistant", nil, []string{"a", "b"}}, {"user", []string{"b", "a"}, nil}}, true, true},
		"without tools":          {[]turn{{"user", nil, nil}, {"assistant", nil, []string{"a"}}, {"user", []string{"a"}, nil}}, false, false},
		"no result at the end":   {[]turn{{"user", nil, nil}, {"assistant", nil, []string{"a"}}}, true, false},
		"one result of two":      {[]turn{{"user", nil, nil}, {"assistant", nil, []string{"a", "b"}}, {"user", []string{"a"}, nil}}, true, false},
		"a result without call":  {[]turn{{"user", []string{"a"}, nil}}, true, false},
		"the same id twice":      {[]turn{{"user", nil, nil}, {"assistant", nil, []string{"a"}}, {"user", []string{"a"}, nil}, {"assistant", nil, []string{"a"}}, {"user", []string{"a"}, nil}}, true, false},
		"the assistant first":    {[]turn{{"assistant", nil, nil}}, false, false},
		"two turns of one role":  {[]turn{{"user", nil, nil}, {"user", nil, nil}}, false, false},
		"a role that is unknown": {[]turn{{"system", nil, nil}}, false, false},
	} {
		follow := turns{call: "tool_use", result: "tool_result"}
		var err error
		for _, one := range c.turns {
			results := map[string]bool{}
			for _, id := range one.results {
				results[id] = true
			}
			if err = follow.begin(one.role); err == nil {
				err = follow.end(results, one.calls)
			}
			if err != nil {
				break
			}
		}
		if err == nil {
			err = follow.close(c.tools)
		}
		if (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestToolsNeedAUniqueNameAndAnObjectAsSchema(t *testing.T) {
	names, pattern := map[string]bool{}, regexp.MustCompile(`^[a-z]+$`)
	object := map[string]any{"type": "object"}
	if err := checkTool(names, pattern, "a", object); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		name   string
		schema map[string]any
	}{{"a", object}, {"", object}, {"b c", object}, {"b", nil}, {"b", map[string]any{"type": "string"}}} {
		if checkTool(names, pattern, c.name, c.schema) == nil {
			t.Errorf("%q with %v is taken", c.name, c.schema)
		}
	}
}
