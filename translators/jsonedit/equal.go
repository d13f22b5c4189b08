package jsonedit

import (
	"bytes"

	"github.com/valyala/fastjson"
)

// KeepLast removes all but the last of equal names in a decoded value, at any
// depth: fastjson's Get would find the first of them, and most decoders keep
// the last, so that what was checked before us and what a model reads would
// not be the same.
func KeepLast(v *fastjson.Value) {
	switch v.Type() {
	case fastjson.TypeArray:
		for _, item := range v.GetArray() {
			KeepLast(item)
		}
	case fastjson.TypeObject:
		keepLast(v.GetObject())
	}
}

// fewNames is how many names are compared one by one.
const fewNames = 16

func keepLast(o *fastjson.Object) {
	var few [fewNames][]byte
	var many map[string]bool
	var twice []string
	n := 0
	o.Visit(func(key []byte, item *fastjson.Value) {
		KeepLast(item)
		switch {
		case n < fewNames:
			for _, name := range few[:n] {
				if bytes.Equal(name, key) {
					twice = append(twice, string(key))
					return
				}
			}
			few[n] = key
		default:
			if many == nil {
				many = make(map[string]bool, 2*fewNames)
				for _, name := range few {
					many[string(name)] = true
				}
			}
			if many[string(key)] {
				twice = append(twice, string(key))
				return
			}
			many[string(key)] = true
		}
		n++
	})
	for _, key := range twice {
		o.Del(key) // the first of that name
	}
}
