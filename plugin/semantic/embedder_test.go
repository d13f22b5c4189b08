package semantic

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestEmbedderAsksInOpenAIsFormat(t *testing.T) {
	asked := ""
	embed := Embedder(func(_ context.Context, request []byte) ([]byte, error) {
		asked = string(request)
		return []byte(`{"object":"list","data":[{"index":0,"embedding":[0.5,-1,2e-1]}]}`), nil
	})
	v, err := embed(t.Context(), "say \"hi\"\n")
	if err != nil || !slices.Equal(v, []float32{0.5, -1, 0.2}) || asked != `{"input":"say \"hi\"\n"}` {
		t.Errorf("%v %v, asked %s", v, err, asked)
	}
}

func TestAnswersWithoutAVectorAreErrors(t *testing.T) {
	down := errors.New("down")
	for name, c := range map[string]struct {
		answer string
		err    error
		want   string
	}{
		"no answer":     {"", down, "down"},
		"no JSON":       {"<html>", nil, "is not JSON"},
		"no data":       {`{"data":[]}`, nil, "has no data[0].embedding"},
		"an empty one":  {`{"data":[{"embedding":[]}]}`, nil, "has no data[0].embedding"},
		"text in it":    {`{"data":[{"embedding":[1,"x"]}]}`, nil, "that is no number"},
		"base64":        {`{"data":[{"embedding":"AAAA"}]}`, nil, "has no data[0].embedding"},
		"not an object": {`[1]`, nil, "has no data[0].embedding"},
	} {
		_, err := Embedder(func(context.Context, []byte) ([]byte, error) { return []byte(c.answer), c.err })(t.Context(), "x")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEndOfALongPromptIsEmbedded(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"short":       {"hi", "hi"},
		"exact":       {strings.Repeat("x", maxPrompt), strings.Repeat("x", maxPrompt)},
		"long":        {"forgotten" + strings.Repeat("x", maxPrompt), strings.Repeat("x", maxPrompt)},
		"half a rune": {"ü" + strings.Repeat("x", maxPrompt-1), strings.Repeat("x", maxPrompt-1)},
	} {
		if got := clip(c.in); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(c.want))
		}
	}
}
