package ports

import (
	"errors"
	"net"
	"runtime"
	"syscall"
	"testing"
)

func refused(t *testing.T, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%s: %v", addr, err)
	}
}

func TestDeadAddressRefusesConnections(t *testing.T) { refused(t, Dead) }

func TestHeldPortIsRefusedUntilItsServerListensAndAgainWhenItHasEnded(t *testing.T) {
	addr := Hold(t)
	for range 3 {
		refused(t, addr)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		near, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		far.Close() // the server's side first, as when it ends
		near.Close()
		l.Close()
	}
	refused(t, addr)
}

// The ports that are given away are tried until each second one, which is how Linux
// gives them to listeners, has had its turn in all likelihood.
func TestHeldPortIsGivenToNobodyElse(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux holds a port that nobody listens on")
	}
	held := map[string]bool{}
	for range 100 {
		held[Hold(t)] = true
	}
	if len(held) != 100 {
		t.Errorf("%d ports", len(held))
	}
	for range 20_000 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if held[l.Addr().String()] {
			t.Errorf("%s was given to another", l.Addr())
		}
		l.Close()
	}
}
