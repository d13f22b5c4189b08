// Package chat defines the internal form of a chat between a client and a
// model. A dialect (client side) parses requests into it and writes answers
// from it; a provider (upstream side) does the reverse. So M client formats and
// N providers need M + N translators, not M × N. The package holds values only.
// Start with Request, then Delta.
package chat

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// Number is a JSON number as the client wrote it; "" means absent. The text is
// kept so that 0.1 and 1e3 are forwarded exactly as written.
type Number string

// Int returns the number as an int, and whether it is an integer (1e3 and 2.0 are).
func (n Number) Int() (int, bool) {
	if n == "" {
		return 0, false
	}
	if i, err := strconv.Atoi(string(n)); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || f != float64(int(f)) {
		return 0, false
	}
	return int(f), true
}

// Float returns the number, and whether there is a valid one.
func (n Number) Float() (float64, bool) {
	if n == "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(n), 64)
	return f, err == nil
}

// AtMost returns n, or most if n is a greater whole number; a most of 0 is no limit.
func (n Number) AtMost(most int) Number {
	if i, ok := n.Int(); ok && most > 0 && i > most {
		return Number(strconv.Itoa(most))
	}
	return n
}

// Raw is JSON text that is passed on without being parsed.
type Raw = json.RawMessage

// Role is the author of a message.
type Role string

// The roles. A dialect's "developer" becomes System; tool results are parts of
// a ToolRole message (or of a User message, if the client's format puts them there).
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
	ToolRole  Role = "tool"
)

// Request is a chat request. A zero field means that the client did not set it.
// A Request is immutable once parsed: an attempt that changes something works on
// a shallow copy. Its Texts and Raws alias the client's body, and so do strings that
// were read from a Text, so it is valid as long as the body is unchanged. Whoever keeps
// one of them longer copies it.
type Request struct {
	Model        string
	Stream       bool
	IncludeUsage bool // stream_options.include_usage
	Messages     []Message
	Tools        []Tool
	ToolChoice   ToolChoice
	// ParallelTools is nil when the client did not set it.
	ParallelTools *bool

	MaxTokens        Number // max_completion_tokens or max_tokens
	Temperature      Number
	TopP             Number
	TopK             Number
	N                Number
	Seed             Number
	PresencePenalty  Number
	FrequencyPenalty Number
	TopLogprobs      Number
	Logprobs         *bool
	LogitBias        Raw
	Stop             []string

	ResponseFormat ResponseFormat
	// ReasoningEffort is none, minimal, low, medium, high or xhigh; a client's
	// budget in tokens is ReasoningBudget.
	ReasoningEffort string
	ReasoningBudget Number
	// Thoughts means that the client shows thoughts, where a provider sends them on
	// demand only.
	Thoughts    bool
	User        string
	ServiceTier string
	Metadata    Raw

	// Same means that the target speaks the client's format, so that it takes all of
	// Extra.
	Same bool
	// Extra holds all other top-level members, in order and undecoded: members
	// of OpenAI's API that have no field here, and provider-specific ones
	// (safetySettings, guardrailConfig …).
	Extra []Member
	// ExtraBody is an object that is deep-merged into the provider's body.
	ExtraBody Raw

	oddProperties bool // a function has properties that NameProperties renames
}

// Member is a member of a JSON object.
type Member struct {
	Name  string
	Value Raw
}

// Lookup returns the extra member called name, or nil.
func (r *Request) Lookup(name string) Raw {
	for i := range r.Extra {
		if r.Extra[i].Name == name {
			return r.Extra[i].Value
		}
	}
	return nil
}

// AppendExtra writes the extra members of r with these names to dst, as the client sent them.
func AppendExtra(dst []byte, r *Request, names ...string) []byte {
	for _, name := range names {
		dst = jsonedit.AppendRaw(dst, name, r.Lookup(name))
	}
	return dst
}

// Message is one turn. Its parts are in the client's order.
type Message struct {
	Role  Role
	Name  string // OpenAI's participant name
	Parts []Part
}

// PartKind is the kind of a part.
type PartKind uint8

