package plugin

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"go-ai-proxy/plugin/affinity"
	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/budget"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/plugin/endpoint"
	"go-ai-proxy/plugin/failover"
	"go-ai-proxy/plugin/hedge"
	"go-ai-proxy/plugin/monitor"
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
	"go-ai-proxy/translators/prices"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// Instance is one configuration of the plugin, compiled: an immutable snapshot
// that is replaced as a whole.
type Instance struct {
	relay    *Relay
	config   *config.Config
	targets  []*endpoint.Endpoint
	balancer *balancer.Balancer
	semantic *semantic.Router // nil unless the algorithm is semantic
	policy   failover.Policy
	unwatch  []func()             // end the health checks
	hedge    *hedge.Policy        // nil unless it is configured
	reserves bool                 // some target has fallback_for
	affinity *affinity.Finder     // nil unless the algorithm is affinity
	prompts  *promptcache.Plan    // nil unless providers are asked to cache prompts
	answers  *responsecache.Cache // nil unless answers are kept
	index    endpoint.Index       // which targets may serve a request
	table    *routes.Table        // the APIs that clients may call
	keeps    bool                 // some target's bodies are logged
	budgets  []*budget.Budget
	warnings config.Problems // options without effect, and other things that do not work
	// broken is set when the configuration cannot work; it is the answer to every
	// request.
	broken *chat.Error
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
		e := endpoint.New(t, p, source, inst.timeouts())
		e.Category, e.Label = endpoint.Category(inst.config.GenAICategory, t.RouteType), endpoint.Label(t, inst.targets)
		if t.Logging.PriceFile != "" {
			if e.Prices, err = inst.relay.prices.Open(t.Logging.PriceFile, inst.relay.log); err != nil {
				return fmt.Errorf("%s.logging.price_file: %w", inst.config.Path(i), err)
			}
		}
		e.Spends.Label, e.Spends.Model, e.Spends.Options = e.Label, t.Model.Name, &t.Model.Options
		e.Spends.Price = func(model string) *prices.Row { return e.Price(&t.Model.Options, model) }
		inst.targets = append(inst.targets, e)
	}
	inst.answers = newAnswers(inst)
	if c := inst.config.ResponseCache; c != nil && c.Redis && inst.relay.answers == nil {
		inst.warn("config.response_cache.redis", "has no effect: "+RedisEnv+" is not set, and answers are kept in memory")
	}
	inst.prompts = promptcache.New(inst.config.Cache, inst.config.Balancer.Affinity.Headers)
	inst.index = endpoint.NewIndex(inst.targets)
	types := make([]route.Type, len(inst.targets))
	for i, t := range inst.targets {
		types[i] = t.RouteType
	}
	inst.table = routes.New(inst.config.LLMFormat, types)
	inst.policy = failover.New(inst.config.Balancer.FailoverCriteria)
	if h := inst.config.Balancer.Hedge; h != nil {
		var err error
		if inst.hedge, err = hedge.New(h.After, h.Budget); err != nil {
			return fmt.Errorf("config.balancer.hedge.%w", err)
		}
	}
	inst.reserves = slices.ContainsFunc(inst.targets, func(t *endpoint.Endpoint) bool { return t.FallbackFor != nil })
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
		list[i] = warnings.Target{Target: t.Target, Provider: t.Provider, Unpriced: t.Prices != nil && t.Price(&t.Model.Options, t.Model.Name) == nil}
	}
	return list
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
		t.Identity = endpoint.Identity(inst.config.PluginID, inst.targets, i)
		targets[i] = balancer.Target{ID: t.Identity, Weight: max(t.Weight, 1), State: inst.relay.states.Use(t.Identity)}
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
			if o := &t.Model.Options; (o.InputCost == nil || o.OutputCost == nil) && t.Price(&t.Model.Options, t.Model.Name) == nil {
				why = fmt.Sprintf("cost needs model.options.input_cost and output_cost of every target, %s has not both", t.ModelHeader(t.Model.Name)[0])
			}
		}
	}
	if why == "" {
		return b.TokensCountStrategy
	}
	inst.warn("config.balancer.tokens_count_strategy", "lowest-usage goes by total-tokens: "+why)
	return "total-tokens"
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
		if t.Identity != "" {
			inst.relay.states.Release(t.Identity)
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
			Plugin: inst.config.PluginID, RouteType: string(t.RouteType), Target: t.Label.Target, Provider: t.Label.Provider, Model: t.Label.Model,
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
			inst.targets[0].Describe(d)
		}
	})
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
		if (t.RouteType == route.Preserve || s != nil && s.Resources != nil || inst.index.RouteTypes() > 1) && !slices.Contains(need, wire.NeedPath) {
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
	return inst.budget() > 1 && len(inst.index.Of(wanted)) > 1
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

// pathOf is the path of a target in the configuration, as Kong writes it.
func (inst *Instance) pathOf(t *endpoint.Endpoint) string {
	if i := slices.Index(inst.targets, t); i >= 0 {
		return inst.config.Path(i)
	}
	return "config.embeddings"
}

// Serve implements gateway.Instance.
func (inst *Instance) Serve(ctx context.Context, in *wire.Inbound, out wire.Sink, live record.Live) {
	inst.relay.Serve(ctx, inst, in, out, live)
}
