package plugin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// address sets method, URL and headers of the outgoing request.
func address(a *attempt) error {
	if err := setURL(a); err != nil {
		return err
	}
	a.out.URL = &a.url
	a.out.Method = a.request.in.Method
	switch {
	case a.asked != nil:
		a.out.Method = a.asked.Method
	case a.how != untouched && a.request.api.Resources == nil && a.request.api.Body != provider.TakeSocket:
		a.out.Method = http.MethodPost // whatever method the client used
	}
	a.out.Header = upstreamHeaders(a)
	a.out.Timeouts = a.endpoint.Timeouts
	return nil
}

// setURL is the only place where upstream URLs are made, from the provider's base
// and the operation's path, or the configured URL, and the query.
func setURL(a *attempt) error {
	o := a.target.Options
	u := &a.url
	path, err := operationPath(a)
	if err != nil {
		return err
	}
	var query string
	path, query, _ = strings.Cut(path, "?")
	if a.request.api.Model == provider.ModelInQuery && !a.request.modelInQuery() {
		query = ""
	}
	if o.UpstreamURL != "" {
		if *u, err = a.endpoint.ParseBase(o.UpstreamURL); err != nil || u.Host == "" {
			return refuse(http.StatusInternalServerError, fmt.Sprintf("model.options.upstream_url: %q is not a URL", o.UpstreamURL))
		}
		u.Scheme = strings.Replace(u.Scheme, "ws", "http", 1) // a WebSocket begins as HTTP
		bare := u.Path == "" || u.Path == "/"
		if a.instance.native() != nil && a.how == same {
			path, bare = nativePath(a, u, path, bare)
		}
		if replacesPath(a, bare) {
			err = setPath(u, path)
		} else if below := belowPath(a, u.EscapedPath()); below != "" {
			err = setPath(u, below)
		}
	} else {
		at := a.provider.Base
		if a.op.Base != nil {
			at = a.op.Base
		}
		if at == nil {
			return refuse(http.StatusInternalServerError, "must set 'model.options.upstream_url' for self-hosted providers/models")
		}
		var base string
		if base, err = at(a.target); err != nil {
			return a.unready(err)
		}
		if *u, err = a.endpoint.ParseBase(base); err != nil {
			return fmt.Errorf("provider URL: %w", err)
		}
		err = setPath(u, path)
	}
	if err != nil {
		return err
	}
	u.RawQuery = upstreamQuery(a, u.RawQuery, query)
	return nil
}

// replacesPath says whether the operation's path replaces the path of the
// configured URL; bare says that the URL has none.
func replacesPath(a *attempt, bare bool) bool {
	o := a.target.Options
	switch {
	case a.asked != nil:
		return true
	case a.how == untouched && a.endpoint.OwnPath():
		return bare
	case o.UpstreamPath != "" && a.provider.PathOverURL:
		return true
	case a.how == untouched: // the client's path, unless the configuration sets one
		return bare || o.UpstreamPath == ""
	}
	return bare && (a.provider.Base == nil || a.provider.PathOverURL || a.instance.native() != nil)
}

// belowPath is the path of a REST operation under the configured path, which is
// the one of the API's first family: threads are beside assistants. It is "" when
// the path is used as it is.
func belowPath(a *attempt, path string) string {
	path = strings.TrimSuffix(path, "/")
	if a.request.api.Resources != nil && a.instance.native() == nil && a.request.family != a.request.api.Resources.Names[0] {
		if beside, ok := strings.CutSuffix(path, "/"+a.request.api.Resources.Names[0]); ok {
			return beside + "/" + a.request.family + a.request.sub
		}
	}
	if a.request.sub == "" {
		return ""
	}
	return path + a.request.sub
}

