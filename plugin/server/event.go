package server

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"

	pdk "github.com/Kong/go-pdk"
	protocol "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Event is one phase of one request. Its PDK is go-pdk's, with a difference:
// a call that has no result does not wait for Kong. Such calls leave in one
// write with the next question, or with the end of the event. If one of them
// fails, Kong ends the request with status 500 and its own error log says why.
//
// Response.Exit ends the request when the handler returns; calls after it are
// dropped. An Event belongs to the goroutine of the handler.
type Event struct {
	*pdk.PDK
	pipe  *pipe
	phase string
}

// Calls are PDK calls that [Prepare] encoded. They may be sent any number of times,
// by several goroutines.
type Calls struct {
	frames []byte
	count  int
	exits  bool
}

// Send makes prepared calls. They travel like all others without a result.
func (e *Event) Send(c Calls) {
	if !e.pipe.exited {
		e.pipe.out = append(e.pipe.out, c.frames...)
		e.pipe.call = len(e.pipe.out)
		e.pipe.unsent += c.count
		e.pipe.exited = c.exits
	}
}

// Prepare encodes the PDK calls that record makes. None of them may have a result:
// such a call returns an error to record, and so does Prepare.
func Prepare(record func(k *pdk.PDK) error) (Calls, error) {
	p := &pipe{}
	if err := record(pdk.Init(p)); err != nil {
		return Calls{}, fmt.Errorf("prepare: %w", err)
	}
	if p.err != nil {
		return Calls{}, fmt.Errorf("prepare: %w", p.err)
	}
	return Calls{frames: p.out[:p.call:p.call], count: p.unsent, exits: p.exited}, nil
}

// fail writes message to Kong's error log and, while there is still an answer
// to give, answers as Kong does when a plugin fails.
func (e *Event) fail(message string) {
	_ = e.PDK.Log.Err(message)
	if e.phase == "access" {
		e.Response.Exit(http.StatusInternalServerError,
			[]byte(`{"message":"An unexpected error occurred"}`),
			map[string][]string{"Content-Type": {"application/json; charset=utf-8"}})
	}
}

// pipe is the connection that go-pdk's bridge sees. The bridge writes a call
// (a frame with the method, a frame with the arguments) and reads the reply.
// The pipe collects the writes; it answers a call without a result by itself,
// an empty frame like Kong's, and for the others it sends what it has and
// waits. Without a connection it records.
type pipe struct {
	net.Conn // nil while recording

	in     *bufio.Reader
	out    []byte // not yet sent
	call   int    // where in out the call being written starts
	unsent int    // replies that Kong will owe for out
	owed   int    // replies that Kong owes for what was sent
	frame  []byte // buffer of the last frame read
	reply  []byte // what the bridge has not read of the reply
	exited bool   // the request ended with kong.response.exit
	err    error  // first failure; the connection is of no further use
}

var errExited = errors.New("the request has ended with kong.response.exit")

func (p *pipe) Write(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	p.out = append(p.out, b...)
	return len(b), nil
}

func (p *pipe) Read(b []byte) (int, error) {
	if len(p.reply) == 0 {
		if err := p.answer(); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.reply)
	p.reply = p.reply[n:]
	return n, nil
}

// Close does nothing: go-pdk calls it after kong.response.exit, when the call
// is not sent yet.
func (p *pipe) Close() error { return nil }

// answer provides the reply to the call at p.call.
func (p *pipe) answer() error {
	if p.err != nil {
		return p.err
	}
	if p.exited {
		p.out = p.out[:p.call]
		return errExited
	}
	method := calledMethod(p.out[p.call:])
	if withoutResult[string(method)] {
		p.exited = string(method) == exitMethod
		p.call = len(p.out)
		p.unsent++
		p.reply = emptyFrame
		return nil
	}
	if p.Conn == nil {
		p.err = fmt.Errorf("%s has a result, which only Kong can give", method)
		return p.err
	}
	if p.flush() == nil && p.settle() == nil {
		p.frame, p.err = readFrame(p.in, p.frame)
	}
	if p.err != nil {
		return p.err
	}
	p.reply = p.frame
	return nil
}

// flush sends what is collected, in one write.
func (p *pipe) flush() error {
	if p.err == nil {
		_, p.err = p.Conn.Write(p.out)
	}
	p.owed += p.unsent
	p.discard()
	return p.err
}

// discard removes what has not been sent yet.
func (p *pipe) discard() {
	p.out, p.call, p.unsent = trim(p.out), 0, 0
}

// settle reads the replies that no call has waited for.
func (p *pipe) settle() error {
	for ; p.owed > 0 && p.err == nil; p.owed-- {
		p.err = skipFrame(p.in)
	}
	return p.err
}

var emptyFrame = make([]byte, prefix)

// calledMethod returns the method of a call as the bridge writes it.
func calledMethod(call []byte) []byte {
	if len(call) < prefix {
		return nil
	}
	n := binary.LittleEndian.Uint32(call)
	call = call[prefix:]
	return call[:min(int(n), len(call))]
}

const exitMethod = "kong.response.exit"

// withoutResult holds the PDK methods that Kong answers with an empty frame,
// by the protocol's own service description.
var withoutResult = methodsWithoutResult()

func methodsWithoutResult() map[string]bool {
	empty := (&emptypb.Empty{}).ProtoReflect().Descriptor().FullName()
	methods := make(map[string]bool)
	services := protocol.File_server_kong_plugin_protocol_pluginsocket_proto.Services()
	for i := range services.Len() {
		service := services.Get(i)
		for j := range service.Methods().Len() {
			if m := service.Methods().Get(j); m.Output().FullName() == empty {
				methods[methodName(m)] = true
			}
		}
	}
	// Described as having a string, but it returns nothing.
	methods["kong.nginx.set_ctx"] = true
	return methods
}

var wordEnd = regexp.MustCompile(`([a-z][0-9]*)([A-Z])`)

// methodName gives the name Kong calls a method by: Service_Request_SetHeader
// of service Kong is kong.service.request.set_header, unless an option names it.
func methodName(m protoreflect.MethodDescriptor) string {
	if proto.HasExtension(m.Options(), protocol.E_MethodName) {
		return proto.GetExtension(m.Options(), protocol.E_MethodName).(string)
	}
	name := string(m.Parent().Name()) + "." + strings.ReplaceAll(string(m.Name()), "_", ".")
	return strings.ToLower(wordEnd.ReplaceAllString(name, "${1}_${2}"))
}