// The kinds of parts, and the fields that each uses.
const (
	Text             PartKind = iota // Text
	Image                            // Media
	Audio                            // Media
	File                             // Media (a PDF, a document, an uploaded file's id)
	Video                            // Media
	Thinking                         // Text, Signature
	RedactedThinking                 // Text: opaque data
	Refusal                          // Text
	ToolCall                         // ID, Name, Arguments, Signature
	ToolResult                       // ID, Name, Parts, IsError
	HostedRun                        // Run; Signature: the run in its provider's format; Text: what others are told of it
	Opaque                           // Raw: a part of the client's format that has no equivalent here
)

// Part is a piece of a message.
type Part struct {
	Kind      PartKind
	Text      jsonedit.Text
	Signature string // of a thinking part, or of a call (Gemini); opaque
	// Origin is whose the Signature or the redacted thinking is. In an answer it
	// is set where it is not the origin in Meta.
	Origin origin.Name
	Media  *Media
	ID     string // tool call id
	Name   string // function name
	// Arguments is the call's argument text as the model wrote it, never
	// re-encoded. It is usually a JSON object, but models make mistakes.
	Arguments jsonedit.Text
	Parts     []Part // content of a tool result
	Run       *Run   // nil in a history
	IsError   bool
	// CacheControl is Anthropic's cache_control of this part.
	CacheControl Raw
	Raw          Raw
	// Type is the type of an Opaque part in the client's format, or of a text that was
	// made of one.
	Type string
}

// Media is an image, sound or document, given as data, URL or file id.
type Media struct {
	MIME     string        // "image/png"; "" when only the URL is known
	Data     jsonedit.Text // base64, unchecked
	URL      string        // http(s)://, gs://, s3://
	FileID   string
	Filename string
	Detail   string // OpenAI's image detail
	Context  string // what the client says about a document; it is not cited
	Cite     bool   // the answer is to cite the document
}

