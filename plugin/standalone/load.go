package standalone

import (
	"cmp"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/config"
)

// loader turns a declarative configuration into routes.
type loader struct {
	relay  *plugin.Relay
	getenv func(string) string
	mock   bool

	services []*service
	routes   []*route
	global   *block
	// foreign and idle name what Kong would do and this program does not.
	foreign map[string]bool
	notes   []string
	renamed string // where a plugin of Kong's stands that this one replaces
}

// load returns the router for a configuration. An error is one line that names
// the entity and the field.
func (l *loader) load(data []byte) (*router, error) {
	d, err := parse(data)
	if err != nil {
		return nil, err
	}
	l.foreign = map[string]bool{}
	if err := l.entities(d); err != nil {
		return nil, err
	}
	served := 0
	for _, r := range l.routes {
		if err := l.equip(r); err != nil {
			return nil, err
		}
		if r.instance != nil {
			served++
		}
	}
	if served == 0 {
		if l.renamed != "" {
			return nil, fmt.Errorf("%s: rename it to %s, which takes the same config: no other plugin is served here", l.renamed, plugin.Name)
		}
		return nil, fmt.Errorf("no route has the plugin %s", plugin.Name)
	}
	if l.renamed != "" {
		l.note("%s is not served: rename it to %s, which takes the same config", l.renamed, plugin.Name)
	}
	if len(l.foreign) > 0 {
		l.note("not served without Kong: %s", strings.Join(slices.Sorted(maps.Keys(l.foreign)), ", "))
	}
	return newRouter(l.routes)
}

func (l *loader) note(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

// entities reads services, routes and plugins and ties them together.
func (l *loader) entities(d *document) error {
	for name := range d.Rest {
		l.foreign[name] = true
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
		if !l.ours(b) {
			continue
		}
		if err := l.attach(b); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) service(n *yaml.Node, i int) error {
	s, err := decodeService(n, i)
	if err != nil {
		return err
	}
	if s.Enabled != nil && !*s.Enabled {
		return nil
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
	if !web(f.Protocols) {
		l.note("%s is not served: its protocols are %s", r.where, strings.Join(f.Protocols, ", "))
		return nil
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
	r.entities = describe(r, f)
	l.routes = append(l.routes, r)
	return nil
}

// nested returns the plugin of ours among those of a service or a route.
func (l *loader) nested(nodes []yaml.Node, where string) (own *block, err error) {
	for i := range nodes {
		b, err := decodeBlock(&nodes[i], where+".plugins", i)
		if err != nil {
			return nil, err
		}
		if !l.ours(b) {
			continue
		}
		if own != nil {
			return nil, fmt.Errorf("%s: there is another one in the same place", b.where)
		}
		own = b
	}
	return own, nil
}

// ours says whether a block is for this program, and notes it when not.
func (l *loader) ours(b *block) bool {
	switch {
	case b.Enabled != nil && !*b.Enabled:
		return false
	case b.Name == "ai-proxy", b.Name == "ai-proxy-advanced":
		l.renamed = cmp.Or(l.renamed, b.where)
		return false
	case b.Name != plugin.Name:
		l.foreign["plugin "+b.Name] = true
		return false
	case b.Consumer != "", b.Group != "":
		l.note("%s is not served: there are no consumers without Kong", b.where)
		return false
	}
	return true
}

// attach gives a plugin at the top level to what it names, or to all routes.
func (l *loader) attach(b *block) error {
	switch {
	case b.Route != "":
		at := slices.IndexFunc(l.routes, func(r *route) bool { return b.Route.names(r.id, r.name) })
		if at < 0 {
			return fmt.Errorf("%s.route: no route %q", b.where, b.Route)
		}
		l.routes[at].block = b
	case b.Service != "":
		at := slices.IndexFunc(l.services, func(s *service) bool { return b.Service.names(s.ID, s.Name) })
		if at < 0 {
			return fmt.Errorf("%s.service: no service %q", b.where, b.Service)
		}
		l.services[at].own = b
	default:
		l.global = b
	}
	return nil
}

// equip gives a route the plugin that counts for it: its own, its service's,
// or the one for all.
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
	c, err := config.Process(b.Config)
	if err != nil {
		return err
	}
	if c, err = config.Dereference(c, l.vault); err != nil {
		return err
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
	return err
}

// identity is a UUID for an entity without one, always the same for the same
// place, as Kong makes them for declarative configurations.
func identity(where string) string {
	h := sha1.Sum([]byte("go-ai-proxy:" + where))
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80 // a UUID of version 5 (RFC 9562)
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
