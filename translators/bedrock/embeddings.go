package bedrock

import (
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// embeddings translates OpenAI's embeddings to InvokeModel of Amazon's and
// Cohere's models.
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html
type embeddings struct{}

// AppendRequest implements provider.Translator.
func (embeddings) AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error) {
	r, err := openai.EmbeddingsOf(t, body)
	if err != nil {
		return nil, err
	}
	if strings.Contains(t.Model, "cohere.embed") {
		return appendCohereEmbed(dst, t, r), nil
	}
	if len(r.Inputs) > 1 {
		return nil, &chat.RequestError{Field: "input", Message: "must be one text: Titan takes no more at a time"}
	}
	l := provider.Layer{Edits: []jsonedit.Edit{{Key: "inputText", Value: r.Inputs[0]}}}
	v, known := vectorsOf(t.Model)
	if !known {
		v = titan
	}
	if r.Dimensions > 0 {
		l.Set(v.dimensions, strconv.AppendInt(nil, int64(r.Dimensions), 10))
	}
	if v.normalize {
		l.Set("normalize", normalize(t, r.Members))
	}
	return jsonedit.Join(dst, jsonedit.Splice(nil, []byte("{}"), nil, l.Edits)), nil
}

// vectors are what the models of a family that make vectors take of the options.
type vectors struct {
	part       string // of the models' ids
	dimensions string // the dotted path of their length; "" if it is fixed
	normalize  bool   // there is a member for that
	document   string
}

// titan is the row of names to come.
var titan = vectors{"titan-embed", "dimensions", true, titanPage}

// embedders are the families of models that make vectors. The first match counts.
var embedders = []vectors{
	{"titan-embed-text-v1", "", false, titanPage},
	{"titan-embed-g1", "", false, titanPage},
	{"titan-embed-image", "embeddingConfig.outputEmbeddingLength", false, "https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-mm.html"},
	titan,
	{"cohere.embed-v4", "output_dimension", false, "https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v4.html"},
	{"cohere.embed", "", false, "https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html"},
	{"multimodal-embeddings", "singleEmbeddingParams.embeddingDimension", false, "https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html"},
}

const titanPage = "https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html"

// vectorsOf returns the row of a model, and whether there is one.
func vectorsOf(model string) (vectors, bool) {
	for _, v := range embedders {
		if strings.Contains(model, v.part) {
			return v, true
		}
	}
	return vectors{}, false
}

// tune returns the edits that set the options of t in a body of InvokeModel.
func (v vectors) tune(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	l := provider.Layer{Members: ms, Edits: provider.TuneDimensions(v.dimensions)(t, ms)}
	if v.normalize && (t.Route == route.Embeddings || t.Options.Bedrock.EmbeddingsNormalize) {
		l.Set("normalize", normalize(t, ms))
	}
	return l.Edits
}

// normalize returns whether to normalize the vectors, in JSON: the configured value or
// the client's. One of the two is always sent, since the API's default is not Kong's; but
// for targets of other routes, whose operators did not think of vectors.
func normalize(t *target.Target, ms []jsonedit.Member) []byte {
	on := t.Options.Bedrock.EmbeddingsNormalize // false may mean that nothing is configured
	if own := jsonedit.Find(ms, "normalize"); own != nil && !(on && t.Options.Overrides()) {
		return own
	}
	return strconv.AppendBool(nil, on)
}

// appendCohereEmbed writes Cohere's body. The API requires the purpose of the
// vectors.
func appendCohereEmbed(dst []byte, t *target.Target, r *openai.NewEmbeddings) []byte {
	dst = append(dst, `{"texts":[`...)
	for _, input := range r.Inputs {
		dst = append(jsonedit.AppendComma(dst), input...)
	}
	dst = append(dst, ']')
	purpose := r.Text("input_type")
	if purpose == "" {
		purpose = t.Options.Cohere.EmbeddingInputType
	}
	if purpose == "" {
		purpose = "search_document"
	}
	dst = jsonedit.AppendText(dst, "input_type", purpose)
	if own := r.Text("truncate"); own != "" {
		dst = jsonedit.AppendText(dst, "truncate", own)
	}
	if v, _ := vectorsOf(t.Model); v.dimensions != "" { // the newer API
		dst = append(jsonedit.AppendName(dst, "embedding_types"), `["float"]`...)
		if r.Dimensions > 0 {
			dst = jsonedit.AppendInt(dst, v.dimensions, r.Dimensions)
		}
	}
	return append(dst, '}')
}

// AppendResponse implements provider.Translator.
func (embeddings) AppendResponse(dst []byte, _ *target.Target, body []byte, meta chat.Meta, seen *chat.Seen) ([]byte, error) {
	w := openai.NewEmbeddingsWriter(dst)
	tokens := meta.PromptTokens
	if n, ok := jsonedit.Int(jsonedit.Lookup(body, "inputTextTokenCount")); ok {
		tokens = n
		seen.Usage.Prompt, seen.HasUsage = n, true
	}
	if vector := jsonedit.Lookup(body, "embedding"); jsonedit.IsArray(vector) {
		w.Vector(vector)
		return w.End(meta.Model, tokens), nil
	}
	list := jsonedit.Lookup(body, "embeddings")
	if jsonedit.IsObject(list) {
		list = jsonedit.Lookup(list, "float")
	}
	vectors, err := jsonedit.Array(list, nil)
	if err != nil || len(vectors) == 0 {
		return nil, &chat.ResponseError{Message: "'embedding' not in bedrock response"}
	}
	for _, v := range vectors {
		w.Vector(v)
	}
	return w.End(meta.Model, tokens), nil
}
