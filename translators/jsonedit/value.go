package jsonedit

import "github.com/valyala/fastjson"

// AppendValue writes a decoded value compactly. Numbers keep their text; those
// that fastjson lets pass and JSON does not know (nan, 1-2) become null.
//
// It stands in for fastjson's MarshalTo, which quotes a string that has been
// read as Go does: \x01 is no JSON.
func AppendValue(dst []byte, v *fastjson.Value) []byte {
	if v == nil {
		return append(dst, "null"...)
	}
	switch v.Type() {
	case fastjson.TypeString:
		return AppendBytes(dst, v.GetStringBytes())
	case fastjson.TypeArray:
		dst = append(dst, '[')
		for i, item := range v.GetArray() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendValue(dst, item)
		}
		return append(dst, ']')
	case fastjson.TypeObject:
		dst = append(dst, '{')
		first := true
		v.GetObject().Visit(func(key []byte, item *fastjson.Value) {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = AppendValue(append(AppendBytes(dst, key), ':'), item)
		})
		return append(dst, '}')
	case fastjson.TypeNumber:
		start := len(dst)
		if dst = v.MarshalTo(dst); Valid(dst[start:]) != nil {
			return append(dst[:start], "null"...)
		}
		return dst
	}
	return v.MarshalTo(dst)
}
