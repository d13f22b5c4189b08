package standalone

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"go-ai-proxy/plugin"
)

// Kong's declarative configuration, as far as this package uses it. Fields that Kong
// has and this package does not need are in Rest and are checked against lists, so
// that a misspelt field is an error, as in Kong.

type document struct {
	Format    any            `yaml:"_format_version"`
	Transform any            `yaml:"_transform"`
	Comment   any            `yaml:"_comment"`
	Info      any            `yaml:"_info"`
	Ignore    any            `yaml:"_ignore"`
	Services  []yaml.Node    `yaml:"services"`
	Routes    []yaml.Node    `yaml:"routes"`
	Plugins   []yaml.Node    `yaml:"plugins"`
	Rest      map[string]any `yaml:",inline"`
	root      *yaml.Node
}

type service struct {
	where    string
	ID       string         `yaml:"id"`
	Name     string         `yaml:"name"`
	URL      string         `yaml:"url"`
	Protocol string         `yaml:"protocol"`
	Host     string         `yaml:"host"`
	Port     int            `yaml:"port"`
	Path     string         `yaml:"path"`
	Enabled  *bool          `yaml:"enabled"`
	Routes   []yaml.Node    `yaml:"routes"`
	Plugins  []yaml.Node    `yaml:"plugins"`
	Rest     map[string]any `yaml:",inline"`
	own      *block
}

var serviceFields = fields("retries", "connect_timeout", "write_timeout", "read_timeout", "tags", "client_certificate",
	"tls_verify", "tls_verify_depth", "ca_certificates", "tls_sans", "created_at", "updated_at")

type routeFields struct {
	ID        string              `yaml:"id"`
	Name      string              `yaml:"name"`
	Paths     []string            `yaml:"paths"`
	Methods   []string            `yaml:"methods"`
	Hosts     []string            `yaml:"hosts"`
	Headers   map[string][]string `yaml:"headers"`
	Protocols []string            `yaml:"protocols"`
	Strip     *bool               `yaml:"strip_path"`
	Priority  int                 `yaml:"regex_priority"`
	Service   ref                 `yaml:"service"`
	Plugins   []yaml.Node         `yaml:"plugins"`
	Rest      map[string]any      `yaml:",inline"`
}

var routeRest = fields("preserve_host", "tags", "https_redirect_status_code", "path_handling", "request_buffering",
	"response_buffering", "snis", "sources", "destinations", "created_at", "updated_at")

// block is one entry of a list of plugins.
type block struct {
	where    string
	ID       string         `yaml:"id"`
	Name     string         `yaml:"name"`
	Enabled  *bool          `yaml:"enabled"`
	Config   map[string]any `yaml:"config"`
	Route    ref            `yaml:"route"`
	Service  ref            `yaml:"service"`
	Consumer ref            `yaml:"consumer"`
	Group    ref            `yaml:"consumer_group"`
	// Protocols are those of requests that the plugin is for.
	Protocols []string       `yaml:"protocols"`
	Rest      map[string]any `yaml:",inline"`

	// The instance, which all of its routes share.
	instance *plugin.Instance
	targets  []target
	secrets  *secrets
}

var blockRest = fields("tags", "instance_name", "ordering", "run_on", "created_at", "updated_at", "condition")

// ref names another entity: by its name, or as {name: …} or {id: …}.
type ref string

// UnmarshalYAML implements yaml.Unmarshaler.
func (r *ref) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode((*string)(r))
	}
	var m struct{ ID, Name string }
	if err := n.Decode(&m); err != nil {
		return err
	}
	*r = ref(cmp.Or(m.ID, m.Name))
	return nil
}

func (r ref) names(id, name string) bool { return r != "" && (string(r) == id || string(r) == name) }

func fields(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// parse reads YAML, of which JSON is a part.
func parse(data []byte) (*document, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, plain(err)
	}
	if len(root.Content) == 0 {
		return nil, errors.New("the file is empty")
	}
	keepDates(&root)
	d := &document{root: root.Content[0]}
	if err := root.Decode(d); err != nil {
		return nil, misfit("", root.Content[0], reflect.TypeFor[document](), err)
	}
	return d, nil
}

