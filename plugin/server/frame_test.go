package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/translators/conformance/workload"
)

// FuzzConnection feeds a connection with anything after a valid start: it must
// neither panic nor hang.
func FuzzConnection(f *testing.F) {
	f.Add([]byte("\x0e\x00\x00\x00\x08\x01\x8a\x02\x0a\x0a\x04echo\x12\x02{}"))
	f.Add([]byte("\x07\x00\x00\x00\x08\x05\xa2\x02\x02\x08\x07"))
	f.Add([]byte("\xff\xff\xff\xffgarbage"))
	f.Add([]byte("\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x02half"))
	s := &Server{New: always(plugin{access: func(e *Event) {
		_ = toRelay(e.PDK)
		_, _ = e.Client.GetConsumer()
	}}), Info: info, Logger: zerolog.Nop()}
	f.Fuzz(func(t *testing.T, data []byte) {
		defer workload.Linear(t, len(data))()
		s.instances = newInstances(s.open, s.end, time.Minute, time.Hour)
		s.instances.nextID = 7
		s.instances.start(1, []byte("{}"))
		c := newConn(s, &scripted{in: bytes.NewReader(data)})
		c.serve()
		if c.server.instances.acquire(7).events.Load() != 1 {
			t.Error("an event was not released")
		}
	})
}

// scripted is a connection that gives what it was given and takes anything.
type scripted struct {
	net.Conn
	in *bytes.Reader
}

func (s *scripted) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s *scripted) Write(b []byte) (int, error) { return len(b), nil }
func (s *scripted) Close() error                { return nil }

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("\x03\x00\x00\x00abcd"), 2)
	f.Add([]byte("\xff\xff\xff\x03abcd"), 70)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		defer workload.Linear(t, len(data))()
		buf := make([]byte, max(0, min(size, 1<<10)))
		frame, err := readFrame(bytes.NewReader(data), buf)
		if err == nil && !bytes.Equal(frame, data[:len(frame)]) {
			t.Errorf("frame %q of %q", frame, data)
		}
		if cap(frame) > 2*keptBuffer+2*len(data) {
			t.Errorf("%d bytes held for %d", cap(frame), len(data))
		}
	})
}

func TestLargeFramesArriveWhole(t *testing.T) {
	for _, size := range []int{0, 1, keptBuffer - prefix, keptBuffer, keptBuffer + 1, 5 << 20} {
		data := bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]
		wire := append(binary.LittleEndian.AppendUint32(nil, uint32(size)), data...)
		frame, err := readFrame(oneKiBReads{bytes.NewReader(wire)}, nil)
		if err != nil || !bytes.Equal(frame, wire) {
			t.Errorf("size %d: %d bytes, %v", size, len(frame), err)
		}
	}
	_, err := readFrame(bytes.NewReader(binary.LittleEndian.AppendUint32(nil, maxFrame+1)), nil)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(maxFrame+1)) {
		t.Errorf("error: %v", err)
	}
}

type oneKiBReads struct{ r io.Reader }

func (r oneKiBReads) Read(b []byte) (int, error) { return r.r.Read(b[:min(len(b), 1<<10)]) }
