package standalone

import (
	"cmp"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"go-ai-proxy/plugin"
)

// loader turns a declarative configuration into routes.
type loader struct {
	relay  *plugin.Relay
	getenv func(string) string
	mock   bool

	services []*service
	routes   []*route
	left     []*route // that no client can reach
	blocks   []*block // that have an instance
	global   *block
	router   *router

	foreign map[string]bool // features of Kong that this program does not have
	notes   []string
	// reasons says why a plugin of ours serves nothing. renamed is the place of a
	// plugin of Kong's that this one replaces.
	reasons []string
	renamed string
}

// load creates the router of a configuration. An error is one line that names the
// entity and the field.
func (l *loader) load(data []byte) error {
	d, err := parse(data)
	if err != nil {
		return err
	}
	l.foreign = map[string]bool{}
	if err := l.entities(d); err != nil {
		return err
	}
	served := false
	for _, r := range l.routes {
		if err := l.equip(r); err != nil {
			return err
		}
		served = served || r.instance != nil
	}
	if !served {
		return l.nothing()
	}
	if l.renamed != "" {
		l.note("%s is not served: rename it to %s, which takes the same config", l.renamed, plugin.Name)
	}
	if len(l.foreign) > 0 {
		l.note("not served without Kong: %s", l.strangers())
	}
	l.router, err = newRouter(l.routes)
	return err
}

// close releases the instances' resources.
func (l *loader) close() {
	for _, b := range l.blocks {
		b.instance.Close()
	}
}

// nothing returns the error that there is nothing to serve, with all possible
// reasons.
func (l *loader) nothing() error {
	if l.renamed != "" {
		return fmt.Errorf("%s: rename it to %s, which takes the same config: no other plugin is served here", l.renamed, plugin.Name)
	}
	why := l.reasons
	if len(l.foreign) > 0 {
		why = append(why, "not served without Kong: "+l.strangers())
	}
	what := "no route has the plugin " + plugin.Name
	if len(l.routes)+len(l.left) == 0 {
		what = "there is no route"
	}
	if len(why) == 0 {
		return errors.New(what)
	}
	return fmt.Errorf("%s: %s", what, strings.Join(why, "; "))
}

func (l *loader) strangers() string { return strings.Join(slices.Sorted(maps.Keys(l.foreign)), ", ") }

