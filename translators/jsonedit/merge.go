package jsonedit

// MaxMergeDepth is how deep Merge follows objects that both sides have. Each
// level reads what is below it again, so that the limit bounds the work.
const MaxMergeDepth = 32

// Merge appends to dst the JSON object base with the object over laid upon it,
// and returns the extended buffer. Where both have an object, these are merged
// in the same way; otherwise the value of over stands, null included. Members
// keep the order of base, new ones follow in the order of over, and values
// that are not merged keep their text. Errors are *SyntaxError, with dst as it
// was; dst must not overlap base and over.
func Merge(dst, base, over []byte) ([]byte, error) {
	return merge(dst, base, over, 1)
}

func merge(dst, base, over []byte, depth int) ([]byte, error) {
	if depth > MaxMergeDepth {
		return dst, &SyntaxError{0, "objects to be merged are nested too deep"}
	}
	under, err := Object(base, nil)
	if err != nil {
		return dst, err
	}
	upper, err := Object(over, nil)
	if err != nil {
		return dst, err
	}
	index, at := match(under, upper)
	written := len(dst)
	out := append(dst, '{')
	label := func(text []byte, m *Member) {
		if len(out) > written+1 {
			out = append(out, ',')
		}
		out = append(out, m.quoted(text)...)
		out = append(out, ':')
	}
	for i := range under {
		m := &under[i]
		j, ok := index[string(m.Key)]
		if ok && at[j] != i {
			continue // an earlier one of the same name
		}
		label(base, m)
		switch {
		case !ok:
			out = append(out, m.Value...)
		case IsObject(m.Value) && IsObject(upper[j].Value):
			if out, err = merge(out, m.Value, upper[j].Value, depth+1); err != nil {
				return dst, err
			}
		default:
			out = append(out, upper[j].Value...)
		}
	}
	for j := range upper {
		if m := &upper[j]; index[string(m.Key)] == j && at[j] < 0 {
			label(over, m)
			out = append(out, m.Value...)
		}
	}
	return append(out, '}'), nil
}

// match returns the last member of each name in upper, and for each member of
// upper the last one in under of its name, or -1. It takes a map, so that the
// sizes of two large objects do not multiply.
func match(under, upper []Member) (index map[string]int, at []int) {
	index = make(map[string]int, len(upper))
	at = make([]int, len(upper))
	for j := range upper {
		index[string(upper[j].Key)] = j
		at[j] = -1
	}
	for i := range under {
		if j, ok := index[string(under[i].Key)]; ok {
			at[j] = i
		}
	}
	return index, at
}
