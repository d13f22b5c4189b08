package plugin

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// outgoing is the request to the provider, while it is made and when it has been sent.
type outgoing struct {
	plan   *plan
	asked  *provider.Call // what the provider is asked instead of the plan's operation; nil for that
	pieces [][]byte       // of the body, in order
	needs  [][2]string    // headers that the translated body needs
	fitted []string       // values of the header of the operation's Fit
	left   []string       // the client's hosted tools that the provider does not have
	hidden bool           // a usage chunk has been asked for, which the client did not ask for
	url    url.URL
	signed credentials.Outgoing // as the credentials signed it
	call   wire.Outgoing
}

// address sets method, URL and headers of the outgoing request.
func (o *outgoing) address() error {
	p := o.plan
	if err := o.setURL(); err != nil {
		return err
	}
	o.call.URL = &o.url
	o.call.Method = p.request.in.Method
	switch {
	case o.asked != nil:
		o.call.Method = o.asked.Method
	case p.how != untouched && p.request.api.Resources == nil && p.request.api.Body != provider.TakeSocket:
		o.call.Method = http.MethodPost // whatever method the client used
	}
	o.call.Header = o.headers()
	o.call.Timeouts = p.endpoint.Timeouts
	return nil
}

// setURL is the only place where upstream URLs are made, from the provider's base
// and the operation's path, or the configured URL, and the query.
func (o *outgoing) setURL() error {
	p := o.plan
	options := p.target.Options
	u := &o.url
	path, err := o.operationPath()
	if err != nil {
		return err
	}
	var query string
	path, query, _ = strings.Cut(path, "?")
	if p.request.api.Model == provider.ModelInQuery && !p.request.modelInQuery() {
		query = ""
	}
	if options.UpstreamURL != "" {
		if *u, err = p.endpoint.ParseBase(options.UpstreamURL); err != nil || u.Host == "" {
			return refuse(http.StatusInternalServerError, fmt.Sprintf("model.options.upstream_url: %q is not a URL", options.UpstreamURL))
		}
		u.Scheme = strings.Replace(u.Scheme, "ws", "http", 1) // a WebSocket begins as HTTP
		bare := u.Path == "" || u.Path == "/"
		if p.instance.native() != nil && p.how == same {
			path, bare = o.nativePath(u, path, bare)
		}
		if o.replacesPath(bare) {
			err = setPath(u, path)
		} else if below := o.belowPath(u.EscapedPath()); below != "" {
			err = setPath(u, below)
		}
	} else {
		at := p.provider.Base
		if p.op.Base != nil {
			at = p.op.Base
		}
		if at == nil {
			return refuse(http.StatusInternalServerError, "must set 'model.options.upstream_url' for self-hosted providers/models")
		}
		var base string
		if base, err = at(p.target); err != nil {
			return p.unready(err)
		}
		if *u, err = p.endpoint.ParseBase(base); err != nil {
			return fmt.Errorf("provider URL: %w", err)
		}
		err = setPath(u, path)
	}
	if err != nil {
		return err
	}
	u.RawQuery = o.query(u.RawQuery, query)
	return nil
}

// replacesPath says whether the operation's path replaces the path of the
// configured URL; bare says that the URL has none.
func (o *outgoing) replacesPath(bare bool) bool {
	p := o.plan
	options := p.target.Options
	switch {
	case o.asked != nil:
		return true
	case p.how == untouched && p.endpoint.OwnPath():
		return bare
	case options.UpstreamPath != "" && p.provider.PathOverURL:
		return true
	case p.how == untouched: // the client's path, unless the configuration sets one
		return bare || options.UpstreamPath == ""
	}
	return bare && (p.provider.Base == nil || p.provider.PathOverURL || p.instance.native() != nil)
}

// belowPath is the path of a REST operation under the configured path, which is
// the one of the API's first family: threads are beside assistants. It is "" when
// the path is used as it is.
func (o *outgoing) belowPath(path string) string {
	p := o.plan
	path = strings.TrimSuffix(path, "/")
	if p.request.api.Resources != nil && p.instance.native() == nil && p.request.family != p.request.api.Resources.Names[0] {
		if beside, ok := strings.CutSuffix(path, "/"+p.request.api.Resources.Names[0]); ok {
			return beside + "/" + p.request.family + p.request.sub
		}
	}
	if p.request.sub == "" {
		return ""
	}
	return path + p.request.sub
}

