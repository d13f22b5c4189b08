// Package leaks has a test binary fail when its tests leave goroutines behind.
package leaks

import (
	"time"

	"go.uber.org/goleak"
)

// VerifyTestMain is [goleak.VerifyTestMain], but gives goroutines that are about to end
// twenty seconds. There, it is half a second, which may be too short on a busy machine.
func VerifyTestMain(m goleak.TestingM, options ...goleak.Option) {
	goleak.VerifyTestMain(patient{m, options}, options...)
}

type patient struct {
	goleak.TestingM
	options []goleak.Option
}

// Run runs the tests and waits for their goroutines, if they passed.
func (p patient) Run() int {
	code := p.TestingM.Run()
	for end := time.Now().Add(20 * time.Second); code == 0 && time.Now().Before(end); {
		if goleak.Find(p.options...) == nil { // it looks for half a second
			break
		}
	}
	return code
}
