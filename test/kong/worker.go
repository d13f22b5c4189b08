// Package kong plays Kong's side towards a plugin, for tests: the plugin
// server protocol as Kong's workers speak it, the PDK with the truth about a
// request, and the proxying that nginx does afterwards.
//
// Two doors: [Start] runs a plugin's binary as Kong would and [Host.Handler]
// puts it behind routes; [Worker] alone speaks to a socket.
//
// What it does follows kong/runloop/plugin_servers, kong/pdk,
// kong/runloop/handler.lua and Kong's nginx template (3.9).
package kong

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	protocol "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

// Conf is a plugin's configuration as Kong's plugin iterator hands it out:
// the configured fields and __plugin_id, __key__, __seq__ and so on.
type Conf map[string]any

// Call is a PDK call that the plugin made.
type Call struct {
	Method string
	Args   proto.Message
}

// Event is what happened in one event.
type Event struct {
	Phase string
	Calls []Call
	// Trips counts how often Kong had to wait for the plugin: 1 when the
	// plugin asks nothing.
	Trips int
	// Starts counts the instances started on the way.
	Starts int
	Err    error
}

// Worker is one of Kong's workers: it has its own connections, and its own
// instances of the plugin.
type Worker struct {
	Socket string
	Plugin string
	// Timeout of one read or write, as lua_socket_read_timeout: 60 s if zero.
	Timeout time.Duration

	mu       sync.Mutex
	sequence int64
	pool     []*link
	running  map[string]*instance
}

type instance struct {
	mu  sync.Mutex // held by the one who starts it
	id  int32
	seq any
}

// maxRestarts bounds what is endless in Kong: it repeats an event for as long
// as the plugin server closes the connection.
const maxRestarts = 5

// Event lets the plugin handle phase of r with conf, as Rpc:handle_event. The
// error is what Kong answers with status 500; it is in the Event, too.
func (w *Worker) Event(conf Conf, phase string, r *Request) Event {
	e := Event{Phase: phase}
	for range maxRestarts {
		id, err := w.instance(conf, &e)
		if err != nil {
			e.Err = err // raised, not returned
			return e
		}
		_, err = w.call(&protocol.RpcCall{Call: &protocol.RpcCall_CmdHandleEvent{
			CmdHandleEvent: &protocol.CmdHandleEvent{InstanceId: id, EventName: phase}}}, r, &e)
		if err == nil || errors.Is(err, errExit) {
			return e
		}
		if text := strings.ToLower(err.Error()); !strings.Contains(text, "no plugin instance") &&
			!strings.Contains(text, "closed") {
			e.Err = err
			return e
		}
		w.mu.Lock()
		w.running = nil
		w.mu.Unlock()
	}
	e.Err = fmt.Errorf("the plugin server closed the connection %d times: Kong would go on for ever", maxRestarts)
	return e
}

// instance returns the id of the running instance for conf, started if need
// be: get_instance_id.
func (w *Worker) instance(conf Conf, e *Event) (int32, error) {
	key, _ := conf["__plugin_id"].(string)
	w.mu.Lock()
	in := w.running[key]
	if in == nil {
		in = &instance{}
		if w.running == nil {
			w.running = make(map[string]*instance)
		}
		w.running[key] = in
	}
	w.mu.Unlock()

	in.mu.Lock()
	defer in.mu.Unlock()
	if in.id != 0 && in.seq == conf["__seq__"] {
		return in.id, nil
	}
	config, err := json.Marshal(conf)
	if err != nil {
		return 0, err
	}
	e.Starts++
	ret, err := w.call(&protocol.RpcCall{Call: &protocol.RpcCall_CmdStartInstance{
		CmdStartInstance: &protocol.CmdStartInstance{Name: w.Plugin, Config: config}}}, nil, nil)
	if err != nil {
		w.mu.Lock()
		delete(w.running, key)
		w.mu.Unlock()
		return 0, fmt.Errorf("starting instance: %w", err)
	}
	old := in.id
	in.id, in.seq = ret.GetInstanceStatus().GetInstanceId(), conf["__seq__"]
	if old != 0 {
		_ = w.closeInstance(old)
	}
	return in.id, nil
}

func (w *Worker) closeInstance(id int32) error {
	_, err := w.call(&protocol.RpcCall{Call: &protocol.RpcCall_CmdCloseInstance{
		CmdCloseInstance: &protocol.CmdCloseInstance{InstanceId: id}}}, nil, nil)
	return err
}

// Stop closes the connections, as a worker that ends. It closes no instance.
func (w *Worker) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.pool {
		_ = l.conn.Close()
	}
	w.pool, w.running = nil, nil
}

// errExit: the handler's coroutine ends there, and nothing else of the event
// is read.
var errExit = errors.New("kong.response.exit")