// imageNames are names of image types that are not registered, but sent by clients:
// image/jpg is taken by OpenAI only, the others are old browsers'.
// https://www.iana.org/assignments/media-types
var imageNames = map[string]string{"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}

// Type returns MIME by its registered name, which is in small letters.
func (m *Media) Type() string {
	main, rest, _ := strings.Cut(m.MIME, ";")
	main = strings.ToLower(strings.TrimSpace(main))
	if known := imageNames[main]; known != "" {
		main = known
	}
	if rest == "" {
		return main
	}
	return main + ";" + rest
}

// Tool is a function the model may call, or a tool that the provider runs itself.
type Tool struct {
	Name        string // of a hosted tool: what ToolChoice calls it
	Description jsonedit.Text
	Parameters  Raw // JSON schema; nil when absent
	Strict      *bool
	// CacheControl is Anthropic's cache_control.
	CacheControl Raw

	// Hosted is the kind of a tool that the provider runs itself, "" for a function;
	// see provider.Operation.Offer.
	Hosted Hosted
	Search *Search // of a WebSearch, nil for none
	Server *Server // of an MCP
	// Client is how the client's format writes the tool and its calls, if it is no
	// plain function there.
	Client ClientTool
	// Native is the client's complete JSON of a tool that has a form of its own in
	// some maker's format: a hosted one, or a function that the maker's models know
	// without a schema.
	Native Raw
}

// ToolChoice says whether a tool must be called, and which one.
type ToolChoice struct {
	Mode string // "", auto, none, required, function
	Name string // set when Mode is "function"
}

// ResponseFormat is the format that the client wants the answer in.
type ResponseFormat struct {
	Type   string // "", text, json_object, json_schema
	Name   string
	Schema Raw
	Strict *bool
}

// FinishReason says why a choice ended, in OpenAI's terms. It is only set when the
// provider gave a reason.
type FinishReason string

// The finish reasons. Others (guardrail_intervened) are passed on unchanged.
const (
	Stop          FinishReason = "stop"
	Length        FinishReason = "length"
	ToolCalls     FinishReason = "tool_calls"
	ContentFilter FinishReason = "content_filter"
	// Failed is a generation that went wrong: a call that is malformed, an error of
	// the model. The relay makes it an error; the provider's reason is in StopText, or
	// in the Text of a Finish.
	Failed FinishReason = "error"
)

// FinishReasons are a provider's finish reasons by its names.
type FinishReasons map[string]FinishReason

// Of returns the reason that name means. An unknown one is kept unchanged, and no reason
// stays "".
func (m FinishReasons) Of(name []byte) FinishReason {
	if known, ok := m[string(name)]; ok {
		return known
	}
	return FinishReason(name)
}

// Response is a whole answer. As in a Request, Texts and Raws alias the provider's body.
type Response struct {
	ID                string // "" when the provider has none
	Model             string // "" when the provider does not say
	Created           int64  // unix seconds, 0 when the provider does not say
	SystemFingerprint string
	ServiceTier       string
	Choices           []Choice
	Usage             Usage
	// NoUsage is set when the provider sent no usage at all.
	NoUsage bool
	// UsageText, if set, is the JSON that the client gets as usage instead of
	// Usage. It is what Kong answers when Anthropic sent no usage, or one that
	// cannot be understood.
	UsageText Raw
	// Meta replaces ID, Model and Created when the provider left them out. It is
	// set by the relay, not by a provider.
	Meta Meta
	// Extra holds further members that a client of the OpenAI format may want (Bedrock's
	// trace, Gemini's groundingMetadata …).
	Extra []Member
}

// Choice is one of the answers to a request (see Request.N).
type Choice struct {
	Index    int
	Parts    []Part
	Finish   FinishReason
	StopText string // the stop sequence that matched, if the provider names it
	Logprobs Raw
	// Citations are the sources of the text.
	Citations []Citation
	// Extra holds members of a completion's choice that OpenAI does not have.
	Extra []Member
}

// Usage holds token counts. They are totals, never increments.
type Usage struct {
	Prompt     int // all input tokens, cached ones included
	Completion int // all output tokens, reasoning included
	Total      int // 0: Prompt + Completion

	Cached       int // of Prompt, read from a cache
	CacheWrite   int // of Prompt, written to a cache (all TTLs)
	CacheWrite5m int
	CacheWrite1h int
	PromptAudio  int
	PromptImage  int
	PromptText   int

	Reasoning          int // of Completion
	CompletionAudio    int
	CompletionImage    int
	CompletionText     int
	AcceptedPrediction int
	RejectedPrediction int

	SearchUnits  int    // searches: of a rerank model, or of the web by the provider
	Images       int    // that were made
	Characters   int    // of a text that was spoken
	Milliseconds int    // of sound, where that is what is paid for
	ServiceTier  string // as the provider reports it

	// Cost is what the provider says that it takes, in US dollars; 0 where it does not say.
	Cost float64

	Calls   int // that this is the sum of, see Add; 0 for one
	Largest int // prompt of one of those; 0 for Prompt
}

// LargestPrompt is the prompt of the largest call that u is the sum of.
func (u *Usage) LargestPrompt() int {
	if u.Calls > 0 {
		return u.Largest
	}
	return u.Prompt
}

// Any says whether anything was used.
func (u *Usage) Any() bool {
	return u.TotalTokens() > 0 || u.SearchUnits > 0 || u.Images > 0 || u.Characters > 0 || u.Milliseconds > 0
}

// TotalTokens returns the provider's total, or else Prompt + Completion.
func (u *Usage) TotalTokens() int {
	if u.Total != 0 {
		return u.Total
	}
	return u.Prompt + u.Completion
}

// DeltaKind is the kind of a delta.
type DeltaKind uint8

// The kinds of deltas, and the fields that each uses.
const (
	// Start opens the stream: ID, Model, Created. A provider sends it once, as
	// the first delta. The relay's encoder copes when it is missing.
	Start          DeltaKind = iota
	TextDelta                // Choice, Text
	ThinkingDelta            // Choice, Text
	SignatureDelta           // Choice, Text
	RedactedDelta            // Choice, Text
	RefusalDelta             // Choice, Text
	ToolStart                // Choice, Index, ID, Name (and Text: arguments that came with the start; Signature)
	ToolArguments            // Choice, Index, Text
	RunStart                 // Choice, Run: a hosted tool begins; it has no result yet
	RunEnd                   // Choice, Run; Signature: the run in its provider's format
	AudioDelta               // Choice, Raw: OpenAI's delta.audio object
	ImageDelta               // Choice, Name: the MIME type, Text: the whole image in base64
	LogprobsDelta            // Choice, Raw
	CitationDelta            // Choice, Citation: a source of text that has come, or will
	Finish                   // Choice, Reason, Text: the stop sequence that matched
	UsageDelta               // Usage: the totals so far
	ErrorDelta               // Err: the provider gave up
	ExtraDelta               // Name, Raw: a member for the chunk's top level
	End                      // the provider said that the stream is complete
)

// Delta is one step of a streamed answer. Byte slices are valid until the
// stream's Next is called again.
type Delta struct {
	Kind    DeltaKind
	Choice  int // index of the choice
	Index   int // of the tool call, counted from 0 per choice
	ID      []byte
	Model   []byte
	Name    []byte
	Text    []byte
	Raw     []byte
	Created int64
	Reason  FinishReason
	Usage   *Usage // owned by the stream
	// Citation and Run stay valid.
	Citation *Citation
	Run      *Run
	Err      *Error
	// Signature is an opaque token that belongs to a call or a text.
	Signature []byte
	// Origin is whose the signature or the redacted thinking is, where it is not
	// the origin in Meta.
	Origin origin.Name
}

// Error is an error of a provider or of the relay, independent of any format.
type Error struct {
	Status  int    // HTTP status, 0 in a stream without one
	Type    string // invalid_request_error, rate_limit_error, overloaded_error …
	Code    string
	Param   string // the field at fault
	Message string
	// RetryAfter is how long to wait before another try, 0 when unknown.
	RetryAfter time.Duration
	// Allow is the Allow header of a 405: the methods that may be used instead.
	Allow string
}

// NewError returns an error of the gateway's own with an HTTP status. The status
// determines the error's type.
func NewError(status int, message string) *Error {
	return &Error{Status: status, Type: TypeOf(status), Message: message}
}

func (e *Error) Error() string { return e.Message }

// RequestError means that a request cannot be translated. It becomes a 400 in
// the client's format.
type RequestError struct {
	Field   string // "messages[1].content[0].image_url", "" when the message names it
	Message string
}

func (e *RequestError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// ResponseError means that a provider's 200 cannot be understood. It becomes a
// 500 `transformation failed from type <provider>://<route>: <message>`.
type ResponseError struct{ Message string }

func (e *ResponseError) Error() string { return e.Message }

// Add adds the tokens of v, the usage of another answer that counts towards the
// same request. The service tier is not changed.
func (u *Usage) Add(v *Usage) {
	total := u.TotalTokens() + v.TotalTokens()
	u.Largest = max(u.LargestPrompt(), v.LargestPrompt())
	if u.Calls == 0 && u.Any() {
		u.Calls = 1
	}
	u.Calls += max(v.Calls, 1)
	u.Prompt += v.Prompt
	u.Completion += v.Completion
	u.Cached += v.Cached
	u.CacheWrite += v.CacheWrite
	u.CacheWrite5m += v.CacheWrite5m
	u.CacheWrite1h += v.CacheWrite1h
	u.PromptAudio += v.PromptAudio
	u.PromptImage += v.PromptImage
	u.PromptText += v.PromptText
	u.Reasoning += v.Reasoning
	u.CompletionAudio += v.CompletionAudio
	u.CompletionImage += v.CompletionImage
	u.CompletionText += v.CompletionText
	u.AcceptedPrediction += v.AcceptedPrediction
	u.RejectedPrediction += v.RejectedPrediction
	u.SearchUnits += v.SearchUnits
	u.Cost += v.Cost
	if u.Total = total; total == u.Prompt+u.Completion {
		u.Total = 0
	}
}
