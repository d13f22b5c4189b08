package plugin

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"go-ai-proxy/plugin/wire"
)

// maxAnswer bounds an answer that is held in memory, in bytes.
const maxAnswer = 256 << 20

// checkStatus refuses what is no answer to the request: another protocol, and
// redirects. A client that followed one would go around the gateway, with its
// credentials for the gateway. Where the path is the client's it may, to fetch
// a file from where it is.
func (a *attempt) checkStatus() error {
	status := a.answer.Status
	if status >= 200 && status < 300 || status >= 400 || status >= 300 && a.surface.rest != nil && a.in.Method == http.MethodGet {
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

// inflate returns the answer's body without gzip, and whether there was any.
// Some providers name gzip and send plain text: the magic number decides.
// Other encodings are never asked for.
func inflate(ans *Answer) (io.Reader, bool, error) {
	switch encoding := strings.ToLower(wire.First(ans.Header, "Content-Encoding")); encoding {
	case "gzip", "x-gzip":
	case "br", "zstd", "deflate", "compress":
		return nil, false, noAnswer("error", "the provider's answer is encoded as "+encoding+", which was not asked for")
	default:
		return ans.Body, false, nil
	}
	br := bufio.NewReaderSize(ans.Body, 4<<10)
	magic, err := br.Peek(2)
	if err != nil && err != io.EOF {
		return nil, false, transportFailure(err)
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return br, false, nil
	}
	z, err := gzip.NewReader(br)
	if err != nil {
		return nil, false, transportFailure(cutShort(err))
	}
	return z, true, nil
}

// cutShort makes an error of reading an answer one of transport.
func cutShort(err error) error {
	var t *TransportError
	if errors.As(err, &t) {
		return err
	}
	return &TransportError{Phase: Reading, Err: err}
}

// readAnswer reads the whole body, of length bytes or -1. An answer that is cut
// off is a transport error.
func (q *request) readAnswer(body io.Reader, length int64) ([]byte, error) {
	if length < 0 || length > maxAnswer {
		body = io.LimitReader(body, maxAnswer+1)
	}
	b, err := q.readAll(body, length)
	if len(b) > maxAnswer {
		return nil, refuse(http.StatusBadGateway, fmt.Sprintf("the provider's answer is larger than %d bytes", maxAnswer))
	}
	if err != nil {
		var t *TransportError
		if !errors.As(err, &t) {
			err = &TransportError{Phase: Reading, Err: err}
		}
		return nil, fmt.Errorf("reading the provider's answer: %w", err)
	}
	return b, nil
}
