package plugin

import (
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
)

// The first of a list is config.targets[1], as in Kong's schema errors.
func TestUnworkableTargetIsNamedAsInKongsErrors(t *testing.T) {
	const (
		good = `{"route_type":"llm/v1/chat","auth":{"header_name":"a","header_value":"b"},"model":{"provider":"openai","name":"x"}}`
		bad  = `{"route_type":"llm/v1/chat","auth":{"gcp_use_service_account":true,"gcp_service_account_json":"{"},"model":{"provider":"gemini","name":"x","options":{"gemini":{"api_endpoint":"us-central1-aiplatform.googleapis.com","project_id":"p","location_id":"l"}}}}`
	)
	r := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	t.Cleanup(r.Close)
	for text, want := range map[string]string{
		bad:                                      "config.auth",
		`{"targets":[` + good + `,` + bad + `]}`: "config.targets[2].auth",
	} {
		inst, err := r.NewInstance([]byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		inst.Close()
	}
}
