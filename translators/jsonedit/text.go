package jsonedit

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text is a text between two formats: either decoded, or still as it stands between
// the quotes of a JSON string. Most texts are only moved from one body to another,
// and a JSON string is the same in all of them, so it is copied and neither
// unescaped nor escaped again.
//
// The zero value is the empty text. Texts cannot be compared by ==, because the same
// text has several forms; String is what they have in common.
type Text struct {
	_    [0]func() // not comparable
	s    string
	form form
}

// form is how the string of a Text has to be read.
type form uint8

const (
	plainText    form = iota // as it is; to be escaped when it is written
	bareInside               // inside of a JSON string without escapes
	quotedInside             // inside of a JSON string with escapes
)

// Plain returns s, which is not escaped, as a Text.
func Plain(s string) Text { return Text{s: s} }

// PlainBytes is like Plain; the Text aliases b.
func PlainBytes(b []byte) Text { return Plain(alias(b)) }

// Quoted returns the Text of a valid JSON string without its quotes, such as
// AppendInside writes.
func Quoted(inside string) Text { return Text{s: inside, form: quotedInside} }

// Text returns the string v as a Text; the empty Text if v is not a string. The Text
// aliases the parsed text, so it is valid as long as that does not change, even after
// the Parser has parsed another one. Bytes that are not UTF-8 and lone surrogates
// become U+FFFD when it is written.
func (v *Value) Text() Text {
	switch {
	case v.Type() != TypeString:
		return Text{}
	case !v.sound():
		return Plain(string(v.GetStringBytes()))
	case v.flags&escaped == 0:
		return Text{s: alias(v.inside()), form: bareInside}
	}
	return Text{s: alias(v.inside()), form: quotedInside}
}

// inside returns the bytes between the quotes of the string v.
func (v *Value) inside() []byte { return v.doc.text[v.start+1 : v.end-1 : v.end-1] }

// sound reports whether the string v may be copied as it is: it is UTF-8 without lone
// surrogates.
func (v *Value) sound() bool {
	inside := v.inside()
	return (v.flags&unusual == 0 || paired(inside)) && (v.flags&wide == 0 || utf8.Valid(inside))
}

// paired reports whether all surrogates in the inside of a string have another half.
func paired(inside []byte) bool {
	if !bytes.Contains(inside, []byte(`\ud`)) && !bytes.Contains(inside, []byte(`\uD`)) {
		return true
	}
	for {
		i := bytes.IndexByte(inside, '\\')
		if i < 0 {
			return true
		}
		size := sizeOfEscape(alias(inside[i:]))
		if size > 2 {
			r := hex4(inside[i+2:])
			if utf16.IsSurrogate(r) && (size == 6 || utf16.DecodeRune(r, hex4(inside[i+8:])) == utf8.RuneError) {
				return false
			}
		}
		inside = inside[i+size:]
	}
}

// JSON returns v as JSON text in which all is UTF-8 and each name is unique; null if v
// is absent. It is Raw, which aliases the parsed text, unless something has to be
// rewritten for that.
func (v *Value) JSON() []byte {
	if v == nil || !v.doc.verbatim(v) {
		return AppendValue(nil, v)
	}
	return v.Raw()
}

// verbatim reports whether v is in the form of JSON as it is written.
func (p *Parser) verbatim(v *Value) bool {
	for i := v.at; i < v.next; i++ {
		n := &p.nodes[i]
		switch n.kind {
		case TypeString:
			if !n.sound() {
				return false
			}
		case TypeObject:
			for j := i + 1; j < n.next; j = p.nodes[j].next {
				if m := &p.nodes[j]; m.flags&nameMade != 0 || !utf8.Valid(p.nameOf(m)) || p.replaced(n, m) {
					return false
				}
			}
		}
	}
	return true
}

// GetText returns the string at the path as a Text; the empty Text if there is none.
func (v *Value) GetText(path ...string) Text { return v.Get(path...).Text() }

// String returns the text decoded. It only allocates if there are escapes, so the
// string may alias what the text does.
func (t Text) String() string {
	if t.form != quotedInside || strings.IndexByte(t.s, '\\') < 0 {
		return t.s
	}
	return alias(appendUnescaped(nil, bytesOf(t.s)))
}

// Append appends the text to dst as a JSON string.
func (t Text) Append(dst []byte) []byte {
	if t.form == plainText {
		return AppendString(dst, t.s)
	}
	return append(append(append(dst, '"'), t.s...), '"')
}