// operationPath is the operation's path, or the one that the configuration sets.
func operationPath(a *attempt) (string, error) {
	switch {
	case a.asked != nil:
		return a.asked.Path, nil
	case a.target.Options.UpstreamPath != "":
		prefix := ""
		if a.provider.Prefix != nil {
			prefix = a.provider.Prefix(a.target)
		}
		return prefix + slashed(a.target.Options.UpstreamPath) + a.request.sub, nil
	case a.how == untouched:
		return slashed(a.request.in.Kong.Path), nil
	}
	path, err := a.op.Path(a.target, a.request.stream)
	if err != nil || a.request.api.Resources == nil {
		return path, err
	}
	if first := a.request.api.Resources.Names[0]; a.request.family != first {
		path = strings.TrimSuffix(path, first) + a.request.family
	}
	return path + a.request.sub, nil
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

// upstreamQuery joins the queries of the configured URL, the operation, the
// provider and the client. Of the provider's fixed parameters (api-version), the
// configured URL's own wins; the client's, where it counts, is one of the target's
// options (Provider.Asked).
func upstreamQuery(a *attempt, configured string, parts ...string) string {
	parts = append([]string{configured}, parts...)
	var fixed [][2]string
	if of := a.op.Query; of != nil {
		fixed = of(a.target)
	} else if a.provider.Query != nil {
		fixed = a.provider.Query(a.target)
	}
	query := credentials.StripClientQuery(a.request.in.RawQuery)
	switch {
	case a.asked != nil:
		query = "" // the Resource has made its own query
	case a.request.api.Model == provider.ModelInQuery:
		query = credentials.WithoutQuery(query, "model", "deployment")
	}
	if a.foreign() {
		query = "" // another provider does not know the client's parameters, and Google refuses unknown ones
	}
	for _, f := range fixed {
		query = credentials.WithoutQuery(query, f[0])
		if f[1] != "" && !credentials.HasQuery(configured, f[0]) {
			parts = append(parts, f[0]+"="+url.QueryEscape(f[1]))
		}
	}
	for _, p := range parts {
		switch {
		case p == "":
		case query == "":
			query = p
		default:
			query += "&" + p
		}
	}
	return query
}

// besidePath is the path of another operation of the provider's than the one that is
// configured, and says whether it is known. With a configured URL or path that is so if
// it has no path, or if its path ends as that of an operation beside op.
func besidePath(a *attempt, op *provider.Operation) (path string, placed bool, err error) {
	o := a.target.Options
	path, err = op.Path(a.target, a.request.stream)
	if err != nil || o.UpstreamURL == "" && o.UpstreamPath == "" {
		return path, err == nil, err
	}
	configured := ""
	switch {
	case o.UpstreamURL == "" || o.UpstreamPath != "" && a.provider.PathOverURL:
		if a.provider.Prefix != nil {
			configured = a.provider.Prefix(a.target)
		}
		configured += slashed(o.UpstreamPath)
	case o.UpstreamPath != "":
		return path, false, nil
	default:
		u, err := a.endpoint.ParseBase(o.UpstreamURL)
		if err != nil {
			return path, false, nil // setURL names the mistake when the target is used
		}
		if configured = u.EscapedPath(); configured == "" || configured == "/" {
			return path, true, nil
		}
	}
	for _, beside := range []*provider.Operation{op, a.op, a.provider.Find(a.request.api.Beside, route.Chat), a.provider.Operations[a.request.route]} {
		if beside == nil {
			continue
		}
		own, err := beside.Path(a.target, a.request.stream)
		if err != nil {
			continue
		}
		if there, ok := sibling(configured, own, path); ok {
			return there, true, nil
		}
	}
	return path, false, nil
}

// sibling is where wanted is if own is at path: a proxy may have both at another place
// than the API has them. ok is false if path is not that of own.
func sibling(path, own, wanted string) (there string, ok bool) {
	same := 0 // what own and wanted share: whole segments, and not all of own
	for i := 0; i < strings.LastIndexByte(own, '/') && i < len(wanted) && own[i] == wanted[i]; i++ {
		if own[i+1] == '/' && i+1 < len(wanted) && wanted[i+1] == '/' {
			same = i + 1
		}
	}
	prefix, ok := strings.CutSuffix(path, own[same:])
	return prefix + wanted[same:], ok
}

// Header values that many requests share. They must not be changed.
var (
	takesIdentity = []string{"identity"}
	takesGzipToo  = []string{"gzip, identity"}
	isJSON        = []string{"application/json"}
	isJSONInUTF8  = []string{"application/json; charset=utf-8"}
)

// upstreamHeaders returns the client's headers without those that must not leave,
// and adds ours.
func upstreamHeaders(a *attempt) http.Header {
	h := credentials.Forwarded(a.request.in.Header, 4)
	for k := range h {
		if isAnothers(a, k) || !a.instance.config.PropagateTrace && isTrace(k) {
			delete(h, k)
		}
	}
	if len(a.fitted) > 0 {
		h[a.op.Edit.Fit.Header] = []string{strings.Join(a.fitted, ",")}
	}
	h["Accept-Encoding"] = takesIdentity
	if a.request.gzip {
		h["Accept-Encoding"] = takesGzipToo
	}
	if a.how != untouched && len(a.pieces) > 0 {
		h["Content-Type"] = isJSON
	}
	if a.asked != nil {
		for _, kv := range a.asked.Header {
			h.Set(kv[0], kv[1])
		}
	}
	for _, kv := range a.needs {
		if before := h.Get(kv[0]); before != "" {
			kv[1] = before + "," + kv[1]
		}
		h.Set(kv[0], kv[1])
	}
	for _, own := range []func(*target.Target) [][2]string{a.provider.Header, a.op.Header} {
		if own == nil {
			continue
		}
		for _, kv := range own(a.target) {
			if wins(a, h.Get(kv[0]) != "") {
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
func authorize(ctx context.Context, a *attempt) error {
	name, value := a.endpoint.Source.BodyParam(func(name string) []byte { return jsonedit.Find(a.request.members, name) })
	if name != "" {
		if a.how == untouched || len(a.pieces) == 0 {
			return refuse(http.StatusInternalServerError, "auth.param_location: body has no place in a request without a JSON body: use query, or header_name")
		}
		body := jsonedit.Join(nil, a.pieces)
		members, err := jsonedit.Object(body, nil)
		if err != nil {
			return err
		}
		a.pieces = jsonedit.Splice(nil, body, members, []jsonedit.Edit{{Key: name, Value: value}})
	}
	a.out.Pieces = a.pieces
	a.signed = credentials.Outgoing{
		Method: a.out.Method, URL: a.out.URL, Header: a.out.Header, Body: a.out.Pieces,
		ClientHeader: a.request.in.Header, ClientQuery: a.request.in.RawQuery,
	}
	err := a.endpoint.Source.Apply(ctx, a.target, &a.signed)
	a.signed.Body = nil // a stream may last
	if err != nil {
		a.relay.log.Error().Str("plugin_id", a.instance.config.PluginID).Str("provider", a.endpoint.Model.Provider).
			Str("error", redact(err)).Msg("credentials")
		return a.unready(err)
	}
	return nil
}

func port(u *url.URL) int {
	if p, err := strconv.Atoi(u.Port()); err == nil {
		return p
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// nativePath is the path of a request to a configured URL. A URL without a path
// gets the API's path. The path of a URL is meant for the format's chat API; when
// it ends in that API's path, the format's other APIs are placed beside it.
func nativePath(a *attempt, u *url.URL, path string, bare bool) (string, bool) {
	if bare {
		return path, true
	}
	first := a.provider.Find(a.instance.native().Paths[0].API.Format, route.Chat)
	if first == nil || first == a.op {
		return path, false
	}
	own, err := first.Path(a.target, false)
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
func isAnothers(a *attempt, header string) bool {
	switch {
	case a.how == untouched:
		return false
	case a.foreign() && a.how == same && a.op.Edit.Fit != nil && a.op.Edit.Fit.Header == header:
		return true
	case header == "Accept":
		return a.foreign() && a.how != same
	}
	return routes.Withholds(header, a.instance.config.LLMFormat, a.provider, a.how == same)
}
