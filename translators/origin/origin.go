// Package origin records which provider made an opaque token of a conversation: the
// signature of a thought or of a call, redacted thinking, encrypted reasoning, the id
// of a server's tool. A client keeps such tokens and sends them back, perhaps to a
// provider that did not make them. Providers refuse tokens that they did not make.
//
// So a token tells the client's next request who made it. In its maker's own format
// it is sent to the client unchanged: a signature in a thinking block of Anthropic's
// format is Claude's, a thoughtSignature in Gemini's is Google's. Any other token is
// given a mark in front, which names its origin; see Append. When a token comes back,
// Of removes the mark and returns the origin: the one that the mark names, or without
// a mark the format's own. Then chat.Request.Owned, or for a body of the same format
// the operation's Edit, keeps only the tokens that the target made itself.
package origin

import (
	"encoding/base64"
	"go-ai-proxy/translators/jsonedit"
	"strings"
)

// Name is an origin: letters a to z and digits. It names the maker of a model if all
// providers that serve the model accept its tokens; otherwise it names the provider.
type Name string

// The origins that belong to a format, or that several providers share.
const (
	// Anthropic: signatures of Claude are valid on Anthropic's API, Bedrock and
	// Vertex alike.
	// https://platform.claude.com/docs/en/build-with-claude/extended-thinking
	Anthropic Name = "anthropic"
	// Google: https://ai.google.dev/gemini-api/docs/thought-signatures
	Google Name = "google"
	OpenAI Name = "openai"
	Amazon Name = "amazon" // Bedrock, for models other than Claude
	// Unknown: the token is not sent to any provider.
	Unknown Name = ""
)

// A mark consists of Prefix, a letter for how the token is written, the origin's name,
// and one to four fill letters that make its length a multiple of four. It has letters
// and digits only, so that mark and token together are valid base64. This is needed
// because Google's SDKs decode the text and encode it again, in the URL alphabet.
const (
	Prefix = "GoAIProxyOrigin"
	fill   = 'Z'

	asItIs = '0' // the token is base64; the digit, 0 to 3, counts the fill letters behind it
	asText = 'T' // the token is not base64, and is encoded
)

var encoding = base64.StdEncoding

// standard turns base64 in the URL alphabet, which some SDKs write, into standard
// base64.
var standard = strings.NewReplacer("-", "+", "_", "/")

// Append appends a token for the client to dst. whose is the token's origin, format
// the origin that unmarked tokens of the client's format have. The token is written
// unchanged if both are the same or whose is Unknown, and with a mark otherwise. For
// an empty token the mark alone is written: it tells the origin of the thought that it
// stands beside.
func Append[T string | []byte](dst []byte, whose, format Name, token T) []byte {
	if whose == format || whose == Unknown {
		return append(dst, token...)
	}
	start := len(dst)
	how, behind := byte(asText), 0
	if isBase64(token) {
		behind = -len(token) & 3
		how = asItIs + byte(behind)
	}
	dst = append(append(append(dst, Prefix...), how), whose...)
	dst = append(dst, fill)
	for (len(dst)-start)%4 != 0 {
		dst = append(dst, fill)
	}
	if how == asText {
		return encoding.AppendEncode(dst, []byte(token))
	}
	return append(append(dst, token...), "ZZZ"[:behind]...)
}

// Text is like Append and returns a string.
func Text(whose, format Name, token string) string {
	if whose == format || whose == Unknown {
		return token
	}
	return string(Append(nil, whose, format, token))
}

// Of removes the mark from a token that a client sent, and returns the token's origin:
// the one that its mark names, or format if it has no mark. For a broken mark it
// returns Unknown and no token.
func Of(token string, format Name) (Name, string) {
	if !strings.HasPrefix(token, Prefix) {
		return format, token
	}
	rest := token[len(Prefix):]
	end := 1 // of the name, in rest
	for end < len(rest) && ('a' <= rest[end] && rest[end] <= 'z' || '0' <= rest[end] && rest[end] <= '9') {
		end++
	}
	mark := (len(Prefix) + end + 4) / 4 * 4 // with at least one fill letter
	if end == 1 || mark > len(token) || strings.Trim(token[len(Prefix)+end:mark], string(fill)) != "" {
		return Unknown, ""
	}
	payload := standard.Replace(token[mark:])
	if rest[0] == asText {
		text, err := encoding.DecodeString(payload)
		if err != nil {
			return Unknown, ""
		}
		payload = string(text)
	} else if behind := int(rest[0]) - asItIs; behind < 0 || behind > 3 || behind > len(payload) {
		return Unknown, ""
	} else {
		payload = payload[:len(payload)-behind]
	}
	return Name(rest[1:end]), payload
}

// IsMarked reports whether a token has a mark.
func IsMarked(token string) bool { return strings.HasPrefix(token, Prefix) }

// Marked reports whether a body may contain a token with a mark.
func Marked(body []byte) bool { return jsonedit.Contains(body, Prefix) }

// isBase64 reports whether a token consists of base64's letters only, perhaps with
// padding. A token with padding needs no fill letters.
func isBase64[T string | []byte](token T) bool {
	end := len(token)
	for len(token)%4 == 0 && end > 0 && len(token)-end < 2 && token[end-1] == '=' {
		end--
	}
	for i := range end {
		switch c := token[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '+', c == '/':
		default:
			return false
		}
	}
	return true
}
