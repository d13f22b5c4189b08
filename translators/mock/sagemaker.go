package mock

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

func init() { register(sagemaker{}) }

// sagemaker is POST /endpoints/{name}/invocations and …/invocations-response-stream of
// a container with OpenAI's bodies, which has one path for all of them: the body's
// members say which is meant. A stream is cut into AWS's frames in the middle of events.
// https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointWithResponseStream.html
type sagemaker struct{}

var sagemakerPath = regexp.MustCompile(`^/endpoints/([a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62})/invocations(-response-stream)?$`)

func (sagemaker) Name() string { return "sagemaker" }

func (sagemaker) Match(r *http.Request) bool { return sagemakerPath.MatchString(r.URL.Path) }

// inside is the format of a body.
func (sagemaker) inside(body []byte) Format {
	switch {
	case jsonedit.Lookup(body, "prompt") != nil:
		return openAICompletions{}
	case jsonedit.Lookup(body, "input") != nil:
		return openAIEmbeddings{}
	case jsonedit.Lookup(body, "inputs") != nil:
		return huggingfaceVectors{}
	}
	return openAIChat{}
}

func (s sagemaker) Whole(scenario *Scenario, body []byte) []byte {
	return s.inside(body).Whole(scenario, body)
}

func (s sagemaker) Streamed(r *http.Request, _ []byte) bool {
	return strings.HasSuffix(r.URL.Path, "-stream")
}

func (s sagemaker) Check(r *http.Request, body []byte) error {
	signature, err := ReadSigV4(r.Header)
	switch {
	case err != nil:
		return err
	case signature.Service != "sagemaker":
		return fmt.Errorf("credential should be scoped to correct service: 'sagemaker', got %q", signature.Service)
	case s.Streamed(r, body) && r.Header.Get("X-Amzn-SageMaker-Target-Model") != "":
		return fmt.Errorf("a multi-model endpoint cannot stream")
	case asksForStream(body) != s.Streamed(r, body):
		return fmt.Errorf("stream: %v does not fit %s", asksForStream(body), r.URL.Path)
	}
	inside := s.inside(body)
	if inside != (huggingfaceVectors{}) {
		body = withModel(body)
	}
	return inside.Check(r, body)
}

// withModel gives a body a model: a container needs none.
func withModel(body []byte) []byte {
	if strings.Contains(string(body), `"model":`) || len(body) == 0 {
		return body
	}
	return append([]byte(`{"model":"`+Model+`",`), body[1:]...)
}

// Stream returns frames that each hold the end of an event and the beginning of the
// next one.
func (s sagemaker) Stream(scenario *Scenario, body []byte) (string, [][]byte) {
	_, events := s.inside(body).Stream(scenario, body)
	var frames [][]byte
	var rest []byte
	add := func(part []byte) {
		frames = append(frames, frame.AppendEventStream(nil, []frame.Header{
			{Name: ":event-type", Value: "PayloadPart"}, {Name: ":content-type", Value: "application/octet-stream"}, {Name: ":message-type", Value: "event"},
		}, part))
	}
	for _, e := range events {
		add(slices.Concat(rest, e[:len(e)/2]))
		rest = e[len(e)/2:]
	}
	add(rest)
	return "application/vnd.amazon.eventstream", frames
}

func (s sagemaker) Error(status int, message string) []byte {
	return fmt.Appendf(nil, `{"ErrorCode":"CLIENT_ERROR_FROM_MODEL","LogStreamArn":"arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/mock","Message":%s,"OriginalMessage":%s,"OriginalStatusCode":%d}`,
		quote(fmt.Sprintf("Received client error (%d) from primary with message %q.", status, message)), quote(string(openAIError(status, message))), status)
}

func (s sagemaker) StreamError(message string) []byte {
	return frame.AppendEventStream(nil, []frame.Header{
		{Name: ":exception-type", Value: "ModelStreamError"}, {Name: ":content-type", Value: "application/json"}, {Name: ":message-type", Value: "exception"},
	}, []byte(`{"Message":`+quote(message)+`,"ErrorCode":"StreamBroken"}`))
}
