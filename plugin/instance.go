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

	"go-ai-proxy/plugin/acl"
	"go-ai-proxy/plugin/adapt"
	"go-ai-proxy/plugin/affinity"
	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/budget"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/plugin/failover"
	"go-ai-proxy/plugin/hedge"
	"go-ai-proxy/plugin/monitor"
	"go-ai-proxy/plugin/pricelist"
	"go-ai-proxy/plugin/promptcache"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/responsecache"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/semantic"
	"go-ai-proxy/plugin/spending"
	"go-ai-proxy/plugin/warnings"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/prices"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Instance is one configuration of the plugin, compiled: an immutable snapshot
// that is replaced as a whole.
type Instance struct {
	relay    *Relay
	config   *config.Config
	targets  []*endpoint
	balancer *balancer.Balancer
	semantic *semantic.Router // nil unless the algorithm is semantic
	policy   failover.Policy
	unwatch  []func()             // end the health checks
	hedge    *hedge.Policy        // nil unless it is configured
	reserves bool                 // some target has fallback_for
	affinity *affinity.Finder     // nil unless the algorithm is affinity
	prompts  *promptcache.Plan    // nil unless providers are asked to cache prompts
	answers  *responsecache.Cache // nil unless answers are kept
	// Candidates by route type, and by route type and model.
	byRoute, anyModel map[route.Type][]int
	byModel           map[string][]int
	patterns          []string      // the aliases that are patterns, the more specific ones first
	table             *routes.Table // the APIs that clients may call
	keeps             bool          // some target's bodies are logged
	budgets           []*budget.Budget
	warnings          config.Problems // options without effect, and other things that do not work
	// broken is set when the configuration cannot work; it is the answer to every
	// request.
	broken *chat.Error
}

// endpoint is one configured target, compiled.
type endpoint struct {
	*config.Target
	identity string // names the target across configurations
	provider *provider.Provider
	aliases  []string // the names and patterns of model_alias
	source   *credentials.Source
	timeouts wire.Timeouts
	category string                  // genai_category of the target, for the log
	label    record.Label            // of its metrics
	prices   *pricelist.List         // nil when models without prices have none
	base     atomic.Pointer[baseURL] // the last URL parsed, usually the only one
	spends   spending.Target         // what budgets know of it
	refused  adapt.Memory            // what its models do not take

	// The model's name in the forms that are usually sent: to the provider, and to
	// the client in X-Kong-Llm-Model.
	modelJSON   []byte
	modelHeader []string
}

func newEndpoint(t *config.Target, p *provider.Provider, source *credentials.Source, timeouts wire.Timeouts) *endpoint {
	return &endpoint{
		Target: t, provider: p, source: source, timeouts: timeouts, aliases: t.Model.Aliases(),
		modelJSON:   jsonedit.AppendString(nil, t.Model.Name),
		modelHeader: []string{headerValue(t.Model.Provider + "/" + t.Model.Name)},
	}
}

// modelAsJSON is a model's name as a JSON string. It must not be changed.
func (t *endpoint) modelAsJSON(model string) []byte {
	if model == t.Model.Name {
		return t.modelJSON
	}
	return jsonedit.AppendString(nil, model)
}

// modelAsHeader is the value of the header that names provider and model.
func (t *endpoint) modelAsHeader(model string) []string {
	if model == t.Model.Name {
		return t.modelHeader
	}
	return []string{headerValue(t.Model.Provider + "/" + model)}
}

// priceOf is the price of a model from the target's price list; nil when it has none, or
// prices of its own.
func priceOf(t *endpoint, o *target.Options, model string) *prices.Row {
	if t.prices == nil || o.Known() {
		return nil
	}
	return t.prices.Table().Find(t.provider, model)
}

// priceOfModel is the price of the target's model from its price list, or nil.
func priceOfModel(t *endpoint) *prices.Row {
	return priceOf(t, &t.Model.Options, t.Model.Name)
}

// baseURL is a text and the URL parsed from it.
type baseURL struct {
	text string
	url  url.URL
}

