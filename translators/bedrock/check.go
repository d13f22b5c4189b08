package bedrock

import (
	"slices"
	"strings"

	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// check returns what is wrong with a configuration, in addition to the checks of the
// options' rows.
func check(u *provider.Use) (found []provider.Finding) {
	const options = "model.options."
	o := u.Target.Options
	for _, one := range []struct{ name, uri string }{
		{"bedrock.video_output_s3_uri", o.Bedrock.VideoOutputS3URI}, {"bedrock.batch_bucket_prefix", o.Bedrock.BatchBucketPrefix},
	} {
		if one.uri != "" && !strings.HasPrefix(one.uri, "s3://") && !strings.HasPrefix(one.uri, "$(") {
			found = append(found, provider.Finding{Field: options + one.name, Message: "must be an S3 URI, such as s3://bucket/prefix/"})
		}
	}
	if !u.Native && u.Target.Route == route.Videos && o.Bedrock.VideoOutputS3URI == "" {
		found = append(found, provider.Finding{Field: options + "bedrock.video_output_s3_uri", Message: "must be set for videos of bedrock"})
	}
	warn := func(name, why string) {
		found = append(found, provider.Finding{Field: options + name, Message: "has no effect: " + why, Warning: true})
	}
	if why := versionUnread(u); why != "" && o.AnthropicVersion != "" {
		warn("anthropic_version", why)
	}
	known := u.Fixed && u.Target.Model != ""
	if known && !strings.Contains(u.Target.Model, "cohere.") && target.Named("cohere.embedding_input_type").IsSet(o) {
		warn("cohere.embedding_input_type", "only cohere reads it, and bedrock for models of Cohere")
	}
	return found
}

// versionUnread says why anthropic_version is not sent. Bedrock has versions of its
// own; the option also says that an ARN is a Claude model's.
func versionUnread(u *provider.Use) string {
	t := u.Target
	if !u.Native {
		if slices.Contains(versionRoutes, t.Route) {
			return ""
		}
		return "it is for route_type " + route.Join(versionRoutes, ", ")
	}
	unknown := t.Model == "" || strings.HasPrefix(t.Model, "arn:") || !u.Fixed
	if unknown || u.Client == "anthropic" && (!isClaude(t) || strings.HasPrefix(t.Options.AnthropicVersion, "bedrock-")) {
		return ""
	}
	return "only Claude for clients of llm_format anthropic reads it, where it is such as bedrock-2023-05-31"
}

// versionRoutes lists the route types that the version is sent for.
var versionRoutes = []route.Type{route.Chat, route.Completions, route.Responses}
