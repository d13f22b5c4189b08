package provider

import "go-ai-proxy/translators/route"

// Model is a model that a client may name in its requests.
type Model struct {
	ID     string       // the name that clients use
	Owner  string       // the provider's name
	Routes []route.Type // what the model may be asked for
}

// ModelWriter writes models in a client's format. It is pure, and its values are
// stateless.
type ModelWriter interface {
	// AppendModel appends one model to dst, as GET /models/{id} answers.
	AppendModel(dst []byte, m *Model) []byte
	// AppendModels appends the list of all models to dst, as GET /models answers. It
	// is one page: no other follows.
	AppendModels(dst []byte, list []Model) []byte
}
