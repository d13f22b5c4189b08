package jsonedit

import (
	"encoding/binary"
	"math/bits"
)

// What scanString says of a string.
const (
	escaped = 1 << iota // it has escapes,
	unusual             // one of them is not as AppendBytes writes it,
	wide                // it may have bytes that are not ASCII
)

// str checks the string at i and returns the offset after its closing quote.
func str(text []byte, i int) (int, error) {
	i, _, err := scanString(text, i)
	return i, err
}

// scanString is str; it says as well, in flags, what is in the string.
// Here are the short ones without escapes, as most are.
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
	return scanBlocks(text, i+clean(text[i:]), flags)
}

// block is how many bytes scanBlocks looks at together.
const block = 32

// scanBlocks is the rest of scanString, from i. It goes on by a block whatever
// stands there, so that the processor can be ahead of it: text that is full of
// escapes costs little more than any other.
//
// What is found in the four words of a block is kept in one word: byte 8j+k is
// bit 8k+j. The byte after it is then eight bits further, but for the last byte
// of a word.
func scanBlocks(text []byte, i int, flags uint8) (int, uint8, error) {
	carry := uint64(0) // 1: the first byte of the block is escaped
	for ; len(text)-i >= block; i += block {
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

// scanBlock looks at the block t, which is at i, byte for byte. end is where the
// string ends, as scanString returns it; -1 when it goes on, with the carry for
// the next block.
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

// closed ends a string at a quote, and fails at a control character and where
// the text ends.
func closed(text []byte, i int, flags uint8) (int, uint8, error) {
	if i >= len(text) {
		return len(text), flags, fail(text, len(text), "the end of a string")
	}
	if c := text[i]; c != '"' {
		return i, flags, &SyntaxError{i, "found " + shown(c) + " within a string, where it must be escaped"}
	}
	return i + 1, flags, nil
}

// checked is in escapes what has to be looked at more closely.
const checked = 1 << 7

// escapes are the flags of a string by the character that is escaped.
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

// clean returns how many bytes at the start of text, in blocks, are ASCII and
// neither quotes, backslashes nor control characters.
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

// plain returns how many bytes at the start of text are neither a quote, a
// backslash nor a control character. It looks at eight at a time, and in long
// texts at a block: first in clean's way, since that is a third faster.
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

// isPlain says whether all of text is ASCII without quotes, backslashes and
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

// special has the highest bit of each byte of x set that is a quote, a backslash
// or a control character, and no other bit.
func special(x uint64) uint64 {
	// With its second bit turned over, a quote is a space, the first character
	// above the control characters; those stay among themselves. What is added
	// carries into the highest bit of all others.
	ascii := x &^ high
	other := (ascii ^ low*('"'^' ')) + low*(0x7f-' ')
	return ^(other&((ascii^low*'\\')+low*0x7f) | x) & high
}

// suspect has a byte's highest bit set where special has one, and perhaps where
// a byte is not ASCII; the other bits say nothing.
func suspect(x uint64) uint64 {
	return (x ^ (low * ('"' ^ ' ')) - low*(' '+1)) | (x ^ (low * '\\') - low)
}

// letters is x with small letters for all that is not ASCII.
func letters(x uint64) uint64 {
	wide := x & high
	return x ^ wide | wide>>1 | wide>>2
}

// endings is special without backslashes, which backslashes is. All of x must be
// ASCII.
func endings(x uint64) uint64 { return ^((x ^ low*('"'^' ')) + low*(0x7f-' ')) & high }

func backslashes(x uint64) uint64 { return ^((x ^ low*'\\') + low*0x7f) & high }
