package jsonedit

// Each returns the valid JSON array list with every element replaced by what f returns
// for it; nil leaves the element out. It is list itself if f changes nothing.
func Each(list []byte, f func(element []byte) []byte) []byte {
	elements := Elements(list, nil)
	var out []byte
	for i, e := range elements {
		replaced := f(e)
		switch {
		case out == nil && same(replaced, e):
			continue
		case out == nil:
			out = append(make([]byte, 0, len(list)+len(replaced)), '[')
			for _, before := range elements[:i] {
				out = append(AppendComma(out), before...)
			}
		}
		if replaced != nil {
			out = append(AppendComma(out), replaced...)
		}
	}
	if out == nil {
		return list
	}
	return append(out, ']')
}

// With returns the valid JSON object with value as its member key; nil removes the
// member. It is object itself if nothing changes.
func With(object []byte, key string, value []byte) []byte {
	members := Members(object, nil)
	if same(value, Find(members, key)) {
		return object
	}
	return Join(nil, Splice(nil, object, members, []Edit{{Key: key, Value: value}}))
}

// same says whether a and b are the same bytes in the same place.
func same(a, b []byte) bool {
	return len(a) == len(b) && (a == nil) == (b == nil) && (len(a) == 0 || &a[0] == &b[0])
}
