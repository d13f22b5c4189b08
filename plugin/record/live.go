package record

import "net/http"

// Live is informed about a record while its request is served: Kong's shim may ask
// for the record at any time.
type Live interface {
	// Begin is called with the record before anything else happens.
	Begin(rec *Record)
	// Settle is called once, when the record will not change any more and before
	// the last byte of the answer is sent.
	Settle(rec *Record)
	// Announce is called with the header of the answer before it is sent, and may
	// change it.
	Announce(h http.Header, rec *Record)
}
