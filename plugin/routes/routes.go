// Package routes finds what a client may call: which API a request is for, in the
// format that its clients speak, and which formats go with which provider. The
// formats themselves are data of the providers (provider.ClientFormat); no
// provider is named here.
//
// table.go finds route types of the default format, native.go the APIs of
// providers' own formats, resources.go REST operations below a path, models.go and
// probe.go what clients ask before they call anything, and pairs.go what a client of a
// format gets from a provider.
package routes

import (
	"slices"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// Request holds what is examined of a client's request.
type Request struct {
	Method   string
	Path     string            // as Kong's route left it
	Whole    string            // before the route took a part of it, "" where nobody knows
	RawQuery string            // as the client sent it
	Captures map[string]string // of the route's path, by name
}

// Match is what a request is for.
type Match struct {
	API    *provider.API
	Route  route.Type // of the targets that may answer
	Stream bool       // the path asks for a stream
	Model  string     // that the path names, unescaped
	Family string     // of REST operations, one of API.Resources.Names
	Sub    string     // the path below it, "/file-1/content"
}

// Table is what the clients of one configuration may call.
type Table struct {
	format *provider.ClientFormat
	first  route.Type          // of the first target
	served map[route.Type]bool // those of the targets
}

// New makes the table of a client's format and the route types of targets, of
// which there is at least one.
func New(format string, types []route.Type) *Table {
	t := &Table{format: translators.Client, served: map[route.Type]bool{}}
	if n := Native(format); n != nil {
		t.format = n
	}
	for _, wanted := range types {
		t.served[wanted] = true
	}
	if len(types) > 0 {
		t.first = types[0]
	}
	return t
}

// Format is the format of the table's clients.
func (t *Table) Format() *provider.ClientFormat { return t.format }

// Of is the API of a route type in the default format; nil when it has none.
func Of(wanted route.Type) *provider.API { return translators.Client.Of(wanted) }

// natives are the providers' own formats, by llm_format.
var natives = func() map[string]*provider.ClientFormat {
	all := map[string]*provider.ClientFormat{}
	for _, name := range translators.Names() {
		if f := translators.Lookup(name).Client; f != nil {
			all[f.Name] = f
		}
	}
	return all
}()

// Native is the provider's own format that llm_format names; nil for the default
// format.
func Native(format string) *provider.ClientFormat { return natives[format] }

// Formats returns the values of llm_format, the default first.
func Formats() []string {
	formats := []string{}
	for name := range natives {
		formats = append(formats, name)
	}
	slices.Sort(formats)
	return append([]string{translators.Client.Name}, formats...)
}
