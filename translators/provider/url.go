package provider

import (
	"net/url"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

// At returns a Base that is the same for all targets.
func At(base string) func(*target.Target) (string, error) {
	return func(*target.Target) (string, error) { return base, nil }
}

// Path returns an operation's Path that is the same for all targets.
func Path(p string) func(*target.Target, bool) (string, error) {
	return func(*target.Target, bool) (string, error) { return p, nil }
}

// ConfiguredPath returns the path that a target's options set, without a slash at its
// end: that of upstream_url, or else upstream_path.
func ConfiguredPath(t *target.Target) string {
	if t.Options == nil {
		return ""
	}
	path, _, _ := strings.Cut(t.Options.UpstreamPath, "?")
	if t.Options.UpstreamURL != "" {
		u, err := url.Parse(t.Options.UpstreamURL)
		if err != nil {
			return ""
		}
		path = u.Path
	}
	return strings.TrimRight(path, "/")
}

// IsHostLabel reports whether s can be the first labels of a host name, so that no
// template can lead to another host.
func IsHostLabel(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return s != "" && s[0] != '.' && s[0] != '-'
}

// Segment returns value if it can be one segment of a URL path as it is. Otherwise
// the error is a *chat.RequestError that names field.
func Segment(field, value string) (string, error) {
	for i := 0; i < len(value); i++ {
		c := value[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0) {
			return "", &chat.RequestError{Field: field, Message: strconv.Quote(value) + " cannot stand in a URL path"}
		}
	}
	if value == "" || value == "." || value == ".." {
		return "", &chat.RequestError{Field: field, Message: "must be set, to one segment of a URL path"}
	}
	return value, nil
}

const regionField = "model.options.bedrock.aws_region"

// AWSHost returns the URL of an AWS service in the target's region. A region from the
// environment must have been put into the option, since a translator does not read
// the environment.
// https://docs.aws.amazon.com/general/latest/gr/rande.html
func AWSHost(t *target.Target, service string) (string, error) {
	region := ""
	if t.Options != nil {
		region = t.Options.Bedrock.AWSRegion
	}
	if region == "" {
		return "", &target.OptionError{Field: regionField, Message: "must be set, or AWS_REGION in the environment"}
	}
	for _, c := range []byte(region) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return "", &target.OptionError{Field: regionField, Message: strconv.Quote(region) + " is not a region such as us-east-1"}
		}
	}
	domain := "amazonaws.com"
	switch {
	case strings.HasPrefix(region, "cn-"):
		domain = "amazonaws.com.cn"
	case strings.HasPrefix(region, "eusc-"):
		domain = "amazonaws.eu"
	}
	return "https://" + service + "." + region + "." + domain, nil
}