// keepDates keeps as text what YAML would read as a date. Kong has no dates, but
// anthropic_version: 2023-06-01 looks like one.
func keepDates(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, c := range n.Content {
		keepDates(c)
	}
}

// plain returns an error of the YAML package in one line.
func plain(err error) error {
	var types *yaml.TypeError
	if errors.As(err, &types) && len(types.Errors) > 0 {
		return errors.New(strings.Join(types.Errors, "; "))
	}
	return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
}

// place returns the place of an entity in a list: its name, or its number, counted
// from 1 as in Kong.
func place(list, name string, i int) string {
	return list + "[" + cmp.Or(name, strconv.Itoa(i+1)) + "]"
}

// decode reads an entity. where is its place in the list.
func decode(n *yaml.Node, list string, i int, into any) (where string, err error) {
	var label struct{ Name string }
	_ = n.Decode(&label) // a name of the wrong type is reported by the next line
	where = place(list, label.Name, i)
	if err := n.Decode(into); err != nil {
		return where, misfit(where, n, reflect.TypeOf(into).Elem(), err)
	}
	return where, literals(where, n)
}

// literals returns an error if a field of an entity contains text that should have
// been replaced. A plugin's config is checked with its schema.
func literals(where string, n *yaml.Node) error {
	switch n.Kind {
	case yaml.ScalarNode:
		if message := refuseUnreplaced(n.Value); message != "" {
			return fmt.Errorf("%s: %s", where, message)
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			if err := literals(fmt.Sprintf("%s[%d]", where, i+1), c); err != nil {
				return err
			}
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			switch name := n.Content[i].Value; name {
			case "routes", "plugins", "config": // entities of their own
			default:
				if err := literals(where+"."+name, n.Content[i+1]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// misfit returns an error that names the value in n that does not fit type t, with
// the texts of Kong's schema errors. err is the YAML package's error, which only has
// line numbers, and repeats values.
func misfit(where string, n *yaml.Node, t reflect.Type, err error) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	want := ""
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		if n.Kind == yaml.MappingNode {
			return misfitIn(where, n, t, err)
		}
		want = "a record"
	case reflect.Slice:
		if n.Kind == yaml.SequenceNode {
			for i, c := range n.Content {
				if err := c.Decode(reflect.New(t.Elem()).Interface()); err != nil {
					return misfit(fmt.Sprintf("%s[%d]", where, i+1), c, t.Elem(), err)
				}
			}
			return fmt.Errorf("%s: %w", where, plain(err))
		}
		want = "an array"
	case reflect.Bool:
		want = "a boolean"
	case reflect.Int:
		want = "an integer"
	default:
		want = "a string"
	}
	return fmt.Errorf("%s: expected %s", cmp.Or(where, "the file"), want)
}

// misfitIn is misfit for the members of a record or of a map.
func misfitIn(where string, n *yaml.Node, t reflect.Type, err error) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i].Value, n.Content[i+1]
		of := typeOf(t, name)
		if of == nil {
			continue
		}
		if err := value.Decode(reflect.New(of).Interface()); err != nil {
			return misfit(strings.TrimPrefix(where+"."+name, "."), value, of, err)
		}
	}
	if where == "" {
		return plain(err)
	}
	return fmt.Errorf("%s: %w", where, plain(err))
}

// typeOf returns the type of the member with that name, or nil if any type is
// allowed.
func typeOf(t reflect.Type, name string) reflect.Type {
	if t.Kind() == reflect.Map {
		return t.Elem()
	}
	for f := range t.Fields() {
		if f.Tag.Get("yaml") == name {
			return f.Type
		}
	}
	return nil
}

// resembles returns the name among names that a misspelt name resembles, or "". The
// first letter must be right, since my-ai-proxy may be another plugin.
func resembles(name string, names ...string) string {
	plain := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	for _, n := range names {
		if name != n && plain != "" && plain[0] == n[0] && distance(plain, n) <= 2 {
			return n
		}
	}
	return ""
}

