package plugin

import (
	"errors"
	"fmt"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"io"
	"net/http"
)

// unreadable maps an error of reading the client's body to what it means: the body
// is malformed, or the client is gone.
func unreadable(err error) error {
	var own *chat.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, errClientGone):
		return err
	case errors.Is(err, wire.ErrMalformed):
		return refuse(http.StatusBadRequest, "request body cannot be read: "+err.Error())
	}
	return fmt.Errorf("%w: reading the request body: %w", errClientGone, err)
}

// passing is a client's body that is forwarded as it arrives. Its errors say whose
// fault they are.
type passing struct{ from io.Reader }

// Read implements io.Reader.
func (p passing) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	if err != nil && err != io.EOF {
		err = unreadable(err)
	}
	return n, err
}

// defaultLimit is the default of max_request_body_size, in bytes.
const defaultLimit = 1 << 20

// within limits r, of size bytes or -1, to most bytes (0: no limit).
func within(r io.Reader, most, size int64) (io.Reader, error) {
	switch {
	case most <= 0:
		return r, nil
	case size > most:
		return nil, tooLarge(most)
	}
	return &bounded{r, most, most}, nil
}

// bounded is a reader that fails when there are more than most bytes.
type bounded struct {
	from       io.Reader
	left, most int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, tooLarge(b.most)
	}
	return n, err
}

func tooLarge(max int64) error {
	return refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("request body is larger than the %d bytes that max_request_body_size allows", max))
}

func notEncoded(encoding string, err error) error {
	return refuse(http.StatusBadRequest, "request body is not valid "+encoding+": "+err.Error())
}

// zippedBody is a client's body that is inflated while it is read. Its errors are
// like those of passing.
type zippedBody struct {
	from     *inflated
	encoding string
}

// Read implements io.Reader.
func (z zippedBody) Read(p []byte) (int, error) {
	n, err := z.from.Read(p)
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case z.from.sent.err != nil:
		return n, unreadable(z.from.sent.err)
	case errors.Is(err, errBomb):
		return n, refuse(http.StatusRequestEntityTooLarge, "request body is "+err.Error())
	}
	return n, notEncoded(z.encoding, err)
}
