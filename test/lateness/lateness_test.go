package lateness

import (
	"testing"
	"testing/synctest"
	"time"
)

// judged is a test of which is only asked whether it has failed.
type judged struct {
	testing.TB
	failed bool
}

func (j *judged) Error(...any) { j.failed = true }

func TestOnlyWhatALateMachineSpoilsIsMeasuredAgain(t *testing.T) {
	for name, c := range map[string]struct {
		good  int // the first measurement that is as it should be
		late  bool
		calls int
		fails bool
	}{
		"good at once":                    {1, false, 1, false},
		"wrong on an idle machine":        {2, false, 1, true},
		"wrong while the machine is late": {3, true, 3, false},
	} {
		j, calls := &judged{TB: t}, 0
		bearable := time.Minute
		if c.late {
			bearable = -1 // any machine is as late as that
		}
		Undisturbed(j, bearable, func() string {
			if calls++; calls >= c.good {
				return ""
			}
			return "wrong"
		})
		if calls != c.calls || j.failed != c.fails {
			t.Errorf("%s: measured %d times, failed %v", name, calls, j.failed)
		}
	}
}

func TestEndOfAWindowIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it begins at midnight
		Away(time.Hour)
		if passed := time.Since(time.Now().Truncate(time.Hour)); passed != 0 {
			t.Errorf("at its beginning, %v are waited", passed)
		}
		time.Sleep(59*time.Minute + 50*time.Second)
		began := time.Now()
		if Away(time.Hour); time.Since(began) != 10*time.Second {
			t.Errorf("10 s before its end, %v are waited", time.Since(began))
		}
	})
}