// operationPath is the operation's path, or the one that the configuration sets.
func (o *outgoing) operationPath() (string, error) {
	p := o.plan
	switch {
	case o.asked != nil:
		return o.asked.Path, nil
	case p.target.Options.UpstreamPath != "":
		prefix := ""
		if p.provider.Prefix != nil {
			prefix = p.provider.Prefix(p.target)
		}
		return prefix + slashed(p.target.Options.UpstreamPath) + p.request.sub, nil
	case p.how == untouched:
		return slashed(p.request.in.Kong.Path), nil
	}
	path, err := p.op.Path(p.target, p.request.stream)
	if err != nil || p.request.api.Resources == nil {
		return path, err
	}
	if first := p.request.api.Resources.Names[0]; p.request.family != first {
		path = strings.TrimSuffix(path, first) + p.request.family
	}
	return path + p.request.sub, nil
}

func slashed(path string) string { return "/" + strings.TrimLeft(path, "/") }

// setPath sets an escaped path and keeps its escapes.
func setPath(u *url.URL, escaped string) error {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return refuse(http.StatusBadRequest, fmt.Sprintf("path %q is not escaped correctly", escaped))
	}
	u.Path, u.RawPath = path, escaped
	return nil
}

// query joins the queries of the configured URL, the operation, the
// provider and the client. Of the provider's fixed parameters (api-version), the
// configured URL's own wins; the client's, where it counts, is one of the target's
// options (Provider.Asked).
func (o *outgoing) query(configured string, parts ...string) string {
	p := o.plan
	parts = append([]string{configured}, parts...)
	var fixed [][2]string
	if of := p.op.Query; of != nil {
		fixed = of(p.target)
	} else if p.provider.Query != nil {
		fixed = p.provider.Query(p.target)
	}
	query := credentials.StripClientQuery(p.request.in.RawQuery)
	switch {
	case o.asked != nil:
		query = "" // the Resource has made its own query
	case p.request.api.Model == provider.ModelInQuery:
		query = credentials.WithoutQuery(query, "model", "deployment")
	}
	if p.foreign() {
		query = "" // another provider does not know the client's parameters, and Google refuses unknown ones
	}
	for _, f := range fixed {
		query = credentials.WithoutQuery(query, f[0])
		if f[1] != "" && !credentials.HasQuery(configured, f[0]) {
			parts = append(parts, f[0]+"="+url.QueryEscape(f[1]))
		}
	}
	for _, part := range parts {
		switch {
		case part == "":
		case query == "":
			query = part
		default:
			query += "&" + part
		}
	}
	return query
}

// Header values that many requests share. They must not be changed.
var (
	takesIdentity = []string{"identity"}
	takesGzipToo  = []string{"gzip, identity"}
	isJSON        = []string{"application/json"}
	isJSONInUTF8  = []string{"application/json; charset=utf-8"}
)

// headers returns the client's headers without those that must not leave,
// and adds ours.
func (o *outgoing) headers() http.Header {
	p := o.plan
	h := credentials.Forwarded(p.request.in.Header, 4)
	for k := range h {
		if o.isAnothers(k) || !p.instance.config.PropagateTrace && isTrace(k) {
			delete(h, k)
		}
	}
	if len(o.fitted) > 0 {
		h[p.op.Edit.Fit.Header] = []string{strings.Join(o.fitted, ",")}
	}
	h["Accept-Encoding"] = takesIdentity
	if p.request.gzip {
		h["Accept-Encoding"] = takesGzipToo
	}
	if p.how != untouched && len(o.pieces) > 0 {
		h["Content-Type"] = isJSON
	}
	if o.asked != nil {
		for _, kv := range o.asked.Header {
			h.Set(kv[0], kv[1])
		}
	}
	for _, kv := range o.needs {
		if before := h.Get(kv[0]); before != "" {
			kv[1] = before + "," + kv[1]
		}
		h.Set(kv[0], kv[1])
	}
	for _, own := range []func(*target.Target) [][2]string{p.provider.Header, p.op.Header} {
		if own == nil {
			continue
		}
		for _, kv := range own(p.target) {
			if p.wins(h.Get(kv[0]) != "") {
				h.Set(kv[0], kv[1])
			}
		}
	}
	return h
}

// isTrace says whether a header belongs to distributed tracing: W3C's
// (https://www.w3.org/TR/trace-context/), B3, and those of Jaeger, Datadog and clouds.
func isTrace(name string) bool {
	switch name {
	case "Traceparent", "Tracestate", "Baggage", "B3", "Uber-Trace-Id", "X-Amzn-Trace-Id", "X-Cloud-Trace-Context", "Grpc-Trace-Bin":
		return true
	}
	return strings.HasPrefix(name, "X-B3-") || strings.HasPrefix(name, "Ot-Tracer-") || strings.HasPrefix(name, "X-Datadog-") || strings.HasPrefix(name, "Uberctx-")
}

