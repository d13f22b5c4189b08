package plugin

import (
	"errors"
	"net/http"
	"strings"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
)

// Texts of the error catalogue that are used in more than one place. They are
// Kong's.
const (
	textBeforeProxy  = "LLM request failed before proxying"
	textBadGateway   = "An invalid response was received from the upstream server"
	textUnavailable  = "The upstream server is currently unavailable"
	textTimeout      = "The upstream server is timing out"
	textNoModel      = "model parameter not found in request, nor in gateway configuration"
	textNoStreaming  = "response streaming is not enabled for this LLM"
	textClientClosed = record.MessageAborted
)

// statusClientClosed is nginx's status for a client that closed its connection.
const statusClientClosed = 499

// refuse makes an error of the relay's own, sent to the client with status.
func refuse(status int, message string) *chat.Error { return chat.NewError(status, message) }

// notAllowed refuses a method; allowed are the methods that what has.
func notAllowed(method, what string, allowed ...string) *chat.Error {
	return routes.NotAllowed(method, what, allowed...)
}

// badField refuses a member of the body.
func badField(field, message string) *chat.Error {
	e := refuse(http.StatusBadRequest, message)
	e.Param = field
	return e
}

// reported is an error that the provider sent in a 200. Only the client gets its
// text, which may quote the prompt.
type reported struct{ err *chat.Error }

func (r *reported) Error() string {
	if r.err.Type == "" {
		return "the provider sent an error instead of an answer"
	}
	return "the provider sent an error instead of an answer: " + r.err.Type
}

func (r *reported) Unwrap() error { return r.err }

// unready is the error of a target that cannot be called: an option or the
// credentials are missing. The client gets Kong's text and the field. why, which
// holds no secret, goes into the log and the record.
type unready struct {
	told *chat.Error
	why  error
}

func (u *unready) Error() string { return redact(u.why) }
func (u *unready) Unwrap() error { return u.told }

// asClientError turns any error into what the client gets. Errors that are not
// meant for clients become a 500 without their text.
func asClientError(err error) *chat.Error {
	var own *chat.Error
	if errors.As(err, &own) {
		return own
	}
	var req *chat.RequestError
	if errors.As(err, &req) {
		e := refuse(http.StatusBadRequest, req.Error())
		e.Param = req.Field
		return e
	}
	var tr *wire.TransportError
	if errors.As(err, &tr) {
		switch {
		case tr.Timeout:
			return refuse(http.StatusGatewayTimeout, textTimeout)
		case tr.Phase == wire.Connecting:
			return refuse(http.StatusServiceUnavailable, textUnavailable)
		}
		return refuse(http.StatusBadGateway, textBadGateway)
	}
	return refuse(http.StatusInternalServerError, "internal error")
}

// redact is an error's text without the queries of URLs, which may hold a key.
func redact(err error) string {
	fields := strings.Fields(err.Error())
	for i, f := range fields {
		if j := strings.IndexByte(f, '?'); j >= 0 && strings.Contains(f, "://") {
			fields[i] = f[:j] + "?…"
		}
	}
	return strings.Join(fields, " ")
}
