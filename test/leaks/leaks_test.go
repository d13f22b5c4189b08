package leaks

import (
	"testing"
	"time"
)

type tests func() int

func (t tests) Run() int { return t() }

func TestGoroutinesThatAreAboutToEndAreWaitedFor(t *testing.T) {
	ended := make(chan struct{})
	patient{TestingM: tests(func() int {
		go func() {
			time.Sleep(time.Second)
			close(ended)
		}()
		return 0
	})}.Run()
	select {
	case <-ended:
	default:
		t.Error("it was not waited for")
	}
	if code := (patient{TestingM: tests(func() int { return 3 })}).Run(); code != 3 {
		t.Errorf("exit status %d of tests that fail with 3", code)
	}
}
