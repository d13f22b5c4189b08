package openai

import (
	"bytes"
	"fmt"
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// Picture is an image in a request.
type Picture struct {
	Type string // "image/png"; "" where URL is no data URL
	// Data is base64; it aliases the body. If the image is elsewhere, URL is set
	// instead.
	Data []byte
	URL  string
}

// NewImage is the body of a request for new or edited images.
type NewImage struct {
	Members       []jsonedit.Member
	Prompt        string
	N             int    // 0: not said
	Size          string // as the client wrote it; "" for none and for auto
	Width, Height int    // of Size
	Quality       string
	OutputFormat  string // png, jpeg, webp
	Seed          []byte // JSON, nil: not said
	Pictures      []Picture
	Mask          *Picture
}

// ImageOf reads the body of images/generations or images/edits. Errors are
// *chat.RequestError.
// https://platform.openai.com/docs/api-reference/images
func ImageOf(body []byte) (*NewImage, error) {
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, &chat.RequestError{Message: "request body is not valid JSON: " + err.Error()}
	}
	r := &NewImage{Members: members}
	r.Prompt, _ = jsonedit.String(jsonedit.Find(members, "prompt"))
	r.Quality, _ = jsonedit.String(jsonedit.Find(members, "quality"))
	r.OutputFormat, _ = jsonedit.String(jsonedit.Find(members, "output_format"))
	r.Seed = jsonedit.Find(members, "seed")
	if n := jsonedit.Find(members, "n"); n != nil && !jsonedit.IsNull(n) {
		var ok bool
		if r.N, ok = Number(n); !ok || r.N < 1 {
			return nil, &chat.RequestError{Field: "n", Message: "must be a number from 1"}
		}
	}
	size := jsonedit.Find(members, "size")
	if text, _ := jsonedit.String(size); text != "" && text != "auto" {
		if r.Width, r.Height, err = Size(size); err != nil {
			return nil, err
		}
		r.Size = text
	}
	return r, r.readPictures()
}

// readPictures reads `images`, as in the API's JSON, and `image`, as in its forms.
func (r *NewImage) readPictures() error {
	for _, name := range [...]string{"image", "images"} {
		value := jsonedit.Find(r.Members, name)
		if value == nil || jsonedit.IsNull(value) {
			continue
		}
		list := [][]byte{value}
		if jsonedit.IsArray(value) {
			list, _ = jsonedit.Array(value, nil)
		}
		for i, one := range list {
			field := name
			if jsonedit.IsArray(value) {
				field = name + "[" + strconv.Itoa(i) + "]"
			}
			p, err := pictureOf(field, one)
			if err != nil {
				return err
			}
			r.Pictures = append(r.Pictures, *p)
		}
	}
	if mask := jsonedit.Find(r.Members, "mask"); mask != nil && !jsonedit.IsNull(mask) {
		var err error
		r.Mask, err = pictureOf("mask", mask)
		return err
	}
	return nil
}

// pictureOf reads a URL, or an object with an image_url.
func pictureOf(field string, value []byte) (*Picture, error) {
	if jsonedit.IsObject(value) {
		url := jsonedit.Lookup(value, "image_url")
		if jsonedit.IsObject(url) {
			url = jsonedit.Lookup(url, "url")
		}
		if url == nil {
			return nil, &chat.RequestError{Field: field, Message: "must have an image_url: the provider knows no files of OpenAI's"}
		}
		value = url
	}
	if !jsonedit.IsString(value) || len(value) < 3 {
		return nil, &chat.RequestError{Field: field, Message: "must be a URL, or an object with an image_url"}
	}
	text := value[1 : len(value)-1]
	if !bytes.HasPrefix(text, []byte("data:")) {
		url, _ := jsonedit.String(value)
		return &Picture{URL: url}, nil
	}
	head, data, ok := bytes.Cut(text[len("data:"):], []byte(";base64,"))
	if bytes.IndexByte(data, '\\') >= 0 { // some encoders escape slashes
		data = bytes.ReplaceAll(data, []byte(`\/`), []byte("/"))
	}
	if !ok || bytes.IndexByte(data, '\\') >= 0 {
		return nil, &chat.RequestError{Field: field, Message: "must be base64 where it is a data URL"}
	}
	kind := string(bytes.ReplaceAll(head, []byte(`\/`), []byte("/")))
	if kind == "" {
		kind = "image/png"
	}
	return &Picture{Type: kind, Data: data}, nil
}

// NeedInline returns the *chat.RequestError for a client that says where an image is, where
// a provider fetches none; nil if all images are in the request.
func (r *NewImage) NeedInline() error {
	for i := range r.Pictures {
		if r.Pictures[i].Data == nil {
			return &chat.RequestError{Field: fmt.Sprintf("images[%d]", i), Message: "must be in the request, as a file or a data URL: the provider fetches none"}
		}
	}
	if r.Mask != nil && r.Mask.Data == nil {
		return &chat.RequestError{Field: "mask", Message: "must be in the request, as a file or a data URL: the provider fetches none"}
	}
	return nil
}

// ImagesWriter writes an answer of the images API.
// https://platform.openai.com/docs/api-reference/images/object
type ImagesWriter struct {
	buf []byte
	n   int
}

// NewImagesWriter begins an answer at the end of dst.
func NewImagesWriter(dst []byte, created int64) *ImagesWriter {
	dst = strconv.AppendInt(append(dst, `{"created":`...), created, 10)
	return &ImagesWriter{buf: append(dst, `,"data":[`...)}
}

func (w *ImagesWriter) next() {
	w.n++
	w.buf = jsonedit.AppendComma(w.buf)
}

// Data adds an image in base64.
func (w *ImagesWriter) Data(base64 []byte) {
	w.next()
	w.buf = append(w.buf, `{"b64_json":"`...)
	w.buf = append(append(w.buf, base64...), `"}`...)
}

// URL adds an image that is elsewhere.
func (w *ImagesWriter) URL(url string) {
	w.next()
	w.buf = append(jsonedit.AppendString(append(w.buf, `{"url":`...), url), '}')
}

// Len returns the number of images.
func (w *ImagesWriter) Len() int { return w.n }

// End returns the answer. format is the format of the images, or "" if it is unknown.
// usage is nil if the provider did not count anything.
func (w *ImagesWriter) End(format string, usage *chat.Usage) []byte {
	w.buf = append(w.buf, ']')
	w.buf = jsonedit.AppendOptional(w.buf, "output_format", format)
	if usage != nil {
		w.buf = fmt.Appendf(w.buf, `,"usage":{"input_tokens":%d,"output_tokens":%d,"total_tokens":%d,"input_tokens_details":{"text_tokens":%d,"image_tokens":%d},"output_tokens_details":{"text_tokens":%d,"image_tokens":%d,"reasoning_tokens":%d}}`,
			usage.Prompt, usage.Completion, usage.TotalTokens(), usage.PromptText, usage.PromptImage, usage.CompletionText, usage.CompletionImage, usage.Reasoning)
	}
	return append(w.buf, '}')
}
