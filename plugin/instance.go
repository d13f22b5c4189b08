package plugin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/semantic"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Instance is one configuration of the plugin, compiled: an immutable snapshot
// that is swapped whole.
type Instance struct {
	relay    *Relay
	config   *config.Config
	targets  []*endpoint
	balancer *balancer.Balancer
	semantic *semantic.Router // nil without that algorithm
	// candidates by route type, and by route type and model
	byRoute, anyModel map[route.Type][]int
	byModel           map[string][]int
	table             *routes.Table // of what clients may call
	keeps             bool          // some target's bodies go into the record
	// broken is set for a configuration that cannot work; every request is
	// answered with it.
	broken *chat.Error
}

// endpoint is one configured target, compiled.
type endpoint struct {
	*config.Target
	identity string // across configurations
	provider *provider.Provider
	source   *credentials.Source
	timeouts wire.Timeouts
	category string                  // of what it makes, for the log
	base     atomic.Pointer[baseURL] // the last one: mostly the only one

	// The model's name as it is mostly sent: to the provider, and to the client
	// in X-Kong-Llm-Model.
	modelJSON   []byte
	modelHeader []string
}

func newEndpoint(t *config.Target, p *provider.Provider, source *credentials.Source, timeouts wire.Timeouts) *endpoint {
	return &endpoint{
		Target: t, provider: p, source: source, timeouts: timeouts,
		modelJSON:   jsonedit.AppendString(nil, t.Model.Name),
		modelHeader: []string{headerValue(t.Model.Provider + "/" + t.Model.Name)},
	}
}

// modelAsJSON is a model's name as a JSON string; nobody changes it.
func (t *endpoint) modelAsJSON(model string) []byte {
	if model == t.Model.Name {
		return t.modelJSON
	}
	return jsonedit.AppendString(nil, model)
}

// modelAsHeader is a model's name with its provider's, as a header's value.
func (t *endpoint) modelAsHeader(model string) []string {
	if model == t.Model.Name {
		return t.modelHeader
	}
	return []string{headerValue(t.Model.Provider + "/" + model)}
}

// baseURL is a text and the URL that it is.
type baseURL struct {
	text string
	url  url.URL
}

// parseBase is url.Parse for what the URLs of a target begin with.
func (t *endpoint) parseBase(text string) (url.URL, error) {
	if b := t.base.Load(); b != nil && b.text == text {
		return b.url, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return url.URL{}, err
	}
	t.base.Store(&baseURL{text, *u})
	return *u, nil
}

func (inst *Instance) compile() error {
	for i := range inst.config.Targets {
		t := &inst.config.Targets[i]
		p := translators.Lookup(t.Model.Provider)
		if p == nil {
			return fmt.Errorf("%s.model.provider: %q is not supported yet; use one of %v", inst.config.Path(i), t.Model.Provider, translators.Names())
		}
		if err := routes.Speakable(inst.config.LLMFormat, t.RouteType, p); err != nil {
			return fmt.Errorf("%s: %w", inst.config.Path(i), err)
		}
		if s := routes.Of(t.RouteType); t.Auth.ParamLocation == "body" && inst.native() == nil && s != nil && (s.Body != provider.TakeJSON || s.Resources != nil) {
			return fmt.Errorf("%s.auth.param_location: body has no place in %s, whose requests are not all JSON: use query, or header_name", inst.config.Path(i), t.RouteType)
		}
		t.Model.Options.FromEnvironment(t.Model.Provider, os.Getenv)
		source, err := credentials.New(t.Auth, p, nil)
		if err != nil {
			return fmt.Errorf("%s.%w", inst.config.Path(i), err)
		}
		inst.keeps = inst.keeps || t.Logging.Payloads
		e := newEndpoint(t, p, source, inst.timeouts())
		e.category = inst.category(t.RouteType)
		inst.targets = append(inst.targets, e)
	}
	inst.index()
	if err := inst.balance(); err != nil {
		return err
	}
	return compileSemantic(inst)
}

