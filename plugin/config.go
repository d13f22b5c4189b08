package plugin

import (
	"fmt"
	"net/http"
	"time"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
)

// Instance is one configuration of the plugin, compiled: an immutable snapshot
// that is swapped whole.
type Instance struct {
	config    *config.Config
	targets   []*endpoint
	protocols map[string]*surface // what a client may speak, by route type
	// broken is set for a configuration that cannot work; every request is
	// answered with it.
	broken *chat.Error
}

// endpoint is one configured target, compiled.
type endpoint struct {
	*config.Target
	index    int
	provider *provider.Provider
	source   *credentials.Source
	timeouts Timeouts
}

// NewInstance compiles a configuration as Kong sends it. It never fails: one
// that cannot work answers every request with 500 and the reason, which err
// also says, once, for the log.
func (r *Relay) NewInstance(data []byte) (inst *Instance, err error) {
	c, err := config.Parse(data)
	if err == nil {
		err = c.Check()
	}
	if c == nil {
		c = &config.Config{}
	}
	inst = &Instance{config: c}
	if err == nil {
		err = inst.compile()
	}
	if err != nil {
		inst.broken = refuse(http.StatusInternalServerError, "the configuration of go-ai-proxy cannot work: "+err.Error())
	}
	return inst, err
}

func (inst *Instance) compile() error {
	for i := range inst.config.Targets {
		t := &inst.config.Targets[i]
		p := translators.Lookup(t.Model.Provider)
		if p == nil {
			return fmt.Errorf("model.provider: %q is not supported yet; use one of %v", t.Model.Provider, translators.Names())
		}
		source, err := credentials.New(t.Auth, t.Model.Provider, &t.Model.Options)
		if err != nil {
			return fmt.Errorf("targets[%d].auth: %w", i, err)
		}
		b := &inst.config.Balancer
		inst.targets = append(inst.targets, &endpoint{Target: t, index: i, provider: p, source: source, timeouts: Timeouts{
			Connect: time.Duration(b.ConnectTimeout) * time.Millisecond,
			Write:   time.Duration(b.WriteTimeout) * time.Millisecond,
			Read:    time.Duration(b.ReadTimeout) * time.Millisecond,
		}})
	}
	return nil
}

// record returns the empty record of a request.
func (inst *Instance) record() *Record {
	rec := &Record{pluginID: inst.config.PluginID, outcome: Pending, mode: Oneshot}
	if len(inst.targets) > 0 {
		rec.describe(inst.targets[0])
	}
	return rec
}

// describe names the target that is going to answer.
func (r *Record) describe(t *endpoint) {
	r.logging = t.Logging
	r.provider, r.model, r.options = t.Model.Provider, t.Model.Name, &t.Model.Options
}
