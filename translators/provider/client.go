package provider

import (
	"cmp"
	"net/http"
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/route"
)

// ClientFormat is a format that clients may speak, llm_format, as data. Which of
// its APIs a request is for is told by the end of its path.
type ClientFormat struct {
	// Name is the llm_format: "anthropic".
	Name string
	// Paths are what there is to call. Where one could be taken for another, the
	// more telling one comes first. The first of all is what a route without a
	// path of the format is for.
	Paths []ClientPath
	// Others are first segments of the API's paths that are not served.
	Others []string
	// Errors writes the format's error answers, also before the API is known.
	Errors ErrorWriter
	// ErrorHeader, if set, is the header, in its canonical form, in which the
	// format says what an error is.
	ErrorHeader func(status int) (name, value string)
	// Headers are the prefixes of headers that mean something in this format only.
	Headers []string
	// Before and Joiner stand around the model in paths, for routes that capture
	// model and operation by name; "" where the model is in the body.
	Before, Joiner string
	// Bound: a single model may only be of the provider whose format it is, as
	// Kong has it.
	Bound bool
}

// Translates says whether some API of the format can be answered by providers
// of other formats.
func (f *ClientFormat) Translates() bool {
	return slices.ContainsFunc(f.Paths, func(p ClientPath) bool { return p.API.Dialect != nil })
}

// ErrorWriter is the part of a dialect that an error of the relay needs.
type ErrorWriter interface {
	AppendError(dst []byte, e *chat.Error) []byte
}

// ClientPath is one thing to call in a client's format.
type ClientPath struct {
	// Path is the end of the client's path; {model} stands for a segment, or
	// the part of one before a colon. It is "" where API.Resources has the paths.
	Path string
	// Member is a member of the body that shows what is meant where the path
	// does not; "" for none.
	Member string
	// Route is the route type of which the API is a part.
	Route route.Type
	API   *API
	// Stream: the path asks for a stream.
	Stream bool
	// Query, if set, selects another API.
	Query *QueryAPI
}

// QueryAPI is the API of a path where a parameter of the query has a value.
type QueryAPI struct {
	Name, Value string
	API         *API
}

// Of returns the API of the first path of a route type, nil where there is none.
func (f *ClientFormat) Of(wanted route.Type) *API {
	for i := range f.Paths {
		if f.Paths[i].Route == wanted {
			return f.Paths[i].API
		}
	}
	return nil
}

// API is what a client speaks on a path: the format of its bodies, how they are
// checked, and how they are translated when the target speaks another.
type API struct {
	Format Format
	// Dialect translates; nil where only a provider of the same format can answer.
	Dialect chat.Dialect
	// Check, if set, refuses a body that cannot be meant for a route type. Errors
	// are *chat.Error.
	Check func(body []jsonedit.Member, wanted route.Type) error
	// Through is the route type whose operation answers for a provider that has
	// none of the API's own; "" for none.
	Through route.Type
	// Streams: a request may ask for a stream with `stream`.
	Streams bool
	// Tuned: the target's tuning options apply; Limit is the member for
	// max_tokens where it has another name.
	Tuned bool
	Limit string
	// Prose counts the words of the prompt, for estimates; nil where none are made.
	Prose func(body []jsonedit.Member) int
	// Body says how the body is taken in.
	Body Taking
	// Model says whether a request names a model.
	Model Naming
	// Form are the fields of which a form must have one, and FormOnly says that
	// JSON is none.
	Form     []string
	FormOnly bool
	// OnDemand: response_streaming "always" makes no stream of what the client
	// wants whole.
	OnDemand bool
	// Nested: the body may name models where they are neither read nor replaced.
	Nested bool
	// Resources, if set: the method and the path below the operation's are the
	// client's.
	Resources *Resources
	// BareData: events go to the client as `data:` lines only (OpenAI's chat);
	// otherwise as they came.
	BareData bool
	// Tokens: usage is logged under input_tokens and output_tokens too.
	Tokens bool
	// Framing is that of the format's streams, and Media their content type;
	// the zero values stand for server-sent events.
	Framing frame.Kind
	Media   string
	// Ends: a stream says that it is complete; one that does not was cut off.
	Ends bool
	// PromptFirst: a stream counts the prompt at its start, where it is estimated.
	PromptFirst bool
	// Member is the body's member that names the model, "" for "model".
	Member string
	// Remodel, if set, puts the target's model in a body that repeats the path's.
	Remodel func(body []byte, model string) []byte
}

// ModelMember is the member of the body that names the model.
func (a *API) ModelMember() string { return cmp.Or(a.Member, "model") }

// StreamsByPath says whether the path asks for a stream, not the body: so it is
// with the formats that have no model in the body either.
func (a *API) StreamsByPath() bool { return a.Model == ModelInPath || a.Model == ModelIgnored }

// Taking says how a request's body is taken in.
type Taking int

// The ways to take a body in.
const (
	TakeJSON   Taking = iota // whole, as a JSON object
	TakeRaw                  // whole, whatever it is, and never changed (preserve)
	TakeAny                  // JSON whole; any other type passes through unread
	TakeUnread               // it passes through unread, whatever it is
	TakeForm                 // a multipart form passes through; its model is looked for
	TakeSocket               // there is none: the connection becomes a WebSocket
)

// Naming says whether a request names a model.
type Naming int

// The ways to name a model.
const (
	ModelNeeded  Naming = iota // here, or in the configuration
	ModelTaken                 // if there is one
	ModelInPath                // in the client's path, or in the configuration
	ModelIgnored               // not at all: the API has none, or has it elsewhere
	ModelInQuery               // in the query, or in the configuration
)

// Resources are a family of REST operations below one path.
type Resources struct {
	// Names are the path segments that begin it: "files". The first is that of
	// the provider's path.
	Names []string
	// Allowed are the sub-paths and their methods; {} stands for an id.
	Allowed map[string][]string
	// IDs are how ids begin, by which a path without a name is known.
	IDs []IDPrefix
	// Aliases are names that clients may use for others of Names.
	Aliases map[string]string
}

// IDPrefix says that ids which begin with Prefix are of the family called Name.
type IDPrefix struct{ Prefix, Name string }

// Needs makes a Check that refuses a body without the string (or list) called name.
func Needs(name string) func([]jsonedit.Member, route.Type) error {
	return func(body []jsonedit.Member, _ route.Type) error {
		if v := jsonedit.Find(body, name); !Text(v) && !Filled(v) {
			return Missing(name)
		}
		return nil
	}
}

// Present makes a Check that refuses a body without a member called name.
func Present(name string) func([]jsonedit.Member, route.Type) error {
	return func(body []jsonedit.Member, _ route.Type) error {
		if v := jsonedit.Find(body, name); v == nil || jsonedit.IsNull(v) || jsonedit.IsArray(v) && !Filled(v) {
			return Missing(name)
		}
		return nil
	}
}

// Missing refuses a body without a member that the operation cannot do without.
func Missing(field string) *chat.Error {
	e := chat.NewError(http.StatusBadRequest, field+": is missing or empty")
	e.Param = field
	return e
}

// Filled says whether v is an array with something in it.
func Filled(v []byte) bool {
	if len(v) == 0 || v[0] != '[' {
		return false
	}
	for _, c := range v[1:] {
		switch c {
		case ' ', '\t', '\r', '\n':
		case ']':
			return false
		default:
			return true
		}
	}
	return false
}

// Text says whether v is a string with something in it.
func Text(v []byte) bool { return jsonedit.IsString(v) && len(v) > 2 }
