package server

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// parentTestProcess is a process of the test below.
func parentTestProcess(role string) {
	if role == "parent" {
		child := exec.Command(os.Args[0], "parent-test", "child")
		child.Stderr = os.Stdout // the test's pipe
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err == nil {
			_, err = bufio.NewReader(out).ReadString('\n') // it knows its parent
		}
		if err != nil {
			os.Exit(1)
		}
		return // killed, as far as the child can tell
	}
	ctx, cancel := withParent(context.Background(), os.Getppid())
	defer cancel()
	fmt.Println("started")
	select {
	case <-ctx.Done():
		fmt.Fprintln(os.Stderr, "parent is gone")
	case <-time.After(30 * time.Second):
		fmt.Fprintln(os.Stderr, "never noticed")
	}
}

func TestProcessNoticesTheEndOfItsParent(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	parent := exec.CommandContext(ctx, os.Args[0], "parent-test", "parent")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	parent.Stdout = write
	if err = parent.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	lines := bufio.NewScanner(read)
	var got []string
	for lines.Scan() {
		got = append(got, lines.Text())
	}
	if err = parent.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != "parent is gone" {
		t.Errorf("the child said %q", got)
	}
}

func TestWithParentEndsWithItsParentContext(t *testing.T) {
	outer, cancel := context.WithCancel(t.Context())
	ctx, release := withParent(outer, os.Getppid())
	defer release()
	cancel()
	<-ctx.Done()
}
