package kong

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	protocol "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// pdk holds the methods of the PDK by Kong's names. A method gets its encoded
// arguments and gives them decoded, with the encoded reply. An error stands
// for one that is raised in Lua: the request ends with status 500.
var pdk = map[string]func(r *Request, data []byte) (args proto.Message, reply []byte, err error){
	"kong.client.get_ip":             give(func(r *Request) string { return r.ip() }),
	"kong.client.get_forwarded_ip":   give(func(r *Request) string { return r.ip() }),
	"kong.client.get_port":           giveInt(func(r *Request) int { return port(r.In.RemoteAddr) }),
	"kong.client.get_forwarded_port": giveInt(func(r *Request) int { return port(r.In.RemoteAddr) }),
	"kong.client.get_protocol":       method(func(r *Request, _ *protocol.Bool) (*protocol.String, error) { return str(r.scheme()), nil }),
	"kong.client.get_consumer":       method((*Request).getConsumer),
	"kong.client.get_credential":     method((*Request).getCredential),
	"kong.ip.is_trusted":             method(func(*Request, *protocol.String) (*protocol.Bool, error) { return &protocol.Bool{}, nil }),
	"kong.node.get_id":               give(func(*Request) string { return "00000000-0000-4000-8000-00000000abcd" }),
	"kong.router.get_route":          method((*Request).getRoute),
	"kong.router.get_service":        method((*Request).getService),

	"kong.ctx.shared.get": method(func(r *Request, a *protocol.String) (*structpb.Value, error) { return structpb.NewValue(r.shared[a.V]) }),
	"kong.ctx.shared.set": set(func(r *Request, a *protocol.KV) error { r.shared[a.K] = a.V.AsInterface(); return nil }),

	"kong.log.alert":               set(logAt("alert")),
	"kong.log.crit":                set(logAt("crit")),
	"kong.log.err":                 set(logAt("err")),
	"kong.log.warn":                set(logAt("warn")),
	"kong.log.notice":              set(logAt("notice")),
	"kong.log.info":                set(logAt("info")),
	"kong.log.debug":               set(logAt("debug")),
	"kong.log.serialize":           give((*Request).serialize),
	"kong.log.set_serialize_value": set(func(r *Request, a *protocol.KV) error { r.serialized[a.K] = a.V.AsInterface(); return nil }),

	"kong.request.get_scheme":           give((*Request).scheme),
	"kong.request.get_host":             give(func(r *Request) string { return hostname(r.In.Host) }),
	"kong.request.get_port":             giveInt((*Request).serverPort),
	"kong.request.get_forwarded_scheme": give((*Request).scheme),
	"kong.request.get_forwarded_host":   give(func(r *Request) string { return hostname(r.In.Host) }),
	"kong.request.get_forwarded_port":   giveInt((*Request).serverPort),
	"kong.request.get_http_version":     method((*Request).httpVersion),
	"kong.request.get_method":           give(func(r *Request) string { return r.In.Method }),
	"kong.request.get_path":             give((*Request).normalizedPath),
	"kong.request.get_path_with_query":  give(func(r *Request) string { return r.In.URL.RequestURI() }),
	"kong.request.get_raw_query":        give(func(r *Request) string { return r.In.URL.RawQuery }),
	"kong.request.get_query_arg": method(func(r *Request, a *protocol.String) (*protocol.String, error) {
		return str(r.In.URL.Query().Get(a.V)), nil
	}),
	"kong.request.get_query":        method(func(r *Request, _ *protocol.Int) (*structpb.Struct, error) { return table(r.In.URL.Query(), false) }),
	"kong.request.get_header":       method(func(r *Request, a *protocol.String) (*protocol.String, error) { return str(r.headers().Get(a.V)), nil }),
	"kong.request.get_headers":      method(func(r *Request, _ *protocol.Int) (*structpb.Struct, error) { return table(r.headers(), true) }),
	"kong.request.get_raw_body":     method((*Request).getRawBody),
	"kong.request.get_uri_captures": method((*Request).getCaptures),

	"kong.response.get_status":   giveInt(func(r *Request) int { return r.status }),
	"kong.response.get_source":   give((*Request).source),
	"kong.response.get_header":   method(func(r *Request, a *protocol.String) (*protocol.String, error) { return str(r.response.Get(a.V)), nil }),
	"kong.response.get_headers":  method(func(r *Request, _ *protocol.Int) (*structpb.Struct, error) { return table(r.response, true) }),
	"kong.response.set_status":   inAccess(func(r *Request, a *protocol.Int) error { r.status = int(a.V); return nil }),
	"kong.response.set_header":   inAccess(func(r *Request, a *protocol.KV) error { return setHeader(r.response, a) }),
	"kong.response.add_header":   inAccess(func(r *Request, a *protocol.KV) error { return addHeader(r.response, a) }),
	"kong.response.clear_header": inAccess(func(r *Request, a *protocol.String) error { r.response.Del(a.V); return nil }),
	"kong.response.set_headers":  inAccess(func(r *Request, a *structpb.Struct) error { return setHeaders(r.response, a) }),
	"kong.response.exit":         inAccess((*Request).doExit),

	"kong.service.set_target":            inAccess((*Request).setTarget),
	"kong.service.request.set_scheme":    inAccess((*Request).setScheme),
	"kong.service.request.set_path":      inAccess((*Request).setPath),
	"kong.service.request.set_raw_query": inAccess(func(r *Request, a *protocol.String) error { r.upstream.RawQuery = a.V; return nil }),
	"kong.service.request.set_query":     inAccess((*Request).setQuery),
	"kong.service.request.set_method":    inAccess(func(r *Request, a *protocol.String) error { r.method = a.V; return nil }),
	"kong.service.request.set_header":    inAccess((*Request).setRequestHeader),
	"kong.service.request.add_header":    inAccess(func(r *Request, a *protocol.KV) error { return addHeader(r.header, a) }),
	"kong.service.request.clear_header":  inAccess(func(r *Request, a *protocol.String) error { r.header.Del(a.V); return nil }),
	"kong.service.request.set_headers":   inAccess(func(r *Request, a *structpb.Struct) error { return setHeaders(r.header, a) }),
	"kong.service.request.set_raw_body":  inAccess(func(r *Request, a *protocol.ByteString) error { r.setBody(a.V); return nil }),
}

