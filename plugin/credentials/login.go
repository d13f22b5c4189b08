package credentials

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"go-ai-proxy/translators/target"
)

// Cloud is `vectordb.redis.cloud_authentication`: whose identity stands for a password.
type Cloud struct {
	Provider              string `json:"auth_provider"` // aws, azure, gcp or oauth
	AWSCacheName          string `json:"aws_cache_name"`
	AWSRegion             string `json:"aws_region"`
	AWSIsServerless       bool   `json:"aws_is_serverless"`
	AWSAccessKeyID        string `json:"aws_access_key_id"`
	AWSSecretAccessKey    string `json:"aws_secret_access_key"`
	AWSAssumeRoleARN      string `json:"aws_assume_role_arn"`
	AWSRoleSessionName    string `json:"aws_role_session_name"`
	AzureClientID         string `json:"azure_client_id"`
	AzureClientSecret     string `json:"azure_client_secret"`
	AzureTenantID         string `json:"azure_tenant_id"`
	GCPServiceAccountJSON string `json:"gcp_service_account_json"`
	OAuth                 *OAuth `json:"oauth"`
}

// Login returns the user and the password of a new connection to a database.
type Login func(ctx context.Context) (user, password string, err error)

// LoginLife is how long a connection may be used. A password is good for at least as
// long when it is handed out, and servers hang up, or refuse, when it is not any more.
const LoginLife = refreshAhead

// NewLogin returns the login of a Redis server in a cloud, or behind an OAuth server. user is the configured one,
// "" for none. It makes no request. If hc is nil, a client is used as by New. Errors name
// the field below vectordb.redis but never its value.
func NewLogin(c *Cloud, user string, hc *http.Client) (Login, error) {
	return newLogin(c, user, withoutRedirects(hc), shared)
}

func newLogin(c *Cloud, user string, hc *http.Client, env *environment) (Login, error) {
	switch c.Provider {
	case "aws":
		return awsLogin(c, user, hc, env)
	case "azure":
		id, err := newAzure(Config{AzureClientID: c.AzureClientID, AzureClientSecret: c.AzureClientSecret, AzureTenantID: c.AzureTenantID}, nil, hc, env)
		if err != nil {
			return nil, inCloud(err)
		}
		return tokenLogin(id.(*entra).token(azureRedis), user, objectOf), nil
	case "gcp":
		id, err := newGoogle(Config{GCPServiceAccountJSON: c.GCPServiceAccountJSON}, hc, env)
		if err != nil {
			return nil, inCloud(err)
		}
		return tokenLogin(id.(*bearer), user, func(string) string { return "" }), nil
	case "oauth":
		return oauthLogin(c.OAuth, user, hc, env)
	}
	return nil, errors.New("vectordb.redis.cloud_authentication.auth_provider: expected aws, azure, gcp or oauth")
}

// azureRedis is what a token for Azure's Redis is for.
// https://learn.microsoft.com/en-us/azure/redis/entra-for-authentication
const azureRedis = "https://redis.azure.com/"

func inCloud(err error) error {
	return fmt.Errorf("vectordb.redis.cloud_authentication: %w", err)
}

// tokenLogin has an access token for a password. userOf returns the user whose token it
// is, if none is configured.
// https://cloud.google.com/memorystore/docs/cluster/about-iam-auth
func tokenLogin(b *bearer, user string, userOf func(token string) string) Login {
	return func(ctx context.Context) (string, string, error) {
		value, err := b.token.get(ctx)
		if err != nil {
			return "", "", inCloud(err)
		}
		token := strings.TrimPrefix(value[0], "Bearer ")
		if user == "" {
			return userOf(token), token, nil
		}
		return user, token, nil
	}
}

// objectOf returns the object id of the identity that a token of Entra is for: the user
// of Azure's Redis.
func objectOf(token string) string { return claimOf(token, "oid") }

// awsLogin has a signed request for a password, which ElastiCache takes for 15 minutes.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
func awsLogin(c *Cloud, user string, hc *http.Client, env *environment) (Login, error) {
	switch {
	case c.AWSCacheName == "":
		return nil, errors.New("vectordb.redis.cloud_authentication.aws_cache_name: must be set")
	case user == "":
		return nil, errors.New("vectordb.redis.username: must be set for cloud_authentication by aws")
	}
	id, err := newSigV4(Config{AWSAccessKeyID: c.AWSAccessKeyID, AWSSecretAccessKey: c.AWSSecretAccessKey}, nil, hc, env)
	if err != nil {
		return nil, inCloud(err)
	}
	s := id.(*sigV4)
	t := &target.Target{Options: &target.Options{Bedrock: target.Bedrock{
		AWSRegion: c.AWSRegion, AWSAssumeRoleARN: c.AWSAssumeRoleARN, AWSRoleSessionName: c.AWSRoleSessionName,
	}}}
	region, err := awsRegion(t)
	if err != nil {
		return nil, errors.New("vectordb.redis.cloud_authentication.aws_region: must be set to a region such as us-east-1, or AWS_REGION in the environment")
	}
	query := url.Values{"Action": {"connect"}, "User": {user}, "X-Amz-Expires": {"900"}}
	if c.AWSIsServerless {
		query.Set("ResourceType", "ServerlessCache")
	}
	at := url.URL{Scheme: "http", Host: strings.ToLower(c.AWSCacheName), Path: "/", RawQuery: query.Encode()}
	return func(ctx context.Context) (string, string, error) {
		keys, err := s.credentials(ctx, t, region)
		if err != nil {
			return "", "", inCloud(err)
		}
		password, err := s.presigned(ctx, keys, &at, region)
		return user, password, err
	}, nil
}

// presigned returns the signed request to connect, without its scheme.
func (s *sigV4) presigned(ctx context.Context, keys aws.Credentials, at *url.URL, region string) (string, error) {
	u := *at
	signed, _, err := s.signer.PresignHTTP(ctx, keys, &http.Request{Method: http.MethodGet, URL: &u, Header: http.Header{}}, hashOf(nil), "elasticache", region, time.Now())
	if err != nil {
		return "", errors.New("vectordb.redis.cloud_authentication: the request to connect could not be signed")
	}
	return strings.TrimPrefix(signed, "http://"), nil
}
