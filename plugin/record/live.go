package record

import "net/http"

// Live follows a record while its request is served: the shim of Kong may ask
// for it at any time.
type Live interface {
	// Begin is told of the record before anything else happens.
	Begin(rec *Record)
	// Settle is told once that the record will not change any more, before the
	// last byte of the answer is sent.
	Settle(rec *Record)
	// Announce is told of the header of the answer before it is sent, and may
	// change it.
	Announce(h http.Header, rec *Record)
}
