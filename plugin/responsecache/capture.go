package responsecache

import (
	"net/http"
	"slices"

	"go-ai-proxy/plugin/wire"
)

// Capture is a sink that keeps what the client is sent.
type Capture struct {
	Key    Key
	sink   wire.Sink
	names  []string // of headers that are kept
	status int
	header http.Header
	body   []byte
	stream bool
	spoilt bool // it cannot be kept: it is cut off, or too large
}

// NewCapture returns a sink that passes everything on to sink. own are headers of the
// relay's that are kept with the answer.
func NewCapture(sink wire.Sink, key Key, own ...string) *Capture {
	return &Capture{Key: key, sink: sink, names: append([]string{"Content-Type", "Content-Encoding", "X-Accel-Buffering", "Cache-Control"}, own...)}
}

// Entry returns the answer, and whether it is whole and may be kept. Usage and cost are
// for the caller to fill in.
func (c *Capture) Entry() (*Entry, bool) {
	return &Entry{Header: c.header, Body: c.body, Stream: c.stream}, !c.spoilt && c.status == http.StatusOK
}

// Start implements wire.Sink.
func (c *Capture) Start(status int, header http.Header, length int64) error {
	c.status, c.stream = status, length < 0
	c.header = http.Header{}
	for _, name := range c.names {
		if v := header[name]; v != nil {
			c.header[name] = slices.Clone(v)
		}
	}
	return c.sink.Start(status, header, length)
}

// Write implements wire.Sink.
func (c *Capture) Write(p []byte) error {
	if len(c.body)+len(p) > MaxEntry {
		c.spoilt, c.body = true, nil
	}
	if !c.spoilt {
		c.body = append(c.body, p...)
	}
	err := c.sink.Write(p)
	c.spoilt = c.spoilt || err != nil
	return err
}

// Flush implements wire.Sink.
func (c *Capture) Flush() error {
	err := c.sink.Flush()
	c.spoilt = c.spoilt || err != nil
	return err
}

// Abort implements wire.Sink.
func (c *Capture) Abort() {
	c.spoilt = true
	c.sink.Abort()
}
