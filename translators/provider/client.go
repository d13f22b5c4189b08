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

// ClientFormat describes a format that clients may speak (llm_format). The end of
// a request's path says which of the format's APIs it is for.
type ClientFormat struct {
	// Name is the llm_format: "anthropic".
	Name string
	// Paths lists what clients may call. If two could match the same request, the
	// more specific one comes first. The first path of all is used for routes whose
	// path is not one of the format.
	Paths []ClientPath
	// Models, if set, writes the models that a route serves, for clients that ask
	// for them at /models.
	Models ModelWriter
	// Others lists first segments of paths of the API that are not served.
	Others []string
	// Errors writes the format's error answers, including those sent before the API
	// is known.
	Errors ErrorWriter
	// ErrorHeader, if set, returns the header (with its canonical name) in which the
	// format sends the type of an error.
	ErrorHeader func(status int) (name, value string)
	// Headers lists the prefixes of headers that only have a meaning in this format.
	Headers []string
	// Private lists the prefixes of headers in which the vendor's programs and SDKs tell
	// about themselves: only the vendor is sent them, and only by clients of this format.
	Private []string
	// Before and Joiner are the text before and after the model in paths, for routes
	// that capture model and operation by name; "" if the model is in the body.
	Before, Joiner string
	// Bound means that a single model must be of the provider that owns the format,
	// as in Kong.
	Bound bool
}

// Translates reports whether providers of other formats can answer some API of the
// format.
func (f *ClientFormat) Translates() bool {
	return slices.ContainsFunc(f.Paths, func(p ClientPath) bool { return p.API.Dialect != nil })
}

// ErrorWriter is the part of a dialect that the relay needs to answer with an error.
type ErrorWriter interface {
	AppendError(dst []byte, e *chat.Error) []byte
}

// ClientPath is one call of a client's format.
type ClientPath struct {
	// Path is the end of the client's path. {model} stands for a segment, or for
	// the part of a segment before a colon. Path is "" if API.Resources has the
	// paths.
	Path string
	// Member is a member of the body that identifies the call if the path does not;
	// "" for none.
	Member string
	// Route is the route type that the API belongs to.
	Route route.Type
	API   *API
	// Stream means that the path asks for a stream.
	Stream bool
	// Query, if set, selects another API.
	Query *QueryAPI
}

// QueryAPI is the API of a path if a query parameter has a certain value.
type QueryAPI struct {
	Name, Value string
	API         *API
}

// Of returns the API of the first path of a route type, or nil if there is none.
func (f *ClientFormat) Of(wanted route.Type) *API {
	for i := range f.Paths {
		if f.Paths[i].Route == wanted {
			return f.Paths[i].API
		}
	}
	return nil
}

// API describes what a client speaks on a path: the format of its bodies, how they
// are checked, and how they are translated if the target speaks another format.
type API struct {
	Format Format
	// Dialect translates. It is nil if only a provider of the same format can answer.
	Dialect chat.Dialect
	// Count, if set, means that a request asks for the number of a prompt's tokens. It
	// appends the answer to dst. Dialect reads the body, and Beside is the format of
	// the chat whose prompt is counted.
	Count  func(dst []byte, tokens int) []byte
	Beside Format
	// Check, if set, refuses a body that does not fit the route type. Errors are
	// *chat.Error.
	Check func(body []jsonedit.Member, wanted route.Type) error
	// Through is the route type whose operation is used for a provider that has no
	// operation for this API; "" for none.
	Through route.Type
	// Streams means that a request may ask for a stream with `stream`.
	Streams bool
	// Tuned means that the target's tuning options apply. Limit is the member for
	// max_tokens if it has another name.
	Tuned bool
	Limit string
	// Prose counts the words of the prompt, for estimates; nil if none are made.
	Prose func(body []jsonedit.Member) int
	// Body says how the body is read.
	Body Taking
	// Model says whether a request names a model.
	Model Naming
	// Form lists the fields of which a form must have one. FormOnly means that JSON
	// is not accepted instead of a form.
	Form     []string
	FormOnly bool
	// OnDemand means that response_streaming "always" does not force a stream if the
	// client asked for a whole answer.
	OnDemand bool
	// Nested means that the body may name models in places where they are neither
	// read nor replaced.
	Nested bool
	// Resources, if set, means that the client's method and sub-path are forwarded
	// below the operation's path.
	Resources *Resources
	// BareData means that events are sent to the client as `data:` lines only
	// (OpenAI's chat). Otherwise they are forwarded unchanged.
	BareData bool
	// Tokens means that usage is also logged as input_tokens and output_tokens.
	Tokens bool
	// Framing is the framing of the format's streams, and Media their content type.
	// The zero values mean server-sent events.
	Framing frame.Kind
	Media   string
	// InStream, if set, reports whether a client that asked for a stream understands
	// an error only as the end of one, and not as a status.
	InStream func(e *chat.Error) bool
	// Ends means that streams have an end marker; a stream without it was cut off.
	Ends bool
	// Fails means that an event of its own ends a stream that failed, whatever else said
	// that it did.
	Fails bool
	// PromptFirst means that a stream reports the prompt's tokens at its start, so
	// that they are estimated.
	PromptFirst bool
	// Member is the member of the body that names the model; "" means "model".
	Member string
	// Remodel, if set, puts the target's model into a body that repeats the model of
	// the path.
	Remodel func(body []byte, model string) []byte
}

