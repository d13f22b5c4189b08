package test

import "testing"

var embeddingRows = []row{
	{acceptance: []int{208}, name: "cohere", config: cohere("/v2/embed", "route_type", "llm/v1/embeddings", "model.name", "embed-v4.0", "model.options.cohere", obj{"embedding_input_type": "search_query"}),
		send: request{body: `{"input":["a","b"]}`}, answer: answer{body: `{"id":"e","embeddings":{"float":[[0.5],[0.25]]},"texts":["a","b"],"meta":{"billed_units":{"input_tokens":2}},"response_type":"embeddings_by_type"}`},
		want: want{up: obj{"texts": list{"a", "b"}, "input_type": "search_query", "model": "embed-v4.0", "embedding_types": list{"float"}, "input": gone},
			json: obj{"object": "list", "data": document(`[{"object":"embedding","index":0,"embedding":[0.5]},{"object":"embedding","index":1,"embedding":[0.25]}]`), "usage.prompt_tokens": 2}, log: obj{"ai.proxy.usage.prompt_tokens": 2}}},
}

var mediaRows = []row{
	{acceptance: []int{237}, name: "xai, a picture", config: provider("xai", "/v1/images/generations", "route_type", "image/v1/images/generations", "genai_category", "image/generation", "model.name", "grok-2-image"),
		send: request{body: `{"prompt":"A cat"}`}, answer: answer{body: `{"data":[{"url":"https://imgen.x.ai/a.jpg"}]}`},
		want: want{up: obj{"prompt": "A cat", "model": "grok-2-image"}, exactly: `{"data":[{"url":"https://imgen.x.ai/a.jpg"}]}`}},
}

func TestEmbeddingsOfOthers(t *testing.T)       { run(t, embeddingRows) }
func TestPicturesAndFilmsOfOthers(t *testing.T) { run(t, mediaRows) }