// call sends a command and returns its answer: Rpc:call. With a request, PDK
// calls are answered in between.
func (w *Worker) call(cmd *protocol.RpcCall, r *Request, e *Event) (*protocol.RpcReturn, error) {
	l, err := w.connect()
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.sequence++
	cmd.Sequence = w.sequence
	w.mu.Unlock()
	data, err := proto.Marshal(cmd)
	if err != nil {
		return nil, err
	}
	reuse := false
	defer func() {
		switch {
		case reuse:
			w.release(l)
		case r != nil: // an abandoned cosocket closes when its request ends
			r.atEnd(func() { _ = l.conn.Close() })
		default:
			_ = l.conn.Close()
		}
	}()
	if err = l.write(data); err != nil {
		return nil, err
	}
	if r != nil {
		defer func() { e.Trips += l.waits }()
		l.waits = 0
		if err = l.bridge(r, e); err != nil {
			return nil, err
		}
	}
	data, err = l.read()
	if err != nil {
		return nil, err
	}
	ret := &protocol.RpcReturn{}
	if err = proto.Unmarshal(data, ret); err != nil {
		return nil, fmt.Errorf("RpcReturn: %w", err)
	}
	if ret.Sequence != cmd.Sequence {
		return nil, fmt.Errorf("RpcReturn: sequence %d, want %d", ret.Sequence, cmd.Sequence)
	}
	reuse = true
	return ret, nil
}

// bridge answers PDK calls until the empty frame.
func (l *link) bridge(r *Request, e *Event) error {
	for {
		method, err := l.read()
		if err != nil || len(method) == 0 {
			return err
		}
		name := string(method)
		data, err := l.read()
		if err != nil {
			return err
		}
		do, ok := pdk[name]
		if !ok {
			return fmt.Errorf("method %q not found", name)
		}
		args, reply, err := do(r, data)
		e.Calls = append(e.Calls, Call{name, args})
		if err != nil {
			return err
		}
		if err = l.write(reply); err != nil {
			return err
		}
	}
}

// link is a pooled connection.
type link struct {
	conn    net.Conn
	in      *bufio.Reader
	timeout time.Duration
	waits   int  // times we had to wait for the other side
	spoke   bool // something was written since the last wait
}

// connect takes a connection from the pool, or makes one.
func (w *Worker) connect() (*link, error) {
	for {
		w.mu.Lock()
		n := len(w.pool)
		if n == 0 {
			w.mu.Unlock()
			break
		}
		l := w.pool[n-1]
		w.pool = w.pool[:n-1]
		w.mu.Unlock()
		if l.alive() {
			return l, nil
		}
		_ = l.conn.Close()
	}
	timeout := w.Timeout
	if timeout == 0 {
		timeout = time.Minute
	}
	conn, err := net.DialTimeout("unix", w.Socket, timeout)
	if err != nil {
		return nil, fmt.Errorf("trying to connect: %w", err)
	}
	return &link{conn: conn, in: bufio.NewReaderSize(conn, 1<<20), timeout: timeout}, nil
}

// release is setkeepalive.
func (w *Worker) release(l *link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	const poolSize = 256
	if len(w.pool) >= poolSize || l.in.Buffered() > 0 {
		_ = l.conn.Close()
		return
	}
	w.pool = append(w.pool, l)
}

// alive tells whether the other side still holds the connection; nginx drops
// those from the pool that it does not.
func (l *link) alive() bool {
	raw, err := l.conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	alive := false
	err = raw.Control(func(fd uintptr) {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		alive = errors.Is(err, syscall.EAGAIN)
	})
	return err == nil && alive
}

const maxFrame = 256 << 20

func (l *link) read() ([]byte, error) {
	if l.in.Buffered() == 0 && l.spoke {
		l.waits++
		l.spoke = false
	}
	_ = l.conn.SetReadDeadline(time.Now().Add(l.timeout))
	var head [4]byte
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return nil, cosocketError(err)
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxFrame {
		return nil, fmt.Errorf("frame of %d bytes", n)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(l.in, data); err != nil {
		return nil, cosocketError(err)
	}
	return data, nil
}

// write sends the length and the contents one after the other, as Kong does.
func (l *link) write(data []byte) error {
	l.spoke = true
	_ = l.conn.SetWriteDeadline(time.Now().Add(l.timeout))
	if _, err := l.conn.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(data)))); err != nil {
		return fmt.Errorf("send: %w", err) // raised by assert
	}
	if len(data) == 0 { // a cosocket makes no system call then; the other side may be gone
		return nil
	}
	if _, err := l.conn.Write(data); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// cosocketError names errors of a read as cosockets do.
func cosocketError(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("closed")
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("timeout")
	case errors.Is(err, syscall.ECONNRESET):
		return errors.New("connection reset by peer")
	}
	return err
}

// With returns conf with one more or another field.
func (c Conf) With(name string, value any) Conf {
	c = maps.Clone(c)
	c[name] = value
	return c
}

// Forget drops all instances without closing them, as Kong does when a plugin
// server seems to have been restarted (reset_instances).
func (w *Worker) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = nil
}
