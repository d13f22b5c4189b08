package engine

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Upgrade returns the exchange as WebSocket libraries need it: the ResponseWriter is an
// http.Hijacker. Without a call of Hijack it answers as usual.
func (x *Exchange) Upgrade() (http.ResponseWriter, *http.Request) {
	if x.std != nil {
		return x.std.upgrade()
	}
	u, err := url.ParseRequestURI(x.Target)
	if err != nil {
		u = &url.URL{Path: "/"}
	}
	r := &http.Request{
		Method: x.Method, URL: u, RequestURI: x.Target, Host: x.Host, RemoteAddr: x.RemoteAddr,
		Proto: "HTTP/1." + strconv.Itoa(x.minor), ProtoMajor: 1, ProtoMinor: x.minor,
		Header: x.Header, ContentLength: x.ContentLength, Body: http.NoBody,
	}
	if b := x.Body(); b != nil {
		r.Body = io.NopCloser(b)
	}
	return &upgrade{x: x, header: http.Header{}}, r.WithContext(&x.life)
}

// upgrade is an http.ResponseWriter and http.Hijacker on an exchange.
type upgrade struct {
	x      *Exchange
	header http.Header
}

// Header implements http.ResponseWriter.
func (u *upgrade) Header() http.Header { return u.header }

// WriteHeader implements http.ResponseWriter. 101 is sent at once; Hijack must
// follow.
func (u *upgrade) WriteHeader(status int) {
	x := u.x
	if status != http.StatusSwitchingProtocols {
		length := int64(-1)
		if n, ok := contentLength(u.header["Content-Length"]); ok {
			length = n
		}
		_ = x.Start(status, u.header, length) // Write returns the error
		return
	}
	if x.began || x.hijacked {
		return
	}
	x.began, x.keep = true, false
	x.conn.letGo(x) // from now on the session notices when the client leaves
	o := &x.conn.out
	o.appendStatus(1, status)
	for name, values := range u.header {
		for _, v := range values {
			if validName(name) {
				o.appendField(name, clean(v))
			}
		}
	}
	o.appendString("\r\n")
	_ = o.flush() // Hijack returns the error
}

// Write implements http.ResponseWriter.
func (u *upgrade) Write(p []byte) (int, error) {
	if !u.x.began {
		u.WriteHeader(http.StatusOK)
	}
	if err := u.x.Write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// FlushError is called by http.ResponseController.
func (u *upgrade) FlushError() error { return u.x.Flush() }

// Hijack implements http.Hijacker. The connection then belongs to the caller, who closes
// it. The reader begins with what the client has already sent.
func (u *upgrade) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	x := u.x
	c := x.conn
	switch {
	case x.hijacked:
		return nil, nil, http.ErrHijacked
	case !x.body.whole():
		return nil, nil, errors.New("the request's body has not been read")
	}
	if err := c.out.flush(); err != nil {
		return nil, nil, err
	}
	c.letGo(x)
	x.hijacked = true
	early := bytes.Clone(c.in.unread())
	c.in.release()
	if err := c.conn.SetDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	r := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(early), c.conn), max(4<<10, len(early)))
	if len(early) > 0 {
		if _, err := r.Peek(len(early)); err != nil { // so that they are in the reader's buffer, where callers look for them
			return nil, nil, err
		}
	}
	return c.conn, bufio.NewReadWriter(r, bufio.NewWriterSize(c.conn, 4<<10)), nil
}
