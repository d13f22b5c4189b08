package jsonedit

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"go-ai-proxy/translators/conformance/workload"
)

func FuzzObject(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		defer workload.Linear(t, len(text))()
		if len(text) > 2*MaxDepth {
			return
		}
		checkObject(t, text)
		checkOneLook(t, text)
		checkString(t, text)
		Lookup(text, "a", "b")
		if elements, err := Array(text, nil); err == nil {
			var decoded []json.RawMessage
			if json.Unmarshal(text, &decoded) != nil || len(decoded) != len(elements) {
				t.Fatalf("%q: elements %q, decoded %q", text, elements, decoded)
			}
		}
	})
}

func FuzzSplice(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text), "a", `9`, "b", "c")
		f.Add([]byte(text), "b", ``, "a", "")
	}
	f.Fuzz(func(t *testing.T, body []byte, key, value, other, name string) {
		defer workload.Linear(t, len(body)+len(key)+len(value)+len(other)+len(name))()
		// The laws of Splice: no name twice, and a decoder cannot tell apart
		// names that are not UTF-8.
		if key == other || key == name || other == name || !utf8.ValidString(key+" "+other+" "+name) {
			return
		}
		edit := Edit{Key: key}
		if json.Valid([]byte(value)) {
			edit.Value = bytes.TrimSpace([]byte(value))
		}
		checkSplice(t, body, []Edit{edit})
		checkSplice(t, body, []Edit{edit, {Key: other, Value: []byte(`"x"`)}, {Key: name}})
		if key != "" && name != "" {
			edit.Name = name
			checkSplice(t, body, []Edit{{Key: other}, edit})
			checkSplice(t, body, []Edit{edit})
		}
	})
}

func FuzzMerge(f *testing.F) {
	for i, text := range texts {
		f.Add([]byte(text), []byte(texts[(i+3)%len(texts)]))
	}
	f.Add([]byte(`{"a":{"b":{"c":1}}}`), []byte(`{"a":{"b":{"d":null}}}`))
	f.Fuzz(func(t *testing.T, base, over []byte) {
		defer workload.Linear(t, len(base)+len(over))()
		// Members that differ only in bytes that are not UTF-8 are one to a decoder.
		if utf8.Valid(base) && utf8.Valid(over) {
			checkMerge(t, base, over)
		}
	})
}

func FuzzString(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		defer workload.Linear(t, len(text))()
		checkQuoted(t, text)
	})
}
