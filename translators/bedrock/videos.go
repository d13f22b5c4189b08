package bedrock

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// videos translates OpenAI's videos to asynchronous invocations of Amazon's (Nova
// Reel) and Luma's models. The output is in a bucket of the user, and an id is the
// invocation's ARN. They cannot be deleted.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_StartAsyncInvoke.html
// https://docs.aws.amazon.com/nova/latest/userguide/video-gen-access.html
type videos struct{}

const videoPrefix = "video_"

// Request implements provider.Resource.
func (videos) Request(t *target.Target, c *provider.Call, _ chat.Meta) (*provider.Call, error) {
	id, rest := openai.SplitID(c.Path)
	switch {
	case id == "" && c.Method == http.MethodPost:
		body, err := appendInvocation(t, c.Body)
		return &provider.Call{Method: http.MethodPost, Path: "/async-invoke", Body: body}, err
	case id == "" && c.Method == http.MethodGet:
		return &provider.Call{Method: http.MethodGet, Path: "/async-invoke"}, nil
	case c.Method == http.MethodGet && (rest == "" || rest == "/content"):
		arn, err := arnOf(videoPrefix, id, "async-invoke/")
		return &provider.Call{Method: http.MethodGet, Path: "/async-invoke/" + escape(arn)}, err
	}
	return nil, openai.NoSuchCall(c)
}

// arnOf returns the ARN that an id stands for: arn:aws:bedrock:region:account:kind….
func arnOf(prefix, id, kind string) (string, error) {
	arn, err := openai.NameOf(prefix, id)
	if err != nil {
		return "", err
	}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "bedrock" || !strings.HasPrefix(parts[5], kind) {
		return "", &chat.RequestError{Field: "id", Message: fmt.Sprintf("%q is no id that this route has given out", id)}
	}
	return arn, nil
}

func appendInvocation(t *target.Target, client []byte) ([]byte, error) {
	v, err := openai.VideoOf(client)
	if err != nil {
		return nil, err
	}
	if v.Reference != nil && v.Reference.Data == nil {
		return nil, &chat.RequestError{Field: "input_reference", Message: "must be in the request, as a file or a data URL"}
	}
	input, err := reelInput(v)
	if strings.HasPrefix(t.Model, "luma.") {
		input, err = lumaInput(v)
	}
	if err != nil {
		return nil, err
	}
	body := append(jsonedit.AppendText([]byte{'{'}, "modelId", t.Model), `,"modelInput":`...)
	body = append(append(body, input...), `,"outputDataConfig":{"s3OutputDataConfig":{`...)
	return append(jsonedit.AppendText(body, "s3Uri", t.Options.Bedrock.VideoOutputS3URI), "}}}"...), nil
}

// reelInput returns the model's own body. extra_body adds members to
// videoGenerationConfig, except for members of the body itself.
func reelInput(v *openai.NewVideo) ([]byte, error) {
	params := jsonedit.AppendText([]byte{'{'}, "text", v.Prompt)
	if v.Reference != nil {
		format := strings.TrimPrefix(v.Reference.Type, "image/")
		if format == "jpg" {
			format = "jpeg"
		}
		params = append(jsonedit.AppendText(append(params, `,"images":[{`...), "format", format), `,"source":{"bytes":"`...)
		params = append(append(params, v.Reference.Data...), `"}}]`...)
	}
	params = append(params, '}')
	config := []byte{'{'}
	if v.Seconds > 0 {
		config = jsonedit.AppendInt(config, "durationSeconds", v.Seconds)
	}
	config = append(jsonedit.AppendInt(config, "fps", 24), `,"dimension":"1280x720"`...)
	if v.Width > 0 {
		config = []byte(strings.Replace(string(config), "1280x720", strconv.Itoa(v.Width)+"x"+strconv.Itoa(v.Height), 1))
	}
	config = append(config, '}')
	body := []byte(`{"taskType":"TEXT_VIDEO","textToVideoParams":`)
	body = append(append(body, params...), `,"videoGenerationConfig":`...)
	body = append(append(body, config...), '}')
	if v.Extra == nil {
		return body, nil
	}
	members, err := jsonedit.Object(v.Extra, nil)
	if err != nil {
		return nil, &chat.RequestError{Field: "extra_body", Message: err.Error()}
	}
	top, inner := []byte{'{'}, []byte(`{"videoGenerationConfig":{`)
	for _, m := range members {
		switch name := string(m.Key); name {
		case "taskType", "textToVideoParams", "multiShotAutomatedParams", "multiShotManualParams", "videoGenerationConfig":
			top = jsonedit.AppendRaw(top, name, m.Value)
		default:
			inner = append(jsonedit.AppendKey(inner, name), m.Value...)
		}
	}
	for _, over := range [][]byte{append(inner, "}}"...), append(top, '}')} {
		if body, err = jsonedit.Merge(nil, body, over); err != nil {
			return nil, &chat.RequestError{Field: "extra_body", Message: err.Error()}
		}
	}
	return body, nil
}

