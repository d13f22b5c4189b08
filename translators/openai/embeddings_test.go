package openai

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"

	"go-ai-proxy/translators/conformance/workload"
)

func TestVectorsBecomeBase64(t *testing.T) {
	body := `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.010071029, -1, 1e-7]},{"index":1,"embedding":"AAAAAA==","object":"embedding"}],"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}}`
	got := EmbeddingsInBase64([]byte("x"), []byte(body))
	var a struct {
		Data []struct {
			Index     int
			Embedding string
		}
		Model string
	}
	if got[0] != 'x' {
		t.Fatalf("not appended: %s", got)
	}
	if err := json.Unmarshal(got[1:], &a); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(a.Data[0].Embedding)
	if err != nil || len(raw) != 12 || a.Model != "m" || a.Data[1].Index != 1 || a.Data[1].Embedding != "AAAAAA==" {
		t.Fatalf("got %s, %v", got, err)
	}
	for i, want := range []float32{0.010071029, -1, 1e-7} {
		if f := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])); f != want {
			t.Errorf("number %d: got %v, want %v", i, f, want)
		}
	}
}

func TestValuesThatAreNotVectorsAreKept(t *testing.T) {
	for _, body := range []string{
		`{"data":[{"embedding":"AAAAAA=="}]}`, `{"data":[]}`, `{"error":{"message":"no"}}`, `not JSON`, `{"data":[1]}`, `{"data":{}}`,
		`{"data":[{"embedding":["a"]}]}`, `{"data":[{"embedding":[1e99]}]}`, `{"data":[{"index":0}]}`,
	} {
		if got := EmbeddingsInBase64(nil, []byte(body)); string(got) != body {
			t.Errorf("%s became %s", body, got)
		}
	}
}

func FuzzEmbeddingsInBase64(f *testing.F) {
	f.Add([]byte(`{"data":[{"embedding":[1,2.5]},{"embedding":"x"}],"model":"m"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		if got := EmbeddingsInBase64(nil, body); json.Valid(body) && !json.Valid(got) {
			t.Errorf("%s became %s", body, got)
		}
	})
}
