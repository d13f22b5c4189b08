package gemini

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// videos translates OpenAI's videos to Veo's long-running operations. An id is
// that of the operation, with its model. Operations cannot be listed or deleted.
// https://ai.google.dev/gemini-api/docs/video
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/veo-video-generation
type videos struct {
	model  func(method string) pathFunc // the path of a model's method
	vertex bool
}

const videoPrefix = "video_"

// Request implements provider.Resource.
func (r videos) Request(t *target.Target, c *provider.Call, _ chat.Meta) (*provider.Call, error) {
	id, rest := openai.SplitID(c.Path)
	switch {
	case id == "" && c.Method == http.MethodPost:
		path, err := r.model(":predictLongRunning")(t, false)
		if err != nil {
			return nil, err
		}
		body, err := appendVideo(t, c.Body)
		return &provider.Call{Method: http.MethodPost, Path: path, Body: body}, err
	case id != "" && c.Method == http.MethodGet && (rest == "" || rest == "/content"):
		return r.poll(t, id)
	}
	return nil, openai.NoSuchCall(c)
}

// poll asks for an operation. Its place is made of the configuration's project
// and location, whatever an id says.
func (r videos) poll(t *target.Target, id string) (*provider.Call, error) {
	name, err := openai.NameOf(videoPrefix, id)
	if err != nil {
		return nil, err
	}
	model, operation, _ := strings.Cut(name, "/")
	of := *t
	of.Model = model
	if operation, err = segment("id", operation); err != nil {
		return nil, err
	}
	if !r.vertex {
		path, err := r.model("/operations/"+operation)(&of, false)
		return &provider.Call{Method: http.MethodGet, Path: path}, err
	}
	path, err := r.model(":fetchPredictOperation")(&of, false)
	if err != nil {
		return nil, err
	}
	whole := strings.TrimSuffix(strings.TrimPrefix(path, "/v1/"), ":fetchPredictOperation") + "/operations/" + operation
	return &provider.Call{Method: http.MethodPost, Path: path, Body: append(jsonedit.AppendText([]byte{'{'}, "operationName", whole), '}')}, nil
}

func appendVideo(_ *target.Target, client []byte) ([]byte, error) {
	v, err := openai.VideoOf(client)
	if err != nil {
		return nil, err
	}
	body := jsonedit.AppendText([]byte(`{"instances":[{`), "prompt", v.Prompt)
	switch {
	case v.Reference == nil:
	case v.Reference.Data == nil:
		return nil, &chat.RequestError{Field: "input_reference", Message: "must be in the request, as a file or a data URL"}
	default:
		body = append(append(append(body, `,"image":{"bytesBase64Encoded":"`...), v.Reference.Data...), '"')
		body = append(jsonedit.AppendText(body, "mimeType", v.Reference.Type), '}')
	}
	parameters := []byte{'{'}
	if v.Seconds > 0 {
		parameters = jsonedit.AppendInt(parameters, "durationSeconds", v.Seconds)
	}
	if v.Width > 0 {
		parameters = jsonedit.AppendText(parameters, "aspectRatio", openai.Ratio(v.Width, v.Height))
		if lines := min(v.Width, v.Height); lines >= 1080 {
			parameters = jsonedit.AppendText(parameters, "resolution", strconv.Itoa(lines)+"p")
		}
	}
	parameters = append(parameters, '}')
	if v.Extra != nil { // Veo's own parameters
		if parameters, err = jsonedit.Merge(nil, parameters, v.Extra); err != nil {
			return nil, &chat.RequestError{Field: "extra_body", Message: err.Error()}
		}
	}
	return append(append(append(body, `}],"parameters":`...), parameters...), '}'), nil
}

// Answer implements provider.Resource.
func (r videos) Answer(t *target.Target, c *provider.Call, body []byte, meta chat.Meta, _ *chat.Seen) (*provider.Reply, error) {
	v, err := jsonedit.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: "failed to decode gemini response"}
	}
	id, rest := openai.SplitID(c.Path)
	if id == "" {
		if id = operationID(string(v.GetStringBytes("name"))); id == "" {
			return nil, &chat.ResponseError{Message: "'name' not in gemini response"}
		}
	}
	video := openai.Video{ID: id, Model: meta.Model, Created: meta.Created, Status: openai.InProgress}
	if c.Path == "" {
		video.Status = openai.Queued
		if asked, err := openai.VideoOf(c.Body); err == nil && asked.Seconds > 0 {
			video.Seconds = strconv.Itoa(asked.Seconds)
		}
	}
	sample := sampleOf(v)
	switch e := v.Get("error"); {
	case e != nil:
		video.Status, video.Error = openai.VideoFailed, string(e.GetStringBytes("message"))
	case !v.GetBool("done"):
	case sample == nil:
		video.Status, video.Error = openai.VideoFailed, filtered(v)
	default:
		video.Status, video.Completed = openai.VideoCompleted, meta.Created
		video.URL = string(sample.GetStringBytes("gcsUri"))
	}
	if rest == "/content" {
		return content(sample, &video)
	}
	return &provider.Reply{Body: video.Append(nil)}, nil
}

// operationID is the id for an operation's name, …/models/{model}/operations/{id}.
func operationID(name string) string {
	_, rest, _ := strings.Cut(name, "models/")
	model, operation, ok := strings.Cut(rest, "/operations/")
	if !ok {
		return ""
	}
	return openai.NameID(videoPrefix, model+"/"+operation)
}

// sampleOf is the first video of a finished operation, nil when there is none.
func sampleOf(v *jsonedit.Value) *jsonedit.Value {
	if s := v.Get("response", "generateVideoResponse", "generatedSamples", "0", "video"); s != nil {
		return s
	}
	return v.Get("response", "videos", "0")
}

func filtered(v *jsonedit.Value) string {
	for _, path := range [][]string{{"response", "generateVideoResponse"}, {"response"}} {
		if reason := v.GetStringBytes(append(path, "raiMediaFilteredReasons", "0")...); len(reason) > 0 {
			return string(reason)
		}
	}
	return "there is no video in the answer"
}

// content is where the video is, or the video itself.
func content(sample *jsonedit.Value, video *openai.Video) (*provider.Reply, error) {
	if video.Status != openai.VideoCompleted {
		return nil, openai.VideoNotReady(video.Status)
	}
	for _, name := range [...]string{"bytesBase64Encoded", "encodedVideo"} {
		if data := sample.GetStringBytes(name); len(data) > 0 {
			whole := make([]byte, base64.StdEncoding.DecodedLen(len(data)))
			n, err := base64.StdEncoding.Decode(whole, data)
			if err != nil {
				return nil, &chat.ResponseError{Message: "the video in gemini response is not base64"}
			}
			return &provider.Reply{Body: whole[:n], ContentType: "video/mp4"}, nil
		}
	}
	if video.URL != "" {
		return nil, &chat.Error{Status: http.StatusNotFound, Type: chat.TypeOf(http.StatusNotFound), Message: "the video is in your own storage: " + video.URL}
	}
	u, err := url.Parse(string(sample.GetStringBytes("uri")))
	if err != nil || u.Host != "generativelanguage.googleapis.com" || !strings.HasPrefix(u.Path, "/v1beta/files/") {
		return nil, &chat.ResponseError{Message: "the video in gemini response is nowhere that is known"}
	}
	query := u.Query()
	query.Del("key")
	query.Set("alt", "media")
	return &provider.Reply{Next: &provider.Call{Method: http.MethodGet, Path: u.EscapedPath() + "?" + query.Encode()}}, nil
}
