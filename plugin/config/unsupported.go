package config

import (
	"fmt"
	"slices"
)

// supported lists the values that are served so far, of fields for which the
// schema knows more. A field leaves the table when all of its values work.
var supported = map[string][]string{
	"route_type": {"llm/v1/chat", "llm/v1/completions", "llm/v1/embeddings", "llm/v1/responses", "preserve"},
}

// unsupported names what the configuration asks for and the plugin cannot do
// yet: an error at load is better than a field without effect.
func (c *Config) unsupported() (problems Problems) {
	value := func(path, name, value string) {
		if !slices.Contains(supported[name], value) {
			problems = append(problems, Problem{Field: path + "." + name, Message: fmt.Sprintf("%q is not supported yet", value)})
		}
	}
	feature := func(name string, used bool) {
		if used {
			problems = append(problems, Problem{Field: "config." + name, Message: "is not supported yet: remove it"})
		}
	}
	for i := range c.Targets {
		path := "config"
		if c.Advanced {
			path = fmt.Sprintf("config.targets[%d]", i+1)
		}
		value(path, "route_type", c.Targets[i].RouteType)
	}
	feature("vectordb.redis.cloud_authentication", c.VectorDB != nil && c.VectorDB.Redis != nil && c.VectorDB.Redis.CloudAuth != nil && c.VectorDB.Redis.CloudAuth.Provider != "")
	return problems
}
