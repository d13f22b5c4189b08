package config

// unsupported names what the configuration asks for and the plugin cannot do. An
// error at load is better than a field without effect.
func (c *Config) unsupported() (problems Problems) {
	feature := func(name string, used bool) {
		if used {
			problems = append(problems, Problem{Field: "config." + name, Message: "is not supported yet: remove it"})
		}
	}
	feature("vectordb.redis.cloud_authentication", c.VectorDB != nil && c.VectorDB.Redis != nil && c.VectorDB.Redis.CloudAuth != nil && c.VectorDB.Redis.CloudAuth.Provider != "")
	return problems
}
