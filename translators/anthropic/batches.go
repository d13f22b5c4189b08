package anthropic

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// batches translates OpenAI's batches of chats to Message Batches, and batchFiles the
// output file of such a batch to its results. The requests are in the body; there are
// no input files.
// https://docs.anthropic.com/en/api/creating-message-batches
type (
	batches    struct{}
	batchFiles struct{}
)

const batchPath = "/v1/messages/batches"

// Request implements provider.Resource.
func (batches) Request(t *target.Target, c *provider.Call, _ chat.Meta) (*provider.Call, error) {
	id, rest := openai.SplitID(c.Path)
	switch {
	case id == "" && c.Method == http.MethodPost:
		body, err := appendBatch(t, c.Body)
		return &provider.Call{Method: http.MethodPost, Path: batchPath, Body: body}, err
	case id == "":
		query := url.Values{}
		if asked, err := url.ParseQuery(c.Query); err == nil {
			for name, to := range map[string]string{"limit": "limit", "after": "after_id"} {
				if v := asked.Get(name); v != "" {
					query.Set(to, v)
				}
			}
		}
		return &provider.Call{Method: http.MethodGet, Path: strings.TrimSuffix(batchPath+"?"+query.Encode(), "?")}, nil
	case rest == "" || rest == "/cancel":
		return &provider.Call{Method: c.Method, Path: batchPath + "/" + id + rest}, nil
	}
	return nil, openai.NoSuchCall(c)
}

func appendBatch(t *target.Target, client []byte) ([]byte, error) {
	b, err := openai.BatchOf(client)
	if err != nil {
		return nil, err
	}
	if err := b.NeedLines(); err != nil {
		return nil, err
	}
	body := []byte(`{"requests":[`)
	for i := range b.Lines {
		body = jsonedit.AppendComma(body)
		params, err := b.Lines[i].Translate(t, &provider.Operation{Chat: Messages, Hosts: hostsInBatches})
		if err != nil {
			return nil, err
		}
		body = jsonedit.AppendString(append(body, `{"custom_id":`...), b.Lines[i].ID)
		body = append(jsonedit.AppendRaw(body, "params", params), '}')
	}
	return append(body, "]}"...), nil
}

// hostsInBatches are the hosted tools that need no header, which a batch has for all of
// its lines.
func hostsInBatches(t *target.Target, r *chat.Request, tool *chat.Tool) bool {
	return tool.Server == nil && Hosts(t, r, tool)
}

// Answer implements provider.Resource.
func (batches) Answer(_ *target.Target, c *provider.Call, body []byte, meta chat.Meta, _ *chat.Seen) (*provider.Reply, error) {
	v, err := jsonedit.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: "failed to decode anthropic response"}
	}
	if c.Path == "" && c.Method == http.MethodGet {
		var list []openai.Batch
		for _, one := range v.GetArray("data") {
			list = append(list, batchOf(one, meta))
		}
		return &provider.Reply{Body: openai.AppendBatches(nil, list, v.GetBool("has_more"))}, nil
	}
	b := batchOf(v, meta)
	if b.ID == "" {
		return nil, &chat.ResponseError{Message: "'id' not in anthropic response"}
	}
	return &provider.Reply{Body: b.Append(nil)}, nil
}

// batchOf reads a batch. A batch that has ended is completed, even if requests
// failed; if all were cancelled or expired, the status says so.
func batchOf(v *jsonedit.Value, meta chat.Meta) openai.Batch {
	counts := func(name string) int { return v.GetInt("request_counts", name) }
	b := openai.Batch{
		ID: string(v.GetStringBytes("id")), Endpoint: "/v1/chat/completions", Model: meta.Model, Status: openai.BatchInProgress,
		Created: jsonedit.Unix(v, "created_at"), Expires: jsonedit.Unix(v, "expires_at"), Ended: jsonedit.Unix(v, "ended_at"),
		Completed: counts("succeeded"), Failed: counts("errored") + counts("expired") + counts("canceled"),
	}
	b.Total = counts("processing") + b.Completed + b.Failed
	switch string(v.GetStringBytes("processing_status")) {
	case "canceling":
		b.Status = openai.Cancelling
	case "ended":
		b.Status, b.Output = openai.BatchCompleted, b.ID
		if b.Total > 0 && counts("canceled") == b.Total {
			b.Status = openai.Cancelled
		} else if b.Total > 0 && counts("expired") == b.Total {
			b.Status = openai.Expired
		}
	}
	return b
}

// Request implements provider.Resource.
func (batchFiles) Request(_ *target.Target, c *provider.Call, _ chat.Meta) (*provider.Call, error) {
	id, rest := openai.SplitID(c.Path)
	if c.Method != http.MethodGet || rest != "/content" {
		return nil, openai.NoSuchCall(c)
	}
	return &provider.Call{Method: http.MethodGet, Path: batchPath + "/" + id + "/results"}, nil
}

// Answer implements provider.Resource: results become the lines of an output file.
// https://docs.anthropic.com/en/api/retrieving-message-batch-results
func (batchFiles) Answer(t *target.Target, _ *provider.Call, body []byte, meta chat.Meta, seen *chat.Seen) (*provider.Reply, error) {
	var out []byte
	for line := range bytes.Lines(body) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		id, _ := jsonedit.String(jsonedit.Lookup(line, "custom_id"))
		result := jsonedit.Lookup(line, "result")
		if message := jsonedit.Lookup(result, "message"); message != nil {
			out = openai.AppendBatchResult(out, t, Messages, id, message, meta, seen)
			continue
		}
		e := chat.ErrorFrom(http.StatusInternalServerError, jsonedit.Lookup(result, "error"))
		if kind, _ := jsonedit.String(jsonedit.Lookup(result, "type")); kind != "errored" {
			e = &chat.Error{Code: kind, Message: "the request is " + kind}
		}
		out = openai.AppendBatchError(out, id, e)
	}
	return &provider.Reply{Body: out, ContentType: "application/jsonl"}, nil
}

// readBatchResult adds the usage of a batch's result to seen.
// https://platform.claude.com/docs/en/build-with-claude/batch-processing#retrieving-batch-results
func readBatchResult(line []byte, seen *chat.Seen) {
	message := jsonedit.Lookup(line, "result", "message")
	if message == nil {
		return
	}
	var one chat.Seen
	Meter.Whole(message, &one)
	if one.HasUsage {
		seen.HasUsage, seen.Model = true, one.Model
		seen.Usage.ServiceTier = one.Usage.ServiceTier
		seen.Usage.Add(&one.Usage)
	}
}

// routes are the operations other than chat.
var routes = map[route.Type]*provider.Operation{
	route.Batches: {Path: provider.Path(batchPath), Format: provider.AnthropicBatches, Resource: batches{}, NoStream: true},
	route.Files:   {Path: provider.Path(batchPath), Format: provider.AnthropicBatches, Resource: batchFiles{}, NoStream: true},
}
