package gemini

import (
	"bytes"
	"net/http"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// publicBatches translates OpenAI's batches of chats to those of the public API: of
// requests in the body, or of a file of Google's in its own format ("files/abc").
// publicFiles returns the answers of a batch as an output file.
// https://ai.google.dev/gemini-api/docs/batch-api
type (
	publicBatches struct{}
	publicFiles   struct{}
)

// Request implements provider.Resource.
func (publicBatches) Request(t *target.Target, c *provider.Call, meta chat.Meta) (*provider.Call, error) {
	id, _ := openai.SplitID(c.Path)
	switch {
	case id == "" && c.Method == http.MethodPost:
		path, err := publicModel(":batchGenerateContent")(t, false)
		if err != nil {
			return nil, err
		}
		body, err := appendBatch(t, c.Body, meta.ID)
		return &provider.Call{Method: http.MethodPost, Path: path, Body: body}, err
	case id == "":
		return &provider.Call{Method: http.MethodGet, Path: "/v1beta/batches"}, nil
	}
	return aboutBatch(c, "/v1beta/batches")
}

// aboutBatch returns the call about one of the batches at path.
func aboutBatch(c *provider.Call, path string) (*provider.Call, error) {
	id, rest := openai.SplitID(c.Path)
	path += "/" + strings.TrimPrefix(id, batchPrefix)
	switch rest {
	case "":
		return &provider.Call{Method: http.MethodGet, Path: path}, nil
	case "/cancel":
		return &provider.Call{Method: http.MethodPost, Path: path + ":cancel"}, nil
	}
	return nil, openai.NoSuchCall(c)
}

// batchPrefix makes ids look like OpenAI's.
const batchPrefix = "batch_"

func appendBatch(t *target.Target, client []byte, unique string) ([]byte, error) {
	b, err := openai.BatchOf(client)
	if err != nil {
		return nil, err
	}
	body := jsonedit.AppendText([]byte(`{"batch":{`), "displayName", "batch-"+unique)
	if strings.HasPrefix(b.Input, "files/") {
		return append(jsonedit.AppendText(append(body, `,"inputConfig":{`...), "fileName", b.Input), "}}}"...), nil
	}
	if err := b.NeedLines(); err != nil {
		return nil, err
	}
	body = append(body, `,"inputConfig":{"requests":{"requests":[`...)
	for i := range b.Lines {
		request, err := b.Lines[i].Translate(t, &provider.Operation{Chat: Generate, Hosts: hosts})
		if err != nil {
			return nil, err
		}
		body = jsonedit.AppendRaw(append(jsonedit.AppendComma(body), '{'), "request", request)
		body = append(jsonedit.AppendText(append(body, `,"metadata":{`...), "key", b.Lines[i].ID), "}}"...)
	}
	return append(body, "]}}}}"...), nil
}

// Answer implements provider.Resource.
func (publicBatches) Answer(_ *target.Target, c *provider.Call, body []byte, meta chat.Meta, _ *chat.Seen) (*provider.Reply, error) {
	return batchReply(c, body, meta, "operations", publicBatchOf)
}

// batchReply returns the answer about a batch, which read reads, or about a page of
// batches, which are in Google's member name.
func batchReply(c *provider.Call, body []byte, meta chat.Meta, name string, read func(*jsonedit.Value) openai.Batch) (*provider.Reply, error) {
	id, rest := openai.SplitID(c.Path)
	if rest == "/cancel" { // Google's answer is empty
		b := openai.Batch{ID: id, Status: openai.Cancelling, Created: meta.Created}
		return &provider.Reply{Body: b.Append(nil)}, nil
	}
	v, err := jsonedit.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: "failed to decode gemini response"}
	}
	if c.Path == "" && c.Method == http.MethodGet {
		var list []openai.Batch
		for _, one := range v.GetArray(name) {
			list = append(list, read(one))
		}
		return &provider.Reply{Body: openai.AppendBatches(nil, list, v.Exists("nextPageToken"))}, nil
	}
	b := read(v)
	if b.ID == batchPrefix {
		return nil, &chat.ResponseError{Message: "'name' not in gemini response"}
	}
	return &provider.Reply{Body: b.Append(nil)}, nil
}

