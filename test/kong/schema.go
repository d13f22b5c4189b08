package kong

import (
	"encoding/json"
	"iter"
)

// fieldsOf ranges over the fields of a record's schema: a list of tables with
// one key each.
func fieldsOf(record map[string]any) iter.Seq2[string, map[string]any] {
	return func(yield func(string, map[string]any) bool) {
		list, _ := record["fields"].([]any)
		for _, entry := range list {
			entry, _ := entry.(map[string]any)
			for name, field := range entry {
				if field, ok := field.(map[string]any); ok && !yield(name, field) {
					return
				}
			}
		}
	}
}

// fillDefaults fills in what Kong fills in: defaults, and required records even
// when they are empty. Null and absent are the same in what a plugin is sent.
func fillDefaults(record, values map[string]any) {
	for name, field := range fieldsOf(record) {
		value := values[name]
		if value == nil {
			delete(values, name)
			if fallback, ok := field["default"]; ok {
				value = clone(fallback)
			} else if field["type"] == "record" && field["required"] == true {
				value = map[string]any{}
			}
		} else {
			value = clone(value) // the caller keeps its own
		}
		if value != nil {
			values[name] = value
			fillValue(field, value)
		}
	}
}

func fillValue(field map[string]any, value any) {
	switch value := value.(type) {
	case map[string]any:
		if field["type"] == "record" {
			fillDefaults(field, value)
			return
		}
		if values, ok := field["values"].(map[string]any); ok {
			for _, v := range value {
				fillValue(values, v)
			}
		}
	case []any:
		if elements, ok := field["elements"].(map[string]any); ok {
			for _, v := range value {
				fillValue(elements, v)
			}
		}
	}
}

// clone copies JSON values.
func clone(value any) any {
	data, err := json.Marshal(value)
	if err != nil {
		panic("kong: configuration is not JSON: " + err.Error())
	}
	var copied any
	if err = json.Unmarshal(data, &copied); err != nil {
		panic("kong: configuration is not JSON: " + err.Error())
	}
	return copied
}
