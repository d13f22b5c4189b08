package credentials

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// counting is a fetch that returns 1, 2, 3 … with a life, after a delay.
func counting(n *atomic.Int64, life, delay time.Duration) fetchFunc[int64] {
	return func(ctx context.Context) (int64, time.Time, error) {
		expires := time.Now().Add(life)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return 0, time.Time{}, ctx.Err()
		}
		return n.Add(1), expires, nil
	}
}

func get(t *testing.T, c *cache[int64], want int64) {
	t.Helper()
	got, err := c.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("after %v: wanted credential %d, got %d", time.Now(), want, got)
	}
}

func TestCredentialIsRenewedBehindTheRequestBeforeItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		c := &cache[int64]{fetch: counting(&n, time.Hour, time.Second)}
		get(t, c, 1)
		time.Sleep(54*time.Minute + 58*time.Second)
		get(t, c, 1)
		synctest.Wait()
		if n.Load() != 1 {
			t.Fatal("renewed too early")
		}
		time.Sleep(time.Second)
		began := time.Now()
		get(t, c, 1) // five minutes ahead: the old one, at once
		if time.Since(began) != 0 {
			t.Fatal("a request waited for a renewal that was not urgent")
		}
		time.Sleep(2 * time.Second)
		get(t, c, 2)
	})
}

func TestExpiredCredentialIsNeverUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		c := &cache[int64]{fetch: counting(&n, time.Hour, 0)}
		get(t, c, 1)
		time.Sleep(time.Hour - expiryMargin)
		get(t, c, 2)
	})
}

func TestCredentialOfOneSecondServesOneSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		c := &cache[int64]{fetch: counting(&n, time.Second, 0)}
		get(t, c, 1)
		get(t, c, 1)
		time.Sleep(2 * time.Second)
		get(t, c, 2)
	})
}

func TestManyRequestsMakeOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		c := &cache[int64]{fetch: counting(&n, time.Hour, time.Second)}
		c.warm()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if v, err := c.get(t.Context()); v != 1 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			})
		}
		wg.Wait()
		if n.Load() != 1 {
			t.Fatalf("wanted one fetch, got %d", n.Load())
		}
	})
}

func TestClientThatLeavesDoesNotEndTheFetchOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		c := &cache[int64]{fetch: counting(&n, time.Hour, time.Second)}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Millisecond)
			cancel()
		}()
		began := time.Now()
		if _, err := c.get(ctx); !errors.Is(err, context.Canceled) || time.Since(began) != time.Millisecond {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		get(t, c, 1)
	})
}

func TestHangingEndpointCostsOneRequestItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls int
		c := &cache[int64]{fetch: func(ctx context.Context) (int64, time.Time, error) {
			calls++
			<-ctx.Done()
			return 0, time.Time{}, ctx.Err()
		}}
		began := time.Now()
		if _, err := c.get(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != fetchTimeout {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		began = time.Now()
		if _, err := c.get(t.Context()); err == nil || time.Since(began) != 0 || calls != 1 {
			t.Fatalf("the next request waited %v, %d fetches, %v", time.Since(began), calls, err)
		}
		time.Sleep(fetchTimeout)
		if _, err := c.get(t.Context()); err == nil || calls != 2 {
			t.Fatalf("not tried again: %d fetches", calls)
		}
	})
}

func TestQuickFailureIsTriedAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := true
		c := &cache[int64]{fetch: func(context.Context) (int64, time.Time, error) {
			if fail {
				return 0, time.Time{}, errors.New("refused")
			}
			return 7, time.Time{}, nil
		}}
		if _, err := c.get(t.Context()); err == nil {
			t.Fatal("wanted an error")
		}
		fail = false
		get(t, c, 7)
		time.Sleep(1000 * time.Hour) // the zero expiry is never
		get(t, c, 7)
	})
}

func TestFailedRenewalKeepsWhatIsStillValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := &cache[int64]{fetch: func(context.Context) (int64, time.Time, error) {
			if calls++; calls > 1 {
				return 0, time.Time{}, errors.New("refused")
			}
			return 1, time.Now().Add(time.Hour), nil
		}}
		get(t, c, 1)
		time.Sleep(59 * time.Minute)
		get(t, c, 1)
		synctest.Wait()
		get(t, c, 1)
		time.Sleep(time.Minute)
		if _, err := c.get(t.Context()); err == nil {
			t.Fatal("an expired credential was used")
		}
	})
}

func TestCredentialThatArrivesExpiredIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cache[int64]{fetch: func(context.Context) (int64, time.Time, error) { return 1, time.Now(), nil }}
		if _, err := c.get(t.Context()); err == nil || !strings.Contains(err.Error(), "clocks") {
			t.Fatalf("got %v", err)
		}
	})
}

func TestPanicInAFetchIsAnErrorWithoutItsValue(t *testing.T) {
	c := &cache[int64]{fetch: func(context.Context) (int64, time.Time, error) { panic(canary) }}
	_, err := c.get(t.Context())
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Fatalf("got %v", err)
	}
}

func TestRegistryKeepsTheIdentitiesThatAreUsed(t *testing.T) {
	r := newRegistry[int64](2)
	id := func(s string) fingerprint { return fingerprintOf(s) }
	a, b := r.get(id("a"), nil), r.get(id("b"), nil)
	if r.get(id("a"), nil) != a {
		t.Fatal("an identity has two caches")
	}
	r.get(id("c"), nil)
	if r.get(id("a"), nil) != a {
		t.Fatal("the one used last was evicted")
	}
	if r.get(id("b"), nil) == b {
		t.Fatal("the one used longest ago was kept")
	}
	if len(r.shared) != 2 {
		t.Fatalf("wanted 2 identities, got %d", len(r.shared))
	}
}

func TestFingerprintsTellWhereValuesEnd(t *testing.T) {
	if fingerprintOf("ab", "c") == fingerprintOf("a", "bc") {
		t.Fatal("two identities are one")
	}
}
