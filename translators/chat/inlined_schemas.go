package chat

import (
	"slices"
	"strings"

	"go-ai-proxy/translators/jsonedit"
)

const (
	// mostInlined is how many references of a schema are replaced, and longestInlined by how
	// much text, in bytes: each definition may refer to the next twice.
	mostInlined    = 200
	longestInlined = 1 << 16
)

// Inlined returns a schema without references within it, for APIs that know none: what they
// refer to stands in their place, with what stands beside them. recursive says that one
// leads to itself, or out of the schema: there its description and type are left.
func Inlined(schema Raw) (inlined Raw, recursive bool) {
	if !jsonedit.Contains(schema, `"$ref"`) {
		return schema, false
	}
	v, err := jsonedit.Parse(schema)
	if err != nil || v.Type() != jsonedit.TypeObject {
		return schema, false
	}
	in := inliner{root: v, left: mostInlined}
	inlined = in.append(nil, v)
	return inlined, in.cut
}

type inliner struct {
	root *jsonedit.Value
	open []string // references that are being replaced
	left int      // how many more may be
	size int      // of what has been written for references
	cut  bool
}

func (in *inliner) append(dst []byte, v *jsonedit.Value) []byte {
	return jsonedit.AppendObjects(dst, v, in.appendObject)
}

func (in *inliner) appendObject(dst []byte, v *jsonedit.Value) []byte {
	dst = append(dst, '{')
	v.Visit(func(key []byte, m *jsonedit.Value) {
		switch name := string(key); {
		case name == "$ref" && m.Type() == jsonedit.TypeString, v == in.root && (name == "$defs" || name == "definitions"):
		default:
			dst = in.append(jsonedit.AppendKey(dst, key), m)
		}
	})
	if ref := v.Get("$ref"); ref != nil && ref.Type() == jsonedit.TypeString {
		dst = in.appendReferred(dst, v, ref.GetString())
	}
	return append(dst, '}')
}

// appendReferred writes the members of what v refers to that v has not itself.
func (in *inliner) appendReferred(dst []byte, v *jsonedit.Value, ref string) []byte {
	target := resolve(in.root, ref)
	if target == nil || slices.Contains(in.open, ref) || in.left == 0 || in.size > longestInlined {
		in.cut = true
		for _, name := range []string{"type", "description"} {
			if m := target.Get(name); m != nil && !v.Exists(name) {
				dst = jsonedit.AppendValue(jsonedit.AppendName(dst, name), m)
			}
		}
		return dst
	}
	in.left--
	in.open = append(in.open, ref)
	inlined := in.append(nil, target)
	in.size += len(inlined)
	members, _ := jsonedit.Object(inlined, nil)
	in.open = in.open[:len(in.open)-1]
	for _, m := range members {
		name := string(m.Key)
		if v.Exists(name) || target == in.root && (name == "$defs" || name == "definitions") {
			continue
		}
		dst = append(jsonedit.AppendKey(dst, name), m.Value...)
	}
	return dst
}

// resolve returns what a reference within a schema is to, or nil.
func resolve(root *jsonedit.Value, ref string) *jsonedit.Value {
	if ref == "#" {
		return root
	}
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	return root.Get(strings.Split(path, "/")...)
}