func method[A, R proto.Message](do func(*Request, A) (R, error)) func(*Request, []byte) (proto.Message, []byte, error) {
	return func(r *Request, data []byte) (proto.Message, []byte, error) {
		var none A
		args := none.ProtoReflect().New().Interface().(A)
		if err := proto.Unmarshal(data, args); err != nil {
			return args, nil, fmt.Errorf("arguments: %w", err)
		}
		result, err := do(r, args)
		if err != nil {
			return args, nil, err
		}
		reply, err := proto.Marshal(result)
		return args, reply, err
	}
}

func give(do func(*Request) string) func(*Request, []byte) (proto.Message, []byte, error) {
	return method(func(r *Request, _ *emptypb.Empty) (*protocol.String, error) { return str(do(r)), nil })
}

func giveInt(do func(*Request) int) func(*Request, []byte) (proto.Message, []byte, error) {
	return method(func(r *Request, _ *emptypb.Empty) (*protocol.Int, error) { return &protocol.Int{V: int32(do(r))}, nil })
}

func set[A proto.Message](do func(*Request, A) error) func(*Request, []byte) (proto.Message, []byte, error) {
	return method(func(r *Request, args A) (*emptypb.Empty, error) { return nil, do(r, args) })
}

// inAccess is for methods that Kong refuses after the access phase.
func inAccess[A proto.Message](do func(*Request, A) error) func(*Request, []byte) (proto.Message, []byte, error) {
	return set(func(r *Request, args A) error {
		if r.phase != "access" {
			return fmt.Errorf("function cannot be called in %s phase", r.phase)
		}
		return do(r, args)
	})
}

func str(s string) *protocol.String { return &protocol.String{V: s} }

func logAt(level string) func(*Request, *structpb.ListValue) error {
	return func(r *Request, a *structpb.ListValue) error {
		r.Logged = append(r.Logged, level+": "+fmt.Sprint(a.AsSlice()...))
		return nil
	}
}

// table is a table of headers or arguments as Kong gives it: a string, or
// strings where there are several.
func table(values map[string][]string, lower bool) (*structpb.Struct, error) {
	fields := make(map[string]any, len(values))
	for name, list := range values {
		if lower {
			name = strings.ToLower(name)
		}
		if len(list) == 1 {
			fields[name] = list[0]
			continue
		}
		several := make([]any, len(list))
		for i, v := range list {
			several[i] = v
		}
		fields[name] = several
	}
	return structpb.NewStruct(fields)
}

