package sagemaker

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

func TestEndpointIsTheModelOrConfigured(t *testing.T) {
	named := options()
	named.Sagemaker = target.Sagemaker{EndpointName: "my-endpoint", TargetModel: "a/model.tar.gz"}
	for _, c := range []struct {
		name   string
		target target.Target
		stream bool
		want   string // or a part of the error
	}{
		{"whole", target.Target{Model: "llama-3", Options: options()}, false, "/endpoints/llama-3/invocations"},
		{"streamed", target.Target{Model: "llama-3", Options: options()}, true, "/endpoints/llama-3/invocations-response-stream"},
		{"configured", target.Target{Model: "org/llama", Options: named}, false, "/endpoints/my-endpoint/invocations"},
		{"multi-model endpoints do not stream", target.Target{Options: named}, true, "a multi-model endpoint cannot stream"},
		{"no name of an endpoint", target.Target{Model: "org/llama", Options: options()}, false, `"org/llama" cannot stand in a URL path`},
		{"none at all", target.Target{Options: options()}, false, "model: must be set"},
	} {
		got, err := variant(&c.target).Operations[route.Chat].Path(&c.target, c.stream)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestHeadersNameTheModelOfAnEndpoint(t *testing.T) {
	o := options()
	if h := Provider.Header(&target.Target{Options: o}); h != nil {
		t.Errorf("headers without options: %v", h)
	}
	o.Sagemaker = target.Sagemaker{InferenceComponent: "c", TargetModel: "m", TargetVariant: "v", TargetContainerHostname: "h"}
	got := map[string]string{}
	for _, h := range Provider.Header(&target.Target{Options: o}) {
		got[strings.TrimPrefix(h[0], "X-Amzn-SageMaker-")] = h[1]
	}
	for name, want := range map[string]string{"Inference-Component": "c", "Target-Model": "m", "Target-Variant": "v", "Target-Container-Hostname": "h"} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

func TestErrorsAreTheContainers(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   chat.Error
		reason chat.Reason
	}{
		{"vLLM's, of the request", 424, `{"ErrorCode":"CLIENT_ERROR_FROM_MODEL","LogStreamArn":"arn:x","Message":"Received client error (400) from primary with message \"…\"","OriginalMessage":"{\"error\":{\"message\":\"max_tokens must be at least 1, got 0.\",\"type\":\"BadRequestError\",\"param\":\"max_tokens\",\"code\":400}}","OriginalStatusCode":400}`,
			chat.Error{Status: 400, Type: "BadRequestError", Code: "400", Param: "max_tokens", Message: "max_tokens must be at least 1, got 0."}, ""},
		{"TGI's, of its load", 424, `{"ErrorCode":"CLIENT_ERROR_FROM_MODEL","Message":"Received client error (429) from primary","OriginalMessage":"{\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}","OriginalStatusCode":429}`,
			chat.Error{Status: 429, Message: "Model is overloaded"}, ""},
		{"a container without JSON", 424, `{"ErrorCode":"SERVER_ERROR_FROM_MODEL","Message":"Received server error (503)","OriginalMessage":"out of memory","OriginalStatusCode":503}`,
			chat.Error{Status: 503, Message: "out of memory"}, chat.Overloaded},
		{"no endpoint", 400, `{"Message":"Endpoint nope of account 123456789012 not found."}`,
			chat.Error{Status: 400, Message: "Endpoint nope of account 123456789012 not found."}, chat.InvalidModel},
		{"a component that is loading", 429, `{"ErrorCode":"ModelNotReadyException","Message":"The model is not ready."}`,
			chat.Error{Status: 429, Code: "ModelNotReadyException", Message: "The model is not ready."}, chat.Overloaded},
	} {
		got := chat.ErrorFrom(c.status, []byte(c.body))
		if got.Status != c.want.Status || got.Message != c.want.Message || got.Param != c.want.Param || c.want.Code != "" && got.Code != c.want.Code {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if reason := Provider.Reasons.Of(got); reason != c.reason {
			t.Errorf("%s: reason %q, want %q", c.name, reason, c.reason)
		}
	}
}
