package engine

import (
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// output writes to a connection through a buffer, which it only holds while there is
// something in it.
type output struct {
	conn    net.Conn
	raw     syscall.RawConn // of a plain socket, else nil
	tls     *secured        // conn, where it is one
	time    timer           // the write deadline
	wait    time.Duration   // for one write; if negative, the deadline is set elsewhere
	buf     []byte
	sent    int64                 // bytes written to the connection, of all messages
	rest    []byte                // of buf, while writeReady writes it
	err     error                 // final
	ready   func(fd uintptr) bool // writeReady, made once
	vectors [3][]byte             // of one write; a field so that it is not allocated
}

func (o *output) open(conn net.Conn, wait time.Duration, raw syscall.RawConn) {
	o.conn, o.wait, o.raw = conn, wait, raw
	o.tls, _ = conn.(*secured)
	o.ready = o.writeReady
	o.time.set = conn.SetWriteDeadline
}

// room takes a buffer if there is none, and returns it.
func (o *output) room() []byte {
	if o.buf == nil {
		o.buf = takeBuffer()[:0]
	}
	return o.buf
}

// release gives the buffer back. Its content is lost.
func (o *output) release() {
	if o.buf != nil {
		giveBuffer(o.buf)
		o.buf = nil
	}
}

// flush writes what is in the buffer.
func (o *output) flush() error { return o.flushWith(nil, nil) }

// flushWith writes the buffer's content, p and q in one write.
func (o *output) flushWith(p, q []byte) error {
	n := len(o.buf) + len(p) + len(q)
	if o.err == nil && n > 0 && o.wait >= 0 {
		o.err = o.time.ahead(o.wait)
	}
	switch {
	case o.err != nil || n == 0:
	case n == len(o.buf):
		o.send(o.buf)
	default:
		o.vectors = [3][]byte{o.buf, p, q}
		all := net.Buffers(o.vectors[:])
		var n int64
		if o.tls != nil {
			n, o.err = o.tls.writeAll(all)
		} else {
			n, o.err = all.WriteTo(o.conn)
		}
		o.sent += n
		o.vectors = [3][]byte{}
	}
	o.release()
	return o.err
}

// send writes b.
func (o *output) send(b []byte) {
	if o.raw == nil {
		var n int
		n, o.err = o.conn.Write(b)
		o.sent += int64(n)
		return
	}
	o.rest = b
	o.sendRest()
	o.rest = nil
}

func (o *output) sendRest() {
	if err := o.raw.Write(o.ready); o.err == nil {
		o.err = err
	}
}

// lineEnd ends every line of HTTP.
var lineEnd = []byte("\r\n")

// append adds p to the buffer, and writes the buffer when it is full.
func (o *output) append(p []byte) error {
	if len(o.room())+len(p) <= bufferSize {
		o.buf = append(o.buf, p...)
		return o.err
	}
	return o.flushWith(p, nil)
}

func (o *output) appendString(s string) { o.buf = append(o.room(), s...) }

// statusLines has the status line of each status that has a name.
var statusLines = func() (lines [600]string) {
	for code := range lines {
		if text := http.StatusText(code); text != "" {
			lines[code] = strconv.Itoa(code) + " " + text + "\r\n"
		}
	}
	return lines
}()

func (o *output) appendStatus(minor, status int) {
	b := append(append(o.room(), "HTTP/1."...), byte('0'+minor), ' ')
	if status >= 0 && status < len(statusLines) && statusLines[status] != "" {
		o.buf = append(b, statusLines[status]...)
		return
	}
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, " status code "...)
	o.buf = append(strconv.AppendInt(b, int64(status), 10), "\r\n"...)
}

func (o *output) appendField(name, value string) {
	b := append(append(o.room(), name...), ": "...)
	o.buf = append(append(b, value...), "\r\n"...)
}

func (o *output) appendLength(n int64) {
	b := append(o.room(), "Content-Length: "...)
	o.buf = append(strconv.AppendInt(b, n, 10), "\r\n"...)
}

// date is the value of the Date header for one second.
type date struct {
	second int64
	text   string
}

var lastDate atomic.Pointer[date]

// now returns the current value of the Date header.
func now() string {
	t := time.Now()
	d := lastDate.Load()
	if d == nil || d.second != t.Unix() {
		d = &date{t.Unix(), t.UTC().Format(http.TimeFormat)}
		lastDate.Store(d)
	}
	return d.text
}
