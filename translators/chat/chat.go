// Package chat is the one internal form of a chat between a client and a
// model. A dialect (client side) parses into it and writes from it, a provider
// (upstream side) the reverse, so that there are M + N translators and not
// M × N. It holds values only. Start with Request, then Delta.
package chat

import (
	"encoding/json"
	"strconv"
	"time"
)

// Number is a JSON number as the client wrote it; "" is absent. Keeping the
// text keeps 0.1 and 1e3 what they are.
type Number string

// Int returns the number as an int and whether it is one (1e3 and 2.0 are).
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

// Float returns the number and whether there is one.
func (n Number) Float() (float64, bool) {
	if n == "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(n), 64)
	return f, err == nil
}

// Raw is JSON text that is carried and not looked into.
type Raw = json.RawMessage

// Role says whose a message is.
type Role string

// The roles. A dialect's "developer" becomes System; tool results are parts of
// a ToolRole message (or, where the client's format has it so, of a User message).
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
	ToolRole  Role = "tool"
)

// Request is a chat request. A zero field was not given. It is immutable once
// parsed: an attempt that changes something works on a shallow copy.
type Request struct {
	Model        string
	Stream       bool
	IncludeUsage bool // stream_options.include_usage
	Messages     []Message
	Tools        []Tool
	ToolChoice   ToolChoice
	// ParallelTools is nil when not given.
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
	User            string
	ServiceTier     string
	Metadata        Raw

	// Extra holds the other top-level members by name, in order, undecoded:
	// those of OpenAI's API that this form has no field for, and a provider's
	// own (safetySettings, guardrailConfig …).
	Extra []Member
	// ExtraBody is an object that is merged deeply into the provider's body.
	ExtraBody Raw
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

// Message is one turn. Its parts are in the client's order.
type Message struct {
	Role  Role
	Name  string // OpenAI's participant name
	Parts []Part
}

// PartKind says what a part is.
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
	Opaque                           // Raw: a part of the client's format that has no equal here
)

// Part is a piece of a message.
type Part struct {
	Kind      PartKind
	Text      string
	Signature string // of a thinking part, or Gemini's of a call; opaque
	Media     *Media
	ID        string // tool call id
	Name      string // function name
	// Arguments is the call's argument text as the model wrote it: usually a
	// JSON object, but models err; never re-encoded.
	Arguments string
	Parts     []Part // content of a tool result
	IsError   bool
	// CacheControl is Anthropic's cache_control of this part.
	CacheControl Raw
	Raw          Raw
	// Type is the client's own name of an Opaque part.
	Type string
}

// Media is an image, a sound, a document: by data, by URL or by file id.
type Media struct {
	MIME     string // "image/png"; "" when only the URL is known
	Data     string // base64, unchecked
	URL      string // http(s)://, gs://, s3://
	FileID   string
	Filename string
	Detail   string // OpenAI's image detail
}

// Tool is a function the model may call.
type Tool struct {
	Name        string
	Description string
	Parameters  Raw // JSON schema; nil when not given
	Strict      *bool
	// CacheControl is Anthropic's cache_control.
	CacheControl Raw
	// Native is a tool that is no function (a provider's own, such as
	// {"googleSearch":{}}), whole; the other fields are then empty.
	Native Raw
}

// ToolChoice says whether and which tool must be called.
type ToolChoice struct {
	Mode string // "", auto, none, required, function
	Name string // with function
}

// ResponseFormat is the asked form of the answer.
type ResponseFormat struct {
	Type   string // "", text, json_object, json_schema
	Name   string
	Schema Raw
	Strict *bool
}

// FinishReason says why a choice ended, in OpenAI's words. It is never invented.
type FinishReason string

// The finish reasons. Others (guardrail_intervened) pass as they are.
const (
	Stop          FinishReason = "stop"
	Length        FinishReason = "length"
	ToolCalls     FinishReason = "tool_calls"
	ContentFilter FinishReason = "content_filter"
)

// Response is a whole answer.
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
	// UsageText, when set, is the JSON that the client gets as its usage in
	// place of Usage: what Kong answers where Anthropic sent none, or one that
	// cannot be understood.
	UsageText Raw
	// Meta stands in for ID, Model and Created where the provider left them
	// out. The relay sets it; a provider does not.
	Meta Meta
	// Extra are members that a client of the OpenAI format may want (Bedrock's
	// trace, Gemini's groundingMetadata …).
	Extra []Member
}

// Choice is one of the answers.
type Choice struct {
	Index    int
	Parts    []Part
	Finish   FinishReason
	StopText string // the stop sequence that matched, where the provider says it
	Logprobs Raw
	// Extra are members that a completion's choice has besides OpenAI's.
	Extra []Member
}

// Usage counts tokens. Counters are totals, never increments.
type Usage struct {
	Prompt     int // everything read, cached tokens included
	Completion int // everything written, reasoning included
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

	SearchUnits int    // rerank
	ServiceTier string // as the provider reports it
}

// TotalTokens is the provider's total, or the sum.
func (u *Usage) TotalTokens() int {
	if u.Total != 0 {
		return u.Total
	}
	return u.Prompt + u.Completion
}

// DeltaKind says what a delta brings.
type DeltaKind uint8

// The kinds of deltas, and the fields that each uses.
const (
	// Start opens the stream: ID, Model, Created. A provider sends it first,
	// and once (the relay's encoder does what is needed when it is missing).
	Start          DeltaKind = iota
	TextDelta                // Choice, Text
	ThinkingDelta            // Choice, Text
	SignatureDelta           // Choice, Text
	RedactedDelta            // Choice, Text
	RefusalDelta             // Choice, Text
	ToolStart                // Choice, Index, ID, Name (and Text: arguments that came at once; Signature)
	ToolArguments            // Choice, Index, Text
	AudioDelta               // Choice, Raw: OpenAI's delta.audio object
	ImageDelta               // Choice, Name: the MIME type, Text: the whole picture in base64
	LogprobsDelta            // Choice, Raw
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
	Err     *Error
	// Signature is an opaque token that belongs to a call.
	Signature []byte
}

// Error is what a provider (or the relay) says went wrong, without a format.
type Error struct {
	Status  int    // HTTP status, 0 in a stream without one
	Type    string // invalid_request_error, rate_limit_error, overloaded_error …
	Code    string
	Param   string // the field at fault
	Message string
	// RetryAfter is how long to wait before another try, 0 when nobody says.
	RetryAfter time.Duration
	// Allow is the header of a 405: the methods that may be used instead.
	Allow string
}

// NewError is an error of our own, told with a status of HTTP. Its type follows
// from that.
func NewError(status int, message string) *Error {
	return &Error{Status: status, Type: TypeOf(status), Message: message}
}

func (e *Error) Error() string { return e.Message }

// RequestError says that a request cannot be translated: it becomes a 400 in
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

// ResponseError says that a provider's 200 cannot be understood: it becomes a
// 500 `transformation failed from type <provider>://<route>: <message>`.
type ResponseError struct{ Message string }

func (e *ResponseError) Error() string { return e.Message }

// Add adds the tokens of v: those of another answer that is counted with the same
// request. The service tier stays.
func (u *Usage) Add(v *Usage) {
	total := u.TotalTokens() + v.TotalTokens()
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
	if u.Total = total; total == u.Prompt+u.Completion {
		u.Total = 0
	}
}
