package jsonedit

import (
	"bytes"
	"iter"
)

// Values returned by Object and Array are valid JSON, so that reading them further
// needs no second check. For a value that is not valid, the results of these
// functions are meaningless, but they do not panic.

// Members appends the members of a valid object to dst and returns the extended
// slice. For any other value dst is returned unchanged. Start and End are offsets
// in value.
func Members(value []byte, dst []Member) []Member {
	dst, _ = membersTo(value, dst)
	return dst
}

// Outline is like Object, but only checks the outline: body must be one object with
// matching brackets and closed strings. Its values are not validated. It is for
// bodies that are forwarded unchanged.
func Outline(body []byte, dst []Member) (members []Member, ok bool) {
	from := skipSpace(body, 0)
	dst, end := membersTo(body[from:], dst)
	for i := range dst {
		dst[i].Start, dst[i].End = dst[i].Start+from, dst[i].End+from
	}
	end += from
	return dst, end < len(body) && body[end] == '}' && skipSpace(body, end+1) == len(body)
}

// Walk returns a Walker before the first member of a valid object. Other values have
// no members.
func Walk(value []byte) Walker {
	w := Walker{text: value, i: len(value)}
	if IsObject(value) {
		w.i = skipSpace(value, 1)
	}
	return w
}

// Walker goes through the members of an object one by one, without memory for them
// all. Its slices alias the object, but a name with escapes is a copy.
type Walker struct {
	Key, Value []byte // of the member, as in Member

	text       []byte
	start, end int // of the member
	i          int // where the next one begins
}

// Next goes to the next member. It returns false after the last one.
func (w *Walker) Next() bool {
	if w.i >= len(w.text) || w.text[w.i] != '"' {
		return false
	}
	text := w.text
	w.start = w.i
	w.i = closing(text, w.i)
	name := text[w.start+1 : w.i]
	if bytes.IndexByte(name, '\\') >= 0 {
		if _, err := str(text, w.start); err != nil {
			return false
		}
		name = unescaped(name)
	}
	colon := skipSpace(text, min(w.i+1, len(text)))
	from := skipSpace(text, min(colon+1, len(text)))
	w.end = past(text, from)
	w.Key, w.Value = name[:len(name):len(name)], text[from:w.end:w.end]
	w.i = next(text, w.end)
	return true
}

// membersTo is like Members, and also returns the offset where it stopped.
func membersTo(value []byte, dst []Member) ([]Member, int) {
	w := Walk(value)
	for w.Next() {
		dst = append(dst, Member{Key: w.Key, Value: w.Value, Start: w.start, End: w.end})
	}
	return dst, w.i
}

// Elements appends the elements of a valid array to dst, as Members does.
func Elements(value []byte, dst [][]byte) [][]byte {
	for element := range EachOf(value) {
		dst = append(dst, element)
	}
	return dst
}

// EachOf yields the elements of a valid array, and reads no further than the loop goes.
func EachOf(value []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !IsArray(value) {
			return
		}
		for i := skipSpace(value, 1); i < len(value) && value[i] != ']'; {
			from := i
			i = past(value, i)
			if !yield(value[from:i:i]) {
				return
			}
			if i = next(value, i); i == from {
				return
			}
		}
	}
}

// next goes from the end of a member or element to the next one, or to the closing
// bracket.
func next(text []byte, i int) int {
	if i = skipSpace(text, i); i < len(text) && text[i] == ',' {
		return skipSpace(text, i+1)
	}
	return i
}

// past returns the offset after the value at i.
func past(text []byte, i int) int {
	if i >= len(text) {
		return i
	}
	switch text[i] {
	case '"':
		return min(closing(text, i)+1, len(text))
	case '{', '[':
		for depth := 0; i < len(text); i++ {
			switch text[i] {
			case '"':
				i = closing(text, i)
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return len(text)
	}
	for i < len(text) {
		switch text[i] {
		case ',', '}', ']', ' ', '\t', '\r', '\n':
			return i
		}
		i++
	}
	return i
}

// closing returns the offset of the closing quote of the string at i, or the length
// of text if there is none.
func closing(text []byte, i int) int {
	for end := i + 1; ; end++ {
		n := bytes.IndexByte(text[end:], '"')
		if n < 0 {
			return len(text)
		}
		end += n
		back := end
		for text[back-1] == '\\' {
			back--
		}
		if (end-back)%2 == 0 {
			return end
		}
	}
}

// StringAtStart returns the JSON string that text begins with, including its
// quotes. It returns nil if text begins with something else or the string has no
// end. The string's content is not validated.
func StringAtStart(text []byte) []byte {
	if !IsString(text) {
		return nil
	}
	end := closing(text, 0)
	if end == len(text) {
		return nil
	}
	return text[:end+1]
}
