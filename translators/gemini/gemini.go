// Package gemini implements Google's generateContent format for the public Gemini
// API and for Vertex AI, and knows the addresses of both. It knows the internal
// form and Google's format, but no other client format. Start with Provider, then
// Generate (the provider's side) and Dialect (the client's side).
//
// Formats: https://ai.google.dev/api/generate-content and
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
package gemini

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Provider is the public Gemini API, or Vertex AI if options.gemini.api_endpoint is
// set.
var Provider = func() provider.Provider {
	p := *public
	p.Variant = variant
	vertex := target.Options{Gemini: target.Gemini{APIEndpoint: "aiplatform.googleapis.com", ProjectID: "p", LocationID: "global"}}
	p.Kinds = []provider.Kind{{}, {Name: "Vertex", Options: vertex}, {Model: "claude-sonnet-4-5", Options: vertex}}
	p.Client = &Client
	return p
}()

// public is the Gemini API at generativelanguage.googleapis.com.
var public = &provider.Provider{
	Name:        "gemini",
	Base:        func(*target.Target) (string, error) { return "https://generativelanguage.googleapis.com", nil },
	PathOverURL: true,
	Identity:    provider.Google,
	OwnKey:      true,
	Embeds:      true,
	ModelLands:  target.InSegment,
	ModelPrefix: "models/",
	Resizes:     []string{"gemini-embedding", "text-embedding-004", "text-embedding-005"},
	Check:       check,
	Reasons:     reasons,
	PlainModel:  func(name string) string { return strings.TrimPrefix(name, "models/") },
	PriceNames:  priceNames,
	Operations:  provider.With(generateOperations(publicPath, fields), publicRoutes),
	Native:      publicNative,
	Counter:     publicNative[provider.GeminiCount],
}

// gemma is the Gemini API for models that take a part of its format only: what a client
// of the format sends besides is put in words, or refused, as it is for other clients.
var gemma = func() *provider.Provider {
	p := *public
	generate := *public.Operations[route.Chat]
	generate.Rephrase = func(*target.Target, []jsonedit.Member) bool { return true }
	p.Native = maps.Clone(public.Native)
	p.Native[provider.GeminiGenerate] = &generate
	return &p
}()

// priceNames is the name of a model in the price list: without its publisher, as
// Vertex's publishers/google/models/m and google/m have it, and without its version,
// m@20250929.
// https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/use-partner-models
func priceNames(model string) []string {
	bare := model[strings.LastIndexByte(model, '/')+1:]
	plain, _, _ := strings.Cut(bare, "@")
	return []string{bare, plain}
}

// generateOperations returns chat and completions in the generateContent format. A
// prompt becomes a user's text.
func generateOperations(path func(*target.Target, bool) (string, error), fields provider.Fields) map[route.Type]*provider.Operation {
	op := &provider.Operation{
		Path:    path,
		Format:  provider.GeminiGenerate,
		Chat:    Generate,
		Hosts:   hosts,
		Meter:   Meter,
		Fields:  fields,
		Origin:  ofGoogle,
		Edit:    provider.Edit{Refusals: corrupted},
		Models:  facts,
		Caveats: caveats,
	}
	return map[route.Type]*provider.Operation{route.Chat: op, route.Completions: op}
}

func ofGoogle(*target.Target) origin.Name { return origin.Google }

func publicPath(t *target.Target, stream bool) (string, error) {
	model, err := segment("model.name", strings.TrimPrefix(t.Model, "models/"))
	if err != nil {
		return "", err
	}
	return "/v1beta/models/" + model + method(stream), nil
}

// method returns the custom method of a generateContent URL. Without alt=sse a stream
// would be one JSON array in pieces.
func method(stream bool) string {
	if stream {
		return ":streamGenerateContent?alt=sse"
	}
	return ":generateContent"
}

// segment checks a value that becomes one segment of a URL's path. Names of Google's
// resources need no other characters, so a template with others could only lead to
// another path.
func segment(field, v string) (string, error) {
	ok := v != "" && strings.Trim(v, ".") != ""
	for i := 0; ok && i < len(v); i++ {
		c := v[i]
		ok = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("._-@", c) >= 0
	}
	if !ok {
		return "", &chat.RequestError{Field: field, Message: fmt.Sprintf("%q cannot stand in a URL path", v)}
	}
	return url.PathEscape(v), nil
}

// host checks options.gemini.api_endpoint, a host with or without a port.
func host(v string) error {
	u, err := url.Parse("https://" + v)
	if err != nil || u.Host != v || u.Hostname() == "" {
		return fmt.Errorf("model.options.gemini.api_endpoint: %q is not a host such as us-central1-aiplatform.googleapis.com", v)
	}
	return nil
}

var errNoProject = errors.New("model.options.gemini: api_endpoint needs project_id and location_id beside it")
