package jsonedit

import "bytes"

// Contains reports whether word is in body; see Index.
func Contains(body []byte, word string) bool { return Index(body, word) >= 0 }

// Index is bytes.Index for a whole body and a word of 2 bytes or more, such as the name
// of a member with its quotes. It looks for the first and the last byte of word at
// their distance, at the speed of memory. How often the first bytes of word occur makes
// no difference, where bytes.Index is ten times slower in a body that is full of quotes.
func Index(body []byte, word string) int {
	gap := len(word) - 1
	places := len(body) - gap
	if !vectors || places < block {
		return bytes.Index(body, []byte(word))
	}
	from := 0
	for places-from >= block {
		from += findPair(&body[from], places-from, word[0], word[gap], gap)
		if places-from < block {
			break
		}
		if string(body[from:from+len(word)]) == word {
			return from
		}
		from++
	}
	// The last places, of which some have been looked at.
	last := places - block
	from = max(from, last+findPair(&body[last], block, word[0], word[gap], gap))
	for ; from < places; from++ {
		if body[from] == word[0] && body[from+gap] == word[gap] && string(body[from:from+len(word)]) == word {
			return from
		}
	}
	return -1
}
