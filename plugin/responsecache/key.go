package responsecache

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/route"
)

// Request is what the answer of a request depends on.
type Request struct {
	Route          string // Kong's, "" if it is not known
	Path, Query    string
	API            string   // the client's format
	Model          string   // as the client named it
	Targets        []string // the models of the targets that may answer
	Stream, Gzip   bool
	Consumer       string
	Groups         []string
	Headers        []string // see Distinguishing
	Members        []jsonedit.Member
	CacheControl   []string // values of the header
	Deterministic  bool     // no temperature is needed: embeddings
	Temperature    *float64 // that all targets are configured with; nil for none
	MixedOverrides bool     // targets differ in their temperatures
}

// Decision says how a request relates to the cache.
type Decision struct {
	Read, Write bool // whether an answer may come from the cache, and go into it
}

// Use decides whether the request may be answered from the cache, and its answer be
// kept: it must have temperature 0 or be one that needs none, and no effects but its answer.
func (c *Cache) Use(r *Request) (d Decision) {
	for _, v := range r.CacheControl {
		v = strings.ToLower(v)
		if strings.Contains(v, "no-store") {
			return d
		}
		if strings.Contains(v, "no-cache") || strings.Contains(v, "max-age=0") {
			d.Write = true
		}
	}
	if len(r.Members) == 0 || hasEffects(r.Members) || !c.o.AnyTemperature && !r.Deterministic && !isCold(r) {
		return Decision{}
	}
	return Decision{Read: !d.Write, Write: true}
}

// isCold says whether the temperature is 0.
func isCold(r *Request) bool {
	switch {
	case r.MixedOverrides:
		return false
	case r.Temperature != nil:
		return *r.Temperature == 0
	}
	value := jsonedit.Find(r.Members, "temperature")
	for _, within := range [...]string{"generationConfig", "generation_config", "inferenceConfig", "options", "parameters"} { // Gemini, Bedrock, Ollama, Hugging Face
		if value == nil {
			value = jsonedit.Lookup(jsonedit.Find(r.Members, within), "temperature")
		}
	}
	f, err := strconv.ParseFloat(string(value), 64)
	return err == nil && f == 0
}

// stateful are members that refer to what a provider has stored, or have it store
// something.
var stateful = [...]string{"previous_response_id", "conversation", "background", "store", "container", "mcp_servers", "web_search_options", "cachedContent"}

// hasEffects says whether the answer depends on more than the request, or has effects
// beyond it: hosted tools, stored conversations.
func hasEffects(ms []jsonedit.Member) bool {
	for _, name := range stateful {
		if v := jsonedit.Find(ms, name); v != nil && !jsonedit.IsNull(v) && !jsonedit.IsFalse(v) {
			return true
		}
	}
	tools := jsonedit.Find(ms, "tools")
	if tools == nil {
		tools = jsonedit.Lookup(jsonedit.Find(ms, "toolConfig"), "tools")
	}
	for tool := range jsonedit.EachOf(tools) {
		if !isFunction(tool) {
			return true
		}
	}
	return false
}

// isFunction says whether a tool is a function of the client's, in any format.
func isFunction(tool []byte) bool {
	members := jsonedit.Members(tool, nil)
	switch kind, _ := jsonedit.String(jsonedit.Find(members, "type")); kind {
	case "function", "custom":
		return true
	case "":
	default:
		return false
	}
	for i := range members {
		switch string(members[i].Key) {
		case "name", "description", "input_schema", "parameter_definitions", "cache_control", "type", // Anthropic, Cohere
			"functionDeclarations", "function_declarations", "toolSpec", "cachePoint", "function": // Gemini, Bedrock
		default:
			return false
		}
	}
	return len(members) > 0
}

// volatile are members that do not change the answer: they name the client.
var volatile = []string{"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "store", "background"}

// Key returns the key of a request.
func (c *Cache) Key(r *Request) (k Key) {
	h := sha256.New()
	add(h, c.o.Scope)
	if c.o.Consumer {
		add(h, []byte("consumer "+r.Consumer))
	}
	if c.o.Group {
		for _, g := range slices.Sorted(slices.Values(r.Groups)) {
			add(h, []byte("group "+g))
		}
	}
	for _, v := range r.Headers {
		add(h, []byte(v))
	}
	add(h, nil)
	for _, v := range []string{r.Route, r.Path, r.Query, r.API, r.Model, strconv.FormatBool(r.Stream), strconv.FormatBool(r.Gzip)} {
		add(h, []byte(v))
	}
	for _, v := range r.Targets {
		add(h, []byte(v))
	}
	add(h, nil)
	body(h, r.Members)
	h.Sum(k[:0])
	return k
}

// add hashes a part, with its length, so that parts are told apart.
func add(h hash.Hash, part []byte) {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(len(part)))
	_, _ = h.Write(n[:]) // never fails
	_, _ = h.Write(part)
}

// body hashes the members by name, without white space and without those that are
// volatile. Of equal names the last counts.
func body(h hash.Hash, ms []jsonedit.Member) {
	sorted := slices.Clone(ms)
	slices.SortStableFunc(sorted, func(a, b jsonedit.Member) int { return cmp.Compare(string(a.Key), string(b.Key)) })
	var plain bytes.Buffer
	for i := range sorted {
		m := &sorted[i]
		if slices.Contains(volatile, string(m.Key)) || i+1 < len(sorted) && bytes.Equal(sorted[i+1].Key, m.Key) {
			continue
		}
		plain.Reset()
		value := m.Value
		if json.Compact(&plain, value) == nil {
			value = plain.Bytes()
		}
		add(h, m.Key)
		add(h, value)
	}
}

// Keeps says whether answers of a route type may be kept: text and vectors.
func Keeps(t route.Type) bool {
	return t == route.Chat || t == route.Completions || t == route.Responses || t == route.Embeddings
}

// Distinguishing returns the headers, with their values, that tell a client's request from
// another's: versions and betas of APIs, and, if Kong does not know the client, or a
// provider is given its credentials, those.
func Distinguishing(h http.Header, unknown bool) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if unknown && isCredential(name) || changesAnswer(name) {
			all = append(append(all, name), h[name]...)
		}
	}
	return all
}

// isCredential says whether a header may tell clients apart that Kong does not know.
func isCredential(name string) bool {
	return name == "Authorization" || name == "Cookie" || strings.HasSuffix(name, "Key") || strings.HasSuffix(name, "Token")
}

// changesAnswer says whether a client's header changes what a provider answers: versions
// and betas.
func changesAnswer(name string) bool {
	return strings.HasSuffix(name, "-Beta") || strings.HasSuffix(name, "-Version") || strings.HasPrefix(name, "X-Amzn-") || strings.HasSuffix(name, "-Organization") || strings.HasSuffix(name, "-Project")
}
