package gemini

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/target"
)

// images translates OpenAI's images to generateContent with images as answers, and to
// predict for Imagen.
// https://ai.google.dev/gemini-api/docs/image-generation
// https://ai.google.dev/gemini-api/docs/imagen
type images struct{}

// imagesPath is the path of the model's method.
func imagesPath(model func(method string) pathFunc) pathFunc {
	generate, predict := model(":generateContent"), model(":predict")
	return func(t *target.Target, stream bool) (string, error) {
		if isImagen(t.Model) {
			return predict(t, stream)
		}
		return generate(t, stream)
	}
}

func isImagen(model string) bool { return strings.HasPrefix(model, "imagen") }

// AppendRequest implements provider.Translator. generationConfig and
// safetySettings of the client's are Google's own and are kept.
func (images) AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error) {
	r, err := openai.ImageOf(body)
	if err != nil {
		return nil, err
	}
	if r.Mask != nil {
		return nil, &chat.RequestError{Field: "mask", Message: "is not known to Gemini: say in the prompt what is to change"}
	}
	if isImagen(t.Model) {
		return appendImagen(dst, r)
	}
	dst = append(dst, `{"contents":[{"role":"user","parts":[{`...)
	dst = append(jsonedit.AppendText(dst, "text", r.Prompt), '}')
	for i := range r.Pictures {
		dst = append(appendPicture(append(dst, ','), &r.Pictures[i]), '}')
	}
	dst = append(dst, `]}],"generationConfig":`...)
	config := []byte(`{"responseModalities":["TEXT","IMAGE"]`)
	if r.N > 0 {
		config = jsonedit.AppendInt(config, "candidateCount", r.N)
	}
	if r.Width > 0 {
		config = append(jsonedit.AppendText(append(config, `,"imageConfig":{`...), "aspectRatio", openai.Ratio(r.Width, r.Height)), '}')
	}
	config = jsonedit.AppendRaw(config, "seed", r.Seed)
	config = append(config, '}')
	if own := jsonedit.Find(r.Members, "generationConfig"); jsonedit.IsObject(own) {
		if config, err = jsonedit.Merge(nil, config, own); err != nil {
			return nil, &chat.RequestError{Field: "generationConfig", Message: err.Error()}
		}
	}
	dst = append(dst, config...)
	for _, name := range [...]string{"safetySettings", "systemInstruction", "tools"} {
		dst = jsonedit.AppendRaw(dst, name, jsonedit.Find(r.Members, name))
	}
	return append(dst, '}'), nil
}

func appendPicture(dst []byte, p *openai.Picture) []byte {
	if p.Data == nil {
		return append(jsonedit.AppendText(append(dst, `{"fileData":{`...), "fileUri", p.URL), '}')
	}
	dst = jsonedit.AppendText(append(dst, `{"inlineData":{`...), "mimeType", p.Type)
	dst = append(append(jsonedit.AppendName(dst, "data"), '"'), p.Data...)
	return append(dst, `"}`...)
}

func appendImagen(dst []byte, r *openai.NewImage) ([]byte, error) {
	if len(r.Pictures) > 0 {
		return nil, &chat.RequestError{Field: "image", Message: "Imagen changes no pictures here: use a Gemini model"}
	}
	dst = append(jsonedit.AppendText(append(dst, `{"instances":[{`...), "prompt", r.Prompt), `}],"parameters":{`...)
	dst = jsonedit.AppendInt(dst, "sampleCount", max(r.N, 1))
	if r.Width > 0 {
		dst = jsonedit.AppendText(dst, "aspectRatio", openai.Ratio(r.Width, r.Height))
	}
	return append(dst, "}}"...), nil
}

// AppendResponse implements provider.Translator.
func (images) AppendResponse(dst []byte, t *target.Target, body []byte, meta chat.Meta, seen *chat.Seen) ([]byte, error) {
	v, err := jsonedit.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: "failed to decode gemini response"}
	}
	w := openai.NewImagesWriter(dst, meta.Created)
	kind, said := "", ""
	picture := func(mime, data []byte) {
		kind = strings.TrimPrefix(string(mime), "image/")
		w.Data(data)
	}
	for _, c := range v.GetArray("candidates") {
		for _, p := range c.GetArray("content", "parts") {
			if data := first(p, "inlineData", "inline_data"); data != nil && !p.GetBool("thought") {
				mime := data.GetStringBytes("mimeType")
				if mime == nil {
					mime = data.GetStringBytes("mime_type")
				}
				picture(mime, data.GetStringBytes("data"))
			} else if said == "" {
				said = string(p.GetStringBytes("text"))
			}
		}
		if w.Len() == 0 {
			said = string(c.GetStringBytes("finishReason")) + " " + said
		}
	}
	for _, p := range v.GetArray("predictions") {
		if data := p.GetStringBytes("bytesBase64Encoded"); len(data) > 0 {
			picture(p.GetStringBytes("mimeType"), data)
		} else if reason := p.GetStringBytes("raiFilteredReason"); len(reason) > 0 {
			said = string(reason)
		}
	}
	if blocked := v.GetStringBytes("promptFeedback", "blockReason"); len(blocked) > 0 {
		said = string(blocked)
	}
	if w.Len() == 0 {
		return nil, &chat.ResponseError{Message: strings.TrimSpace("no picture in gemini response: " + said)}
	}
	seen.Content = true
	set(&seen.Model, v.GetStringBytes("modelVersion"))
	counted := readUsage(v, &seen.Usage)
	seen.Usage.Images = w.Len()
	if !counted {
		return w.End(kind, nil), nil
	}
	seen.HasUsage = true
	return w.End(kind, &seen.Usage), nil
}
