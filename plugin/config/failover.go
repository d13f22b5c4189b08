package config

import (
	"fmt"
	"slices"

	"go-ai-proxy/translators/route"
)

// failover refuses targets that nothing could reach, and warns of criteria that cannot
// be met.
func (k *checker) failover() {
	b := &k.c.Balancer
	slow := slices.Contains(b.FailoverCriteria, "slow_start")
	switch {
	case slow && b.FirstTokenTimeout == 0:
		k.warn("config.balancer.failover_criteria", "slow_start has no effect without first_token_timeout")
	case !slow && b.FirstTokenTimeout != 0:
		k.warn("config.balancer.first_token_timeout", "has no effect: add slow_start to failover_criteria")
	case slow && (len(k.c.Targets) < 2 || b.Retries == 0):
		k.warn("config.balancer.first_token_timeout", "has no effect: there is no other target that could be asked")
	}
	if b.Hedge != nil && len(k.c.Targets) < 2 {
		k.warn("config.balancer.hedge", "has no effect: there is no other target that could be asked")
	}
	if b.Hedge != nil && b.Hedge.Images && !slices.ContainsFunc(k.c.Targets, func(t Target) bool { return t.RouteType == route.ImageGenerations }) {
		k.warn("config.balancer.hedge.images", "has no effect: no target makes images")
	}
	if b.Healthchecks != nil {
		k.healthchecks(&b.Healthchecks.Active)
	}
	first := map[route.Type]bool{} // that some target serves at first
	for i := range k.c.Targets {
		t := &k.c.Targets[i]
		first[t.RouteType] = first[t.RouteType] || t.FallbackFor == nil
	}
	for i := range k.c.Targets {
		t, field := &k.c.Targets[i], fmt.Sprintf("%s.fallback_for", k.c.Path(i))
		if t.FallbackFor == nil {
			continue
		}
		if !first[t.RouteType] {
			k.fail(field, "is set for every target of route_type %s, so that none would be asked first: leave it out of one", t.RouteType)
		}
		if b.Retries == 0 {
			k.warn(field, "has no effect: balancer.retries is 0")
		}
		for _, criterion := range t.FallbackFor {
			if !slices.Contains(b.FailoverCriteria, criterion) {
				k.warn(field, "%s is never met: add it to balancer.failover_criteria", criterion)
			}
		}
	}
}

// healthchecks warns where nobody would be checked, and refuses the request for one
// token where it cannot be written.
func (k *checker) healthchecks(active *Active) {
	const field = "config.balancer.healthchecks.active"
	if !slices.ContainsFunc(k.c.Targets, func(t Target) bool { return t.Checked() }) {
		k.warn(field, "has no effect: only targets with model.options.upstream_url are checked")
		return
	}
	if active.Path != "" {
		return
	}
	for i := range k.c.Targets {
		if t := &k.c.Targets[i]; t.Checked() && (k.c.Native() || t.RouteType != route.Chat) {
			k.fail(field+".path", "must be set: %s cannot be asked for one token, only targets of route_type %s with llm_format openai", k.c.Path(i), route.Chat)
		}
	}
}