// distance returns how many bytes must be inserted, removed or changed to turn a into
// b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// unknown returns an error if there are fields that Kong does not know.
func unknown(where string, rest map[string]any, known map[string]bool) error {
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		if !known[name] {
			return fmt.Errorf("%s.%s: unknown field", where, name)
		}
	}
	return nil
}

func decodeService(n *yaml.Node, i int) (*service, error) {
	s := &service{}
	var err error
	if s.where, err = decode(n, "services", i, s); err != nil {
		return nil, err
	}
	if err := unknown(s.where, s.Rest, serviceFields); err != nil {
		return nil, err
	}
	if s.URL != "" {
		u, err := url.Parse(s.URL)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("%s.url: %q is not a URL", s.where, s.URL)
		}
		s.Protocol, s.Host, s.Path = u.Scheme, u.Hostname(), u.EscapedPath()
		s.Port, _ = strconv.Atoi(u.Port())
	}
	s.Protocol = cmp.Or(s.Protocol, "http")
	if s.Port == 0 {
		s.Port = map[string]int{"https": 443}[s.Protocol]
		s.Port = cmp.Or(s.Port, 80)
	}
	if s.Host == "" {
		return nil, fmt.Errorf("%s: needs url, or host", s.where)
	}
	if s.Path != "" && !strings.HasPrefix(s.Path, "/") {
		return nil, fmt.Errorf("%s.path: %q should start with /", s.where, s.Path)
	}
	return s, nil
}

// decodeRoute reads a route without its plugins.
func decodeRoute(n *yaml.Node, list string, i int) (*route, *routeFields, error) {
	f := &routeFields{}
	where, err := decode(n, list, i, f)
	if err != nil {
		return nil, nil, err
	}
	if _, ok := f.Rest["expression"]; ok {
		return nil, nil, fmt.Errorf("%s.expression: does not work without Kong: use paths, methods, hosts and headers", where)
	}
	if err := unknown(where, f.Rest, routeRest); err != nil {
		return nil, nil, err
	}
	if len(f.Paths)+len(f.Methods)+len(f.Hosts)+len(f.Headers) == 0 {
		return nil, nil, fmt.Errorf("%s: must set one of 'methods', 'hosts', 'headers', 'paths'", where)
	}
	r := &route{where: where, id: cmp.Or(f.ID, identity(where)), name: f.Name, strip: f.Strip == nil || *f.Strip, paths: f.Paths, methods: f.Methods, priority: f.Priority}
	for _, h := range f.Hosts {
		name, port := splitHost(strings.ToLower(h))
		r.hosts = append(r.hosts, host{name, port})
	}
	for _, name := range slices.Sorted(maps.Keys(f.Headers)) {
		h := header{name: http.CanonicalHeaderKey(name)}
		for _, v := range f.Headers[name] {
			h.values = append(h.values, strings.ToLower(v))
		}
		if len(h.values) == 1 {
			if pattern, ok := strings.CutPrefix(h.values[0], "~*"); ok {
				if h.pattern, err = regexp.Compile(pattern); err != nil {
					return nil, nil, fmt.Errorf("%s.headers.%s: %w", where, name, err)
				}
			}
		}
		r.headers = append(r.headers, h)
	}
	return r, f, nil
}

// web reports whether HTTP clients can reach a route with these protocols.
func web(protocols []string) bool {
	return len(protocols) == 0 || slices.ContainsFunc(protocols, func(p string) bool {
		return p == "http" || p == "https" || p == "ws" || p == "wss"
	})
}

func decodeBlock(n *yaml.Node, list string, i int) (*block, error) {
	b := &block{}
	var err error
	if b.where, err = decode(n, list, i, b); err != nil {
		return nil, err
	}
	if b.Name == "" {
		return nil, fmt.Errorf("%s.name: required field missing", b.where)
	}
	return b, unknown(b.where, b.Rest, blockRest)
}
