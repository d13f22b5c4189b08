package jsonedit

import (
	"bytes"

	"github.com/valyala/fastjson"
)

// ParseLast is p's ParseBytes, but that of equal names in an object only the
// last is there, at any depth: fastjson's Get would find the first of them, and
// most decoders keep the last, so that what was checked before us and what a
// model reads would not be the same.
//
// Equal names are rare. Where there are some, the text is written anew without
// them and parsed again: fastjson's Del looks through the whole object for each.
func ParseLast(p *fastjson.Parser, body []byte) (*fastjson.Value, error) {
	v, err := p.ParseBytes(body)
	if err != nil || !repeats(v) {
		return v, err
	}
	return p.ParseBytes(appendLast(make([]byte, 0, len(body)), v))
}

// repeats says whether an object in v has a name twice.
func repeats(v *fastjson.Value) bool {
	switch v.Type() {
	case fastjson.TypeArray:
		for _, item := range v.GetArray() {
			if repeats(item) {
				return true
			}
		}
	case fastjson.TypeObject:
		return repeatsName(v.GetObject())
	}
	return false
}

// fewNames is how many names are compared one by one.
const fewNames = 16

func repeatsName(o *fastjson.Object) (found bool) {
	var few [fewNames][]byte
	var many map[string]bool
	n := 0
	o.Visit(func(key []byte, item *fastjson.Value) {
		if found = found || repeats(item); found {
			return
		}
		if n < fewNames {
			for _, name := range few[:n] {
				found = found || bytes.Equal(name, key)
			}
			few[n] = key
			n++
			return
		}
		if many == nil {
			many = make(map[string]bool, 2*fewNames)
			for _, name := range few {
				many[string(name)] = true
			}
		}
		found = many[string(key)]
		many[string(key)] = true
	})
	return found
}

// appendLast is AppendValue with the last of equal names only.
func appendLast(dst []byte, v *fastjson.Value) []byte {
	switch v.Type() {
	case fastjson.TypeArray:
		dst = append(dst, '[')
		for i, item := range v.GetArray() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendLast(dst, item)
		}
		return append(dst, ']')
	case fastjson.TypeObject:
		o := v.GetObject()
		last, i := make(map[string]int, o.Len()), 0
		o.Visit(func(key []byte, _ *fastjson.Value) {
			last[string(key)] = i
			i++
		})
		dst = append(dst, '{')
		start := len(dst)
		i = 0
		o.Visit(func(key []byte, item *fastjson.Value) {
			if last[string(key)] == i {
				if len(dst) > start {
					dst = append(dst, ',')
				}
				dst = appendLast(append(AppendBytes(dst, key), ':'), item)
			}
			i++
		})
		return append(dst, '}')
	}
	return AppendValue(dst, v)
}
