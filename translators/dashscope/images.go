package dashscope

import (
	"net/http"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// images translates OpenAI's images to Model Studio's own API, since the compatible
// mode has none. Qwen's models answer immediately; others create a task, which is
// polled until it is done.
// https://www.alibabacloud.com/help/en/model-studio/qwen-image-api
// https://www.alibabacloud.com/help/en/model-studio/wanx-image-edit-api-reference
type images struct{}

const aigc = "/api/v1/services/aigc/"

// Request implements provider.Resource.
func (images) Request(t *target.Target, c *provider.Call, _ chat.Meta) (*provider.Call, error) {
	r, err := openai.ImageOf(c.Body)
	if err != nil {
		return nil, err
	}
	edit := t.Route == route.ImageEdits
	if edit && len(r.Pictures) == 0 {
		return nil, &chat.RequestError{Field: "image", Message: "must be there"}
	}
	call := &provider.Call{Method: http.MethodPost, Path: aigc + "multimodal-generation/generation"}
	if !answersAtOnce(t.Model, edit) {
		call.Header = [][2]string{{"X-DashScope-Async", "enable"}}
		call.Path = aigc + "text2image/image-synthesis"
		if edit {
			call.Path = aigc + "image2image/image-synthesis"
		}
	}
	body := jsonedit.AppendString([]byte(`{"model":`), t.Model)
	body = append(body, `,"input":`...)
	switch {
	case call.Header == nil:
		body = appendMessage(body, r)
	case edit:
		body = appendSynthesis(body, t.Model, r)
	default:
		body = append(jsonedit.AppendString(append(body, `{"prompt":`...), r.Prompt), '}')
	}
	body, err = appendParameters(append(body, `,"parameters":`...), r)
	call.Body = append(body, '}')
	return call, err
}

// answersAtOnce reports whether a model is one of multimodal-generation, which answer
// immediately.
func answersAtOnce(model string, edit bool) bool {
	if edit {
		return strings.Contains(model, "qwen-image-edit") || strings.HasPrefix(model, "qwen-image-2")
	}
	return strings.HasPrefix(model, "qwen-image") || strings.HasPrefix(model, "z-image") || strings.HasPrefix(model, "wan2.6")
}

// place writes an image as the API takes it: a URL, or a data URL.
func place(dst []byte, p *openai.Picture) []byte {
	if p.Data == nil {
		return jsonedit.AppendString(dst, p.URL)
	}
	dst = append(append(append(dst, `"data:`...), p.Type...), ";base64,"...)
	return append(append(dst, p.Data...), '"')
}

func appendMessage(dst []byte, r *openai.NewImage) []byte {
	dst = append(dst, `{"messages":[{"role":"user","content":[`...)
	for i := range r.Pictures {
		dst = append(place(append(dst, `{"image":`...), &r.Pictures[i]), `},`...)
	}
	return append(jsonedit.AppendString(append(dst, `{"text":`...), r.Prompt), `}]}]}`...)
}

// appendSynthesis writes the input of the models that edit images. Those of the first
// generation have functions, which name the kind of edit.
func appendSynthesis(dst []byte, model string, r *openai.NewImage) []byte {
	dst = jsonedit.AppendString(append(dst, `{"prompt":`...), r.Prompt)
	if !strings.HasPrefix(model, "wanx") {
		dst = append(dst, `,"images":[`...)
		for i := range r.Pictures {
			dst = jsonedit.AppendComma(dst)
			dst = place(dst, &r.Pictures[i])
		}
		return append(dst, "]}"...)
	}
	function, _ := jsonedit.String(jsonedit.Find(r.Members, "function"))
	if function == "" {
		function = "description_edit"
		if r.Mask != nil {
			function = "description_edit_with_mask"
		}
	}
	dst = jsonedit.AppendText(dst, "function", function)
	dst = place(append(dst, `,"base_image_url":`...), &r.Pictures[0])
	if r.Mask != nil {
		dst = place(append(dst, `,"mask_image_url":`...), r.Mask)
	}
	return append(dst, '}')
}

// appendParameters writes size and number. The client's own `parameters`, also in
// extra_body, are Model Studio's and are kept.
func appendParameters(dst []byte, r *openai.NewImage) ([]byte, error) {
	own := []byte(`{"n":` + strconv.Itoa(max(r.N, 1)))
	if r.Width > 0 {
		own = append(own, `,"size":"`+strconv.Itoa(r.Width)+"*"+strconv.Itoa(r.Height)+`"`...)
	}
	own = jsonedit.AppendRaw(own, "seed", r.Seed)
	if s, _ := jsonedit.String(jsonedit.Find(r.Members, "negative_prompt")); s != "" {
		own = jsonedit.AppendText(own, "negative_prompt", s)
	}
	own = append(own, '}')
	extra := jsonedit.Find(r.Members, "extra_body")
	for _, client := range [...][]byte{jsonedit.Find(r.Members, "parameters"), jsonedit.Lookup(extra, "parameters")} {
		if !jsonedit.IsObject(client) {
			continue
		}
		var err error
		if own, err = jsonedit.Merge(nil, own, client); err != nil {
			return nil, &chat.RequestError{Field: "parameters", Message: err.Error()}
		}
	}
	return append(dst, own...), nil
}

// Answer implements provider.Resource.
func (images) Answer(_ *target.Target, _ *provider.Call, body []byte, meta chat.Meta, seen *chat.Seen) (*provider.Reply, error) {
	v, err := jsonedit.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: "failed to decode dashscope response"}
	}
	out := v.Get("output")
	switch status := string(out.GetStringBytes("task_status")); status {
	case "PENDING", "RUNNING", "SUSPENDED":
		id, err := provider.Segment("output.task_id", string(out.GetStringBytes("task_id")))
		if err != nil {
			return nil, &chat.ResponseError{Message: err.Error()}
		}
		return &provider.Reply{Wait: true, Next: &provider.Call{Method: http.MethodGet, Path: "/api/v1/tasks/" + id}}, nil
	case "", "SUCCEEDED":
	default:
		message := string(out.GetStringBytes("message"))
		if message == "" {
			message = "the task ended as " + status
		}
		return nil, &chat.Error{Status: http.StatusBadGateway, Type: chat.TypeOf(http.StatusBadGateway), Code: string(out.GetStringBytes("code")), Message: message}
	}
	w := openai.NewImagesWriter(nil, meta.Created)
	for _, choice := range out.GetArray("choices") {
		for _, part := range choice.GetArray("message", "content") {
			if url := part.GetStringBytes("image"); len(url) > 0 {
				w.URL(string(url))
			}
		}
	}
	for _, result := range out.GetArray("results") {
		if url := result.GetStringBytes("url"); len(url) > 0 {
			w.URL(string(url))
		}
	}
	if w.Len() == 0 {
		return nil, &chat.ResponseError{Message: "no picture in dashscope response"}
	}
	seen.Content, seen.HasUsage = true, true // images are counted, not tokens
	seen.Usage.Images = w.Len()
	return &provider.Reply{Body: w.End("", nil)}, nil
}