// category is genai_category, under which requests are logged. Where it has its
// default, which nobody may have set, it is that of the route type.
func (inst *Instance) category(wanted route.Type) string {
	const fallback = "text/generation"
	if set := inst.config.GenAICategory; set != fallback {
		return set
	}
	switch family, _, _ := strings.Cut(string(wanted), "/v1/"); {
	case wanted == route.Embeddings:
		return "text/embeddings"
	case wanted == route.Files, wanted == route.Batches, wanted == route.Preserve:
		return ""
	case wanted == route.Speech:
		return "audio/speech"
	case family == "audio":
		return "audio/transcription"
	case family == "image", family == "video", family == "realtime":
		return family + "/generation"
	}
	return fallback
}

func (inst *Instance) timeouts() wire.Timeouts {
	b := &inst.config.Balancer
	return wire.Timeouts{
		Connect: time.Duration(b.ConnectTimeout) * time.Millisecond,
		Write:   time.Duration(b.WriteTimeout) * time.Millisecond,
		Read:    time.Duration(b.ReadTimeout) * time.Millisecond,
	}
}

// balance makes the balancer. What it knows of a target that was configured
// before, it keeps.
func (inst *Instance) balance() error {
	b := &inst.config.Balancer
	targets := make([]balancer.Target, len(inst.targets))
	for i, t := range inst.targets {
		t.identity = inst.identity(i)
		targets[i] = balancer.Target{ID: t.identity, Weight: max(t.Weight, 1), State: inst.relay.states.Use(t.identity)}
	}
	balancer.SlowStart(targets, time.Now())
	var err error
	inst.balancer, err = balancer.New(balancer.Options{
		Algorithm: balancer.Algorithm(b.Algorithm), Latency: b.LatencyStrategy, Usage: inst.usageStrategy(),
		Breaker: balancer.Breaker{MaxFails: b.MaxFails, FailTimeout: time.Duration(b.FailTimeout) * time.Millisecond},
	}, targets)
	return err
}

// usageStrategy is what counts as usage: the configured count, or all tokens
// where that one would stay 0 for some target, which would get all requests.
func (inst *Instance) usageStrategy() string {
	b := &inst.config.Balancer
	if balancer.Algorithm(b.Algorithm) != balancer.LowestUsage {
		return b.TokensCountStrategy
	}
	why := ""
	switch b.TokensCountStrategy {
	case "llm-accuracy":
		why = "nothing here gives the scores that llm-accuracy needs"
	case "cost":
		for _, t := range inst.targets {
			if o := &t.Model.Options; o.InputCost == nil || o.OutputCost == nil {
				why = fmt.Sprintf("cost needs model.options.input_cost and output_cost of every target, %s has not both", t.modelHeader[0])
			}
		}
	}
	if why == "" {
		return b.TokensCountStrategy
	}
	inst.relay.log.Warn().Str("plugin_id", inst.config.PluginID).Str("error", "balancer.tokens_count_strategy: "+why).
		Msg("lowest-usage goes by total-tokens")
	return "total-tokens"
}

// identity is what makes a target the one it was in an earlier configuration:
// the plugin, where it is and what it serves, not its weight or its prices.
func (inst *Instance) identity(i int) string {
	t := inst.targets[i]
	parts := []string{inst.config.PluginID, string(t.RouteType), t.Model.Provider, t.Model.Name, t.Model.Alias, t.Description}
	for i := range target.List {
		if o := &target.List[i]; o.Identity {
			parts = append(parts, *o.Text(&t.Model.Options))
		}
	}
	id := strings.Join(parts, "\x00")
	same := 0
	for _, other := range inst.targets[:i] {
		if strings.HasPrefix(other.identity, id+"\x00#") {
			same++
		}
	}
	return id + "\x00#" + strconv.Itoa(same)
}

