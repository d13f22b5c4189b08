package engine

import "fmt"

// Kind is the HTTP implementation, for clients and for providers.
type Kind string

// The kinds. BuiltIn is this package, and what the zero value means.
const (
	BuiltIn Kind = "built-in"
	NetHTTP Kind = "net/http"
)

// KindEnv is the environment variable that names the Kind.
const KindEnv = "GO_AI_PROXY_ENGINE"

// ParseKind reads the value of KindEnv; "" is BuiltIn.
func ParseKind(name string) (Kind, error) {
	switch k := Kind(name); k {
	case "", BuiltIn:
		return BuiltIn, nil
	case NetHTTP:
		return k, nil
	}
	return "", fmt.Errorf("%s: unknown engine %q: use %q (the default) or %q", KindEnv, name, BuiltIn, NetHTTP)
}
