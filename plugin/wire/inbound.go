package wire

import (
	"io"
	"net/http"
)

// Inbound is a client's request as an HTTP engine hands it to the relay.
type Inbound struct {
	Method        string
	Path          string // raw (escaped), as Kong forwards it: after strip_path
	RawQuery      string
	Header        http.Header // the relay may change it
	Body          io.Reader   // nil when there is none
	ContentLength int64       // bytes, -1 when unknown
	Kong          Context
	// Upgrade takes the connection over for a WebSocket; nil where that is impossible.
	Upgrade func() (http.ResponseWriter, *http.Request)
}

// Context is what only Kong knows of a request. It comes from the access
// phase, never from a header that a client could have sent.
type Context struct {
	Shim      bool   // the Lua shim is there: it takes the record from our header
	Traced    bool   // Kong makes a span of the request
	Path      string // the client's path before strip_path, raw
	ClientIP  string
	RequestID string // Kong's
	Route     string // the name of Kong's route, or its id
	Worker    string // the worker of Kong that is to be sent the record
	RecordID  string // without the shim: the log phase asks for the record by it
	Captures  map[string]string
	Consumer  Consumer
	Groups    []string // names of the consumer's groups
	GroupIDs  []string
}

// Consumer is Kong's authenticated consumer; empty fields when there is none.
type Consumer struct{ ID, Username, CustomID string }
