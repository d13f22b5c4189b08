package plugin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"go-ai-proxy/plugin/wire"
)

// maxAnswer bounds an answer that is held in memory, in bytes.
const maxAnswer = 256 << 20

// checkStatus refuses what is no answer to the request: another protocol, and
// redirects. A client that followed one would go around the gateway, with its
// credentials for the gateway. Where the path is the client's it may, to fetch
// a file from where it is.
func checkStatus(a *attempt) error {
	status := a.answer.Status
	if status >= 200 && status < 300 || status >= 400 || status >= 300 && a.request.api.Resources != nil && a.request.in.Method == http.MethodGet {
		return nil
	}
	text := fmt.Sprintf("the provider answered %d, which is no answer", status)
	if status >= 300 {
		text = fmt.Sprintf("the provider answered with a redirect (%d), which is not followed: correct model.options.upstream_url", status)
	}
	return noAnswer("http_"+strconv.Itoa(status), text)
}

// noAnswer is an attempt whose answer cannot be made use of.
func noAnswer(criterion, text string) *attemptError {
	return &attemptError{criterion: criterion, sent: true, cause: refuse(http.StatusBadGateway, text)}
}

// cutShort makes an error of reading an answer one of transport.
func cutShort(err error) error {
	var t *wire.TransportError
	if errors.As(err, &t) {
		return err
	}
	return &wire.TransportError{Phase: wire.Reading, Err: err}
}

// readAnswer reads the whole body, of length bytes or -1. An answer that is cut
// off is a transport error.
func (x *exchange) readAnswer(body io.Reader, length int64) ([]byte, error) {
	b, err := x.buffers.readAll(body, length, maxAnswer)
	switch said := tooInflated(err); {
	case err == nil:
		return b, nil
	case said != nil:
		return nil, said
	case errors.Is(err, errTooMuch):
		return nil, refuse(http.StatusBadGateway, fmt.Sprintf("the provider's answer is larger than %d bytes", maxAnswer))
	}
	return nil, fmt.Errorf("reading the provider's answer: %w", cutShort(err))
}