// parseBase is url.Parse with a cache of one, for the base of a target's URLs.
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
		e.category, e.label = inst.category(t.RouteType), inst.label(t)
		if t.Logging.PriceFile != "" {
			if e.prices, err = inst.relay.prices.Open(t.Logging.PriceFile, inst.relay.log); err != nil {
				return fmt.Errorf("%s.logging.price_file: %w", inst.config.Path(i), err)
			}
		}
		e.spends.Label, e.spends.Model, e.spends.Options = e.label, t.Model.Name, &t.Model.Options
		e.spends.Price = func(model string) *prices.Row { return priceOf(e, &t.Model.Options, model) }
		inst.targets = append(inst.targets, e)
	}
	inst.answers = newAnswers(inst)
	if c := inst.config.ResponseCache; c != nil && c.Redis && inst.relay.answers == nil {
		inst.warn("config.response_cache.redis", "has no effect: "+RedisEnv+" is not set, and answers are kept in memory")
	}
	inst.prompts = promptcache.New(inst.config.Cache, inst.config.Balancer.Affinity.Headers)
	inst.index()
	inst.policy = failover.New(inst.config.Balancer.FailoverCriteria)
	if h := inst.config.Balancer.Hedge; h != nil {
		var err error
		if inst.hedge, err = hedge.New(h.After, h.Budget); err != nil {
			return fmt.Errorf("config.balancer.hedge.%w", err)
		}
	}
	inst.reserves = slices.ContainsFunc(inst.targets, func(t *endpoint) bool { return t.FallbackFor != nil })
	if err := inst.balance(); err != nil {
		return err
	}
	var err error
	if inst.budgets, err = spending.Open(inst.config.Budgets, inst.config.PluginID, &inst.relay.budgets); err != nil {
		return err
	}
	if err := compileSemantic(inst); err != nil {
		return err
	}
	watch(inst)
	return nil
}

// checked is what of the targets decides whether options have an effect.
func (inst *Instance) checked() []warnings.Target {
	list := make([]warnings.Target, len(inst.targets))
	for i, t := range inst.targets {
		list[i] = warnings.Target{Target: t.Target, Provider: t.provider, Unpriced: t.prices != nil && priceOfModel(t) == nil}
	}
	return list
}

// label names the target that comes next in metrics.
func (inst *Instance) label(t *config.Target) record.Label {
	l := record.Label{Operation: t.RouteType.Operation(), Provider: t.Model.Provider, Target: t.Model.Alias}
	if t.Static() {
		l.Model = t.Model.Name
	}
	if l.Target == "" {
		l.Target = strings.TrimSuffix(t.Model.Provider+"/"+t.Model.Name, "/")
	}
	for n, name := 2, l.Target; slices.ContainsFunc(inst.targets, func(e *endpoint) bool { return e.label.Target == l.Target }); n++ {
		l.Target = name + " #" + strconv.Itoa(n)
	}
	return l
}

// category is the genai_category that requests are logged under. A default, which
// nobody may have set, is replaced by the category of the route type.
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

// balance makes the balancer. It keeps the state of targets that an earlier
// configuration had.
func (inst *Instance) balance() error {
	b := &inst.config.Balancer
	targets := make([]balancer.Target, len(inst.targets))
	for i, t := range inst.targets {
		t.identity = inst.identity(i)
		targets[i] = balancer.Target{ID: t.identity, Weight: max(t.Weight, 1), State: inst.relay.states.Use(t.identity)}
	}
	balancer.SlowStart(targets, time.Now())
	if b.Algorithm == string(balancer.Affinity) {
		inst.affinity = affinity.New(b.Affinity.Headers)
	}
	var err error
	inst.balancer, err = balancer.New(balancer.Options{
		Algorithm: balancer.Algorithm(b.Algorithm), Latency: b.LatencyStrategy, Usage: inst.usageStrategy(), Slots: b.Slots, Bound: b.Affinity.Bound,
		Breaker: balancer.Breaker{MaxFails: b.MaxFails, FailTimeout: time.Duration(b.FailTimeout) * time.Millisecond},
	}, targets)
	return err
}