// Close gives back what the instance held. Requests that it serves go on.
func (inst *Instance) Close() {
	if inst.semantic != nil {
		inst.semantic.Close()
	}
	for _, t := range inst.targets {
		if t.identity != "" {
			inst.relay.states.Release(t.identity)
		}
	}
}

// record returns the empty record of a request.
func (inst *Instance) record() *record.Record {
	d := record.Data{PluginID: inst.config.PluginID}
	if inst.config.Advanced {
		d.Algorithm = inst.config.Balancer.Algorithm
	}
	if len(inst.targets) > 0 {
		inst.targets[0].describe(&d)
	}
	return record.New(d)
}

// describe has a record say that t is going to answer.
func (t *endpoint) describe(d *record.Data) {
	d.Logging, d.Category = t.Logging, t.category
	d.Provider, d.Model, d.Options = t.Model.Provider, t.Model.Name, &t.Model.Options
}

// native is the format of a provider's own that the instance's clients speak, nil
// for the default one.
func (inst *Instance) native() *provider.ClientFormat { return routes.Native(inst.config.LLMFormat) }

// nativeNeeds are what the access phase must pass on for a format.
func nativeNeeds(n *provider.ClientFormat) []string {
	if n.Before == "" {
		return []string{wire.NeedPath}
	}
	return []string{wire.NeedPath, wire.NeedCaptures}
}

// Need names what the access phase must pass on because the configuration
// uses it.
func (inst *Instance) Need() (need []string) {
	for i := range inst.config.Targets {
		t := &inst.config.Targets[i]
		if !t.Static() && !slices.Contains(need, wire.NeedCaptures) {
			need = append(need, wire.NeedCaptures)
		}
		s := routes.Of(t.RouteType)
		if n := inst.native(); n != nil {
			for _, name := range nativeNeeds(n) {
				if !slices.Contains(need, name) {
					need = append(need, name)
				}
			}
			continue
		}
		if (t.RouteType == route.Preserve || s != nil && s.Resources != nil || len(inst.byRoute) > 1) && !slices.Contains(need, wire.NeedPath) {
			need = append(need, wire.NeedPath)
		}
	}
	if acls := inst.config.ACLs; acls != nil {
		for _, rule := range slices.Concat(acls.Allow, acls.Deny) {
			for _, c := range rule.Match {
				name := map[string]string{"consumer": wire.NeedConsumer, "consumer_group": wire.NeedGroups, "ip": wire.NeedIP, "path": wire.NeedPath}[c.Type]
				if name != "" && !slices.Contains(need, name) {
					need = append(need, name)
				}
			}
		}
	}
	return need
}

// repeats says whether a request of a route may be sent to more than one target.
func (inst *Instance) repeats(wanted route.Type) bool {
	return inst.budget() > 1 && len(inst.byRoute[wanted]) > 1
}

// formTargets says whether forms of a route are translated for some of its
// targets, and whether they pass to some.
func (inst *Instance) formTargets(s *provider.API, wanted route.Type) (translated, passed bool) {
	for _, i := range inst.byRoute[wanted] {
		op := inst.targets[i].provider.Find(s.Format, wanted)
		same := op != nil && op.Format == s.Format
		translated, passed = translated || !same, passed || same
	}
	return translated, passed
}

// retries says whether the configuration wants another attempt after this
// failure. As in nginx, what may have been acted upon is repeated only for
// idempotent methods or with non_idempotent.
func (inst *Instance) retries(e *attemptError, method string) bool {
	criteria := inst.config.Balancer.FailoverCriteria
	if !slices.Contains(criteria, e.criterion) {
		return false
	}
	if e.sent && e.consumed {
		return false // the body went by and is not there any more
	}
	idempotent := method != http.MethodPost && method != http.MethodPatch && method != "LOCK"
	return !e.sent || idempotent || slices.Contains(criteria, "non_idempotent")
}