func (l *loader) note(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

func (l *loader) reason(format string, args ...any) {
	l.reasons = append(l.reasons, fmt.Sprintf(format, args...))
}

// entities reads services, routes and plugins, and connects them.
func (l *loader) entities(d *document) error {
	for _, name := range slices.Sorted(maps.Keys(d.Rest)) {
		if like := resembles(name, "services", "routes", "plugins"); like != "" {
			return fmt.Errorf("%s: unknown field: %s is meant", name, like)
		}
		l.foreign[name] = true
		if name == "consumers" || name == "consumer_groups" {
			l.ofConsumers(name, d.Rest[name])
		}
	}
	for i := range d.Services {
		if err := l.service(&d.Services[i], i); err != nil {
			return err
		}
	}
	for i := range d.Routes {
		if err := l.route(&d.Routes[i], "routes", i, nil); err != nil {
			return err
		}
	}
	for i := range d.Plugins {
		b, err := decodeBlock(&d.Plugins[i], "plugins", i)
		if err != nil {
			return err
		}
		ours, err := l.ours(b)
		if err != nil {
			return err
		}
		if !ours {
			continue
		}
		if err := l.attach(b); err != nil {
			return err
		}
	}
	return nil
}

// ofConsumers records plugins of ours among those of consumers or their groups.
func (l *loader) ofConsumers(list string, entities any) {
	all, _ := entities.([]any)
	for i, entity := range all {
		fields, _ := entity.(map[string]any)
		plugins, _ := fields["plugins"].([]any)
		for _, one := range plugins {
			if b, _ := one.(map[string]any); b["name"] == plugin.Name {
				where := place(list, cmp.Or(text(fields, "username"), text(fields, "name")), i)
				l.note("%s.plugins[%s] is not served: there are no consumers without Kong", where, plugin.Name)
				l.reasons = append(l.reasons, l.notes[len(l.notes)-1])
			}
		}
	}
}

func (l *loader) service(n *yaml.Node, i int) error {
	s, err := decodeService(n, i)
	if err != nil {
		return err
	}
	if s.own, err = l.nested(s.Plugins, s.where); err != nil {
		return err
	}
	l.services = append(l.services, s)
	for i := range s.Routes {
		if err := l.route(&s.Routes[i], s.where+".routes", i, s); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) route(n *yaml.Node, list string, i int, s *service) error {
	r, f, err := decodeRoute(n, list, i)
	if err != nil {
		return err
	}
	if r.block, err = l.nested(f.Plugins, r.where); err != nil {
		return err
	}
	if r.service = s; s == nil && f.Service != "" {
		at := slices.IndexFunc(l.services, func(s *service) bool { return f.Service.names(s.ID, s.Name) })
		if at < 0 {
			return fmt.Errorf("%s.service: no service %q", r.where, f.Service)
		}
		r.service = l.services[at]
	}
	switch {
	case !web(f.Protocols):
		l.note("%s is not served: its protocols are %s", r.where, strings.Join(f.Protocols, ", "))
		l.reasons = append(l.reasons, l.notes[len(l.notes)-1])
		l.left = append(l.left, r)
	case r.service != nil && r.service.Enabled != nil && !*r.service.Enabled:
		l.reason("%s is not served: %s is not enabled", r.where, r.service.where)
		l.left = append(l.left, r)
	default:
		r.entities = describe(r, f)
		l.routes = append(l.routes, r)
	}
	return nil
}

// nested returns the plugin of ours among those of a service or a route.
func (l *loader) nested(nodes []yaml.Node, where string) (own *block, err error) {
	for i := range nodes {
		b, err := decodeBlock(&nodes[i], where+".plugins", i)
		if err != nil {
			return nil, err
		}
		ours, err := l.ours(b)
		if err != nil {
			return nil, err
		}
		if !ours {
			continue
		}
		if own != nil {
			return nil, twice(b)
		}
		own = b
	}
	return own, nil
}

func twice(b *block) error { return fmt.Errorf("%s: there is another one in the same place", b.where) }

// ours reports whether a block is for this program, and records the reason if it is
// not.
func (l *loader) ours(b *block) (bool, error) {
	var why string
	switch {
	case b.Name == "ai-proxy", b.Name == "ai-proxy-advanced":
		if b.Enabled == nil || *b.Enabled {
			l.renamed = cmp.Or(l.renamed, b.where)
		}
		return false, nil
	case b.Name != plugin.Name:
		if resembles(b.Name, plugin.Name) != "" {
			return false, fmt.Errorf("%s.name: there is no plugin %q: %s is meant", b.where, b.Name, plugin.Name)
		}
		if b.Enabled == nil || *b.Enabled {
			l.foreign["plugin "+b.Name] = true
		}
		return false, nil
	case b.Enabled != nil && !*b.Enabled:
		l.reason("%s is not enabled", b.where)
		return false, nil
	case b.Consumer != "", b.Group != "":
		why = "there are no consumers without Kong"
	case !web(b.Protocols):
		why = "its protocols are " + strings.Join(b.Protocols, ", ")
	default:
		return true, nil
	}
	l.note("%s is not served: %s", b.where, why)
	l.reason("%s is not served: %s", b.where, why)
	return false, nil
}

// attach attaches a plugin at the top level to the entity that it names, or to all
// routes.
func (l *loader) attach(b *block) error {
	to := &l.global
	switch {
	case b.Route != "":
		all := slices.Concat(l.routes, l.left)
		at := slices.IndexFunc(all, func(r *route) bool { return b.Route.names(r.id, r.name) })
		if at < 0 {
			return fmt.Errorf("%s.route: no route %q", b.where, b.Route)
		}
		to = &all[at].block
	case b.Service != "":
		at := slices.IndexFunc(l.services, func(s *service) bool { return b.Service.names(s.ID, s.Name) })
		if at < 0 {
			return fmt.Errorf("%s.service: no service %q", b.where, b.Service)
		}
		to = &l.services[at].own
	}
	if *to != nil {
		return twice(b)
	}
	*to = b
	return nil
}

// equip sets the plugin that applies to a route: its own, its service's, or the
// global one.
func (l *loader) equip(r *route) error {
	if r.block == nil && r.service != nil {
		r.block = r.service.own
	}
	if r.block == nil {
		r.block = l.global
	}
	if r.block == nil {
		l.note("%s is not served: it has no plugin %s", r.where, plugin.Name)
		return nil
	}
	if err := l.compile(r.block); err != nil {
		return fmt.Errorf("%s: %w", r.block.where, err)
	}
	r.instance = r.block.instance
	return nil
}

func (l *loader) compile(b *block) error {
	if b.instance != nil {
		return nil
	}
	if b.Config == nil {
		b.Config = map[string]any{}
	}
	c, err := l.relay.Schema().Process(b.Config)
	if err != nil {
		return err
	}
	if c, err = l.relay.Schema().Dereference(c, l.vault); err != nil {
		return err
	}
	if problems := unreplaced("config", c); len(problems) > 0 {
		return problems
	}
	b.targets = targetsOf(c)
	b.secrets = secretsOf(b.targets)
	if l.mock {
		for i := range b.targets {
			b.targets[i].offline()
		}
	}
	c["__plugin_id"] = cmp.Or(b.ID, identity(b.where))
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	b.instance, err = l.relay.NewInstance(data)
	l.blocks = append(l.blocks, b)
	return err
}

// identity returns a UUID for an entity without one. It is always the same for the
// same place, as in Kong's declarative configurations.
func identity(where string) string {
	h := sha1.Sum([]byte("go-ai-proxy:" + where))
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80 // a UUID of version 5 (RFC 9562)
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
