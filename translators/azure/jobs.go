package azure

import (
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// jobs translates OpenAI's videos to Azure's video generation jobs. A job has
// generations, whose content is the client's video.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/video-generation-quickstart
type jobs struct{}

const videoPath = "/openai/v1/video/generations"

// Request implements provider.Resource.
func (jobs) Request(t *target.Target, c *provider.Call, _ chat.Meta) (*provider.Call, error) {
	id, rest := openai.SplitID(c.Path)
	switch {
	case id == "" && c.Method == "POST":
		body, err := jobBody(t, c.Body)
		return &provider.Call{Method: "POST", Path: videoPath + "/jobs", Body: body}, err
	case id == "":
		path := videoPath + "/jobs"
		if c.Query != "" {
			path += "?" + c.Query
		}
		return &provider.Call{Method: "GET", Path: path}, nil
	case rest == "" || rest == "/content":
		method := c.Method
		if rest != "" {
			method = "GET"
		}
		return &provider.Call{Method: method, Path: videoPath + "/jobs/" + id}, nil
	}
	return nil, openai.NoSuchCall(c)
}

// jobBody returns OpenAI's body with Azure's names. Members that already have Azure's
// names are kept.
func jobBody(t *target.Target, client []byte) ([]byte, error) {
	members, err := jsonedit.Object(client, nil)
	if err != nil {
		return nil, &chat.RequestError{Message: "request body is not valid JSON: " + err.Error()}
	}
	edits := []jsonedit.Edit{{Key: "model", Value: jsonedit.AppendString(nil, t.Model)}}
	if seconds := jsonedit.Find(members, "seconds"); seconds != nil {
		n, ok := openai.Number(seconds)
		if !ok {
			return nil, &chat.RequestError{Field: "seconds", Message: "must be a number"}
		}
		edits = append(edits, jsonedit.Edit{Key: "seconds"}, jsonedit.Edit{Key: "n_seconds", Value: strconv.AppendInt(nil, int64(n), 10)})
	}
	if size := jsonedit.Find(members, "size"); size != nil {
		width, height, err := openai.Size(size)
		if err != nil {
			return nil, err
		}
		edits = append(edits, jsonedit.Edit{Key: "size"},
			jsonedit.Edit{Key: "width", Value: strconv.AppendInt(nil, int64(width), 10)},
			jsonedit.Edit{Key: "height", Value: strconv.AppendInt(nil, int64(height), 10)})
	}
	if jsonedit.Find(members, "input_reference") != nil {
		return nil, &chat.RequestError{Field: "input_reference", Message: "is not translated to Azure's jobs: use a deployment of sora-2"}
	}
	return jsonedit.Join(nil, jsonedit.Splice(nil, client, members, edits)), nil
}

// Answer implements provider.Resource.
func (jobs) Answer(t *target.Target, c *provider.Call, body []byte, meta chat.Meta, _ *chat.Seen) (*provider.Reply, error) {
	id, rest := openai.SplitID(c.Path)
	if c.Method == "DELETE" {
		return &provider.Reply{Body: openai.DeletedVideo(id)}, nil
	}
	v, err := jsonedit.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: "failed to decode azure response"}
	}
	if rest == "/content" {
		generation := string(v.GetStringBytes("generations", "0", "id"))
		if generation == "" {
			return nil, openai.VideoNotReady(videoOf(v, meta).Status)
		}
		generation, err := provider.Segment("generations[0].id", generation)
		if err != nil {
			return nil, &chat.ResponseError{Message: err.Error()}
		}
		return &provider.Reply{Next: &provider.Call{Method: "GET", Path: videoPath + "/" + generation + "/content/video"}}, nil
	}
	if id == "" && c.Method == "GET" {
		var list []openai.Video
		for _, job := range v.GetArray("data") {
			list = append(list, videoOf(job, meta))
		}
		return &provider.Reply{Body: openai.AppendVideos(nil, list, v.GetBool("has_more"))}, nil
	}
	video := videoOf(v, meta)
	if video.ID == "" {
		return nil, &chat.ResponseError{Message: "'id' not in azure response"}
	}
	return &provider.Reply{Body: video.Append(nil)}, nil
}

func videoOf(v *jsonedit.Value, meta chat.Meta) openai.Video {
	text := func(name string) string { return string(v.GetStringBytes(name)) }
	video := openai.Video{
		ID: text("id"), Model: text("model"), Created: int64(v.GetInt("created_at")), Completed: int64(v.GetInt("finished_at")), Expires: int64(v.GetInt("expires_at")),
		Status: openai.Queued,
	}
	if video.Model == "" {
		video.Model = meta.Model
	}
	switch text("status") {
	case "preprocessing", "running", "processing":
		video.Status = openai.InProgress
	case "succeeded":
		video.Status = openai.VideoCompleted
	case "failed", "cancelled":
		video.Status, video.Error = openai.VideoFailed, text("failure_reason")
		if video.Error == "" {
			video.Error = text("status")
		}
	}
	if n := v.GetInt("n_seconds"); n > 0 {
		video.Seconds = strconv.Itoa(n)
	}
	if w, h := v.GetInt("width"), v.GetInt("height"); w > 0 && h > 0 {
		video.Size = strings.Join([]string{strconv.Itoa(w), strconv.Itoa(h)}, "x")
	}
	return video
}