// verdict is what an attempt's end says of its target's health. 403 and 404
// never count, other statuses only when they are failover criteria.
func (inst *Instance) verdict(criterion string, gone bool) balancer.Verdict {
	switch {
	case gone:
		return balancer.Neutral
	case criterion == "":
		return balancer.Good
	case slices.Contains([]string{"error", "timeout", "invalid_header"}, criterion):
		return balancer.Bad
	case criterion == "http_403", criterion == "http_404":
		return balancer.Neutral
	case slices.Contains(inst.config.Balancer.FailoverCriteria, criterion):
		return balancer.Bad
	}
	return balancer.Neutral
}

// budget is how many attempts a request may have.
func (inst *Instance) budget() int {
	if !inst.config.Advanced {
		return 1
	}
	return inst.config.Balancer.Retries + 1
}

// candidates are the indexes of the targets that may serve a request for
// model on the route.
func (inst *Instance) candidates(model string, wanted route.Type) ([]int, error) {
	if model == "" {
		return inst.byRoute[wanted], nil
	}
	if list := inst.byModel[string(wanted)+" "+model]; list != nil {
		return list, nil
	}
	if list := inst.anyModel[wanted]; list != nil {
		return list, nil
	}
	if all := inst.byRoute[wanted]; len(all) == 1 {
		return nil, refuse(http.StatusBadRequest, "cannot use own model - must be: "+inst.targets[all[0]].public())
	}
	return nil, refuse(http.StatusBadRequest, fmt.Sprintf("no target matches model '%s'", model))
}

// index makes the tables of candidates. A target that takes any model, or
// whose name is only known with the request, is in all of them.
func (inst *Instance) index() {
	inst.byRoute, inst.anyModel, inst.byModel = map[route.Type][]int{}, map[route.Type][]int{}, map[string][]int{}
	types := make([]route.Type, len(inst.targets))
	for i, t := range inst.targets {
		types[i] = t.RouteType
		inst.byRoute[t.RouteType] = append(inst.byRoute[t.RouteType], i)
		if t.Model.Alias == "" && (t.Model.Name == "" || !t.Static()) {
			inst.anyModel[t.RouteType] = append(inst.anyModel[t.RouteType], i)
		}
	}
	inst.table = routes.New(inst.config.LLMFormat, types)
	for _, t := range inst.targets {
		for _, name := range []string{t.Model.Alias, t.Model.Name} {
			key := string(t.RouteType) + " " + name
			if name == "" || inst.byModel[key] != nil {
				continue
			}
			for i, other := range inst.targets {
				if other.RouteType == t.RouteType && (other.Model.Alias == name || other.Model.Name == name || slices.Contains(inst.anyModel[t.RouteType], i)) {
					inst.byModel[key] = append(inst.byModel[key], i)
				}
			}
		}
	}
}

// public is the model name by which clients ask for the target.
func (t *endpoint) public() string {
	if t.Model.Alias != "" {
		return t.Model.Alias
	}
	return t.Model.Name
}

// pathOf is where a target stands in the configuration, as Kong writes it.
func (inst *Instance) pathOf(t *endpoint) string {
	if i := slices.Index(inst.targets, t); i >= 0 {
		return inst.config.Path(i)
	}
	return "config.embeddings"
}

// Serve implements gateway.Instance.
func (inst *Instance) Serve(ctx context.Context, in *wire.Inbound, out wire.Sink, live record.Live) {
	inst.relay.Serve(ctx, inst, in, out, live)
}

// served are the providers that the target may turn out to be: one, where its
// model is known before there is a request.
func (t *endpoint) served() []*provider.Provider {
	name := t.Model.Name
	if strings.Contains(name, "$(") {
		name = ""
	}
	return routes.Variants(t.provider, target.Target{Provider: t.Model.Provider, Route: t.RouteType, Model: name, Options: &t.Model.Options})
}
