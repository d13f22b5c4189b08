package credentials

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"go-ai-proxy/translators/target"
)

// defaultSession is the session name of an assumed role if none is configured.
const defaultSession = "kong"

// sigV4 authenticates by a signature, with configured keys or the SDK's default chain
// and, if the target names one, an assumed role.
type sigV4 struct {
	service func(*target.Target) string // the signing name of a target's host
	static  *aws.Credentials            // nil: the default chain
	hc      *http.Client                // for STS
	env     *environment
	signer  *v4.Signer // keeps derived keys
}

// chainClient is used by the default chain. It is the SDK's client, since the SDK
// gives it the short timeouts that EC2's metadata service needs, and applies
// AWS_CA_BUNDLE.
var chainClient = awshttp.NewBuildableClient()

func newSigV4(auth Config, service func(*target.Target) string, hc *http.Client, env *environment) (identity, error) {
	s := &sigV4{service: service, hc: hc, env: env, signer: v4.NewSigner()}
	if auth.AWSAccessKeyID == "" && auth.AWSSecretAccessKey == "" {
		return s, nil
	}
	// Each configured key wins over the environment's.
	s.static = &aws.Credentials{
		AccessKeyID:     cmp.Or(auth.AWSAccessKeyID, os.Getenv("AWS_ACCESS_KEY_ID")),
		SecretAccessKey: cmp.Or(auth.AWSSecretAccessKey, os.Getenv("AWS_SECRET_ACCESS_KEY")),
	}
	if !s.static.HasKeys() {
		return nil, errors.New("auth.aws_access_key_id and auth.aws_secret_access_key must be set together")
	}
	return s, nil
}

// apply signs out. As AWS requires, the signature covers the host, the content type
// and all X-Amz headers. It covers no others, since they may still change on the way.
// The query is sorted as it is signed.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func (s *sigV4) apply(ctx context.Context, t *target.Target, out *Outgoing) error {
	region, err := awsRegion(t)
	if err != nil {
		return err
	}
	keys, err := s.credentials(ctx, t, region)
	if err != nil {
		return err
	}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		delete(out.Header, name)
	}
	// AWS does not sign a default port as part of the Host.
	out.URL.Host = withoutDefaultPort(out.URL.Scheme, out.URL.Host)
	signed := &http.Request{Method: out.Method, URL: out.URL, Header: http.Header{}}
	for name, values := range out.Header {
		if name == "Content-Type" || strings.HasPrefix(name, "X-Amz") {
			signed.Header[name] = values
		}
	}
	if err := s.signer.SignHTTP(ctx, keys, signed, hashOf(out.Body), s.service(t), region, time.Now()); err != nil {
		return errors.New("the request could not be signed")
	}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		if v, ok := signed.Header[name]; ok {
			out.Header[name] = v
		}
	}
	return nil
}

func (s *sigV4) warm(t *target.Target) {
	region, err := awsRegion(t)
	if err != nil {
		return // Apply will say so
	}
	c, err := s.cache(t, region)
	if err == nil && c != nil {
		c.warm()
	}
}

func (s *sigV4) credentials(ctx context.Context, t *target.Target, region string) (aws.Credentials, error) {
	c, err := s.cache(t, region)
	switch {
	case err != nil:
		return aws.Credentials{}, err
	case c == nil:
		return *s.static, nil
	}
	return c.get(ctx)
}

// cache returns the cache of t's credentials, or nil for static keys without a role.
func (s *sigV4) cache(t *target.Target, region string) (*cache[aws.Credentials], error) {
	if t != nil && t.Options != nil && t.Options.Bedrock.AWSAssumeRoleARN != "" {
		return s.role(&t.Options.Bedrock, region)
	}
	if s.static != nil {
		return nil, nil
	}
	return s.chain(region), nil
}

// chain is the SDK's default chain: environment, profile, container, web identity,
// EC2 metadata. region is the region of the STS that web identity uses.
// https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
func (s *sigV4) chain(region string) *cache[aws.Credentials] {
	fetch := func(ctx context.Context) (aws.Credentials, time.Time, error) {
		cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithHTTPClient(chainClient))
		if err != nil {
			return aws.Credentials{}, time.Time{}, fmt.Errorf("AWS default chain: %w", awsError(err))
		}
		keys, err := cfg.Credentials.Retrieve(ctx)
		if err != nil {
			return aws.Credentials{}, time.Time{}, fmt.Errorf("AWS default chain: %w", awsError(err))
		}
		return keys, expiry(keys), nil
	}
	return s.env.keys.get(fingerprintOf("aws chain", region), fetch)
}

