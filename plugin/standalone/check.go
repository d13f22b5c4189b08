package standalone

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"go.yaml.in/yaml/v3"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/engine"
)

const checkHelp = `go-ai-proxy check [-strict] FILE …

Reads declarative configurations of Kong and says what is wrong with services,
routes and each plugin go-ai-proxy in them, with file and line: what Kong or the
plugin would refuse, and as warnings what loads but does not work. Nothing is
called, and no secret is needed. The exit status is 1 if there is an error.

  -strict   a warning counts as an error
`

// Check reads the files that args name and writes its findings to stdout, one per
// line. The error is nil if all files can be used.
func Check(schema *config.Schema, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	strict := flags.Bool("strict", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(stdout, checkHelp)
		return err
	case err != nil:
		return UsageError{fmt.Errorf("check: %w: -h lists the flags", err)}
	case flags.NArg() == 0:
		return UsageError{errors.New("check: which file? -h says more")}
	}
	wrong := 0
	relay := plugin.NewRelay(schema, zerolog.Nop(), engine.BuiltIn)
	defer relay.Close()
	for _, file := range flags.Args() {
		c := &checker{relay: relay, file: file}
		c.check()
		errors, warnings := c.print(stdout)
		if wrong += errors; *strict {
			wrong += warnings
		}
	}
	if wrong > 0 {
		return fmt.Errorf("check: %s", count(wrong, "problem"))
	}
	return nil
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// checker checks one file.
type checker struct {
	relay *plugin.Relay
	file  string
	root  *yaml.Node
	ours  []*block
	mu    sync.Mutex // of found
	found []finding
}

// finding is one error or warning.
type finding struct {
	line    int // 0 if unknown
	text    string
	warning bool
}

// print writes the findings in the order of the file, and how many there are.
func (c *checker) print(to io.Writer) (errors, warnings int) {
	slices.SortFunc(c.found, func(a, b finding) int { return cmp.Or(a.line-b.line, strings.Compare(a.text, b.text)) })
	for _, f := range c.found {
		at, kind := c.file, ""
		if f.line > 0 {
			at += ":" + strconv.Itoa(f.line)
		}
		if f.warning {
			kind = "warning: "
			warnings++
		} else {
			errors++
		}
		fmt.Fprintf(to, "%s: %s%s\n", at, kind, f.text)
	}
	fmt.Fprintf(to, "%s: %s of %s, %s, %s\n", c.file, count(len(c.ours), "configuration"), plugin.Name, count(errors, "error"), count(warnings, "warning"))
	return errors, warnings
}

// fail adds an error whose text begins with the path of the wrong value.
func (c *checker) fail(err error) { c.add(err.Error(), false) }

func (c *checker) add(text string, warning bool) {
	path, _, _ := strings.Cut(text, ": ")
	line := lineOf(c.root, path)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found = append(c.found, finding{line, text, warning})
}

func (c *checker) check() {
	data, err := os.ReadFile(c.file)
	if err != nil {
		c.found = append(c.found, finding{text: errors.Unwrap(err).Error()})
		return
	}
	d, err := parse(data)
	if err != nil {
		c.found = append(c.found, finding{text: err.Error()})
		return
	}
	c.root = d.root
	for _, name := range []string{"services", "routes", "plugins"} {
		for other := range d.Rest {
			if resembles(other, name) != "" {
				c.add(other+": unknown field: "+name+" is meant", false)
			}
		}
	}
	for i := range d.Services {
		c.service(&d.Services[i], i)
	}
	for i := range d.Routes {
		c.route(&d.Routes[i], "routes", i)
	}
	c.plugins(d.Plugins, "plugins")
	for _, list := range []string{"consumers", "consumer_groups"} {
		entities := memberOf(d.root, list)
		for i, n := range elements(entities) {
			name := ""
			for _, key := range []string{"username", "name"} {
				if v := memberOf(n, key); v != nil {
					name = v.Value
				}
			}
			c.pluginsOf(n, place(list, name, i))
		}
	}
	c.configurations()
	if len(c.ours) == 0 && len(c.found) == 0 {
		c.found = append(c.found, finding{text: "no plugin " + plugin.Name + " is in it", warning: true})
	}
}

func (c *checker) service(n *yaml.Node, i int) {
	s, err := decodeService(n, i)
	if err != nil {
		c.fail(err)
		return
	}
	for i := range s.Routes {
		c.route(&s.Routes[i], s.where+".routes", i)
	}
	c.plugins(s.Plugins, s.where+".plugins")
}

func (c *checker) route(n *yaml.Node, list string, i int) {
	if memberOf(n, "expression") == nil { // Kong's other router flavor, which standalone does not support
		if _, _, err := decodeRoute(n, list, i); err != nil {
			c.fail(err)
		}
	}
	name := ""
	if v := memberOf(n, "name"); v != nil {
		name = v.Value
	}
	c.pluginsOf(n, place(list, name, i))
}

// pluginsOf checks the plugins of the entity at the path where.
func (c *checker) pluginsOf(n *yaml.Node, where string) {
	var nodes []yaml.Node
	for _, p := range elements(memberOf(n, "plugins")) {
		nodes = append(nodes, *p)
	}
	c.plugins(nodes, where+".plugins")
}

func (c *checker) plugins(nodes []yaml.Node, where string) {
	for i := range nodes {
		b, err := decodeBlock(&nodes[i], where, i)
		if err != nil {
			c.fail(err)
			continue
		}
		switch {
		case b.Name == plugin.Name:
			c.ours = append(c.ours, b)
		case resembles(b.Name, plugin.Name) != "":
			c.add(fmt.Sprintf("%s.name: there is no plugin %q: %s is meant", b.where, b.Name, plugin.Name), false)
		case b.Name == "ai-proxy", b.Name == "ai-proxy-advanced":
			c.add(fmt.Sprintf("%s.name: this is Kong's own plugin: with the name %s it takes the same config", b.where, plugin.Name), true)
		}
	}
}

// configurations checks the configurations of this plugin, on all cores: there may be
// thousands.
func (c *checker) configurations() {
	blocks := make(chan *block)
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for b := range blocks {
				c.configuration(b)
			}
		})
	}
	for _, b := range c.ours {
		blocks <- b
	}
	close(blocks)
	all.Wait()
}

