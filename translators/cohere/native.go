package cohere

import "go-ai-proxy/translators/provider"

// These are the operations that only a client of Cohere's own format has.
// https://docs.cohere.com/reference/rerank
// https://docs.cohere.com/v1/reference/embed
var (
	rerankV2 = &provider.Operation{Path: provider.Path("/v2/rerank"), Format: provider.CohereRerankV2, Meter: Meter, NoStream: true}
	rerankV1 = &provider.Operation{Path: provider.Path("/v1/rerank"), Format: provider.CohereRerankV1, Meter: Meter, NoStream: true}
	embedV1  = &provider.Operation{Path: provider.Path("/v1/embed"), Format: provider.CohereEmbedV1, Meter: Meter, NoStream: true}
)

// native are the operations by the version that the client's path names,
// whatever version clients of other formats are served by.
var native = map[provider.Format]*provider.Operation{
	provider.CohereChatV2:   chatV2Operation,
	provider.CohereChatV1:   chatV1Operation,
	provider.CohereRerankV2: rerankV2,
	provider.CohereRerankV1: rerankV1,
	provider.CohereEmbed:    embedOperation,
	provider.CohereEmbedV1:  embedV1,
}
