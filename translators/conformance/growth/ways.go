package growth

import (
	"bytes"
	"regexp"
	"strconv"

	"go-ai-proxy/translators/jsonedit"
)

// way is how a value grows: by n members, elements or escapes; nil where it
// cannot.
type way struct {
	name string
	grow func(value []byte, n int) []byte
}

var (
	// Half of the names come once, a quarter twice, and a quarter is one name.
	unknown = way{"unknown members", func(value []byte, n int) []byte {
		return longer(value, 2*n, func(dst []byte, i int) []byte {
			switch i % 4 {
			case 0:
				dst = strconv.AppendInt(append(dst, `"twice `...), int64(i/4%(n/4+1)), 10)
			case 1:
				dst = append(dst, `"often`...)
			default:
				dst = strconv.AppendInt(append(dst, `"once `...), int64(i), 10)
			}
			return append(dst, `":0`...)
		})
	}}
	elements = way{"its elements again", func(value []byte, n int) []byte {
		return again(value, n, func(element []byte, i int) []byte {
			if i%4 == 3 {
				return element
			}
			return Distinct(element, i)
		})
	}}
)

var ways = map[byte][]way{
	'{': {
		unknown,
		{"its last member again", func(value []byte, n int) []byte {
			ms := jsonedit.Members(value, nil)
			if len(ms) == 0 {
				return nil
			}
			last := ms[len(ms)-1]
			if last.End-last.Start > 60 { // the whole would not fit in the caches
				return nil
			}
			return longer(value, n, func(dst []byte, _ int) []byte { return append(dst, value[last.Start:last.End]...) })
		}},
	},
	'[': {{elements.name, func(value []byte, n int) []byte { return elements.grow(value, 2*n) }}},
	'"': {
		{"escapes, line ends and quotes", func(value []byte, n int) []byte {
			out := append([]byte{}, value[:len(value)-1]...)
			return append(append(out, bytes.Repeat([]byte(`a\n\"\\\u00e9\ud83d\ude00\r[/INST] {{é ,;`), n)...), '"')
		}},
	},
}

// Distinct is text with the number i in its ids, names and indexes.
func Distinct(text []byte, i int) []byte {
	text = ids.ReplaceAll(text, append(strconv.AppendInt([]byte("${1} "), int64(i), 10), '"'))
	return indexes.ReplaceAll(text, strconv.AppendInt([]byte("${1}"), int64(i), 10))
}

// ids are the members that tell elements apart, and indexes those that count
// them.
var (
	ids     = regexp.MustCompile(`("(?:id|call_id|tool_call_id|tool_use_id|toolUseId|name|custom_id)":"[^"]*)"`)
	indexes = regexp.MustCompile(`("(?:index|output_index|contentBlockIndex)":)[0-9]+`)
)

// longer is an object with n more members.
func longer(object []byte, n int, member func(dst []byte, i int) []byte) []byte {
	out := append([]byte{}, object[:len(object)-1]...)
	for i := range n {
		if i > 0 || len(object) > 2 {
			out = append(out, ',')
		}
		out = member(out, i)
	}
	return append(out, '}')
}

// again is an array with its elements repeated until there are n, each changed.
func again(array []byte, n int, change func(element []byte, i int) []byte) []byte {
	elements := jsonedit.Elements(array, nil)
	if len(elements) == 0 || len(array) > 4000*len(elements) {
		return nil
	}
	out := []byte{'['}
	for i := range max(n, len(elements)) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, change(elements[i%len(elements)], i)...)
	}
	return append(out, ']')
}
