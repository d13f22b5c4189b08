package gemini

import (
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// tuneEmbed returns the edits that set the length of vectors in an embedContent body.
// Vertex has it in a record, and still knows the older place beside that.
// https://ai.google.dev/api/embeddings
// https://docs.cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.publishers.models/embedContent
func tuneEmbed(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	const record, other = "embedContentConfig", "embed_content_config"
	switch {
	case !onVertex(t):
		return provider.TuneDimensions(length, lengthToo)(t, ms)
	case jsonedit.Find(ms, other) != nil:
		return provider.TuneDimensions(other+"."+length, other+"."+lengthToo, length, lengthToo)(t, ms)
	}
	return provider.TuneDimensions(record+"."+length, record+"."+lengthToo, length, lengthToo)(t, ms)
}

// tunePredict returns the edits that set the length of vectors in a predict body of an
// embedding model.
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
var tunePredict = provider.TuneDimensions("parameters."+length, "parameters."+lengthToo)

// length is the member with the number of dimensions, lengthToo its other spelling.
const length, lengthToo = "outputDimensionality", "output_dimensionality"

// tuneEmbedBatch is tuneEmbed for each of a body's requests.
func tuneEmbedBatch(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	list := jsonedit.Find(ms, "requests")
	if t.Options.EmbeddingsDimensions == nil || !jsonedit.IsArray(list) {
		return nil
	}
	tuned := jsonedit.Each(list, func(one []byte) []byte {
		members := jsonedit.Members(one, nil)
		return jsonedit.Join(nil, jsonedit.Splice(nil, one, members, tuneEmbed(t, members)))
	})
	return []jsonedit.Edit{{Key: "requests", Value: tuned}}
}

// tune returns the edits that set the tuning options in a generateContent body.
// Google accepts two spellings of its members; the client's member in the other
// spelling is removed.
func tune(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	return tuneTier(t, provider.Layer{Members: ms, Edits: tuneGeneration(t, ms)})
}

// tuneTier sets the service tier. Vertex has none in bodies.
// https://ai.google.dev/gemini-api/docs/optimization
func tuneTier(t *target.Target, l provider.Layer) []jsonedit.Edit {
	const camel, snake = "serviceTier", "service_tier"
	tier := serviceTier(t.Options.ServiceTier)
	if tier == "" || onVertex(t) || l.Has(snake) && !t.Options.Overrides() {
		return l.Edits
	}
	l.Contest(t, camel, jsonedit.AppendString(nil, tier))
	if l.Has(snake) {
		l.Set(snake, nil)
	}
	return l.Edits
}

// tuneGeneration returns the edits of generationConfig.
func tuneGeneration(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	o := t.Options
	if !provider.Tuned(o) {
		return nil
	}
	at, other := "generationConfig", "generation_config"
	if jsonedit.Find(ms, at) == nil && jsonedit.Find(ms, other) != nil {
		at, other = other, at
	}
	settings := provider.Settings{MaxTokens: at + ".maxOutputTokens", Temperature: at + ".temperature", TopP: at + ".topP", TopK: at + ".topK"}
	for _, under := range []string{at, other} {
		t = provider.Settings{MaxTokens: under + ".maxOutputTokens", Temperature: under + ".temperature", TopP: under + ".topP", TopK: under + ".topK"}.Yielding(t, ms)
		t = provider.Settings{MaxTokens: under + ".max_output_tokens", TopP: under + ".top_p", TopK: under + ".top_k"}.Yielding(t, ms)
	}
	o = t.Options
	l := provider.Layer{Members: ms, Edits: settings.Tune(t, ms)}
	for _, one := range []struct {
		set          bool
		camel, snake string
	}{
		{o.MaxTokens != nil, ".maxOutputTokens", ".max_output_tokens"},
		{o.Temperature != nil, ".temperature", ".temperature"},
		{o.TopP != nil, ".topP", ".top_p"},
		{o.TopK != nil, ".topK", ".top_k"},
	} {
		if !one.set {
			continue
		}
		if one.snake != one.camel {
			l.Set(at+one.snake, nil)
		}
		l.Set(other+one.camel, nil)
		l.Set(other+one.snake, nil)
	}
	return l.Edits
}
