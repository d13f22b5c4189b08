// Package chattest compares values of the internal form in tests.
package chattest

import (
	"reflect"

	"go-ai-proxy/translators/jsonedit"
)

// Equal is reflect.DeepEqual, but a jsonedit.Text equals every other of the same
// text, however it is kept.
func Equal(a, b any) bool {
	return reflect.DeepEqual(decoded(reflect.ValueOf(a)).Interface(), decoded(reflect.ValueOf(b)).Interface())
}

// decoded returns a copy of v in which all texts are decoded.
func decoded(v reflect.Value) reflect.Value {
	if text, ok := v.Interface().(jsonedit.Text); ok {
		return reflect.ValueOf(jsonedit.Plain(text.String()))
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		to := reflect.New(v.Type().Elem())
		to.Elem().Set(decoded(v.Elem()))
		return to
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		to := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			to.Index(i).Set(decoded(v.Index(i)))
		}
		return to
	case reflect.Struct:
		to := reflect.New(v.Type()).Elem()
		for i := range v.NumField() {
			if f := v.Field(i); f.CanInterface() { // the others are what the exported ones say
				to.Field(i).Set(decoded(f))
			}
		}
		return to
	}
	return v
}
