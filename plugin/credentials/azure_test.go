package credentials

import (
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go-ai-proxy/translators/target"
)

func TestManagedIdentityAsksTheMetadataServiceOnce(t *testing.T) {
	clearCloudEnv(t)
	c, env := tokens(`"expires_in":"3600","expires_on":"9999999999"`), alone()
	s := mustSource(t, Config{AzureUseManagedIdentity: true}, "azure", c.client(), env)
	wantAuthorization(t, s, "Bearer tok-1")
	wantAuthorization(t, s, "Bearer tok-1")
	// A reloaded config, or another target, is the same identity.
	wantAuthorization(t, mustSource(t, Config{AzureUseManagedIdentity: true, AllowOverride: true}, "azure", c.client(), env), "Bearer tok-1")
	got := c.requests()
	if len(got) != 1 {
		t.Fatalf("wanted one request, got %d", len(got))
	}
	const want = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fcognitiveservices.azure.com%2F"
	if got[0].method != "GET" || got[0].url != want || got[0].header.Get("Metadata") != "true" {
		t.Fatalf("got %+v", got[0])
	}
}

func TestUserAssignedIdentityIsNamedAndNotShared(t *testing.T) {
	clearCloudEnv(t)
	c, env := tokens(`"expires_in":"3600"`), alone()
	for i, id := range []string{"", "one", "two"} {
		s := mustSource(t, Config{AzureUseManagedIdentity: true, AzureClientID: id}, "azure", c.client(), env)
		wantAuthorization(t, s, "Bearer tok-"+string(rune('1'+i)))
		u, err := url.Parse(c.requests()[i].url)
		if err != nil || u.Query().Get("client_id") != id {
			t.Fatalf("client_id: wanted %q in %v", id, u)
		}
	}
}

func TestAzureTokenIsRenewedAheadAndNeverUsedExpired(t *testing.T) {
	clearCloudEnv(t)
	synctest.Test(t, func(t *testing.T) {
		c := tokens(`"expires_in":"3600"`)
		s := mustSource(t, Config{AzureUseManagedIdentity: true}, "azure", c.client(), alone())
		wantAuthorization(t, s, "Bearer tok-1")
		time.Sleep(56 * time.Minute)
		wantAuthorization(t, s, "Bearer tok-1")
		synctest.Wait()
		wantAuthorization(t, s, "Bearer tok-2")
		time.Sleep(2 * time.Hour)
		wantAuthorization(t, s, "Bearer tok-3")
	})
}

func TestAzureTokenOfOneSecondIsFetchedAgain(t *testing.T) {
	clearCloudEnv(t)
	synctest.Test(t, func(t *testing.T) {
		s := mustSource(t, Config{AzureUseManagedIdentity: true}, "azure", tokens(`"expires_in":"1"`).client(), alone())
		wantAuthorization(t, s, "Bearer tok-1")
		time.Sleep(2 * time.Second)
		wantAuthorization(t, s, "Bearer tok-2")
	})
}

func TestServicePrincipalUsesClientCredentials(t *testing.T) {
	clearCloudEnv(t)
	for name, set := range map[string]func(t *testing.T) Config{
		"configured": func(*testing.T) Config {
			return Config{AzureClientID: "cid", AzureClientSecret: "s&c", AzureTenantID: "t/n"}
		},
		"environment": func(t *testing.T) Config {
			t.Setenv("AZURE_CLIENT_ID", "cid")
			t.Setenv("AZURE_CLIENT_SECRET", "s&c")
			t.Setenv("AZURE_TENANT_ID", "t/n")
			return Config{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			auth := set(t)
			auth.AzureUseManagedIdentity = true
			c := tokens(`"expires_in":3600`)
			wantAuthorization(t, mustSource(t, auth, "azure", c.client(), alone()), "Bearer tok-1")
			got := c.requests()[0]
			want := url.Values{"grant_type": {"client_credentials"}, "client_id": {"cid"}, "client_secret": {"s&c"}, "scope": {"https://cognitiveservices.azure.com/.default"}}
			if got.method != "POST" || got.url != "https://login.microsoftonline.com/t%2Fn/oauth2/v2.0/token" || got.form.Encode() != want.Encode() {
				t.Fatalf("got %+v", got)
			}
		})
	}
}