// lumaInput returns the body of Luma's models.
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-luma.html
func lumaInput(v *openai.NewVideo) ([]byte, error) {
	body := jsonedit.AppendText([]byte{'{'}, "prompt", v.Prompt)
	if v.Seconds > 0 {
		body = jsonedit.AppendText(body, "duration", strconv.Itoa(v.Seconds)+"s")
	}
	if v.Width > 0 {
		body = jsonedit.AppendText(body, "aspect_ratio", openai.Ratio(v.Width, v.Height))
		body = jsonedit.AppendText(body, "resolution", strconv.Itoa(min(v.Width, v.Height))+"p")
	}
	if v.Reference != nil {
		body = append(body, `,"keyframes":{"frame0":{"type":"image","source":{"type":"base64"`...)
		body = append(base64Text(jsonedit.AppendText(body, "media_type", v.Reference.Type), "data", v.Reference.Data), "}}}"...)
	}
	body = append(body, '}')
	if v.Extra == nil {
		return body, nil
	}
	return jsonedit.Merge(nil, body, v.Extra)
}

// Answer implements provider.Resource.
func (videos) Answer(_ *target.Target, c *provider.Call, body []byte, meta chat.Meta, _ *chat.Seen) (*provider.Reply, error) {
	v, err := jsonedit.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: "failed to decode bedrock response"}
	}
	id, rest := openai.SplitID(c.Path)
	if id == "" && c.Method == http.MethodGet {
		var list []openai.Video
		for _, one := range v.GetArray("asyncInvokeSummaries") {
			list = append(list, videoOf(one, meta))
		}
		return &provider.Reply{Body: openai.AppendVideos(nil, list, v.Exists("nextToken"))}, nil
	}
	video := videoOf(v, meta)
	if v.GetString("invocationArn") == "" {
		return nil, &chat.ResponseError{Message: "'invocationArn' not in bedrock response"}
	}
	if id == "" {
		video.Status, video.Created = openai.Queued, meta.Created
		if asked, err := openai.VideoOf(c.Body); err == nil && asked.Seconds > 0 {
			video.Seconds = strconv.Itoa(asked.Seconds)
		}
	}
	if rest == "/content" {
		if video.Status != openai.VideoCompleted {
			return nil, openai.VideoNotReady(video.Status)
		}
		return nil, &chat.Error{Status: http.StatusNotFound, Type: chat.TypeOf(http.StatusNotFound), Message: "the video is in your own bucket: " + video.URL}
	}
	return &provider.Reply{Body: video.Append(nil)}, nil
}

// videoOf reads an asynchronous invocation.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_GetAsyncInvoke.html
func videoOf(v *jsonedit.Value, meta chat.Meta) openai.Video {
	video := openai.Video{ID: openai.NameID(videoPrefix, v.GetString("invocationArn")), Model: meta.Model, Created: jsonedit.Unix(v, "submitTime")}
	if _, model, ok := strings.Cut(v.GetString("modelArn"), "foundation-model/"); ok {
		video.Model = model
	}
	switch v.GetString("status") {
	case "Completed":
		video.Status, video.Completed = openai.VideoCompleted, jsonedit.Unix(v, "endTime")
		video.URL = strings.TrimSuffix(v.GetString("outputDataConfig", "s3OutputDataConfig", "s3Uri"), "/") + "/output.mp4"
	case "Failed":
		video.Status, video.Error = openai.VideoFailed, v.GetString("failureMessage")
		if video.Error == "" {
			video.Error = "the invocation failed"
		}
	default:
		video.Status = openai.InProgress
	}
	return video
}
