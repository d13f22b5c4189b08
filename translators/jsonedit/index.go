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
	from := 0
	for vectors {
		places := len(body) - gap - from
		if places < block {
			break
		}
		i := findPair(&body[from], places, word[0], word[gap], gap)
		from += i
		if places-i < block {
			break
		}
		if string(body[from:from+len(word)]) == word {
			return from
		}
		from++
	}
	if i := bytes.Index(body[from:], []byte(word)); i >= 0 {
		return from + i
	}
	return -1
}