// ModelMember returns the name of the member that names the model.
func (a *API) ModelMember() string { return cmp.Or(a.Member, "model") }

// StreamsByPath reports whether the path, not the body, asks for a stream. That is
// so in the formats that do not have the model in the body either.
func (a *API) StreamsByPath() bool { return a.Model == ModelInPath || a.Model == ModelIgnored }

// Taking says how a request's body is read.
type Taking int

// The ways to read a body.
const (
	TakeJSON   Taking = iota // whole, as a JSON object
	TakeRaw                  // whole, of any type, and never changed (preserve)
	TakeAny                  // JSON whole; any other type passes through unread
	TakeUnread               // any type passes through unread
	TakeForm                 // a multipart form passes through; only its model is read
	TakeSocket               // no body: the connection becomes a WebSocket
)

// Naming says whether a request names a model.
type Naming int

// The ways to name a model.
const (
	ModelNeeded  Naming = iota // required here or in the configuration
	ModelTaken                 // optional
	ModelInPath                // in the client's path, or in the configuration
	ModelIgnored               // not at all: the API has none, or has it elsewhere
	ModelInQuery               // in the query, or in the configuration
)

// Resources are a family of REST operations below one path.
type Resources struct {
	// Names are the path segments that it may begin with: "files". The provider's
	// path has the first of them.
	Names []string
	// Allowed holds the allowed sub-paths and their methods; {} stands for an id.
	Allowed map[string][]string
	// APIs holds sub-paths that are APIs of their own.
	APIs map[string]*API
	// IDs lists the prefixes of ids, by which a path without a name is recognized.
	IDs []IDPrefix
	// Aliases holds other names that clients may use for Names.
	Aliases map[string]string
	// Output says where results of batches are downloaded, in lines that have usage.
	Output Output
}

// IDPrefix says that ids that begin with Prefix belong to the family called Name.
type IDPrefix struct{ Prefix, Name string }

// Needs returns a Check that refuses a body without the string (or list) called name.
func Needs(name string) func([]jsonedit.Member, route.Type) error {
	return func(body []jsonedit.Member, _ route.Type) error {
		if v := jsonedit.Find(body, name); !HasText(v) && !HasElements(v) {
			return Missing(name)
		}
		return nil
	}
}

// Present returns a Check that refuses a body without a member called name.
func Present(name string) func([]jsonedit.Member, route.Type) error {
	return func(body []jsonedit.Member, _ route.Type) error {
		if v := jsonedit.Find(body, name); v == nil || jsonedit.IsNull(v) || jsonedit.IsArray(v) && !HasElements(v) {
			return Missing(name)
		}
		return nil
	}
}

// Missing returns the error for a body without a required member.
func Missing(field string) *chat.Error {
	e := chat.NewError(http.StatusBadRequest, field+": is missing or empty")
	e.Param = field
	return e
}

// HasElements reports whether v is an array that is not empty.
func HasElements(v []byte) bool {
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

// HasText reports whether v is a string that is not empty.
func HasText(v []byte) bool { return jsonedit.IsString(v) && len(v) > 2 }
