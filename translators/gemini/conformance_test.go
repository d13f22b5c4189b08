package gemini

import (
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// relayed is p as a relay makes use of it: the format has no closing event, so
// a stream in which every candidate has finished is complete when it ends. Here
// it ends with the last candidate's finish reason.
func relayed(p *provider.Provider) *provider.Provider {
	with := *p
	with.Operations = map[route.Type]*provider.Operation{}
	for route, op := range p.Operations {
		o := *op
		o.Chat = &endings{Upstream: op.Chat}
		with.Operations[route] = &o
	}
	return &with
}

type endings struct {
	chat.Upstream
	candidates int
}

func (e *endings) AppendRequest(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	e.candidates, _ = req.N.Int()
	return e.Upstream.AppendRequest(dst, t, req)
}

func (e *endings) NewStream(t *target.Target) chat.Stream {
	return &ending{Stream: e.Upstream.NewStream(t), open: max(e.candidates, 1)}
}

type ending struct {
	chat.Stream
	open int
}

func (e *ending) Next(ev frame.Event) ([]chat.Delta, error) {
	deltas, err := e.Stream.Next(ev)
	for i := range deltas {
		if deltas[i].Kind == chat.Finish {
			e.open--
		}
	}
	if len(deltas) > 0 && e.open == 0 {
		deltas = append(deltas, chat.Delta{Kind: chat.End})
	}
	return deltas, err
}

const refusalsAreText = "Gemini refuses in words, or with a finish reason"

func TestGeminiConforms(t *testing.T) {
	conformance.Run(t, relayed(&Provider), conformance.Options{
		Lacks: map[string]string{conformance.RefusalParts: refusalsAreText},
	})
}

func TestGemini3Conforms(t *testing.T) {
	conformance.Run(t, relayed(&Provider), conformance.Options{
		Target: target.Target{Model: "gemini-3-pro"},
		Lacks:  map[string]string{conformance.RefusalParts: refusalsAreText},
	})
}

func TestVertexConforms(t *testing.T) {
	conformance.Run(t, relayed(vertexGoogle), conformance.Options{
		Target: onGoogleCloud("gemini-2.5-flash"),
		Lacks: map[string]string{
			conformance.RefusalParts: refusalsAreText,
			conformance.ToolIDs:      "functionCall has no id in Vertex's v1",
		},
	})
}

func onGoogleCloud(model string) target.Target {
	return target.Target{Provider: "gemini", Route: "llm/v1/chat", Model: model, Options: &target.Options{Gemini: target.Gemini{
		APIEndpoint: "us-central1-aiplatform.googleapis.com", ProjectID: "my-project", LocationID: "us-central1",
	}}}
}

func TestModelGardenConforms(t *testing.T) {
	to := onGoogleCloud("mock-model-1")
	to.Options.Gemini.EndpointID = "42"
	conformance.Run(t, vertexEndpoint, conformance.Options{Target: to})
}
