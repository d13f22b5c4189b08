// Package endpoint is a configured target, compiled: what requests need of it again and
// again, made once when the configuration is loaded. Which of the targets may serve a
// request is in index.go. It makes no request and knows none. Start with Endpoint.
package endpoint

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"go-ai-proxy/plugin/acl"
	"go-ai-proxy/plugin/adapt"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/plugin/pricelist"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/spending"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/prices"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Endpoint is one configured target, compiled. It is not changed once its instance serves
// requests.
type Endpoint struct {
	*config.Target
	Identity string // names the target across configurations
	Provider *provider.Provider
	Aliases  []string // the names and patterns of model_alias
	Source   *credentials.Source
	Timeouts wire.Timeouts
	Category string                  // genai_category of the target, for the log
	Label    record.Label            // of its metrics
	Prices   *pricelist.List         // nil when models without prices have none
	base     atomic.Pointer[baseURL] // the last URL parsed, usually the only one
	Spends   spending.Target         // what budgets know of it
	Refused  adapt.Memory            // what its models do not take

	// The model's name in the forms that are usually sent: to the provider, and to
	// the client in X-Kong-Llm-Model.
	modelJSON   []byte
	modelHeader []string
}

// New compiles a target of provider p. What else an Endpoint has is set by its instance.
func New(t *config.Target, p *provider.Provider, source *credentials.Source, timeouts wire.Timeouts) *Endpoint {
	return &Endpoint{
		Target: t, Provider: p, Source: source, Timeouts: timeouts, Aliases: t.Model.Aliases(),
		modelJSON:   jsonedit.AppendString(nil, t.Model.Name),
		modelHeader: []string{wire.HeaderValue(t.Model.Provider + "/" + t.Model.Name)},
	}
}

// ModelJSON is a model's name as a JSON string. It must not be changed.
func (t *Endpoint) ModelJSON(model string) []byte {
	if model == t.Model.Name {
		return t.modelJSON
	}
	return jsonedit.AppendString(nil, model)
}

// ModelHeader is the value of the header that names provider and model. It must not be
// changed.
func (t *Endpoint) ModelHeader(model string) []string {
	if model == t.Model.Name {
		return t.modelHeader
	}
	return []string{wire.HeaderValue(t.Model.Provider + "/" + model)}
}

// Price is the price of a model, called with options o, from the target's price list; nil
// when the list has none, or o has prices of its own.
func (t *Endpoint) Price(o *target.Options, model string) *prices.Row {
	if t.Prices == nil || o.Known() {
		return nil
	}
	return t.Prices.Table().Find(t.Provider, model)
}

// baseURL is a text and the URL parsed from it.
type baseURL struct {
	text string
	url  url.URL
}

// ParseBase is url.Parse with a cache of one, for the base of a target's URLs. It is safe
// for concurrent use.
func (t *Endpoint) ParseBase(text string) (url.URL, error) {
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

// Describe records that t is going to answer.
func (t *Endpoint) Describe(d *record.Data) {
	d.Logging, d.Category, d.Label = t.Logging, t.Category, t.Label
	d.Provider, d.Model, d.Options = t.Model.Provider, t.Model.Name, &t.Model.Options
}

// HasAlias says whether clients may call the target by this name.
func (t *Endpoint) HasAlias(model string) bool {
	return slices.ContainsFunc(t.Aliases, func(alias string) bool { return config.MatchesAlias(alias, model) })
}

// Ruled is what ACLs may name of the target.
func (t *Endpoint) Ruled() acl.Target {
	return acl.Target{Provider: t.Model.Provider, Alias: t.Model.Alias, Aliases: t.Aliases, Plain: t.Provider.PlainModel}
}

// Names are the names by which clients may ask for the target: of its aliases those
// that are no patterns, else the model's.
func (t *Endpoint) Names() []string {
	names := slices.DeleteFunc(slices.Clone(t.Aliases), config.IsPattern)
	if len(names) == 0 && t.FixedModel() && t.Model.Name != "" {
		names = append(names, t.Model.Name)
	}
	return names
}

// public is the model name that clients use for the target.
func (t *Endpoint) public() string {
	if t.Model.Alias != "" {
		return t.Model.Alias
	}
	return t.Model.Name
}

// Label names a target in metrics; before are the targets that have their names.
func Label(t *config.Target, before []*Endpoint) record.Label {
	l := record.Label{Operation: t.RouteType.Operation(), Provider: t.Model.Provider, Target: t.Model.Alias}
	if t.Static() {
		l.Model = t.Model.Name
	}
	if l.Target == "" {
		l.Target = strings.TrimSuffix(t.Model.Provider+"/"+t.Model.Name, "/")
	}
	for n, name := 2, l.Target; slices.ContainsFunc(before, func(e *Endpoint) bool { return e.Label.Target == l.Target }); n++ {
		l.Target = name + " #" + strconv.Itoa(n)
	}
	return l
}

// Identity identifies target i of all across configurations: by the plugin, its address
// and what it serves, not by its weight or its prices.
func Identity(pluginID string, all []*Endpoint, i int) string {
	t := all[i]
	parts := []string{pluginID, string(t.RouteType), t.Model.Provider, t.Model.Name, t.Model.Alias, t.Description}
	for i := range target.List {
		if o := &target.List[i]; o.Identity {
			parts = append(parts, *o.Text(&t.Model.Options))
		}
	}
	id := strings.Join(parts, "\x00")
	same := 0
	for _, other := range all[:i] {
		if strings.HasPrefix(other.Identity, id+"\x00#") {
			same++
		}
	}
	return id + "\x00#" + strconv.Itoa(same)
}

// Category is the genai_category that requests are logged under; set is the configured
// one. A default, which nobody may have set, is replaced by the category of the route type.
func Category(set string, wanted route.Type) string {
	const fallback = "text/generation"
	if set != fallback {
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