// usageStrategy is the count that usage is measured by: the configured one, or all
// tokens when the configured one would stay 0 for some target, which would then
// get all requests.
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
			if o := &t.Model.Options; (o.InputCost == nil || o.OutputCost == nil) && priceOfModel(t) == nil {
				why = fmt.Sprintf("cost needs model.options.input_cost and output_cost of every target, %s has not both", t.modelHeader[0])
			}
		}
	}
	if why == "" {
		return b.TokensCountStrategy
	}
	inst.warn("config.balancer.tokens_count_strategy", "lowest-usage goes by total-tokens: "+why)
	return "total-tokens"
}

// identity identifies a target across configurations: by the plugin, its address
// and what it serves, not by its weight or its prices.
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

func (inst *Instance) warn(field, message string) {
	inst.warnings = append(inst.warnings, config.Problem{Field: field, Message: message})
}

// Warnings names what of the configuration does not work, or not as it says, although
// requests are served.
func (inst *Instance) Warnings() config.Problems { return inst.warnings }

// Close releases what the instance holds. Requests in progress go on.
func (inst *Instance) Close() {
	inst.relay.closed(inst)
	for _, stop := range inst.unwatch {
		stop()
	}
	if inst.answers != nil {
		inst.answers.Close()
	}
	if inst.semantic != nil {
		inst.semantic.Close()
	}
	for _, t := range inst.targets {
		if t.identity != "" {
			inst.relay.states.Release(t.identity)
		}
	}
}

// appendTargets appends the instance's targets, as the balancer sees them now.
func (inst *Instance) appendTargets(list []monitor.Target, now time.Time) []monitor.Target {
	if inst.broken != nil {
		return list
	}
	for i, t := range inst.targets {
		h := inst.balancer.Health(i, now)
		list = append(list, monitor.Target{
			Plugin: inst.config.PluginID, RouteType: string(t.RouteType), Target: t.label.Target, Provider: t.label.Provider, Model: t.label.Model,
			Available: h.Available, ClosedFor: h.ClosedFor.Milliseconds(), RestingFor: h.RestingFor.Milliseconds(), InFlight: h.InFlight,
			Down: h.Down, Checks: h.Checks, FailedChecks: h.Failed,
			CredentialsRefusedFor: h.DeniedFor.Milliseconds(),
			Latency:               h.E2E, PerToken: h.TPOT, PromptTokens: h.Prompt, CompletionTokens: h.Completion, Cost: h.Cost,
		})
	}
	return list
}

// record returns the empty record of a request.
func (inst *Instance) record() *record.Record {
	return record.Begin(func(d *record.Data) {
		d.PluginID = inst.config.PluginID
		if inst.config.Advanced {
			d.Algorithm = inst.config.Balancer.Algorithm
		}
		if len(inst.targets) > 0 {
			inst.targets[0].describe(d)
		}
	})
}

// describe records that t is going to answer.
func (t *endpoint) describe(d *record.Data) {
	d.Logging, d.Category, d.Label = t.Logging, t.category, t.label
	d.Provider, d.Model, d.Options = t.Model.Provider, t.Model.Name, &t.Model.Options
}

// native is the provider's own format that the instance's clients speak, or nil
// for the default format.
func (inst *Instance) native() *provider.ClientFormat { return routes.Native(inst.config.LLMFormat) }

// nativeNeeds names what the access phase must pass on for a client format.
func nativeNeeds(n *provider.ClientFormat) []string {
	if n.Before == "" {
		return []string{wire.NeedPath}
	}
	return []string{wire.NeedPath, wire.NeedCaptures}
}