func text(v *structpb.Value) (string, error) {
	switch v := v.AsInterface().(type) {
	case string:
		return v, nil
	case float64:
		return strconv.FormatFloat(v, 'g', 14, 64), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", fmt.Errorf("invalid header value: got %T", v.AsInterface())
}

func setHeader(h http.Header, a *protocol.KV) error {
	value, err := text(a.V)
	if err == nil {
		h.Set(a.K, value)
	}
	return err
}

func addHeader(h http.Header, a *protocol.KV) error {
	value, err := text(a.V)
	if err == nil {
		h.Add(a.K, value)
	}
	return err
}

func setHeaders(h http.Header, a *structpb.Struct) error {
	for name, v := range a.GetFields() {
		values := []*structpb.Value{v}
		if list := v.GetListValue(); list != nil {
			values = list.Values
		}
		h.Del(name)
		for _, v := range values {
			if err := addHeader(h, &protocol.KV{K: name, V: v}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Request) setRequestHeader(a *protocol.KV) error {
	if strings.EqualFold(a.K, "host") {
		value, err := text(a.V)
		r.host = value
		return err
	}
	return setHeader(r.header, a)
}

func (r *Request) setTarget(a *protocol.Target) error {
	if a.Port < 0 || a.Port > 65535 {
		return fmt.Errorf("port must be an integer between 0 and 65535: given %d", a.Port)
	}
	r.host = a.Host // ngx.var.upstream_host: without the port
	r.upstream.Host = net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))
	return nil
}

func (r *Request) setScheme(a *protocol.String) error {
	if a.V != "http" && a.V != "https" {
		return errors.New("invalid scheme: " + a.V)
	}
	r.upstream.Scheme = a.V
	return nil
}

func (r *Request) setPath(a *protocol.String) error {
	if !strings.HasPrefix(a.V, "/") {
		return errors.New("path must start with /")
	}
	r.upstream.Path, r.upstream.RawPath = a.V, ""
	if path, err := url.PathUnescape(a.V); err == nil { // escapes are kept
		r.upstream.Path, r.upstream.RawPath = path, a.V
	}
	return nil
}

func (r *Request) setQuery(a *structpb.Struct) error {
	values := make(http.Header)
	query := make(url.Values)
	if err := setHeaders(values, a); err != nil {
		return err
	}
	for name := range a.GetFields() {
		query[name] = values[textproto.CanonicalMIMEHeaderKey(name)]
	}
	r.upstream.RawQuery = query.Encode()
	return nil
}

func (r *Request) doExit(a *protocol.ExitArgs) error {
	if a.Status < 100 || a.Status > 599 {
		return errors.New("code must be a number between 100 and 599")
	}
	if err := setHeaders(r.response, a.Headers); err != nil {
		return err
	}
	r.exited, r.status, r.exitBody = true, int(a.Status), a.Body
	return errExit
}

func (r *Request) getConsumer(*emptypb.Empty) (*protocol.Consumer, error) {
	c := r.Route.Consumer
	if c == nil {
		return nil, nil
	}
	return &protocol.Consumer{Id: c.ID, Username: c.Username, CustomId: c.CustomID, Tags: c.Tags}, nil
}

func (r *Request) getCredential(*emptypb.Empty) (*protocol.AuthenticatedCredential, error) {
	c := r.Route.Consumer
	if c == nil {
		return nil, nil
	}
	return &protocol.AuthenticatedCredential{Id: c.Credential, ConsumerId: c.ID}, nil
}

func (r *Request) getRoute(*emptypb.Empty) (*protocol.Route, error) {
	return &protocol.Route{Id: r.Route.ID, Name: r.Route.Name, Paths: []string{r.Route.Path},
		Protocols: []string{"http", "https"}, StripPath: !r.Route.KeepPath, PreserveHost: r.Route.PreserveHost,
		Service: &protocol.ServiceKey{Id: r.Route.ServiceID}}, nil
}

func (r *Request) getService(*emptypb.Empty) (*protocol.Service, error) {
	u, err := url.Parse(r.Route.Service)
	if err != nil {
		return nil, err
	}
	return &protocol.Service{Id: r.Route.ServiceID, Name: r.Route.ServiceName, Protocol: u.Scheme,
		Host: u.Hostname(), Port: int32(urlPort(u)), Path: u.Path, Retries: 5,
		ConnectTimeout: 60000, ReadTimeout: 60000, WriteTimeout: 60000}, nil
}

func (r *Request) getCaptures(*emptypb.Empty) (*protocol.UriCapturesResult, error) {
	result := &protocol.UriCapturesResult{Named: make(map[string][]byte)}
	for i, value := range r.captures {
		if i == 0 {
			continue
		}
		result.Unnamed = append(result.Unnamed, []byte(value))
		if name := r.captureNames[i]; name != "" {
			result.Named[name] = []byte(value)
		}
	}
	return result, nil
}

func (r *Request) getRawBody(*emptypb.Empty) (*protocol.RawBodyResult, error) {
	body, err := r.body()
	if err != nil {
		return &protocol.RawBodyResult{Kind: &protocol.RawBodyResult_Error{Error: err.Error()}}, nil
	}
	return &protocol.RawBodyResult{Kind: &protocol.RawBodyResult_Content{Content: body}}, nil
}

func (r *Request) httpVersion(*emptypb.Empty) (*protocol.Number, error) {
	return &protocol.Number{V: float64(r.In.ProtoMajor) + float64(r.In.ProtoMinor)/10}, nil
}

// headers are those the plugin sees: the request's, Host among them, changed
// by what was set before; in the log phase as they were at the end.
func (r *Request) headers() http.Header {
	h := r.header.Clone()
	h.Set("Host", r.In.Host)
	return h
}

func (r *Request) source() string {
	switch {
	case r.exited:
		return "exit"
	case r.failed:
		return "error"
	}
	return "service"
}

// serialize is the log entry that kong.log.serialize makes.
func (r *Request) serialize() string {
	entry := map[string]any{
		"request": map[string]any{
			"id": r.ID, "method": r.In.Method, "uri": r.In.URL.RequestURI(),
			"url":     r.scheme() + "://" + r.In.Host + r.In.URL.RequestURI(),
			"headers": redacted(r.headers()), "querystring": firsts(r.In.URL.Query(), false),
			"size": max(r.In.ContentLength, 0),
		},
		"response":     map[string]any{"status": r.status, "headers": firsts(r.response, true), "size": r.sent},
		"latencies":    map[string]any{"request": r.took.Milliseconds(), "proxy": r.took.Milliseconds(), "kong": 0},
		"client_ip":    r.ip(),
		"started_at":   r.started.UnixMilli(),
		"upstream_uri": r.upstream.RequestURI(),
		"route":        map[string]any{"id": r.Route.ID, "name": r.Route.Name, "paths": []string{r.Route.Path}},
		"service":      map[string]any{"id": r.Route.ServiceID, "name": r.Route.ServiceName},
	}
	if c := r.Route.Consumer; c != nil {
		entry["consumer"] = map[string]any{"id": c.ID, "username": c.Username, "custom_id": c.CustomID}
		entry["authenticated_entity"] = map[string]any{"id": c.Credential}
	}
	for path, value := range r.serialized {
		place(entry, strings.Split(path, "."), value)
	}
	data, err := json.Marshal(entry)
	if err != nil {
		panic(err) // values come from JSON types only
	}
	return string(data)
}

// place sets a value by its dotted path.
func place(into map[string]any, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		next, ok := into[name].(map[string]any)
		if !ok {
			next = make(map[string]any)
			into[name] = next
		}
		into = next
	}
	into[path[len(path)-1]] = value
}

func firsts(values map[string][]string, lower bool) map[string]any {
	out := make(map[string]any, len(values))
	for name, list := range values {
		if lower {
			name = strings.ToLower(name)
		}
		out[name] = list
		if len(list) == 1 {
			out[name] = list[0]
		}
	}
	return out
}

func redacted(h http.Header) map[string]any {
	out := firsts(h, true)
	for _, name := range []string{"authorization", "proxy-authorization"} {
		if _, ok := out[name]; ok {
			out[name] = "REDACTED"
		}
	}
	return out
}

func (r *Request) ip() string {
	if addr, err := netip.ParseAddrPort(r.In.RemoteAddr); err == nil {
		return addr.Addr().Unmap().String()
	}
	return r.In.RemoteAddr
}

func (r *Request) scheme() string {
	if r.In.TLS != nil {
		return "https"
	}
	return "http"
}

// serverPort is the port Kong listens on.
func (r *Request) serverPort() int {
	if addr, ok := r.In.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return port(addr.String())
	}
	return 80
}

func hostname(hostport string) string { return (&url.URL{Host: hostport}).Hostname() }

func port(address string) int {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0
	}
	return int(addr.Port())
}

func urlPort(u *url.URL) int {
	if n, err := strconv.Atoi(u.Port()); err == nil {
		return n
	}
	return map[string]int{"http": 80, "https": 443}[u.Scheme]
}
