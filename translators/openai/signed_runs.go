package openai

import "go-ai-proxy/translators/chat"

// ranBefore are the runs of hosted tools before a call. Gemini wants all parts of a turn
// back with their signatures, or the model fails, and a chat client has a place for those
// of calls only: they have the runs' with them. Without them, whether the client drops the
// member or a run has not ended, neither goes back, and Gemini gets what stands in for the
// signature of a call of another model's.
// https://ai.google.dev/gemini-api/docs/tool-combination
type ranBefore struct {
	any    bool
	open   int // without a token yet
	tokens []string
}

func (r *ranBefore) begin() { r.any, r.open = true, r.open+1 }

func (r *ranBefore) end(token string) {
	if token != "" {
		r.open--
		r.tokens = append(r.tokens, token)
	}
}

// sign returns the token of a call with those of the runs before it, which the next call
// does not have again.
func (r *ranBefore) sign(call string) string {
	if call == "" {
		return ""
	}
	tokens := r.tokens
	r.tokens = nil
	if r.open > 0 {
		return ""
	}
	return chat.WithRuns(call, tokens)
}
