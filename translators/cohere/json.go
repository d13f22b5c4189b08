package cohere

import (
	"github.com/valyala/fastjson"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// appendMember writes `,"name":` before a value; the name needs no escapes.
func appendMember(dst []byte, name string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

func appendStringMember(dst []byte, name, value string) []byte {
	return jsonedit.AppendString(appendMember(dst, name), value)
}

// appendRaw writes a member unless it was not given.
func appendRaw(dst []byte, name string, value chat.Raw) []byte {
	if len(value) == 0 {
		return dst
	}
	return append(appendMember(dst, name), value...)
}

func appendNumber(dst []byte, name string, value chat.Number) []byte {
	return appendRaw(dst, name, chat.Raw(value))
}

// appendWithin writes a number that is given, moved to between low and high.
func appendWithin(dst []byte, name string, value chat.Number, low, high chat.Number) []byte {
	f, ok := value.Float()
	least, _ := low.Float()
	most, _ := high.Float()
	switch {
	case !ok:
		return dst
	case f < least:
		value = low
	case f > most:
		value = high
	}
	return appendNumber(dst, name, value)
}

// appendStrings writes a list of strings unless it is empty.
func appendStrings(dst []byte, name string, list []string) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = appendMember(dst, name)
	separator := byte('[')
	for _, s := range list {
		dst = jsonedit.AppendString(append(dst, separator), s)
		separator = ','
	}
	return append(dst, ']')
}

// appendNatives writes Cohere's own members, which a client may send in any
// format.
func appendNatives(dst []byte, r *chat.Request, names []string) []byte {
	for _, name := range names {
		dst = appendRaw(dst, name, r.Lookup(name))
	}
	return dst
}

// exists says whether v has a member name that is not null.
func exists(v *fastjson.Value, name string) bool {
	m := v.Get(name)
	return m != nil && m.Type() != fastjson.TypeNull
}

// text returns a copy of v's string member, "" where there is none.
func text(v *fastjson.Value, keys ...string) string { return string(v.GetStringBytes(keys...)) }
