package plugin

import "testing"

func TestMistralCallsTheSizeOfVectorsOtherwise(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{"data":[]}`))
	for _, c := range []struct{ provider, options, body, want string }{
		{"mistral", `"mistral_format":"openai","embeddings_dimensions":512`, `{"input":["a"],"user":"u","dimensions":9}`, `{"input":["a"],"model":"m","output_dimension":512}`},
		{"mistral", `"mistral_format":"openai","embeddings_dimensions":512`, `{"input":["a"],"output_dimension":9}`, `{"input":["a"],"output_dimension":512,"model":"m"}`},
		{"mistral", `"mistral_format":"openai"`, `{"input":["a"],"dimensions":9,"encoding_format":"float"}`, `{"input":["a"],"encoding_format":"float","model":"m","output_dimension":9}`},
		{"openai", `"embeddings_dimensions":512`, `{"input":["a"],"user":"u","dimensions":9}`, `{"input":["a"],"user":"u","dimensions":512,"model":"m"}`},
	} {
		out, _ := s.post(s.instance(confOf("openai", "llm/v1/embeddings", c.provider, "m", c.options)), "/embeddings", "", []byte(c.body))
		if out.status != 200 || len(s.sent) != 1 || string(s.sent[0]) != c.want {
			t.Errorf("%s %s: %d %s\n got %s\nwant %s", c.provider, c.body, out.status, out.body.String(), s.sent, c.want)
		}
	}
}
