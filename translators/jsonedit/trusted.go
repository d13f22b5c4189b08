package jsonedit

import "bytes"

// What Object and Array have returned is valid: looking further into it takes
// no second check. These functions make no sense of a value that is not valid,
// but do no harm.

// Members appends the members of a valid object to dst and returns the extended
// slice; dst as it was for any other value. Start and End are offsets in value.
func Members(value []byte, dst []Member) []Member {
	dst, _ = membersTo(value, dst)
	return dst
}

// Outline is Object with a look at the outline only: body must be one object
// whose brackets and strings end where they should. What is in it is not
// checked. It is for bodies that are passed on as they are.
func Outline(body []byte, dst []Member) (members []Member, ok bool) {
	from := skipSpace(body, 0)
	dst, end := membersTo(body[from:], dst)
	for i := range dst {
		dst[i].Start, dst[i].End = dst[i].Start+from, dst[i].End+from
	}
	end += from
	return dst, end < len(body) && body[end] == '}' && skipSpace(body, end+1) == len(body)
}

// membersTo is Members; it returns the offset that it came to as well.
func membersTo(value []byte, dst []Member) ([]Member, int) {
	if !IsObject(value) {
		return dst, len(value)
	}
	i := skipSpace(value, 1)
	for ; i < len(value) && value[i] == '"'; i = next(value, i) {
		start := i
		i = closing(value, i)
		name := value[start+1 : i]
		if bytes.IndexByte(name, '\\') >= 0 {
			if _, err := str(value, start); err != nil {
				break
			}
			name = unescaped(name)
		}
		i = skipSpace(value, min(i+1, len(value)))     // to the colon
		from := skipSpace(value, min(i+1, len(value))) // to the value
		i = past(value, from)
		dst = append(dst, Member{Key: name[:len(name):len(name)], Value: value[from:i:i], Start: start, End: i})
	}
	return dst, i
}

// Elements appends the elements of a valid array to dst, as Members does.
func Elements(value []byte, dst [][]byte) [][]byte {
	if !IsArray(value) {
		return dst
	}
	for i := skipSpace(value, 1); i < len(value) && value[i] != ']'; {
		from := i
		i = past(value, i)
		dst = append(dst, value[from:i:i])
		if i = next(value, i); i == from {
			break
		}
	}
	return dst
}

// next goes from behind a member or element to the one after the comma, or to
// the closing bracket.
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

// closing returns the offset of the closing quote of the string at i, the
// text's length when there is none.
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

// StringAtStart is the JSON string that text begins with, quotes included; nil
// when it begins with something else or has no end. What is in it is not checked.
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
