package openai

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"go-ai-proxy/translators/jsonedit"
)

// EmbeddingsInBase64 converts an embeddings answer for a client that asks for
// encoding_format "base64", as OpenAI's own SDKs do. Each vector becomes 32-bit
// floats, little endian. It is for providers that only answer with numbers. It
// returns body itself if there is nothing to do or if the answer is not understood,
// and otherwise the new body appended to dst.
// https://platform.openai.com/docs/api-reference/embeddings/create
func EmbeddingsInBase64(dst, body []byte) []byte {
	if first, _ := find(body, embeddingKey); !jsonedit.IsArray(first) {
		return body
	}
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return body
	}
	data := jsonedit.Find(members, "data")
	list, err := jsonedit.Array(data, nil)
	if err != nil {
		return body
	}
	changed := false
	out := append(make([]byte, 0, len(data)/2), '[')
	var floats []byte
	for _, element := range list {
		out = jsonedit.AppendComma(out)
		fields, err := jsonedit.Object(element, nil)
		if err != nil {
			return body
		}
		var ok bool
		if floats, ok = appendFloats(floats[:0], jsonedit.Find(fields, "embedding")); !ok {
			out = append(out, element...)
			continue
		}
		changed = true
		value := base64.StdEncoding.AppendEncode([]byte{'"'}, floats)
		out = jsonedit.Join(out, jsonedit.Splice(nil, element, fields, []jsonedit.Edit{{Key: "embedding", Value: append(value, '"')}}))
	}
	if !changed {
		return body
	}
	return jsonedit.Join(dst, jsonedit.Splice(nil, body, members, []jsonedit.Edit{{Key: "data", Value: append(out, ']')}}))
}

// appendFloats appends the numbers of a JSON array. It returns false for anything
// else.
func appendFloats(dst, vector []byte) ([]byte, bool) {
	numbers, err := jsonedit.Array(vector, nil)
	if err != nil {
		return dst, false
	}
	for _, n := range numbers {
		f, err := strconv.ParseFloat(string(n), 32)
		if err != nil {
			return dst, false
		}
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(f)))
	}
	return dst, true
}