// publicBatchOf reads a batch's operation.
func publicBatchOf(v *jsonedit.Value) openai.Batch {
	m := v.Get("metadata")
	if m == nil {
		m = v
	}
	name := strings.TrimPrefix(string(v.GetStringBytes("name")), "batches/")
	b := openai.Batch{
		ID: batchPrefix + name, Endpoint: "/v1/chat/completions", Status: batchState(string(m.GetStringBytes("state"))),
		Model:   strings.TrimPrefix(string(m.GetStringBytes("model")), "models/"),
		Created: jsonedit.Unix(m, "createTime"), Ended: jsonedit.Unix(m, "endTime"),
		Total: counter(m, "batchStats", "requestCount"), Completed: counter(m, "batchStats", "successfulRequestCount"), Failed: counter(m, "batchStats", "failedRequestCount"),
	}
	if e := v.Get("error"); e != nil {
		b.Status, b.Message = openai.BatchFailed, string(e.GetStringBytes("message"))
	}
	if b.Status == openai.BatchCompleted {
		b.Output = b.ID
		if file := first(m, "output").GetStringBytes("responsesFile"); len(file) > 0 {
			b.Output = "file-" + strings.TrimPrefix(string(file), "files/")
		}
	}
	return b
}

// batchState returns OpenAI's name for a state of either API.
func batchState(state string) string {
	_, state, _ = strings.Cut(state, "STATE_")
	switch state {
	case "PENDING", "QUEUED":
		return openai.Validating
	case "SUCCEEDED", "PARTIALLY_SUCCEEDED":
		return openai.BatchCompleted
	case "FAILED":
		return openai.BatchFailed
	case "CANCELLING":
		return openai.Cancelling
	case "CANCELLED":
		return openai.Cancelled
	case "EXPIRED":
		return openai.Expired
	}
	return openai.BatchInProgress
}

// counter reads a 64-bit number, which Google writes as a string.
func counter(v *jsonedit.Value, path ...string) int {
	m := v.Get(path...)
	if m == nil {
		return 0
	}
	n, _ := openai.Number(m.Raw())
	return n
}

// Request implements provider.Resource.
func (publicFiles) Request(_ *target.Target, c *provider.Call, _ chat.Meta) (*provider.Call, error) {
	id, rest := openai.SplitID(c.Path)
	if c.Method != http.MethodGet || rest != "/content" {
		return nil, openai.NoSuchCall(c)
	}
	if name, ok := strings.CutPrefix(id, "file-"); ok {
		return &provider.Call{Method: http.MethodGet, Path: "/download/v1beta/files/" + name + ":download?alt=media"}, nil
	}
	return &provider.Call{Method: http.MethodGet, Path: "/v1beta/batches/" + strings.TrimPrefix(id, batchPrefix)}, nil
}

// Answer implements provider.Resource: answers become the lines of an output file.
func (publicFiles) Answer(t *target.Target, c *provider.Call, body []byte, meta chat.Meta, seen *chat.Seen) (*provider.Reply, error) {
	var out []byte
	add := func(one []byte, id string) {
		if answer := jsonedit.Lookup(one, "response"); answer != nil {
			out = openai.AppendBatchResult(out, t, Generate, id, answer, meta, seen)
			return
		}
		out = openai.AppendBatchError(out, id, chat.ErrorFrom(http.StatusInternalServerError, one))
	}
	if strings.HasPrefix(c.Path, "/file-") {
		for line := range bytes.Lines(body) {
			if len(bytes.TrimSpace(line)) > 0 {
				id, _ := jsonedit.String(jsonedit.Lookup(line, "key"))
				add(line, id)
			}
		}
		return &provider.Reply{Body: out, ContentType: "application/jsonl"}, nil
	}
	list := jsonedit.Lookup(body, "metadata", "output", "inlinedResponses", "inlinedResponses")
	if list == nil {
		list = jsonedit.Lookup(body, "response", "inlinedResponses", "inlinedResponses")
	}
	answers, err := jsonedit.Array(list, nil)
	if err != nil {
		return nil, &chat.Error{Status: http.StatusNotFound, Type: chat.TypeOf(http.StatusNotFound), Message: "the batch has no output yet"}
	}
	for _, one := range answers {
		id, _ := jsonedit.String(jsonedit.Lookup(one, "metadata", "key"))
		add(one, id)
	}
	return &provider.Reply{Body: out, ContentType: "application/jsonl"}, nil
}
