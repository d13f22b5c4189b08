package standalone

import (
	"fmt"
	"os"
	"testing"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/test/leaks"
)

// testSchema is schema.json.
var testSchema *config.Schema

func TestMain(m *testing.M) {
	if certificate := os.Getenv(peersEnv); certificate != "" {
		if err := bePeers(certificate); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	schema, err := os.ReadFile("../../schema.json")
	if err == nil {
		testSchema, err = config.NewSchema(schema)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	leaks.VerifyTestMain(m)
}
