package chat

import "strconv"

// CallIDs describes the call ids that a provider accepts. They consist of letters and
// digits and, unless their length is given, of _ and -.
type CallIDs struct {
	Prefix  string // of generated ids
	Longest int    // in bytes, 0 for no limit
	Exactly int    // their length, 0 for any
}

// Of returns id if the provider accepts it, or else one that it accepts, which is the
// same wherever id stands: in the call and in its result, in this turn of the
// conversation and in the next. Without an id it is made of the call's number n in the
// request.
func (ids CallIDs) Of(id string, n int) string {
	if id == "" && ids.Exactly == 0 {
		return ids.Prefix + strconv.Itoa(n)
	}
	if ids.accepts(id) {
		return id
	}
	if id == "" {
		id = strconv.Itoa(n)
	}
	length := ids.Exactly
	if length == 0 {
		length = maxDigits
		if ids.Longest > 0 {
			length = max(1, min(length, ids.Longest-len(ids.Prefix)))
		}
	}
	return ids.Prefix + digits(id, length)
}

func (ids CallIDs) accepts(id string) bool {
	if ids.Longest > 0 && len(id) > ids.Longest || ids.Exactly > 0 && len(id) != ids.Exactly {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case (c == '_' || c == '-') && ids.Exactly == 0:
		default:
			return false
		}
	}
	return true
}

// maxDigits is how many digits of base 62 hold 64 bits.
const maxDigits = 11

// digits returns a hash of id, FNV-1a of 64 bits, in so many digits of base 62.
func digits(id string, length int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := uint64(14695981039346656037)
	for i := range len(id) {
		sum = (sum ^ uint64(id[i])) * 1099511628211
	}
	sum ^= sum >> 32 // ids that differ at their end only differ in all digits
	sum *= 0x9e3779b97f4a7c15
	b := make([]byte, length)
	for i := range b {
		b[i], sum = alphabet[sum%62], sum/62
	}
	return string(b)
}