// Need names what the access phase must pass on because the configuration uses it.
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
	c := inst.config.ResponseCache
	if inst.relay.seen != nil || c != nil {
		need = append(need, wire.NeedRoute)
	}
	if c != nil && (c.Per == nil || slices.Contains(*c.Per, "consumer")) {
		need = append(need, wire.NeedConsumer)
	}
	if c != nil && c.Per != nil && slices.Contains(*c.Per, "consumer_group") {
		need = append(need, wire.NeedGroups)
	}
	for _, name := range spending.Needs(inst.config.Budgets) {
		if !slices.Contains(need, name) {
			need = append(need, name)
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

// repeats says whether a request of a route type may be sent to more than one
// target.
func (inst *Instance) repeats(wanted route.Type) bool {
	return inst.budget() > 1 && len(inst.byRoute[wanted]) > 1
}

// reserve splits candidates into those for any request and those with fallback_for.
func (inst *Instance) reserve(candidates []int) (ordinary, reserved []int) {
	if !inst.reserves {
		return candidates, nil
	}
	for _, i := range candidates {
		if inst.targets[i].FallbackFor == nil {
			ordinary = append(ordinary, i)
		} else {
			reserved = append(reserved, i)
		}
	}
	return ordinary, reserved
}

// budget is the largest number of attempts for a request.
func (inst *Instance) budget() int {
	if !inst.config.Advanced {
		return 1
	}
	return inst.config.Balancer.Retries + 1
}

// candidates returns the indexes of the targets that may serve a request for model
// on the route type. A name that a target has comes before all patterns, and of the
// patterns the most specific one decides.
func (inst *Instance) candidates(model string, wanted route.Type) ([]int, error) {
	if model == "" {
		return inst.byRoute[wanted], nil
	}
	if list := inst.byModel[string(wanted)+" "+model]; list != nil {
		return list, nil
	}
	for _, pattern := range inst.patterns {
		if list := inst.byModel[string(wanted)+" "+pattern]; list != nil && config.MatchesAlias(pattern, model) {
			return list, nil
		}
	}
	if list := inst.anyModel[wanted]; list != nil {
		return list, nil
	}
	if all := inst.byRoute[wanted]; len(all) == 1 {
		return nil, refuse(http.StatusBadRequest, "cannot use own model - must be: "+inst.targets[all[0]].public())
	}
	return nil, refuse(http.StatusBadRequest, fmt.Sprintf("no target matches model '%s'", model))
}

// index makes the tables of candidates. A target that takes any model, or whose
// model depends on the request, is in all of them.
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
		names := t.aliases
		if !t.hasAlias(t.Model.Name) { // else its pattern decides: targets that share one are fallbacks for each other
			names = append(slices.Clone(names), t.Model.Name)
		}
		for _, name := range names {
			key := string(t.RouteType) + " " + name
			if name == "" || inst.byModel[key] != nil {
				continue
			}
			for i, other := range inst.targets {
				if other.RouteType == t.RouteType && (slices.Contains(other.aliases, name) || other.Model.Name == name || slices.Contains(inst.anyModel[t.RouteType], i)) {
					inst.byModel[key] = append(inst.byModel[key], i)
				}
			}
		}
		for _, name := range t.aliases {
			if config.IsPattern(name) && !slices.Contains(inst.patterns, name) {
				inst.patterns = append(inst.patterns, name)
			}
		}
	}
	slices.SortStableFunc(inst.patterns, config.CompareAliases)
}

// hasAlias says whether clients may call the target by this name.
func (t *endpoint) hasAlias(model string) bool {
	return slices.ContainsFunc(t.aliases, func(alias string) bool { return config.MatchesAlias(alias, model) })
}

// ruled is what ACLs may name of the target.
func (t *endpoint) ruled() acl.Target {
	return acl.Target{Provider: t.Model.Provider, Alias: t.Model.Alias, Aliases: t.aliases, Plain: t.provider.PlainModel}
}

// names are the names by which clients may ask for the target: of its aliases those
// that are no patterns, else the model's.
func (t *endpoint) names() []string {
	names := slices.DeleteFunc(slices.Clone(t.aliases), config.IsPattern)
	if len(names) == 0 && t.FixedModel() && t.Model.Name != "" {
		names = append(names, t.Model.Name)
	}
	return names
}

// public is the model name that clients use for the target.
func (t *endpoint) public() string {
	if t.Model.Alias != "" {
		return t.Model.Alias
	}
	return t.Model.Name
}

// pathOf is the path of a target in the configuration, as Kong writes it.
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
