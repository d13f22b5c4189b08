package jsonedit

import (
	"encoding/binary"
	"math/bits"
)

// The flags that scanString returns for a string.
const (
	escaped = 1 << iota // it has escapes,
	unusual             // one of them is not written as AppendBytes would,
	wide                // it may have bytes that are not ASCII
)

// str checks the string at i and returns the offset after its closing quote.
func str(text []byte, i int) (int, error) {
	i, _, err := scanString(text, i)
	return i, err
}

// scanString is like str, and also returns flags about the string's content. It
// handles short strings without escapes, the most frequent ones, by itself.
func scanString(text []byte, i int) (end int, flags uint8, err error) {
	i++
	for range 3 {
		if len(text)-i < 8 {
			break
		}
		x := binary.LittleEndian.Uint64(text[i:])
		if x&high != 0 {
			flags = wide // or what follows the string is; it does not matter
		}
		if found := special(x); found != 0 {
			at := i + bits.TrailingZeros64(found)/8
			if text[at] == '"' {
				return at + 1, flags, nil
			}
			break
		}
		i += 8
	}
	if !vectors {
		i += clean(text[i:])
	}
	return scanBlocks(text, i, flags)
}

// block is the number of bytes that scanBlocks reads at once.
const block = 32

// scanBlocks continues scanString at i. It always advances by a whole block,
// whatever the block contains, so that the processor can work ahead: text full of
// escapes costs little more than other text.
//
// The results for the four words of a block are kept in one word: byte 8j+k is bit
// 8k+j. So the byte after it is eight bits further, except after the last byte of
// a word.
func scanBlocks(text []byte, i int, flags uint8) (int, uint8, error) {
	carry := uint64(0) // 1: the first byte of the block is escaped
	for ; len(text)-i >= block; i += block {
		if vectors {
			n, next, slashes, nonASCII := skipBlocks(&text[i], len(text)-i, uint32(carry))
			if i, carry = i+n, uint64(next); slashes != 0 {
				flags |= escaped
			}
			if nonASCII != 0 {
				flags |= wide
			}
			if len(text)-i < block {
				break
			}
		}
		t := (*[block]byte)(text[i:])
		x0, x1 := binary.LittleEndian.Uint64(t[0:]), binary.LittleEndian.Uint64(t[8:])
		x2, x3 := binary.LittleEndian.Uint64(t[16:]), binary.LittleEndian.Uint64(t[24:])
		if (suspect(x0)|suspect(x1)|suspect(x2)|suspect(x3))&high|carry == 0 {
			continue // nothing that is not ASCII either
		}
		if (x0|x1|x2|x3)&high != 0 {
			flags |= wide
			x0, x1, x2, x3 = letters(x0), letters(x1), letters(x2), letters(x3)
		}
		slashes := backslashes(x0)>>7 | backslashes(x1)>>6 | backslashes(x2)>>5 | backslashes(x3)>>4
		ends := endings(x0)>>7 | endings(x1)>>6 | endings(x2)>>5 | endings(x3)>>4
		after := slashes<<8 | slashes>>56<<1&0xf | carry
		how := uint8(0)
		for n := after; n != 0; n &= n - 1 {
			at := bits.TrailingZeros64(n)
			how |= escapes[t[(at<<3|at>>3)%block]]
		}
		if slashes&after|ends&^after == 0 && how&checked == 0 {
			flags |= how
			carry = slashes >> 59
			continue
		}
		var end int
		var err error
		if end, carry, flags, err = scanBlock(text, i, t, carry, flags); end >= 0 {
			return end, flags, err
		}
	}
	var last [block]byte // the control characters behind the text end it
	copy(last[:], text[min(i, len(text)):])
	end, _, flags, err := scanBlock(text, i, &last, carry, flags)
	return end, flags, err
}

// scanBlock reads the block t, which is at i, byte by byte. end is the end of the
// string, as returned by scanString, or -1 if the string goes on; next is then
// the carry for the next block.
func scanBlock(text []byte, i int, t *[block]byte, carry uint64, flags uint8) (end int, next uint64, how uint8, err error) {
	for n := int(0); n < block; n++ {
		c := t[n]
		switch {
		case carry != 0:
			carry = 0
			if how := escapes[c]; how&checked != 0 {
				if _, err := escape(text, i+n-1); err != nil {
					return i, 0, flags, err
				}
			}
			flags |= escapes[c] &^ checked
		case c == '\\':
			carry = 1
		case c == '"' || c < ' ':
			end, flags, err = closed(text, i+n, flags)
			return end, 0, flags, err
		case c >= 0x80:
			flags |= wide
		}
	}
	return -1, carry, flags, nil
}

