package record

import (
	"math"

	"go-ai-proxy/translators/chat"
)

// EstimateOutput estimates the output tokens when nobody counted them, one per
// four bytes as Kong does, and says whether it did. said is in bytes.
func EstimateOutput(u *chat.Usage, said int) bool {
	if u.Completion != 0 || said == 0 {
		return false
	}
	u.Completion, u.Total = TextTokens(said), 0
	return true
}

// TextTokens estimates the tokens of a text of size bytes: one per four bytes.
func TextTokens(size int) int { return (size + 3) / 4 }

// PromptTokens is Kong's estimate of a prompt's tokens: 1 per word, 1.8 when the
// answer is streamed.
func PromptTokens(words int, stream bool) int {
	factor := 1.0
	if stream {
		factor = 1.8
	}
	return int(math.Floor(float64(words)*factor + 0.5))
}

// maxCount bounds a counter that a provider reports, so that sums stay numbers.
const maxCount = 1 << 40

// maxCost bounds what a provider says that a request cost, in US dollars.
const maxCost = 1e6

// Bound keeps impossible counts out of the record and the balancer.
func Bound(u *chat.Usage) {
	for _, n := range []*int{
		&u.Prompt, &u.Completion, &u.Total, &u.Cached, &u.CacheWrite, &u.CacheWrite5m, &u.CacheWrite1h, &u.PromptAudio, &u.PromptImage, &u.PromptText,
		&u.Reasoning, &u.CompletionAudio, &u.CompletionImage, &u.CompletionText, &u.AcceptedPrediction, &u.RejectedPrediction, &u.SearchUnits, &u.Images, &u.Characters, &u.Milliseconds, &u.Calls, &u.Largest,
	} {
		*n = min(max(*n, 0), maxCount)
	}
	if !(u.Cost > 0 && u.Cost <= maxCost) {
		u.Cost = 0
	}
}
