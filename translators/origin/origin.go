// Package origin says whose an opaque token of a conversation is: the signature of
// a thought or of a call, redacted thinking, encrypted reasoning, the id of a
// server's tool. A client keeps such tokens and sends them back, perhaps to another
// provider than the one that made them, which refuses what it did not make itself.
//
// What is handed out to a client tells whose it is. In a format of its maker's own a
// token is handed out as it came: a signature in a thinking block of Anthropic's
// format is Claude's, a thoughtSignature in Gemini's is Google's. Any other token
// begins with a mark, which names its origin; see Append. When a token comes back,
// Of takes the mark off and says whose it is, by the mark or else by the format.
// Then chat.Request.Owned, or what an operation's Edit does with a body of the same
// format, leaves to the target only what is its own.
package origin

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// Name is an origin: letters a to z and digits. Where a maker's tokens are taken by
// all that serve its models, it is the maker; else it is who serves them.
type Name string

// The origins that formats are of, or that several providers share.
const (
	// Anthropic: signatures of Claude are good on Anthropic's API, Bedrock and
	// Vertex alike.
	// https://platform.claude.com/docs/en/build-with-claude/extended-thinking
	Anthropic Name = "anthropic"
	// Google: https://ai.google.dev/gemini-api/docs/thought-signatures
	Google Name = "google"
	OpenAI Name = "openai"
	Amazon Name = "amazon" // what serves models other than Claude on Bedrock
	// Unknown is nobody's: tokens of it are not sent to anyone.
	Unknown Name = ""
)

// A mark is Prefix, a letter for how the token is written, the origin's name, and
// one to four fill letters up to a multiple of four. All are letters and digits: with
// the token, which is base64, the whole is base64 still, which Google's SDKs decode
// and encode again, in the alphabet for URLs.
const (
	Prefix = "GoAIProxyOrigin"
	fill   = 'Z'

	asItIs = '0' // the token is base64, with so many fill letters behind it: 0 to 3
	asText = 'T' // the token is anything else, and is encoded
)

var encoding = base64.StdEncoding

// standard undoes what the SDKs do that write base64 in the alphabet for URLs.
var standard = strings.NewReplacer("-", "+", "_", "/")

// Append writes a token to hand out in a format whose tokens are format's own: as it
// is if it is of the same origin or of none, with a mark otherwise. A token that is empty makes
// a mark alone, which says whose the thought beside it is.
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

// Text is Append for a text.
func Text(whose, format Name, token string) string {
	if whose == format || whose == Unknown {
		return token
	}
	return string(Append(nil, whose, format, token))
}

// Of takes the mark off a token that a client sent in a format, and says whose the
// token is: what its mark names, or without one the format's own. A token with a
// broken mark is nobody's.
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

// Marked says whether a body may have a token with a mark.
func Marked(body []byte) bool { return bytes.Contains(body, prefix) }

var prefix = []byte(Prefix)

// isBase64 says whether a token has base64's letters only. Padding completes it, so a
// token with padding needs none of ours.
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
