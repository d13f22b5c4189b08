package mock

import (
	"errors"
	"fmt"
	"regexp"
)

// turns checks a conversation by the rules of Anthropic and Bedrock: the user begins,
// the roles alternate, and a turn with calls is followed by all of their results.
type turns struct {
	call, result string // the API's names of the two blocks

	role   string
	open   []string        // calls that have no result yet
	called map[string]bool // the ids of all calls
}

// begin starts a turn of a role.
func (c *turns) begin(role string) error {
	if role != "user" && role != "assistant" || role == c.role || c.role == "" && role != "user" {
		return fmt.Errorf("roles must alternate between user and assistant, and user is the first; got %q", role)
	}
	c.role = role
	return nil
}

// end ends a turn that had these results and calls, by their ids.
func (c *turns) end(results map[string]bool, calls []string) error {
	for _, id := range c.open {
		if !results[id] {
			return c.unanswered(id)
		}
		delete(results, id)
	}
	for id := range results {
		return fmt.Errorf("unexpected id found in %s blocks: %s", c.result, id)
	}
	for _, id := range calls {
		if c.called[id] {
			return fmt.Errorf("%s ids must be unique: %s", c.call, id)
		}
		if c.called == nil {
			c.called = map[string]bool{}
		}
		c.called[id] = true
	}
	c.open = calls
	return nil
}

func (c *turns) unanswered(id string) error {
	return fmt.Errorf("%s ids were found without %s blocks immediately after: %s", c.call, c.result, id)
}

// close ends the conversation. Calls need tools in the request.
func (c *turns) close(tools bool) error {
	switch {
	case len(c.open) > 0:
		return c.unanswered(c.open[0])
	case len(c.called) > 0 && !tools:
		return fmt.Errorf("requests which include %s or %s blocks must define tools", c.call, c.result)
	}
	return nil
}

// checkTool checks what a client declares as a tool, and keeps its name in names.
func checkTool(names map[string]bool, pattern *regexp.Regexp, name string, schema map[string]any) error {
	switch {
	case !pattern.MatchString(name):
		return fmt.Errorf("the name %q does not match %s", name, pattern)
	case names[name]:
		return fmt.Errorf("tool names must be unique: %s", name)
	case schema["type"] != "object":
		return errors.New("the type of the schema must be object")
	}
	names[name] = true
	return nil
}

// efforts are the levels of reasoning that Anthropic's models have.
var efforts = []string{"low", "medium", "high", "xhigh", "max"}

// checkStops refuses stop sequences that consist of white space.
func checkStops(sequences []string) error {
	for i, s := range sequences {
		if blank(s) {
			return fmt.Errorf("%d: each stop sequence must contain non-whitespace", i)
		}
	}
	return nil
}
