package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	pdk "github.com/Kong/go-pdk"
	protocol "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

// conn is one connection of a worker. Kong keeps it in a pool and uses it for
// one command at a time.
type conn struct {
	server *Server
	nc     net.Conn
	worker int // process id of the worker, 0 if not known
	state  atomic.Int32
	pipe   pipe
	event  Event
	buf    []byte
}

const (
	idle int32 = iota // between two commands
	busy
	closed
)

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, nc: nc, worker: peerProcess(nc)}
	c.pipe = pipe{Conn: nc, in: bufio.NewReaderSize(nc, 4<<10)}
	c.event = Event{PDK: pdk.Init(&c.pipe), pipe: &c.pipe}
	return c
}

// closeIfIdle closes the connection unless a command is being answered.
func (c *conn) closeIfIdle() {
	if c.state.CompareAndSwap(idle, closed) {
		_ = c.nc.Close()
	}
}

func (c *conn) serve() {
	defer func() {
		_ = c.nc.Close()
		if r := recover(); r != nil {
			c.server.logPanic(r, "connection")
		}
	}()
	for c.next() {
		if err := c.command(c.buf[prefix:]); err != nil {
			c.server.Logger.Warn().Err(err).Msg("plugin server: connection closed")
			return
		}
		if c.pipe.exited {
			// Kong has left the event for good. It reads what we wrote and
			// still writes replies before that, so closing now would break it.
			_, _ = io.Copy(io.Discard, c.pipe.in)
			return
		}
		// Closing before Kong has read and answered everything would break the event.
		if owed := c.pipe.owed; c.pipe.settle() != nil {
			// One of the calls failed, or the client went away.
			c.server.Logger.Debug().Err(c.pipe.err).Int("calls", owed).
				Msg("plugin server: Kong left an event before its end")
			return
		}
		c.state.Store(idle)
		if c.server.draining.Load() {
			return
		}
	}
}

// next waits for a command and reports whether there is one to answer.
func (c *conn) next() bool {
	c.pipe.frame = trim(c.pipe.frame)
	var err error
	c.buf, err = readFrame(c.pipe.in, trim(c.buf))
	if err != nil {
		if err != io.EOF && !errors.Is(err, net.ErrClosed) {
			c.server.Logger.Debug().Err(err).Msg("plugin server: connection lost")
		}
		return false
	}
	return c.state.CompareAndSwap(idle, busy)
}

// command answers one command. The protocol has no error: when it is one, the
// connection is closed. Kong takes that for an unknown instance, starts it
// anew and repeats the event, so it is the answer in that case only; anything
// else that goes wrong in an event must be answered within it.
func (c *conn) command(frame []byte) error {
	var call protocol.RpcCall
	if err := proto.Unmarshal(frame, &call); err != nil {
		return fmt.Errorf("command: %w", err)
	}
	answer := protocol.RpcReturn{Sequence: call.Sequence}
	switch cmd := call.Call.(type) {
	case *protocol.RpcCall_CmdHandleEvent:
		return c.handle(cmd.CmdHandleEvent, &answer)

	case *protocol.RpcCall_CmdStartInstance:
		st := c.server.instances.start(c.worker, cmd.CmdStartInstance.GetConfig())
		c.server.Logger.Debug().Int32("instance", st.id).Str("plugin_id", st.slot.plugin).
			Int("worker", c.worker).Msg("plugin server: instance started")
		answer.Return = c.status(st)

	case *protocol.RpcCall_CmdCloseInstance:
		st := c.server.instances.close(cmd.CmdCloseInstance.GetInstanceId())
		if st == nil {
			return errUnknown(cmd.CmdCloseInstance.GetInstanceId())
		}
		answer.Return = c.status(st)

	case *protocol.RpcCall_CmdGetInstanceStatus:
		st := c.server.instances.status(cmd.CmdGetInstanceStatus.GetInstanceId())
		if st == nil {
			return errUnknown(cmd.CmdGetInstanceStatus.GetInstanceId())
		}
		answer.Return = c.status(st)

	case *protocol.RpcCall_CmdGetPluginNames:
		answer.Return = &protocol.RpcReturn_PluginNames{
			PluginNames: &protocol.PluginNames{Names: []string{c.server.Info.Name}}}

	case *protocol.RpcCall_CmdGetPluginInfo:
		info := c.server.Info
		answer.Return = &protocol.RpcReturn_PluginInfo{PluginInfo: &protocol.PluginInfo{
			Name: info.Name, Phases: info.Phases, Version: info.Version,
			Priority: int32(info.Priority), Schema: string(info.Schema)}}

	default:
		return fmt.Errorf("command %T is not known", cmd)
	}
	return c.send(&answer)
}

func errUnknown(id int32) error { return fmt.Errorf("no plugin instance %d", id) }

func (c *conn) status(st *started) *protocol.RpcReturn_InstanceStatus {
	return &protocol.RpcReturn_InstanceStatus{InstanceStatus: &protocol.InstanceStatus{
		Name: c.server.Info.Name, InstanceId: st.id, StartedAt: st.since.Unix()}}
}

// handle lets an instance handle an event and ends it.
func (c *conn) handle(cmd *protocol.CmdHandleEvent, answer *protocol.RpcReturn) error {
	st := c.server.instances.acquire(cmd.GetInstanceId())
	if st == nil {
		return errUnknown(cmd.GetInstanceId())
	}
	c.event.phase = cmd.GetEventName()
	c.run(st.shared.Instance)
	c.server.instances.release(st)
	if c.pipe.err != nil {
		return fmt.Errorf("event %s: %w", c.event.phase, c.pipe.err)
	}
	if c.pipe.exited {
		return c.pipe.flush()
	}
	c.pipe.out = append(c.pipe.out, emptyFrame...)
	return c.send(answer)
}

// run calls the handler of the event's phase. When it panics, what it has not
// sent is dropped and the event fails in a way that Kong understands.
func (c *conn) run(instance Instance) {
	defer func() {
		if r := recover(); r != nil {
			c.server.logPanic(r, c.event.phase)
			c.pipe.discard()
			c.pipe.reply, c.pipe.exited = nil, false
			c.event.fail(fmt.Sprintf("%s: internal error in %s", c.server.Info.Name, c.event.phase))
		}
	}()
	switch c.event.phase {
	case "access":
		instance.Access(&c.event)
	case "log":
		if h, ok := instance.(LogHandler); ok {
			h.Log(&c.event)
		}
	}
}

// send ends a command: what is left of its calls, and the answer.
func (c *conn) send(answer *protocol.RpcReturn) error {
	start := len(c.pipe.out)
	out, err := proto.MarshalOptions{}.MarshalAppend(beginFrame(c.pipe.out), answer)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	endFrame(out, start)
	c.pipe.out = out
	return c.pipe.flush()
}

// logPanic logs what was recovered. The value is named only if the runtime
// made it: others may hold what a request holds.
func (s *Server) logPanic(value any, where string) {
	reason := fmt.Sprintf("%T", value)
	if err, ok := value.(runtime.Error); ok {
		reason = err.Error()
	}
	s.Logger.Error().Str("panic", reason).Str("in", where).
		Bytes("stack", debug.Stack()).Msg("plugin server: panic recovered")
}
