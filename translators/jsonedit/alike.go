package jsonedit

import (
	"bytes"
	"unicode/utf8"
)

// Alike recognizes a text that differs from an earlier one only in the content of a
// string, or of two. Most events of a stream are such: what else is in them is known
// then, and need not be read again. The zero value recognizes nothing.
type Alike struct {
	fixed  []byte // the earlier text without these contents
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
	if a.vain >= maxVain || len(text) > maxAlike {
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
	a.fixed, a.n, a.wanted, a.vain = a.fixed[:0], n, wanted, a.vain+1
	from := 0
	for i, quote := range quotes[:n] {
		a.fixed = append(a.fixed, text[from:quote+1]...)
		a.gaps[i], from = len(a.fixed), ends[i]
	}
	a.fixed = append(a.fixed, text[from:]...)
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
	if a.n == 0 {
		return nil, false
	}
	done := 0
	for i, gap := range a.gaps[:a.n] {
		part := a.fixed[done:gap]
		if !bytes.HasPrefix(text, part) {
			return nil, false
		}
		text, done = text[len(part):], gap
		n := plain(text)
		if i == a.wanted {
			content = text[:n:n]
		}
		text = text[n:]
	}
	if !bytes.Equal(text, a.fixed[done:]) || !utf8.Valid(content) {
		return nil, false
	}
	a.vain = 0
	return content, true
}
