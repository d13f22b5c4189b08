package cohere

import "go-ai-proxy/translators/provider"

// The operations that only clients of Cohere's own format have.
// https://docs.cohere.com/reference/rerank
// https://docs.cohere.com/v1/reference/embed
var (
	rerankV2 = &provider.Operation{Path: provider.Path("/v2/rerank"), Format: provider.CohereRerankV2, Meter: Meter, NoStream: true}
	rerankV1 = &provider.Operation{Path: provider.Path("/v1/rerank"), Format: provider.CohereRerankV1, Meter: Meter, NoStream: true}
	embedV1  = &provider.Operation{Path: provider.Path("/v1/embed"), Format: provider.CohereEmbedV1, Meter: Meter, NoStream: true}
)

// native holds the operations by the version in the client's path, whatever version
// is used for clients of other formats.
var native = map[provider.Format]*provider.Operation{
	provider.CohereChatV2:   chatV2Operation,
	provider.CohereChatV1:   chatV1Operation,
	provider.CohereRerankV2: rerankV2,
	provider.CohereRerankV1: rerankV1,
	provider.CohereEmbed:    embedOperation,
	provider.CohereEmbedV1:  embedV1,
}