func TestWorkloadIdentityReadsTheRotatedTokenEachTime(t *testing.T) {
	clearCloudEnv(t)
	file := filepath.Join(t.TempDir(), "token")
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", file)
	t.Setenv("AZURE_CLIENT_ID", "cid")
	t.Setenv("AZURE_TENANT_ID", "ten")
	t.Setenv("AZURE_AUTHORITY_HOST", "https://login.example.com/")
	synctest.Test(t, func(t *testing.T) {
		c := tokens(`"expires_in":60`)
		s := mustSource(t, Config{AzureUseManagedIdentity: true}, "azure", c.client(), alone())
		for i, assertion := range []string{"first", "second"} {
			if err := os.WriteFile(file, []byte(assertion+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			wantAuthorization(t, s, "Bearer tok-"+string(rune('1'+i)))
			got := c.requests()[i]
			if got.url != "https://login.example.com/ten/oauth2/v2.0/token" || got.form.Get("client_assertion") != assertion ||
				got.form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
				t.Fatalf("got %+v", got)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestAppServiceHasItsOwnEndpoint(t *testing.T) {
	clearCloudEnv(t)
	t.Setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:41741/msi/token/")
	t.Setenv("IDENTITY_HEADER", "853b9a84")
	synctest.Test(t, func(t *testing.T) {
		c := tokens(`"expires_on":"946688400"`) // an hour after the bubble begins, in 2000
		s := mustSource(t, Config{AzureUseManagedIdentity: true, AzureClientID: "cid"}, "azure", c.client(), alone())
		wantAuthorization(t, s, "Bearer tok-1")
		got := c.requests()[0]
		const want = "http://127.0.0.1:41741/msi/token/?api-version=2019-08-01&client_id=cid&resource=https%3A%2F%2Fcognitiveservices.azure.com%2F"
		if got.url != want || got.header.Get("X-IDENTITY-HEADER") != "853b9a84" || got.header.Get("Metadata") != "" {
			t.Fatalf("got %+v", got)
		}
		time.Sleep(time.Hour)
		// The mock's next token has the same expiry, which has passed.
		if err := s.Apply(t.Context(), nil, outgoing(t, "https://example.com")); err == nil {
			t.Fatal("an expired token was used")
		}
	})
}

func TestWarmFetchesBeforeTheFirstAttempt(t *testing.T) {
	clearCloudEnv(t)
	synctest.Test(t, func(t *testing.T) {
		c := tokens(`"expires_in":3600`)
		s := mustSource(t, Config{AzureUseManagedIdentity: true}, "azure", c.client(), alone())
		s.Warm(nil)
		s.Warm(nil)
		synctest.Wait()
		if n := len(c.requests()); n != 1 {
			t.Fatalf("wanted one request, got %d", n)
		}
		wantAuthorization(t, s, "Bearer tok-1")
		if n := len(c.requests()); n != 1 {
			t.Fatalf("wanted no more requests, got %d", n)
		}
	})
}

func TestTokensForClaudeAreForFoundry(t *testing.T) {
	clearCloudEnv(t)
	c, env := tokens(`"expires_in":"3600"`), alone()
	s := mustSource(t, Config{AzureUseManagedIdentity: true}, "azure", c.client(), env)
	s.Warm(nil)
	for _, model := range []string{"gpt-5", "claude-opus-5", "gpt-5", "claude-opus-5"} {
		out := &Outgoing{Method: "POST", URL: &url.URL{Scheme: "https", Host: "h"}, Header: http.Header{}}
		if err := s.Apply(t.Context(), &target.Target{Provider: "azure", Model: model, Options: &target.Options{}}, out); err != nil {
			t.Fatal(err)
		}
	}
	asked := map[string]int{}
	for _, r := range c.requests() {
		u, _ := url.Parse(r.url)
		asked[u.Query().Get("resource")]++
	}
	if want := map[string]int{"https://cognitiveservices.azure.com/": 1, "https://ai.azure.com/": 1}; !maps.Equal(asked, want) {
		t.Errorf("asked for %v", asked)
	}
}
