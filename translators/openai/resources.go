package openai

import (
	"encoding/base64"
	"fmt"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// What follows is for providers that answer OpenAI's REST operations with an
// API of their own.

// SplitID cuts a path below a family's: the id, "" where there is none, and
// what follows it, "/content".
func SplitID(path string) (id, rest string) {
	id, rest, found := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if found {
		rest = "/" + rest
	}
	return id, rest
}

// NameID makes an id of a provider's name for a thing, which may hold slashes
// and colons: an operation's path, an ARN. NameOf is the way back.
func NameID(prefix, name string) string {
	return prefix + base64.RawURLEncoding.EncodeToString([]byte(name))
}

// NameOf is the name that NameID made id of. Errors are *chat.RequestError.
func NameOf(prefix, id string) (string, error) {
	text, ok := strings.CutPrefix(id, prefix)
	name, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil || len(name) == 0 {
		return "", &chat.RequestError{Field: "id", Message: fmt.Sprintf("%q is no id that this route has given out", id)}
	}
	return string(name), nil
}

// NoSuchCall returns the *chat.RequestError for an operation that the provider lacks.
func NoSuchCall(c *provider.Call) error {
	return &chat.RequestError{Message: fmt.Sprintf("%s %s is not one of the operations that this provider has", c.Method, c.Path)}
}

// BatchOf reads the body of a new batch, which it aliases. Errors are *chat.RequestError.
// https://platform.openai.com/docs/api-reference/batch/create
func BatchOf(body []byte) (*NewBatch, error) {
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, &chat.RequestError{Message: "request body is not valid JSON: " + err.Error()}
	}
	b := &NewBatch{Members: members}
	b.Input, _ = jsonedit.String(jsonedit.Find(members, "input_file_id"))
	b.Endpoint, _ = jsonedit.String(jsonedit.Find(members, "endpoint"))
	b.Metadata = jsonedit.Find(members, "metadata")
	return b, b.readLines(jsonedit.Find(members, "requests"))
}

// NewBatch is the body of a new batch.
type NewBatch struct {
	Members         []jsonedit.Member
	Input, Endpoint string
	Metadata        []byte
	// Lines are the requests themselves, where they came with the body: in
	// `requests`, as objects such as the lines of an input file, or as such a
	// file in a data URL at input_file_id. It is how providers without a place
	// for files get them.
	Lines []BatchLine
}

// BatchLine is one request of a batch.
type BatchLine struct {
	ID   string // custom_id
	URL  string // "/v1/chat/completions"
	Body []byte
}

func (b *NewBatch) readLines(requests []byte) error {
	var lines [][]byte
	switch {
	case jsonedit.IsArray(requests):
		var err error
		if lines, err = jsonedit.Array(requests, nil); err != nil {
			return &chat.RequestError{Field: "requests", Message: err.Error()}
		}
	case strings.HasPrefix(b.Input, "data:"):
		_, text, _ := strings.Cut(b.Input, ";base64,")
		file, err := base64.StdEncoding.DecodeString(text)
		if err != nil || text == "" {
			return &chat.RequestError{Field: "input_file_id", Message: "must be base64 where it is a data URL"}
		}
		for line := range strings.SplitSeq(string(file), "\n") {
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, []byte(line))
			}
		}
	}
	for i, text := range lines {
		var l BatchLine
		l.ID, _ = jsonedit.String(jsonedit.Lookup(text, "custom_id"))
		l.URL, _ = jsonedit.String(jsonedit.Lookup(text, "url"))
		l.Body = jsonedit.Lookup(text, "body")
		if l.ID == "" || !jsonedit.IsObject(l.Body) {
			return &chat.RequestError{Field: fmt.Sprintf("requests[%d]", i), Message: "must have a custom_id and a body"}
		}
		b.Lines = append(b.Lines, l)
	}
	return nil
}

// The states of a batch.
const (
	Validating      = "validating"
	BatchInProgress = "in_progress"
	BatchCompleted  = "completed"
	BatchFailed     = "failed"
	Expired         = "expired"
	Cancelling      = "cancelling"
	Cancelled       = "cancelled"
)

// Batch is a batch as OpenAI's API shows it.
// https://platform.openai.com/docs/api-reference/batch/object
type Batch struct {
	ID, Endpoint, Input, Status, Model string
	Output, Errors                     string // ids of files
	Message                            string // why it failed
	Created, Expires, Ended            int64  // unix seconds
	Total, Completed, Failed           int
	Metadata                           []byte
}

// Append writes the batch to dst.
func (b *Batch) Append(dst []byte) []byte {
	dst = append(dst, '{')
	dst = jsonedit.AppendText(dst, "id", b.ID)
	dst = jsonedit.AppendText(dst, "object", "batch")
	dst = jsonedit.AppendText(dst, "endpoint", b.Endpoint)
	dst = appendTextOrNull(dst, "model", b.Model)
	if b.Message == "" {
		dst = jsonedit.AppendRaw(dst, "errors", "null")
	} else {
		dst = append(jsonedit.AppendName(dst, "errors"), `{"object":"list","data":[{"code":"failed"`...)
		dst = append(jsonedit.AppendText(dst, "message", b.Message), `,"param":null,"line":null}]}`...)
	}
	dst = jsonedit.AppendText(dst, "input_file_id", b.Input)
	dst = jsonedit.AppendText(dst, "completion_window", "24h")
	dst = jsonedit.AppendText(dst, "status", b.Status)
	dst = appendTextOrNull(dst, "output_file_id", b.Output)
	dst = appendTextOrNull(dst, "error_file_id", b.Errors)
	dst = jsonedit.AppendInt(dst, "created_at", b.Created)
	dst = appendTimeOrNull(dst, "expires_at", b.Expires)
	for _, e := range [...]struct{ name, status string }{
		{"completed_at", BatchCompleted}, {"failed_at", BatchFailed}, {"expired_at", Expired}, {"cancelled_at", Cancelled},
	} {
		at := int64(0)
		if b.Status == e.status {
			at = b.Ended
		}
		dst = appendTimeOrNull(dst, e.name, at)
	}
	dst = fmt.Appendf(jsonedit.AppendName(dst, "request_counts"), `{"total":%d,"completed":%d,"failed":%d}`, b.Total, b.Completed, b.Failed)
	if jsonedit.IsObject(b.Metadata) {
		dst = jsonedit.AppendRaw(dst, "metadata", b.Metadata)
	} else {
		dst = jsonedit.AppendRaw(dst, "metadata", "null")
	}
	return append(dst, '}')
}

// AppendBatches writes a page of batches.
func AppendBatches(dst []byte, list []Batch, more bool) []byte {
	return appendPage(dst, len(list), more, func(dst []byte, i int) []byte { return list[i].Append(dst) }, func(i int) string { return list[i].ID })
}

func appendPage(dst []byte, n int, more bool, item func([]byte, int) []byte, id func(int) string) []byte {
	dst = append(dst, '{')
	dst = jsonedit.AppendText(dst, "object", "list")
	dst = append(jsonedit.AppendName(dst, "data"), '[')
	for i := range n {
		dst = item(jsonedit.AppendComma(dst), i)
	}
	dst = append(dst, ']')
	if n > 0 {
		dst = jsonedit.AppendText(dst, "first_id", id(0))
		dst = jsonedit.AppendText(dst, "last_id", id(n-1))
	}
	dst = jsonedit.AppendBool(dst, "has_more", more)
	return append(dst, '}')
}