// closed returns the end of a string if there is a quote at i. It fails at a
// control character and at the end of the text.
func closed(text []byte, i int, flags uint8) (int, uint8, error) {
	if i >= len(text) {
		return len(text), flags, fail(text, len(text), "the end of a string")
	}
	if c := text[i]; c != '"' {
		return i, flags, &SyntaxError{i, "found " + shown(c) + " within a string, where it must be escaped"}
	}
	return i + 1, flags, nil
}

// checked marks, in escapes, the characters that need a closer look.
const checked = 1 << 7

// escapes holds the flags for a string by the escaped character.
var escapes = func() (of [256]uint8) {
	for i := range of {
		of[i] = checked
	}
	for _, c := range `"\bfnrt` {
		of[c] = escaped
	}
	of['/'], of['u'] = escaped|unusual, escaped|unusual|checked
	return of
}()

// clean returns the number of bytes at the start of text, in whole blocks, that are
// ASCII and neither quotes, backslashes nor control characters.
func clean(text []byte) int {
	i := 0
	for ; len(text)-i >= block; i += block {
		t := text[i : i+block : i+block]
		if (suspect(binary.LittleEndian.Uint64(t))|suspect(binary.LittleEndian.Uint64(t[8:]))|
			suspect(binary.LittleEndian.Uint64(t[16:]))|suspect(binary.LittleEndian.Uint64(t[24:])))&high != 0 {
			break
		}
	}
	return i
}

// plain returns the number of bytes at the start of text that are neither quotes,
// backslashes nor control characters. It reads eight bytes at a time, and a block
// at a time in long texts. It tries clean first, which is a third faster.
func plain(text []byte) int {
	i := clean(text)
	for ; len(text)-i >= 32; i += 32 {
		t := text[i : i+32 : i+32]
		if special(binary.LittleEndian.Uint64(t))|special(binary.LittleEndian.Uint64(t[8:]))|
			special(binary.LittleEndian.Uint64(t[16:]))|special(binary.LittleEndian.Uint64(t[24:])) != 0 {
			break
		}
	}
	for ; len(text)-i >= 8; i += 8 {
		if found := special(binary.LittleEndian.Uint64(text[i:])); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// isPlain reports whether all of text is ASCII without quotes, backslashes and
// control characters, as most short texts are.
func isPlain(text []byte) bool {
	for ; len(text) >= 8; text = text[8:] {
		x := binary.LittleEndian.Uint64(text)
		if special(x)|x&high != 0 {
			return false
		}
	}
	for _, c := range text {
		if c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// The lowest and the highest bit of each byte of a word.
const (
	low  = 0x0101010101010101
	high = 0x8080808080808080
)

// special returns a word with the highest bit of each byte set that is a quote, a
// backslash or a control character in x, and no other bit.
func special(x uint64) uint64 {
	// Flipping its second bit turns a quote into a space, the first character
	// above the control characters; control characters stay control characters.
	// The addition carries into the highest bit of all other characters.
	ascii := x &^ high
	other := (ascii ^ low*('"'^' ')) + low*(0x7f-' ')
	return ^(other&((ascii^low*'\\')+low*0x7f) | x) & high
}

// suspect is a cheaper special: it also may set the highest bit of bytes that are
// not ASCII, and the other bits have no meaning.
func suspect(x uint64) uint64 {
	return (x ^ (low * ('"' ^ ' ')) - low*(' '+1)) | (x ^ (low * '\\') - low)
}

// letters returns x with each byte that is not ASCII replaced by a small letter.
func letters(x uint64) uint64 {
	wide := x & high
	return x ^ wide | wide>>1 | wide>>2
}

// endings is like special without the backslashes; backslashes finds those. All of x
// must be ASCII.
func endings(x uint64) uint64 { return ^((x ^ low*('"'^' ')) + low*(0x7f-' ')) & high }

func backslashes(x uint64) uint64 { return ^((x ^ low*'\\') + low*0x7f) & high }
