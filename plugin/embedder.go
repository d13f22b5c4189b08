package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/plugin/endpoint"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/semantic"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// The cache of embeddings, shared by all instances: how many numbers it holds, of
// 4 bytes each, and for how long.
const (
	embeddingsKept    = 4 << 20
	embeddingsKeptFor = 10 * time.Minute
)

// semanticWait is the longest time that a request waits for its ranking.
const semanticWait = 5 * time.Second

// compileSemantic starts the semantic router, if the instance has one configured.
func compileSemantic(inst *Instance) error {
	c := inst.config
	if balancer.Algorithm(c.Balancer.Algorithm) != balancer.Semantic {
		return nil
	}
	if c.Embeddings == nil || c.VectorDB == nil {
		return errors.New("balancer.algorithm: semantic needs embeddings and vectordb")
	}
	e, err := newEmbedder(inst)
	if err != nil {
		return err
	}
	timeouts := inst.timeouts()
	timeouts.Read = min(timeouts.Read, semanticWait)
	timeouts.Connect = min(timeouts.Connect, semanticWait)
	e.endpoint.Timeouts = timeouts
	o := semantic.Options{
		Model:      c.Embeddings.Model.Provider + "/" + c.Embeddings.Model.Name,
		Space:      e.space(),
		Dimensions: c.VectorDB.Dimensions, Metric: semantic.Metric(c.VectorDB.DistanceMetric), Threshold: c.VectorDB.Threshold,
		Embed: semantic.Embedder(e.ask), Cache: inst.relay.embeddings, Timeout: timeouts.Read,
		Log: inst.relay.log.With().Str("plugin_id", c.PluginID).Logger(),
	}
	for _, t := range inst.targets {
		o.Targets = append(o.Targets, semantic.Target{Name: t.Model.Provider + "/" + t.Model.Name, Description: t.Description, Weight: t.Weight})
	}
	if o.Index, err = semantic.Open(c.VectorDB, c.PluginID, semantic.Texts(o.Targets, o.Space)); err != nil {
		return err
	}
	inst.semantic = semantic.New(o)
	return nil
}

// embedder calls the embedding model. A call is a request like any other, with the
// plugin itself as the client.
type embedder struct {
	instance *Instance
	endpoint *endpoint.Endpoint
}

func newEmbedder(inst *Instance) (*embedder, error) {
	c := inst.config.Embeddings
	p := translators.Lookup(c.Model.Provider)
	if p == nil || !embeds(p) {
		return nil, fmt.Errorf("embeddings.model.provider: %q has no embeddings here", c.Model.Provider)
	}
	var dimensions *int
	if translators.Resizes(c.Model.Name) {
		dimensions = &inst.config.VectorDB.Dimensions
	}
	t := c.Target(dimensions)
	t.Model.Options.FromEnvironment(t.Model.Provider, os.Getenv)
	source, err := credentials.New(c.Auth, p, nil)
	if err != nil {
		return nil, fmt.Errorf("embeddings.%w", err)
	}
	return &embedder{inst, endpoint.New(t, p, source, wire.Timeouts{})}, nil
}

func embeds(p *provider.Provider) bool {
	return p.Variant != nil || p.Operations[route.Embeddings] != nil
}

// space names what vectors must have in common to be comparable: the model, its
// address and the length of the vectors.
func (e *embedder) space() string {
	m := &e.endpoint.Model
	options, _ := json.Marshal(m.Options) // strings and numbers only: it cannot fail
	return m.Provider + "\x00" + m.Name + "\x00" + string(options) + "\x00" + strconv.Itoa(e.instance.config.VectorDB.Dimensions)
}

// ask sends a request to the embedding model; request and answer are in OpenAI's
// format. Its errors do not quote the request.
func (e *embedder) ask(ctx context.Context, body []byte) ([]byte, error) {
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, fmt.Errorf("embeddings: %w", err)
	}
	x := &exchange{relay: e.instance.relay, instance: e.instance, record: &record.Record{}}
	x.own.record, x.reply = x.record, &x.own
	x.request = request{
		in: &wire.Inbound{Method: http.MethodPost, Header: http.Header{}}, start: time.Now(),
		api: routes.Of(route.Embeddings), route: route.Embeddings, body: body, members: members,
	}
	a, err := prepare(ctx, x, e.endpoint)
	if err != nil {
		return nil, e.hide(err)
	}
	if err := a.call(ctx); err != nil {
		return nil, errors.New("the embedding model did not answer: " + redact(err))
	}
	defer a.answer.Body.Close()
	return readEmbedding(a)
}

// hide removes the text of errors that may quote the request.
func (e *embedder) hide(err error) error {
	if why, ok := errors.AsType[*unready](err); ok {
		return why
	}
	var refused *chat.Error
	if errors.As(err, &refused) {
		return errors.New(refused.Message)
	}
	return errors.New("embeddings: the request could not be made for " + e.endpoint.Model.Provider)
}

// maxEmbedding is the largest answer of the embedding model, in bytes.
const maxEmbedding = 4 << 20

// readEmbedding reads the answer in OpenAI's format.
func readEmbedding(a *attempt) ([]byte, error) {
	body, err := a.inflated()
	if err != nil {
		return nil, err
	}
	whole, err := io.ReadAll(io.LimitReader(body, maxEmbedding))
	if err != nil {
		return nil, errors.New("the embedding model's answer broke off: " + redact(err))
	}
	if a.answer.Status != http.StatusOK {
		return nil, fmt.Errorf("the embedding model answered with status %d", a.answer.Status)
	}
	if a.plan.how == viaBody {
		if whole, err = a.plan.op.Body.AppendResponse(nil, a.plan.target, whole, a.plan.meta(a.reply.identify()), &a.account.seen); err != nil {
			return nil, errors.New("the embedding model's answer cannot be read: it is not what " + a.plan.name() + " should answer")
		}
	}
	return whole, nil
}
