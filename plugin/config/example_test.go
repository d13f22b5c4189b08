package config_test

import (
	"fmt"
	"os"

	"go-ai-proxy/plugin/config"
)

// What Kong sends has no defaults of what it leaves out; Parse fills them in from
// schema.json.
func ExampleSchema_Parse() {
	data, err := os.ReadFile("../../schema.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	schema, err := config.NewSchema(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := schema.Parse([]byte(`{
		"route_type": "llm/v1/chat",
		"auth": {"header_name": "Authorization", "header_value": "Bearer key"},
		"model": {"provider": "openai", "name": "gpt-4o"}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Targets[0].Model.Provider, c.Targets[0].Model.Name)
	fmt.Println(c.ResponseStreaming, c.LLMFormat, c.MaxRequestBodySize)
	// Output:
	// openai gpt-4o
	// allow openai 1048576
}
