package bedrock

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// images translates OpenAI's images to InvokeModel of Amazon's models (Nova
// Canvas, Titan Image Generator), which have one format, and Stability's.
// https://docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-image.html
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-stability-diffusion.html
type images struct{}

// AppendRequest implements provider.Translator.
func (images) AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error) {
	r, err := openai.ImageOf(body)
	if err != nil {
		return nil, err
	}
	if err := r.NeedInline(); err != nil {
		return nil, err
	}
	if t.Route == route.ImageEdits && len(r.Pictures) == 0 {
		return nil, &chat.RequestError{Field: "image", Message: "must be there"}
	}
	if strings.Contains(t.Model, "stability.") {
		return appendStability(dst, r)
	}
	return appendCanvas(dst, r)
}

// appendCanvas writes the body of Amazon's models: a new image from text, an edit of
// the masked area, or a variation of images. The client's own imageGenerationConfig
// is kept.
func appendCanvas(dst []byte, r *openai.NewImage) ([]byte, error) {
	maskPrompt, _ := jsonedit.String(jsonedit.Find(r.Members, "maskPrompt"))
	switch {
	case len(r.Pictures) > 0 && (r.Mask != nil || maskPrompt != ""):
		dst = append(dst, `{"taskType":"INPAINTING","inPaintingParams":{`...)
		dst = base64Text(dst, "image", r.Pictures[0].Data)
		if r.Mask != nil {
			dst = base64Text(dst, "maskImage", canvasMask(r.Mask.Data))
		} else {
			dst = jsonedit.AppendText(dst, "maskPrompt", maskPrompt)
		}
	case len(r.Pictures) > 0:
		dst = append(dst, `{"taskType":"IMAGE_VARIATION","imageVariationParams":{"images":[`...)
		for i := range r.Pictures {
			dst = append(append(append(jsonedit.AppendComma(dst), '"'), r.Pictures[i].Data...), '"')
		}
		dst = append(dst, ']')
		dst = jsonedit.AppendRaw(dst, "similarityStrength", jsonedit.Find(r.Members, "similarityStrength"))
	default:
		dst = append(dst, `{"taskType":"TEXT_IMAGE","textToImageParams":{`...)
	}
	dst = jsonedit.AppendText(dst, "text", r.Prompt)
	for _, name := range [...]string{"negativeText", "negative_prompt"} {
		if s, _ := jsonedit.String(jsonedit.Find(r.Members, name)); s != "" {
			dst = jsonedit.AppendText(dst, "negativeText", s)
			break
		}
	}
	dst = append(dst, `},"imageGenerationConfig":`...)
	config := jsonedit.AppendInt([]byte{'{'}, "numberOfImages", max(r.N, 1))
	if r.Width > 0 {
		config = jsonedit.AppendInt(jsonedit.AppendInt(config, "width", r.Width), "height", r.Height)
	}
	switch r.Quality {
	case "hd", "high", "premium":
		config = jsonedit.AppendText(config, "quality", "premium")
	case "standard", "medium", "low":
		config = jsonedit.AppendText(config, "quality", "standard")
	}
	config = append(jsonedit.AppendRaw(config, "seed", r.Seed), '}')
	if own := jsonedit.Find(r.Members, "imageGenerationConfig"); jsonedit.IsObject(own) {
		var err error
		if config, err = jsonedit.Merge(nil, config, own); err != nil {
			return nil, &chat.RequestError{Field: "imageGenerationConfig", Message: err.Error()}
		}
	}
	return append(append(dst, config...), '}'), nil
}

// base64Text writes a string member that needs no escapes.
func base64Text(dst []byte, name string, data []byte) []byte {
	return append(append(append(jsonedit.AppendName(dst, name), '"'), data...), '"')
}

// maxMask is the largest mask that is decoded, in pixels.
const maxMask = 16 << 20

// canvasMask returns a mask as Amazon's models want it: black where the image is to
// change. OpenAI's masks are transparent there. A mask without transparency is taken
// to be in Amazon's form already.
func canvasMask(data []byte) []byte {
	file := make([]byte, base64.StdEncoding.DecodedLen(len(data)))
	n, err := base64.StdEncoding.Decode(file, data)
	if err != nil {
		return data
	}
	c, err := png.DecodeConfig(bytes.NewReader(file[:n]))
	if err != nil || c.Width*c.Height > maxMask {
		return data
	}
	from, err := png.Decode(bytes.NewReader(file[:n]))
	if err != nil {
		return data
	}
	b := from.Bounds()
	mask := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	open := false
	for y := range b.Dy() {
		for x := range b.Dx() {
			if _, _, _, alpha := from.At(b.Min.X+x, b.Min.Y+y).RGBA(); alpha < 0x8000 {
				open = true
			} else {
				mask.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	var out bytes.Buffer
	if !open || png.Encode(&out, mask) != nil {
		return data
	}
	return base64.StdEncoding.AppendEncode(nil, out.Bytes())
}

// appendStability writes the body of Stability's models, which make one image per
// request.
func appendStability(dst []byte, r *openai.NewImage) ([]byte, error) {
	if r.N > 1 {
		return nil, &chat.RequestError{Field: "n", Message: "must be 1: the model makes one picture at a time"}
	}
	dst = jsonedit.AppendText(append(dst, '{'), "prompt", r.Prompt)
	switch {
	case r.Mask != nil && len(r.Pictures) > 0:
		dst = base64Text(base64Text(dst, "image", r.Pictures[0].Data), "mask", r.Mask.Data)
	case len(r.Pictures) > 0:
		dst = base64Text(jsonedit.AppendText(dst, "mode", "image-to-image"), "image", r.Pictures[0].Data)
		strength := jsonedit.Find(r.Members, "strength")
		if strength == nil {
			strength = []byte("0.7")
		}
		dst = jsonedit.AppendRaw(dst, "strength", strength)
	default:
		dst = jsonedit.AppendText(dst, "mode", "text-to-image")
		if r.Width > 0 {
			dst = jsonedit.AppendText(dst, "aspect_ratio", openai.Ratio(r.Width, r.Height))
		}
	}
	dst = jsonedit.AppendRaw(dst, "seed", r.Seed)
	if s, _ := jsonedit.String(jsonedit.Find(r.Members, "negative_prompt")); s != "" {
		dst = jsonedit.AppendText(dst, "negative_prompt", s)
	}
	dst = jsonedit.AppendOptional(dst, "output_format", r.OutputFormat)
	return append(dst, '}'), nil
}

// AppendResponse implements provider.Translator. Nobody counts tokens here.
func (images) AppendResponse(dst []byte, _ *target.Target, body []byte, meta chat.Meta, seen *chat.Seen) ([]byte, error) {
	v, err := jsonedit.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: "failed to decode bedrock response"}
	}
	w := openai.NewImagesWriter(dst, meta.Created)
	for _, one := range v.GetArray("images") {
		w.Data(one.GetStringBytes())
	}
	if w.Len() == 0 {
		why := v.GetString("error")
		if reason := v.GetStringBytes("finish_reasons", "0"); len(reason) > 0 {
			why = string(reason)
		}
		return nil, &chat.ResponseError{Message: strings.TrimSpace("no picture in bedrock response: " + why)}
	}
	seen.Content, seen.HasUsage = true, true
	seen.Usage.Images = w.Len()
	return w.End("", nil), nil
}