// AppendInside is like Append without the quotes. What it has written for several
// texts is the inside of a JSON string of all of them.
func (t Text) AppendInside(dst []byte) []byte {
	if t.form != plainText {
		return append(dst, t.s...)
	}
	return appendInside(dst, bytesOf(t.s))
}

// AppendDecoded appends what String returns to dst.
func (t Text) AppendDecoded(dst []byte) []byte {
	if t.form != quotedInside {
		return append(dst, t.s...)
	}
	return appendUnescaped(dst, bytesOf(t.s))
}

// AppendObject appends the JSON object that the text spells, as the arguments of a
// call do; {} for white space and null. It reports whether the text is one; if not,
// dst is returned unchanged.
func (t Text) AppendObject(dst []byte) ([]byte, bool) {
	from := len(dst)
	dst = t.AppendDecoded(dst)
	object := bytes.TrimSpace(dst[from:])
	switch {
	case len(object) == 0 || string(object) == "null":
		return append(dst[:from], "{}"...), true
	case object[0] != '{' || Valid(object) != nil:
		return dst[:from], false
	}
	return dst[:from+copy(dst[from:], object)], true
}

// AppendMember writes a member with this text to dst, as the function AppendText does.
func (t Text) AppendMember(dst []byte, name string) []byte { return t.Append(AppendName(dst, name)) }

// AppendOptional is like AppendMember, but writes nothing if the text is empty.
func (t Text) AppendOptional(dst []byte, name string) []byte {
	if t.Empty() {
		return dst
	}
	return t.AppendMember(dst, name)
}

// Empty reports whether there is no text.
func (t Text) Empty() bool { return t.s == "" }

// Start returns the first byte of the text, decoded, that is not white space of JSON;
// 0 if there is none.
func (t Text) Start() byte {
	for s := t.s; s != ""; {
		c, size := s[0], 1
		if c == '\\' && t.form == quotedInside {
			var space [24]byte
			size = sizeOfEscape(s)
			c = appendUnescaped(space[:0], bytesOf(s[:size]))[0]
		}
		if strings.IndexByte(" \t\r\n", c) < 0 {
			return c
		}
		s = s[size:]
	}
	return 0
}

// Blank reports whether the text is white space only.
func (t Text) Blank() bool {
	i := 0
	for i < len(t.s) {
		switch c := t.s[i]; {
		case c <= ' ' && unicode.IsSpace(rune(c)):
			i++
		case c == '\\' && t.form == quotedInside && strings.IndexByte("nrtf", t.s[i+1]) >= 0:
			i += 2
		case c == '\\' && t.form == quotedInside, c >= utf8.RuneSelf:
			return strings.TrimSpace(Text{s: t.s[i:], form: t.form}.String()) == ""
		default:
			return false
		}
	}
	return true
}

// Len returns the length of the decoded text in bytes.
func (t Text) Len() int {
	if t.form != quotedInside {
		return len(t.s)
	}
	n := 0
	var space [24]byte
	for s := t.s; ; {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			return n + len(s)
		}
		size := sizeOfEscape(s[i:])
		n += i + len(appendUnescaped(space[:0], bytesOf(s[i:i+size])))
		s = s[i+size:]
	}
}

// HasPrefix reports whether the text begins with prefix.
func (t Text) HasPrefix(prefix string) bool {
	if t.form != quotedInside {
		return strings.HasPrefix(t.s, prefix)
	}
	end := 0
	for n := 0; n < len(prefix) && end < len(t.s); n++ {
		if t.s[end] == '\\' {
			end += sizeOfEscape(t.s[end:])
		} else {
			end++
		}
	}
	return strings.HasPrefix(Text{s: t.s[:end], form: t.form}.String(), prefix)
}

// sizeOfEscape returns the length of the escape sequence at the start of s; two
// surrogates are one.
func sizeOfEscape(s string) int {
	switch {
	case s[1] != 'u':
		return 2
	case len(s) >= 12 && s[6] == '\\' && s[7] == 'u' && utf16.IsSurrogate(hex4(bytesOf(s[2:]))):
		return 12
	}
	return 6
}

// Cut cuts the text at the first sep, as strings.Cut does. sep must be a character
// that no escape sequence has, such as a comma.
func (t Text) Cut(sep byte) (before string, after Text, found bool) {
	i := strings.IndexByte(t.s, sep)
	if i < 0 && t.form == quotedInside {
		t = Plain(t.String()) // it may be written as \u002c
		i = strings.IndexByte(t.s, sep)
	}
	if i < 0 {
		return t.s, Text{}, false
	}
	return Text{s: t.s[:i], form: t.form}.String(), Text{s: t.s[i+1:], form: t.form}, true
}
