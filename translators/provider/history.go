package provider

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/origin"
)

// History says what an API with OpenAI's chat format takes of the messages of a
// conversation. Clients keep the answers that they got, perhaps of other providers,
// and send them back with all members; some APIs refuse those that they do not know.
type History struct {
	// Only lists the members of messages that the API knows; nil for any.
	Only []string
	// Calls lists the members of tool calls that it knows; nil for any.
	Calls []string
	// Thought is where the thought of an answer goes.
	Thought Thought
	// NoThought is what an answer without a thought has in its place, at an API that
	// demands one of every answer; "" for nothing.
	NoThought string
	// IDs, if set, says which ids of calls the API takes.
	IDs *chat.CallIDs
	// Bridge is what the model says between results and the user's next message, at an
	// API that demands an answer to results; "" for nothing. Such an API takes messages of
	// the system at the beginning only: a later one becomes the user's. Nor does it take an
	// answer of nothing, which is left out.
	Bridge string
	// CacheControl says that parts of text take Anthropic's cache_control.
	CacheControl bool
	// Origin is whose the opaque tokens are; "" for the provider's own.
	Origin origin.Name
}

// Thought is where an API takes the thought of an earlier answer.
type Thought uint8

// The places for thoughts.
const (
	// ThoughtAsItCame: nothing is known. A client of the same format has it forwarded,
	// for others it is left out.
	ThoughtAsItCame Thought = iota
	ThoughtNowhere
	ThoughtInReasoningContent // the message's member reasoning_content
	ThoughtInReasoning        // the message's member reasoning
	ThoughtInThinking         // Mistral's part of content: {"type":"thinking","thinking":[{"type":"text","text":"…"}]}
	// ThoughtSigned is Databricks' part of content, only with its signature:
	// {"type":"reasoning","summary":[{"type":"summary_text","text":"…","signature":"…"}]}.
	ThoughtSigned
)
