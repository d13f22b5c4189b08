package jsonedit

// MaxMergeDepth is the depth to which Merge merges objects that both sides have.
// Each level reads everything below it again, so the limit bounds the work.
const MaxMergeDepth = 32

// Merge appends the JSON object base, with the members of the object over merged
// into it, to dst and returns the extended buffer. Members that are objects on
// both sides are merged in the same way; otherwise the value of over wins, even if
// it is null. Members keep the order of base; new ones follow in the order of
// over. Values that are not merged keep their text. On an error, a *SyntaxError,
// dst is returned unchanged. dst must not overlap base or over.
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
// upper the last one in under with the same name, or -1. It uses a map, so that
// the time does not grow with the product of the two sizes.
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
