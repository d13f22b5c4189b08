package cohere

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"net/http/httptest"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/mock"
)

func TestEmbeddingsGoToCohereAndBack(t *testing.T) {
	const pixel = "data:image/png;base64,iVBORw0KGgo="
	dimensions := 256
	for name, c := range map[string]struct {
		configured string
		dimensions *int
		in, want   string
	}{
		"one text":             {"", nil, `{"model":"x","input":"abc","user":"u"}`, `"texts":["abc"],"input_type":"classification","embedding_types":["float"]`},
		"several":              {"search_query", nil, `{"input":["abc","d"],"encoding_format":"float","dimensions":512}`, `"texts":["abc","d"],"input_type":"search_query","embedding_types":["float"],"output_dimension":512`},
		"base64":               {"search_query", nil, `{"input":["abc"],"encoding_format":"base64"}`, `"texts":["abc"],"input_type":"search_query","embedding_types":["base64"]`},
		"configured dimension": {"search_query", &dimensions, `{"input":["abc"],"dimensions":512}`, `"texts":["abc"],"input_type":"search_query","embedding_types":["float"],"output_dimension":256`},
		"the client's purpose": {"search_query", nil, `{"input":["abc"],"input_type":"clustering","truncate":"START"}`, `"texts":["abc"],"input_type":"clustering","embedding_types":["float"],"truncate":"START"`},
		"a picture":            {"search_query", nil, `{"input":["` + pixel + `"]}`, `"images":["` + pixel + `"],"input_type":"image","embedding_types":["float"]`},
		"a picture and text":   {"search_query", nil, `{"input":["a","` + pixel + `"]}`, `"inputs":[{"content":[{"type":"text","text":"a"}]},{"content":[{"type":"image_url","image_url":{"url":"` + pixel + `"}}]}],"input_type":"search_query","embedding_types":["float"]`},
		"Cohere's inputs":      {"search_query", nil, `{"inputs":[{"content":[{"type":"text","text":"a"}]}]}`, `"inputs":[{"content":[{"type":"text","text":"a"}]}],"input_type":"search_query","embedding_types":["float"]`},
	} {
		t.Run(name, func(t *testing.T) {
			tgt := to("llm/v1/embeddings")
			tgt.Options.Cohere.EmbeddingInputType, tgt.Options.EmbeddingsDimensions = c.configured, c.dimensions
			body, err := Embed.AppendRequest(nil, tgt, []byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			jsontest.Same(t, string(body), `{"model":"command",`+c.want+`}`)
			format := mock.ByName("cohere/embed")
			r := httptest.NewRequest("POST", "https://api.cohere.com/v2/embed", bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			if err := format.Check(r, body); err != nil || !format.Match(r) {
				t.Fatalf("the mock refuses it: %v", err)
			}
			var seen chat.Seen
			answer, err := Embed.AppendResponse(nil, tgt, format.Whole(nil, body), chat.Meta{Model: "embed-v4.0"}, &seen)
			if err != nil {
				t.Fatal(err)
			}
			checkEmbeddings(t, answer, &seen, strings.Contains(c.in, "base64\""))
		})
	}
}

// checkEmbeddings reads an answer as OpenAI's SDKs do.
func checkEmbeddings(t *testing.T, answer []byte, seen *chat.Seen, inBase64 bool) {
	t.Helper()
	var got struct {
		Object, Model string
		Data          []struct {
			Object    string
			Index     int
			Embedding json.RawMessage
		}
		Usage struct {
			Prompt int `json:"prompt_tokens"`
			Total  int `json:"total_tokens"`
		}
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	if got.Object != "list" || got.Model != "embed-v4.0" || len(got.Data) == 0 || got.Usage.Prompt == 0 || got.Usage.Prompt != seen.Usage.Prompt || got.Usage.Total != got.Usage.Prompt || !seen.HasUsage {
		t.Errorf("%s, %+v", answer, seen)
	}
	for i, d := range got.Data {
		var numbers []float64
		var text string
		if inBase64 {
			if err := json.Unmarshal(d.Embedding, &text); err != nil {
				t.Fatal(err)
			}
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			for ; len(b) > 0; b = b[4:] {
				numbers = append(numbers, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
			}
		} else if err := json.Unmarshal(d.Embedding, &numbers); err != nil {
			t.Fatal(err)
		}
		if d.Index != i || d.Object != "embedding" || len(numbers) < 4 || numbers[0] < 0 || numbers[0] > 1 {
			t.Errorf("embedding %d: %+v", i, d)
		}
	}
}

func TestEmbeddingsThatCannotBeTranslated(t *testing.T) {
	for in, want := range map[string]string{
		`{"input":[[1,2]]}`:                      "input[0]: must be a string: Cohere takes no token numbers",
		`{"input":7}`:                            "input: must be a string",
		`{}`:                                     "input: must be a string",
		`{"input":"x","encoding_format":"int8"}`: `encoding_format: "int8" is neither`,
		`[]`:                                     "request body is not valid JSON",
	} {
		_, err := Embed.AppendRequest(nil, to("llm/v1/embeddings"), []byte(in))
		var refused *chat.RequestError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", in, err)
		}
	}
	for in, want := range map[string]string{`{"embeddings":{}}`: "'embeddings' missing from cohere response body", `x`: "failed to decode llm/v1/embeddings response"} {
		_, err := Embed.AppendResponse(nil, to("llm/v1/embeddings"), []byte(in), meta, &chat.Seen{})
		var failed *chat.ResponseError
		if !errors.As(err, &failed) || err.Error() != want {
			t.Errorf("%s: %v", in, err)
		}
	}
	var seen chat.Seen // version 1's list
	if out, err := Embed.AppendResponse(nil, to("llm/v1/embeddings"), []byte(`{"embeddings":[[1,2]]}`), chat.Meta{Model: "m", PromptTokens: 3}, &seen); err != nil ||
		string(out) != `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,2]}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}` || seen.HasUsage {
		t.Errorf("%s, %v", out, err)
	}
}
