// Package body reads the body of a client's request: without its compression, within
// its limit, and with errors that say whose fault they are. What the body means is not
// its business. Start with Plain.
package body

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"go-ai-proxy/plugin/buffers"
	"go-ai-proxy/plugin/inflate"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
)

// Plain returns the body of in without gzip or zstd, its size in bytes, or -1 when that
// is unknown, and whether it was compressed. Another encoding is refused, unless
// anyEncoding says that the body is forwarded as it is. A body that is decompressed has
// lost its Content-Encoding in in.Header.
func Plain(in *wire.Inbound, anyEncoding bool) (src io.Reader, size int64, zipped bool, err error) {
	encoding := strings.ToLower(strings.Join(in.Header["Content-Encoding"], ", "))
	switch encoding {
	case "gzip", "x-gzip", "zstd":
	case "", "identity":
		return in.Body, in.ContentLength, false, nil
	default:
		if anyEncoding {
			return in.Body, in.ContentLength, false, nil
		}
		return nil, 0, false, chat.NewError(http.StatusUnsupportedMediaType, fmt.Sprintf("content-encoding %q is not known: send gzip, zstd or none", encoding))
	}
	g := inflate.New(in.Body)
	switch err := g.Open(encoding); {
	case err != nil && g.SentErr() != nil:
		return nil, 0, true, Unreadable(g.SentErr())
	case err != nil:
		return nil, 0, true, notEncoded(encoding, err)
	}
	in.Header.Del("Content-Encoding")
	return inflating{g, encoding}, -1, true, nil
}

// ReadAll reads the whole body of in, without its compression, into one of the buffers,
// at most most bytes (0: no limit). anyEncoding is that of Plain.
func ReadAll(into *buffers.Set, in *wire.Inbound, anyEncoding bool, most int64) ([]byte, error) {
	src, size, _, err := Plain(in, anyEncoding)
	if err != nil {
		return nil, err
	}
	whole, err := into.ReadAll(src, size, most)
	switch {
	case err == nil:
		return whole, nil
	case errors.Is(err, buffers.ErrTooMuch):
		return nil, tooLarge(most)
	}
	return nil, Unreadable(err)
}

// Unreadable maps an error of reading the client's body to what it means: the body
// is malformed, or the client is gone.
func Unreadable(err error) error {
	var own *chat.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, wire.ErrClientGone):
		return err
	case errors.Is(err, wire.ErrMalformed):
		return chat.NewError(http.StatusBadRequest, "request body cannot be read: "+err.Error())
	}
	return fmt.Errorf("%w: reading the request body: %w", wire.ErrClientGone, err)
}

// Passing is a client's body that is forwarded as it arrives: its errors are those of
// Unreadable.
type Passing struct{ From io.Reader }

// Read implements io.Reader.
func (p Passing) Read(b []byte) (int, error) {
	n, err := p.From.Read(b)
	if err != nil && err != io.EOF {
		err = Unreadable(err)
	}
	return n, err
}

// Within returns r, of size bytes or -1, as a reader that fails when there are more than
// most bytes (0: no limit). A size above most is refused at once.
func Within(r io.Reader, most, size int64) (io.Reader, error) {
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

func tooLarge(most int64) error {
	return chat.NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("request body is larger than the %d bytes that max_request_body_size allows", most))
}

func notEncoded(encoding string, err error) error {
	return chat.NewError(http.StatusBadRequest, "request body is not valid "+encoding+": "+err.Error())
}

// inflating is a body that is decompressed while it is read.
type inflating struct {
	from     *inflate.Reader
	encoding string
}

// Read implements io.Reader.
func (z inflating) Read(p []byte) (int, error) {
	n, err := z.from.Read(p)
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case z.from.SentErr() != nil:
		return n, Unreadable(z.from.SentErr())
	case errors.Is(err, inflate.ErrBomb):
		return n, chat.NewError(http.StatusRequestEntityTooLarge, "request body is "+err.Error())
	}
	return n, notEncoded(z.encoding, err)
}
