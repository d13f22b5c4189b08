package openai

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// The states of a video.
const (
	Queued         = "queued"
	InProgress     = "in_progress"
	VideoCompleted = "completed"
	VideoFailed    = "failed"
)

// Video is a video as OpenAI's API shows it.
// https://platform.openai.com/docs/api-reference/videos/object
type Video struct {
	ID, Model, Status, Seconds, Size string
	Error                            string // why it failed
	URL                              string // where it is, when it is not here
	Progress                         int    // percent; 100 when completed
	Created, Completed, Expires      int64  // unix seconds
}

// Append writes the video to dst.
func (v *Video) Append(dst []byte) []byte {
	dst = append(dst, '{')
	dst = jsonedit.AppendText(dst, "id", v.ID)
	dst = jsonedit.AppendText(dst, "object", "video")
	dst = jsonedit.AppendText(dst, "model", v.Model)
	dst = jsonedit.AppendText(dst, "status", v.Status)
	progress := v.Progress
	if v.Status == VideoCompleted {
		progress = 100
	}
	dst = jsonedit.AppendInt(dst, "progress", progress)
	dst = jsonedit.AppendInt(dst, "created_at", v.Created)
	dst = appendTimeOrNull(dst, "completed_at", v.Completed)
	dst = appendTimeOrNull(dst, "expires_at", v.Expires)
	dst = appendTextOrNull(dst, "seconds", v.Seconds)
	dst = appendTextOrNull(dst, "size", v.Size)
	dst = jsonedit.AppendRaw(dst, "remixed_from_video_id", "null")
	dst = jsonedit.AppendOptional(dst, "url", v.URL)
	if v.Error == "" {
		dst = jsonedit.AppendRaw(dst, "error", "null")
	} else {
		dst = append(jsonedit.AppendName(dst, "error"), `{"code":"video_generation_failed"`...)
		dst = append(jsonedit.AppendText(dst, "message", v.Error), '}')
	}
	return append(dst, '}')
}

// AppendVideos writes a page of videos.
func AppendVideos(dst []byte, list []Video, more bool) []byte {
	return appendPage(dst, len(list), more, func(dst []byte, i int) []byte { return list[i].Append(dst) }, func(i int) string { return list[i].ID })
}

// DeletedVideo returns the answer to a deletion.
func DeletedVideo(id string) []byte {
	return append(jsonedit.AppendString([]byte(`{"id":`), id), `,"object":"video.deleted","deleted":true}`...)
}

// VideoNotReady returns the *chat.Error for a client that asks for the content too early.
func VideoNotReady(status string) error {
	return &chat.Error{Status: http.StatusNotFound, Type: chat.TypeOf(http.StatusNotFound), Message: "the video has no content: its status is " + status}
}

// NewVideo is the body of a new video.
type NewVideo struct {
	Members []jsonedit.Member
	Prompt  string
	Seconds int // 0: not said
	Width   int // 0: not said
	Height  int
	// Reference is an image to begin with; nil if there is none.
	Reference *Picture
	Extra     []byte // extra_body, an object; nil when there is none
}

// VideoOf reads the body of a new video. Errors are *chat.RequestError.
// https://platform.openai.com/docs/api-reference/videos/create
func VideoOf(body []byte) (*NewVideo, error) {
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, &chat.RequestError{Message: "request body is not valid JSON: " + err.Error()}
	}
	v := &NewVideo{Members: members}
	v.Prompt, _ = jsonedit.String(jsonedit.Find(members, "prompt"))
	if s := jsonedit.Find(members, "seconds"); s != nil && !jsonedit.IsNull(s) {
		n, ok := Number(s)
		if !ok || n <= 0 {
			return nil, &chat.RequestError{Field: "seconds", Message: "must be a number of seconds"}
		}
		v.Seconds = n
	}
	if s := jsonedit.Find(members, "size"); s != nil && !jsonedit.IsNull(s) {
		if v.Width, v.Height, err = Size(s); err != nil {
			return nil, err
		}
	}
	if r := jsonedit.Find(members, "input_reference"); r != nil && !jsonedit.IsNull(r) {
		if v.Reference, err = pictureOf("input_reference", r); err != nil {
			return nil, err
		}
	}
	if e := jsonedit.Find(members, "extra_body"); e != nil && !jsonedit.IsNull(e) {
		if !jsonedit.IsObject(e) {
			return nil, &chat.RequestError{Field: "extra_body", Message: "must be an object"}
		}
		v.Extra = e
	}
	return v, nil
}

// Number reads an integer, which OpenAI's API also accepts as a string.
func Number(value []byte) (int, bool) {
	if text, ok := jsonedit.String(value); ok {
		n, err := strconv.Atoi(text)
		return n, err == nil
	}
	return jsonedit.Int(value)
}

// Size reads a JSON string such as "1280x720". Errors are *chat.RequestError.
func Size(value []byte) (width, height int, err error) {
	text, _ := jsonedit.String(value)
	w, h, found := strings.Cut(strings.ReplaceAll(text, "*", "x"), "x")
	width, err1 := strconv.Atoi(w)
	height, err2 := strconv.Atoi(h)
	if !found || err1 != nil || err2 != nil || width <= 0 || height <= 0 {
		return 0, 0, &chat.RequestError{Field: "size", Message: fmt.Sprintf("%q is no size such as 1280x720", text)}
	}
	return width, height, nil
}

// Ratio returns the aspect ratio of a size in lowest terms, such as "16:9". A ratio
// within two percent of a common one is replaced by that one.
func Ratio(width, height int) string {
	for _, r := range [...][2]int{{1, 1}, {16, 9}, {9, 16}, {4, 3}, {3, 4}, {3, 2}, {2, 3}, {5, 4}, {4, 5}, {21, 9}} {
		if diff := width*r[1] - height*r[0]; diff*50 <= width*r[1] && -diff*50 <= width*r[1] {
			return fmt.Sprintf("%d:%d", r[0], r[1])
		}
	}
	a, b := width, height
	for b > 0 {
		a, b = b, a%b
	}
	return fmt.Sprintf("%d:%d", width/a, height/a)
}
