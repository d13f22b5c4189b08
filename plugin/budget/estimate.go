package budget

import (
	"strings"

	"go-ai-proxy/translators/jsonedit"
)

// limits are the names that formats have for the largest number of tokens to write.
var limits = map[string]bool{
	"max_tokens": true, "max_completion_tokens": true, "max_output_tokens": true, "maxOutputTokens": true, "maxTokens": true,
	"max_tokens_to_sample": true, "max_new_tokens": true,
}

// OutputLimit is the number of tokens to which a client limits its answer, in the body
// or in an object of it that holds parameters (generationConfig, inferenceConfig,
// parameters); 0 if it does not.
func OutputLimit(body []jsonedit.Member) int {
	most := 0
	for i := range body {
		m := &body[i]
		switch key := string(m.Key); {
		case limits[key]:
			most = max(most, tokens(m.Value))
		case key == "parameters" || strings.HasSuffix(key, "Config"):
			var space [12]jsonedit.Member
			for _, inner := range jsonedit.Members(m.Value, space[:0]) {
				if limits[string(inner.Key)] {
					most = max(most, tokens(inner.Value))
				}
			}
		}
	}
	return most
}

// maxOutput bounds what one request may reserve.
const maxOutput = 1 << 24

func tokens(value []byte) int {
	n, ok := jsonedit.Int(value)
	if !ok || n < 0 {
		return 0
	}
	return min(n, maxOutput)
}
