package credentials

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go-ai-proxy/translators/target"
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
		time.Sleep(time.Hour - 10*time.Second)
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
		if _, err := c.get(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		began = time.Now()
		if _, err := c.get(t.Context()); err == nil || time.Since(began) != 0 || calls != 1 {
			t.Fatalf("the next request waited %v, %d fetches, %v", time.Since(began), calls, err)
		}
		time.Sleep(5 * time.Second)
		if _, err := c.get(t.Context()); err == nil || calls != 2 {
			t.Fatalf("not tried again: %d fetches", calls)
		}
	})
}

// TestSourceThatRefusesIsNotAskedByEveryRequest: of 500 requests, 482 asked.
func TestSourceThatRefusesIsNotAskedByEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, fail := 0, true
		var asked []time.Time
		c := &cache[int64]{fetch: func(context.Context) (int64, time.Time, error) {
			if calls++; fail {
				asked = append(asked, time.Now())
				return 0, time.Time{}, errors.New("status 401, invalid_client")
			}
			return 7, time.Time{}, nil
		}}
		var wg sync.WaitGroup
		for range 10 {
			for range 50 {
				wg.Go(func() {
					if _, err := c.get(t.Context()); err == nil || !strings.Contains(err.Error(), "invalid_client") {
						t.Errorf("%v", err)
					}
				})
			}
			wg.Wait()
		}
		if calls != 1 {
			t.Fatalf("500 requests at once: asked %d times", calls)
		}
		_, err := c.get(t.Context())
		if err == nil || !strings.Contains(err.Error(), "; it is asked again in ") {
			t.Errorf("%v", err)
		}
		for range 100 * 10 { // 10 requests a second for 100 s
			time.Sleep(100 * time.Millisecond)
			if _, err := c.get(t.Context()); err == nil {
				t.Fatal("wanted an error")
			}
		}
		if calls < 6 || calls > 9 {
			t.Errorf("asked %d times in 100 s", calls)
		}
		for i := 1; i < len(asked); i++ {
			want := min(time.Second<<(i-1), time.Minute)
			if got := asked[i].Sub(asked[i-1]); got < want*3/4 || got > want*5/4+100*time.Millisecond {
				t.Errorf("pause %d: %v, want about %v", i, got, want)
			}
		}
		fail = false
		time.Sleep(75 * time.Second)
		get(t, c, 7)
		time.Sleep(1000 * time.Hour) // the zero expiry is never
		get(t, c, 7)
	})
}

func TestPausesGrowFromTheFirstAgainAfterASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := &cache[int64]{fetch: func(context.Context) (int64, time.Time, error) {
			if calls++; calls != 4 {
				return 0, time.Time{}, errors.New("refused")
			}
			return 4, time.Now().Add(time.Minute), nil
		}}
		for range 3 {
			c.get(t.Context())
			time.Sleep(75 * time.Second)
		}
		get(t, c, 4)
		time.Sleep(time.Minute)
		c.get(t.Context())
		time.Sleep(1250 * time.Millisecond)
		c.get(t.Context())
		if calls != 6 {
			t.Errorf("asked %d times: the pause after a success did not begin anew", calls)
		}
	})
}

func TestPausesAreBoundedAndDiffer(t *testing.T) {
	for before, want := range map[int]time.Duration{1: 2 * time.Second, 5: 32 * time.Second, 6: time.Minute, 10: time.Minute, 1 << 20: time.Minute} {
		least, most := time.Hour, time.Duration(0)
		for range 1000 {
			d := pauseAfter(before, 0)
			least, most = min(least, d), max(most, d)
		}
		if least < want*3/4 || least > want*8/10 || most > want*5/4 || most < want*12/10 {
			t.Errorf("after %d: from %v to %v", before, least, most)
		}
	}
	if d := pauseAfter(0, time.Hour); d != time.Hour {
		t.Errorf("a source that takes an hour to fail is left alone for %v", d)
	}
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

// TestNoSourceIsAskedByEveryRequest: every kind of token source is left alone
// for a while when it refuses.
func TestNoSourceIsAskedByEveryRequest(t *testing.T) {
	clearCloudEnv(t)
	key, _ := googleTestKey(t)
	role := target.Bedrock{AWSRegion: "us-east-1", AWSAssumeRoleARN: "arn:aws:iam::1:role/r", AWSSTSEndpointURL: "http://sts.test"}
	for name, c := range map[string]struct {
		provider string
		auth     Config
		target   *target.Target
		env      map[string]string
	}{
		"azure service principal": {"azure", Config{AzureUseManagedIdentity: true, AzureClientID: "c", AzureClientSecret: "s", AzureTenantID: "t"}, nil, nil},
		"azure managed identity":  {"azure", Config{AzureUseManagedIdentity: true}, nil, nil},
		"azure app service":       {"azure", Config{AzureUseManagedIdentity: true}, nil, map[string]string{"IDENTITY_ENDPOINT": "http://app.test", "IDENTITY_HEADER": "h"}},
		"google key":              {"gemini", Config{GCPUseServiceAccount: true, GCPServiceAccountJSON: key}, nil, nil},
		"google metadata":         {"gemini", Config{GCPUseServiceAccount: true}, nil, nil},
		"aws role":                {"bedrock", staticKeys, bedrock(role), nil},
		"aws chain":               {"bedrock", Config{}, bedrock(target.Bedrock{AWSRegion: "us-east-1"}), map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "$SERVER"}},
	} {
		t.Run(name, func(t *testing.T) {
			refuse := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }
			var asked atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1); refuse(w, r) }))
			defer srv.Close()
			for name, value := range c.env {
				t.Setenv(name, strings.Replace(value, "$SERVER", srv.URL, 1))
			}
			endpoint := &cloud{handler: refuse}
			s := mustSource(t, c.auth, c.provider, endpoint.client(), alone())
			for i := range 100 {
				err := s.Apply(t.Context(), c.target, outgoing(t, "https://example.com/v1"))
				if err == nil || i > 0 && !strings.Contains(err.Error(), "it is asked again in") {
					t.Fatalf("request %d: %v", i, err)
				}
			}
			if n := int(asked.Load()) + len(endpoint.requests()); n < 1 || n > 3 { // the SDK of AWS asks up to three times in one fetch
				t.Errorf("asked %d times for 100 requests", n)
			}
		})
	}
}
