package cluster

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/balancer"
)

var noon = time.Unix(1_000_000, 0)

func texts(list []any) (all []string) {
	for _, a := range list {
		all = append(all, a.(string))
	}
	return all
}

// TestOnlyChangesAreSent: counts as what came since, times as ages in ms and only
// where they have changed.
func TestOnlyChangesAreSent(t *testing.T) {
	last := balancer.Snapshot{Prompt: 10, Completion: 20, Cost: 1.5, Fails: 3, Forgiven: 2, LastFail: noon, Rest: noon,
		E2E: balancer.Average{Value: 7, At: noon}, TPOT: balancer.Average{Value: 8, At: noon}}
	sent := noon.Add(10 * time.Second)
	same := []string{"86400000", "10", "0", "20", "0", "1.5", "0", "3", "0", "2", "", "", "", "7", "", "8", ""}
	if got := texts(arguments(last, last, sent)); !slices.Equal(got, same) {
		t.Errorf("nothing new: %q", got)
	}
	now := balancer.Snapshot{Prompt: 11, Completion: 23, Cost: 3.75, Fails: 7, Forgiven: 3, LastFail: noon.Add(time.Second), Rest: noon.Add(time.Minute),
		E2E: balancer.Average{Value: 9, At: noon.Add(2 * time.Second)}, TPOT: balancer.Average{Value: 4, At: noon.Add(3 * time.Second)}}
	want := []string{"86400000", "10", "1", "20", "3", "1.5", "2.25", "3", "4", "2", "4", "9000", "-50000", "9", "8000", "4", "7000"}
	if got := texts(arguments(last, now, sent)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	none := balancer.Snapshot{}
	if got := texts(arguments(last, none, sent)); got[11] != "" || got[12] != "" || got[14] != "" || got[16] != "" {
		t.Errorf("times that are none: %q", got)
	}
}

func TestExchangeAnswerIsParsed(t *testing.T) {
	answer := []string{"11", "23", "3.75", "7", "3", "9000", "-50000", "9", "8000", "4", "7000"}
	want := balancer.Snapshot{Prompt: 11, Completion: 23, Cost: 3.75, Fails: 7, Forgiven: 3, LastFail: noon.Add(-9 * time.Second), Rest: noon.Add(50 * time.Second),
		E2E: balancer.Average{Value: 9, At: noon.Add(-8 * time.Second)}, TPOT: balancer.Average{Value: 4, At: noon.Add(-7 * time.Second)}}
	if got, err := read(answer, noon); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	empty := []string{"0", "0", "0", "0", "0", "", "", "0", "", "0", ""}
	if got, err := read(empty, noon); err != nil || got != (balancer.Snapshot{}) {
		t.Errorf("%+v %v", got, err)
	}
}

// TestImpossibleNumbersAreRefused: one NaN would make every comparison false.
func TestImpossibleNumbersAreRefused(t *testing.T) {
	good := []string{"11", "23", "3.75", "7", "3", "9000", "1", "9", "8000", "4", "7000"}
	for i := range good {
		for _, bad := range []string{"", "x", "NaN", "Inf", "-Inf", "1e300", "-1e300"} {
			if bad == "" && (i == 5 || i == 6 || i == 8 || i == 10) {
				continue // never
			}
			answer := slices.Clone(good)
			answer[i] = bad
			if _, err := read(answer, noon); err == nil || !strings.Contains(err.Error(), "for a number") {
				t.Errorf("value %d is %q: %v", i, bad, err)
			}
		}
	}
	for _, answer := range [][]string{nil, good[1:], append(slices.Clone(good), "1")} {
		if _, err := read(answer, noon); err == nil {
			t.Errorf("%d values are taken", len(answer))
		}
	}
}

func TestLaterTimeWins(t *testing.T) {
	if latest(noon, noon.Add(1)) != noon.Add(1) || latest(noon.Add(1), noon) != noon.Add(1) || latest(noon, noon) != noon {
		t.Error("not the later one")
	}
}

func TestMalformedURLIsRefusedWithoutItsPassword(t *testing.T) {
	if _, err := Join("redis://u:SECRET@h:port", nil, zerolog.Nop()); err == nil || strings.Contains(err.Error(), "SECRET") || !strings.Contains(err.Error(), "redis://") {
		t.Errorf("%v", err)
	}
}
