// Package bedrock speaks Amazon Bedrock's Converse on both sides: as a provider
// (Converse turns the internal form into the API and back) and as a client's
// dialect (Dialect, what the AWS SDKs send). Meter also reads the usage of
// InvokeModel, whose bodies have the format of the model's maker and are forwarded
// unchanged. The package knows the internal form and no other formats, except for
// the settings of Claude models, which it takes from package anthropic.
//
// Start with Provider, then request.go and stream.go; the client's side is in
// the files named dialect, and encoder.go. Facts are from
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
// and the pages it links to.
package bedrock

import (
	"fmt"
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Provider is Amazon Bedrock. The caller signs its requests (Signature Version 4,
// service "bedrock").
var Provider = func() provider.Provider {
	p := *plain
	p.Variant = variant
	p.Kinds = []provider.Kind{
		{}, {Model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
		{Name: "OpenAI's API", Options: target.Options{UpstreamURL: "https://bedrock-mantle.us-east-1.api.aws/v1/chat/completions"}},
	}
	p.Client = &Client
	return p
}()

// plain is Bedrock with a model of any maker.
var plain = &provider.Provider{
	Name:        "bedrock",
	Base:        base,
	PathOverURL: true,
	Identity:    provider.AWS,
	Service:     service,
	KeyEnv:      "AWS_BEARER_TOKEN_BEDROCK",
	OwnKey:      true,
	Embeds:      true,
	ModelLands:  target.InModel,
	Resizes:     []string{"titan-embed-text-v2", "embed-v4"},
	Check:       check,
	Reasons:     reasons,
	PriceNames:  priceNames,
	Native:      native,
	Operations: provider.With(map[route.Type]*provider.Operation{
		route.Chat:        operation,
		route.Completions: operation,
	}, routes),
}

// priceNames are the names of a model in the price list: without what an ARN has
// before it, and without the geography of an inference profile (us.anthropic.…),
// which only some models have another price for.
// https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
func priceNames(model string) []string {
	bare := model[strings.LastIndexByte(model, '/')+1:]
	names := []string{bare}
	if _, plain, _ := strings.Cut(bare, "."); strings.Contains(plain, ".") {
		names = append(names, plain)
	}
	return names
}

// operation is Converse, for chat and for completions.
var operation = &provider.Operation{
	Path:   pathOf,
	Format: provider.BedrockConverse,
	Chat:   Converse,
	Hosts:  hosts,
	Meter:  Meter,
	Fields: fields,
	Origin: originOf,
	Edit:   provider.Edit{Request: ownConverse, Refusals: []provider.Refusal{{Words: []string{uncached}, What: "cachePoint", Without: withoutPoints, Document: cachingPage}, unsigned}},
	Tune:   tuneConverse,
	Models: facts,
	Untuned: func(t *target.Target) []string {
		m := modelOf(t.Model)
		switch {
		case m.claude:
			return anthropic.Untuned(t)
		case m.plain:
			return []string{"temperature", "top_p", "top_k"}
		case m.topK == "":
			return []string{"top_k"}
		}
		return nil
	},
	Caching: caching,
	Caveats: func(t *target.Target, r *chat.Request) []string {
		if !willing(r, modelOf(t.Model).forces(t.Model)) {
			return append(r.SearchCaveat(), r.DemandCaveat()...)
		}
		return r.SearchCaveat()
	},
}

// Converse is POST /model/{id}/converse and /converse-stream.
var Converse chat.Upstream = converse{}

type converse struct{}

// base returns the endpoint of the target's region.
func base(t *target.Target) (string, error) { return provider.AWSHost(t, "bedrock-runtime") }

func pathOf(t *target.Target, stream bool) (string, error) {
	operation := "/converse"
	if stream {
		operation = "/converse-stream"
	}
	switch t.Model {
	case "", ".", "..":
		return "", fmt.Errorf("model.name: %q cannot stand in a URL path", t.Model)
	}
	return "/model/" + escape(t.Model) + operation, nil
}

// escape returns a model id or ARN as one segment of a path. Everything but the
// unreserved characters of RFC 3986 is escaped, as the signature requires.
func escape(id string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