// role returns credentials of the role that b names.
func (s *sigV4) role(b *target.Bedrock, region string) (*cache[aws.Credentials], error) {
	session := cmp.Or(b.AWSRoleSessionName, defaultSession)
	if err := checkRole(b, session); err != nil {
		return nil, err
	}
	arn, at := b.AWSAssumeRoleARN, b.AWSSTSEndpointURL
	base := func(ctx context.Context) (aws.Credentials, error) {
		if s.static != nil {
			return *s.static, nil
		}
		return s.chain(region).get(ctx)
	}
	fetch := func(ctx context.Context) (aws.Credentials, time.Time, error) {
		if _, err := base(ctx); err != nil { // its own error, without the SDK's wrapping
			return aws.Credentials{}, time.Time{}, err
		}
		client := sts.New(sts.Options{
			Region:           region,
			HTTPClient:       s.hc,
			Credentials:      aws.CredentialsProviderFunc(base),
			RetryMaxAttempts: 2,
		}, func(o *sts.Options) {
			if at != "" {
				o.BaseEndpoint = &at
			}
		})
		keys, err := stscreds.NewAssumeRoleProvider(client, arn, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = session
		}).Retrieve(ctx)
		if err != nil {
			return aws.Credentials{}, time.Time{}, fmt.Errorf("AWS AssumeRole: %w", awsError(err))
		}
		return keys, expiry(keys), nil
	}
	id := []string{"aws role", region, arn, session, at}
	if s.static != nil {
		id = append(id, s.static.AccessKeyID, s.static.SecretAccessKey)
	}
	return s.env.keys.get(fingerprintOf(id...), fetch), nil
}

// checkRole checks values that may come from templates.
func checkRole(b *target.Bedrock, session string) error {
	if !strings.HasPrefix(b.AWSAssumeRoleARN, "arn:") || len(b.AWSAssumeRoleARN) > 2048 || !isWord(b.AWSAssumeRoleARN, "/:+=,.@-") {
		return errors.New("model.options.bedrock.aws_assume_role_arn: expected an ARN of a role")
	}
	if len(session) < 2 || len(session) > 64 || !isWord(session, "+=,.@-") {
		return errors.New("model.options.bedrock.aws_role_session_name: expected 2 to 64 letters, digits and _+=,.@-")
	}
	if b.AWSSTSEndpointURL != "" {
		_, err := endpoint("model.options.bedrock.aws_sts_endpoint_url", b.AWSSTSEndpointURL)
		return err
	}
	return nil
}

// awsRegion returns the target's region, or the environment's. It becomes part of
// host names.
func awsRegion(t *target.Target) (string, error) {
	region := ""
	if t != nil && t.Options != nil {
		region = t.Options.Bedrock.AWSRegion
	}
	region = cmp.Or(region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	if region == "" {
		return "", &target.OptionError{Field: "model.options.bedrock.aws_region", Message: "must be set, or AWS_REGION in the environment"}
	}
	if len(region) > 63 || !isWord(region, "-") {
		return "", &target.OptionError{Field: "model.options.bedrock.aws_region", Message: "expected a region such as us-east-1"}
	}
	return region, nil
}

// isWord reports whether s consists of ASCII letters, digits, _ and extra.
func isWord(s, extra string) bool {
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || strings.IndexByte(extra, c) >= 0) {
			return false
		}
	}
	return true
}

func expiry(k aws.Credentials) time.Time {
	if k.CanExpire {
		return k.Expires
	}
	return time.Time{}
}

// awsError returns an error of the SDK as text that is safe to log. For an API's
// error, only the code is kept: if a signature does not match, STS quotes the
// canonical request, including the session token.
func awsError(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		if code := api.ErrorCode(); len(code) <= 64 && isWord(code, ".") {
			return errors.New(code)
		}
		return errors.New("refused")
	}
	text := err.Error()
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"} {
		if secret := os.Getenv(name); secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return errors.New(text)
}

// hashOf returns the hex SHA-256 of a body in pieces.
func hashOf(pieces [][]byte) string {
	h := sha256.New()
	for _, p := range pieces {
		h.Write(p)
	}
	var sum [sha256.Size]byte
	return hex.EncodeToString(h.Sum(sum[:0]))
}

func withoutDefaultPort(scheme, host string) string {
	switch scheme {
	case "https", "wss":
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}
