package credentials

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func login(t *testing.T, c *Cloud, user string, from *cloud) (string, string) {
	t.Helper()
	l, err := newLogin(c, user, from.client(), alone())
	if err != nil {
		t.Fatal(err)
	}
	name, password, err := l(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return name, password
}

func TestElastiCacheTakesASignedRequestForAPassword(t *testing.T) {
	clearCloudEnv(t)
	c := &Cloud{Provider: "aws", AWSCacheName: "My-Cache", AWSRegion: "eu-west-1", AWSIsServerless: true, AWSAccessKeyID: "AKID", AWSSecretAccessKey: "aws-secret"}
	name, password := login(t, c, "iam-user", tokens(""))
	u, err := url.Parse("http://" + password)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if name != "iam-user" || u.Host != "my-cache" || q.Get("Action") != "connect" || q.Get("User") != "iam-user" || q.Get("ResourceType") != "ServerlessCache" ||
		q.Get("X-Amz-Expires") != "900" || !strings.HasSuffix(q.Get("X-Amz-Credential"), "/eu-west-1/elasticache/aws4_request") || len(q.Get("X-Amz-Signature")) != 64 {
		t.Errorf("%s: %s", name, password)
	}
	if strings.Contains(password, "aws-secret") {
		t.Error("the secret key is in the password")
	}
}

func TestAzuresRedisTakesATokenOfItsOwnAndTheObjectForAUser(t *testing.T) {
	clearCloudEnv(t)
	token := "h." + base64.RawURLEncoding.EncodeToString([]byte(`{"oid":"object-1"}`)) + ".s"
	c := &cloud{handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":%q,"expires_in":3600}`, token)
	}}
	azure := &Cloud{Provider: "azure", AzureClientID: "cid", AzureClientSecret: "s", AzureTenantID: "t"}
	if name, password := login(t, azure, "", c); name != "object-1" || password != token {
		t.Errorf("%s %s", name, password)
	}
	if name, _ := login(t, azure, "configured", c); name != "configured" {
		t.Errorf("%s", name)
	}
	if got := c.requests()[0].form.Get("scope"); got != "https://redis.azure.com/.default" {
		t.Errorf("scope %s", got)
	}
}

func TestGooglesRedisTakesAnAccessToken(t *testing.T) {
	clearCloudEnv(t)
	if name, password := login(t, &Cloud{Provider: "gcp"}, "", tokens(`"expires_in":3600`)); name != "" || password != "tok-1" {
		t.Errorf("%q %q", name, password)
	}
}

func TestIncompleteLoginsAreRefusedWhenTheyAreLoaded(t *testing.T) {
	clearCloudEnv(t)
	for want, c := range map[string]*Cloud{
		"auth_provider":       {},
		"aws_cache_name":      {Provider: "aws"},
		"username":            {Provider: "aws", AWSCacheName: "c"},
		"azure_client_secret": {Provider: "azure", AzureClientSecret: "s"},
		"service account key": {Provider: "gcp", GCPServiceAccountJSON: "{"},
	} {
		if _, err := NewLogin(c, "", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := NewLogin(&Cloud{Provider: "aws", AWSCacheName: "c"}, "u", nil); err == nil || !strings.Contains(err.Error(), "aws_region") {
		t.Errorf("no region: %v", err)
	}
}

func TestALoginThatFailsSaysWhere(t *testing.T) {
	clearCloudEnv(t)
	refusing := &cloud{handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }}
	l, err := newLogin(&Cloud{Provider: "gcp"}, "", refusing.client(), alone())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := l(context.Background()); err == nil || !strings.Contains(err.Error(), "vectordb.redis.cloud_authentication: metadata server of Google") {
		t.Errorf("%v", err)
	}
}