// configuration checks one configuration of this plugin: first with the rules that
// Kong checks, then with those that the plugin checks.
func (c *checker) configuration(b *block) {
	defer func() {
		if p := recover(); p != nil {
			c.add(fmt.Sprintf("%s: internal error: %T", b.where, p), false)
		}
	}()
	if b.Config == nil {
		b.Config = map[string]any{}
	}
	schema := c.relay.Schema()
	filled, err := schema.Process(b.Config)
	if err != nil {
		c.problems(b, err, false)
		return
	}
	whole, err := schema.Dereference(filled, secret)
	if err != nil {
		c.problems(b, err, true) // the secrets may exist where Kong runs
		if whole, err = schema.Dereference(filled, func(string) (string, error) { return placeholder, nil }); err != nil {
			c.problems(b, err, false)
			return
		}
	}
	if problems := unreplaced("config", whole); len(problems) > 0 {
		c.problems(b, problems, false)
		return
	}
	whole["__plugin_id"] = identity(b.where)
	data, err := json.Marshal(whole)
	if err != nil {
		c.fail(fmt.Errorf("%s: %w", b.where, err))
		return
	}
	inst, err := c.relay.NewInstance(data)
	if err != nil {
		c.problems(b, err, false)
	}
	if warnings := inst.Warnings(); len(warnings) > 0 {
		c.problems(b, warnings, true)
	}
	inst.Close()
}

// secret returns the value of a reference to a vault. Only the environment vault can
// be read here.
func secret(reference string) (string, error) {
	if !strings.HasPrefix(reference, "{vault://env/") {
		return placeholder, nil
	}
	return (&loader{getenv: os.Getenv}).vault(reference)
}

// problems adds a finding for each problem in a plugin's config.
func (c *checker) problems(b *block, err error, warning bool) {
	var list config.Problems
	if !errors.As(err, &list) {
		list = config.Problems{{Message: err.Error()}}
	}
	for _, p := range list {
		text := b.where + "."
		if p.Field == "" { // the message begins with it
			text += p.Message
		} else {
			text += p.Field + ": " + p.Message
		}
		c.add(text, warning)
	}
}

// lineOf returns the line of the node that a path such as services[ai].routes[2].paths
// leads to in a document. If a part of the path is missing, it is the line of the last
// part that exists; 0 if none does.
func lineOf(n *yaml.Node, path string) int {
	line := 0
	for n != nil && path != "" {
		end := strings.IndexAny(path, ".[")
		switch {
		case end < 0:
			end = len(path)
		case end == 0 && path[0] == '.':
			path = path[1:]
			continue
		case end == 0:
			key, rest, ok := strings.Cut(path[1:], "]")
			if !ok {
				return line
			}
			if n = element(n, key); n != nil {
				line = n.Line
			}
			path = rest
			continue
		}
		key, value := pairOf(n, path[:end])
		if n = value; key != nil {
			line = key.Line
		}
		path = path[end:]
	}
	return line
}

// memberOf returns the value of a member of a mapping, or nil if there is none.
func memberOf(n *yaml.Node, name string) *yaml.Node {
	_, value := pairOf(n, name)
	return value
}

func pairOf(n *yaml.Node, name string) (key, value *yaml.Node) {
	n = resolved(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], resolved(n.Content[i+1])
		}
	}
	return nil, nil
}

// elements returns the elements of a sequence.
func elements(n *yaml.Node) []*yaml.Node {
	if n = resolved(n); n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// element returns the element of a list of entities that key names: by name, by id, or
// by number, counted from 1.
func element(n *yaml.Node, key string) *yaml.Node {
	list := elements(n)
	for _, one := range list {
		for _, name := range []string{"name", "username", "id"} {
			if v := memberOf(one, name); v != nil && v.Value == key {
				return resolved(one)
			}
		}
	}
	if i, err := strconv.Atoi(key); err == nil && i >= 1 && i <= len(list) {
		return resolved(list[i-1])
	}
	return nil
}

// resolved returns the node that an alias stands for.
func resolved(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