// authorize adds the target's credentials to the request.
func (o *outgoing) authorize(ctx context.Context) error {
	p := o.plan
	name, value := p.endpoint.Source.BodyParam(func(name string) []byte { return jsonedit.Find(p.request.members, name) })
	if name != "" {
		if p.how == untouched || len(o.pieces) == 0 {
			return refuse(http.StatusInternalServerError, "auth.param_location: body has no place in a request without a JSON body: use query, or header_name")
		}
		body := jsonedit.Join(nil, o.pieces)
		members, err := jsonedit.Object(body, nil)
		if err != nil {
			return err
		}
		o.pieces = jsonedit.Splice(nil, body, members, []jsonedit.Edit{{Key: name, Value: value}})
	}
	o.call.Pieces = o.pieces
	o.signed = credentials.Outgoing{
		Method: o.call.Method, URL: o.call.URL, Header: o.call.Header, Body: o.call.Pieces,
		ClientHeader: p.request.in.Header, ClientQuery: p.request.in.RawQuery,
	}
	err := p.endpoint.Source.Apply(ctx, p.target, &o.signed)
	o.signed.Body = nil // a stream may last
	if err != nil {
		p.instance.relay.log.Error().Str("plugin_id", p.instance.config.PluginID).Str("provider", p.endpoint.Model.Provider).
			Str("error", redact(err)).Msg("credentials")
		return p.unready(err)
	}
	return nil
}

// nativePath is the path of a request to a configured URL. A URL without a path
// gets the API's path. The path of a URL is meant for the format's chat API; when
// it ends in that API's path, the format's other APIs are placed beside it.
func (o *outgoing) nativePath(u *url.URL, path string, bare bool) (string, bool) {
	p := o.plan
	if bare {
		return path, true
	}
	first := p.provider.Find(p.instance.native().Paths[0].API.Format, route.Chat)
	if first == nil || first == p.op {
		return path, false
	}
	own, err := first.Path(p.target, false)
	if err != nil {
		return path, false
	}
	prefix, ok := strings.CutSuffix(u.EscapedPath(), own)
	if !ok {
		return path, false
	}
	return prefix + path, true
}

// isAnothers says whether a client's header is not for the target: it is of another
// vendor, or the operation wants it in the body. Bytes that are forwarded as they came
// keep all headers.
func (o *outgoing) isAnothers(header string) bool {
	p := o.plan
	switch {
	case p.how == untouched:
		return false
	case p.foreign() && p.how == same && p.op.Edit.Fit != nil && p.op.Edit.Fit.Header == header:
		return true
	case header == "Accept":
		return p.foreign() && p.how != same
	}
	return routes.Withholds(header, p.instance.config.LLMFormat, p.provider, p.how == same)
}

// ask makes call the next request to the provider.
func (o *outgoing) ask(call *provider.Call) {
	o.asked, o.pieces, o.call = call, nil, wire.Outgoing{}
	if call.Body != nil {
		o.pieces = [][]byte{call.Body}
	}
}

// leaveRefused takes out of the body what the target's model has refused before.
func (o *outgoing) leaveRefused(rec *record.Record) {
	p := o.plan
	if rows := p.op.Edit.Refusals; len(rows) > 0 && len(o.pieces) > 0 && p.endpoint.Refused.Used() {
		less, what := p.endpoint.Refused.Recall(rows, p.target.Model, jsonedit.Join(nil, o.pieces), p.request.start)
		o.pieces = [][]byte{less}
		leftOut(rec, what...)
	}
}

// lessen takes out of the body what answer, an error of that status, says that the model
// does not take. It reports whether there was such a thing.
func (o *outgoing) lessen(status int, answer []byte, rec *record.Record) bool {
	p := o.plan
	if len(p.op.Edit.Refusals) == 0 || len(o.pieces) == 0 || !p.request.creates() {
		return false
	}
	less, what := p.endpoint.Refused.Lessen(p.op.Edit.Refusals, p.target.Model, jsonedit.Join(nil, o.pieces), status, answer, p.request.start)
	if less == nil {
		return false
	}
	o.pieces, o.call = [][]byte{less}, wire.Outgoing{}
	leftOut(rec, what)
	return true
}

// leftOut puts into the record that the target's model refuses what was left out.
func leftOut(rec *record.Record, what ...string) {
	rec.Update(func(d *record.Data) {
		for _, w := range what {
			d.Warnings = append(d.Warnings, "the model refuses "+w+": left out")
		}
	})
}

// redact removes the target's credentials from a provider's text: some
// providers quote the key that they refuse. It returns text itself when it
// contains none.
func (o *outgoing) redact(text []byte) []byte {
	for _, secret := range o.plan.endpoint.Source.AppendSecrets(nil, o.call.Header) {
		if bytes.Contains(text, []byte(secret)) {
			text = bytes.ReplaceAll(text, []byte(secret), []byte("REDACTED"))
		}
	}
	return text
}
