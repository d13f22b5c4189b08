package jsonedit

import (
	"bytes"
	"unicode/utf8"
)

// Alike recognizes a text that differs from an earlier one only in the content of a
// string, or of two. Most events of a stream are such: what else is in them is known
// then, and need not be read again. The zero value recognizes nothing.
type Alike struct {
	last *earlier // nil for nothing: most answers have no use for it
}

// earlier is a text that was learned.
type earlier struct {
	fixed  []byte // the text without the contents that vary
	gaps   [2]int // where in fixed they are missing, in order
	n      int    // how many they are
	wanted int    // the one that Content returns
	vain   int    // how many texts were learned since one was recognized
}

// maxVain and maxAlike limit what learning costs where every text is another.
const (
	maxVain  = 8
	maxAlike = 2 << 10 // bytes of a text
)

// Learn remembers a valid text. What varies is the string whose opening quote is at that
// offset, and the one at the offset padding, if that is above 0. A text in which these
// have escapes is not remembered: the one before may come again.
func (a *Alike) Learn(text []byte, at, padding int) {
	if a.last == nil {
		a.last = new(earlier)
	}
	l := a.last
	if l.vain >= maxVain || len(text) > maxAlike {
		return
	}
	quotes, n, wanted := [2]int{at, padding}, 2, 0
	switch {
	case padding <= 0:
		n = 1
	case padding < at:
		quotes, wanted = [2]int{padding, at}, 1
	}
	var ends [2]int
	for i, quote := range quotes[:n] {
		ends[i] = quote + 1 + plain(text[quote+1:])
		if ends[i] >= len(text) || text[ends[i]] != '"' {
			return
		}
	}
	l.fixed, l.n, l.wanted, l.vain = l.fixed[:0], n, wanted, l.vain+1
	from := 0
	for i, quote := range quotes[:n] {
		l.fixed = append(l.fixed, text[from:quote+1]...)
		l.gaps[i], from = len(l.fixed), ends[i]
	}
	l.fixed = append(l.fixed, text[from:]...)
}

// LearnValue is Learn for the text that was parsed. It learns nothing if the value is no
// string; the padding may be absent.
func (a *Alike) LearnValue(v, padding *Value) {
	if v.Type() != TypeString {
		return
	}
	at := 0
	if padding.Type() == TypeString {
		at = int(padding.start)
	}
	a.Learn(v.doc.text, int(v.start), at)
}

// Content returns the content of the string that varies, if text is the one that was
// learned in all else. The content is the same unescaped. It aliases text.
func (a *Alike) Content(text []byte) (content []byte, ok bool) {
	l := a.last
	if l == nil || l.n == 0 {
		return nil, false
	}
	done := 0
	for i, gap := range l.gaps[:l.n] {
		part := l.fixed[done:gap]
		if !bytes.HasPrefix(text, part) {
			return nil, false
		}
		text, done = text[len(part):], gap
		n := plain(text)
		if i == l.wanted {
			content = text[:n:n]
		}
		text = text[n:]
	}
	if !bytes.Equal(text, l.fixed[done:]) || !utf8.Valid(content) {
		return nil, false
	}
	l.vain = 0
	return content, true
}
