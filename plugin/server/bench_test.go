package server

import (
	"bufio"
	"net"
	"testing"

	protocol "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

// accessLoop returns a function that plays one prepared access event of Kong
// over a real socket, without allocations of its own.
func accessLoop(t testing.TB) func() {
	prepared, err := Prepare(toRelay)
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, &Server{New: always(plugin{access: func(e *Event) { e.Send(prepared) }})})
	if _, e := access(r, conf); e.Err != nil { // the server is up after that
		t.Fatal(e.Err)
	}
	st := r.instances.start(1, []byte("{}"))
	nc, err := net.Dial("unix", r.worker.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	data, err := proto.Marshal(&protocol.RpcCall{Sequence: 9, Call: &protocol.RpcCall_CmdHandleEvent{
		CmdHandleEvent: &protocol.CmdHandleEvent{InstanceId: st.id, EventName: "access"}}})
	if err != nil {
		t.Fatal(err)
	}
	command := append(beginFrame(nil), data...)
	endFrame(command, 0)
	replies := make([]byte, prefix*prepared.count)
	in := bufio.NewReader(nc)
	return func() {
		if _, err := nc.Write(command); err != nil {
			t.Fatal(err)
		}
		for range 2*prepared.count + 2 {
			if err := skipFrame(in); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := nc.Write(replies); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAccessEventAllocatesLittle(t *testing.T) {
	if allocs := testing.AllocsPerRun(500, accessLoop(t)); allocs > 5 {
		t.Errorf("%.1f allocations per event, want at most 5 (the decoded command)", allocs)
	}
}

func BenchmarkAccessEvent(b *testing.B) {
	once := accessLoop(b)
	b.ReportAllocs()
	for b.Loop() {
		once()
	}
}
