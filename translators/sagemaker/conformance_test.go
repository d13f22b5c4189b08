package sagemaker

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/target"
)

// signed are the headers of a signed request: the signature itself is not this
// package's.
var signed = [][2]string{
	{"Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/sagemaker/aws4_request, " +
		"SignedHeaders=content-length;content-type;host;x-amz-date, Signature=" + strings.Repeat("0f", 32)},
	{"X-Amz-Date", "20261123T000000Z"},
}

func options() *target.Options {
	return &target.Options{Bedrock: target.Bedrock{AWSRegion: "us-east-1"}}
}

func TestSageMakerConforms(t *testing.T) {
	withName := options()
	withName.Sagemaker.EndpointName = "my-endpoint"
	for name, o := range map[string]*target.Options{"model as endpoint": options(), "endpoint_name": withName} {
		conformance.Run(t, variant(&target.Target{Options: o}), conformance.Options{
			Name: name, Target: target.Target{Options: o}, Header: signed, Mock: "sagemaker",
			Lacks: map[string]string{conformance.StreamErrors: "they are AWS's frames, not events of the stream in them: plugin.TestExceptionEndsAStreamOfParts"},
		})
	}
}
