package gemini

import (
	"net/http"
	"net/url"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// batchJobs translates OpenAI's batches to Vertex AI's batch prediction jobs.
// Input and output are in Cloud Storage, in the format of the model: a file's id
// is a gs:// URI.
// https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.batchPredictionJobs
type batchJobs struct{}

// Request implements provider.Resource.
func (batchJobs) Request(t *target.Target, c *provider.Call, meta chat.Meta) (*provider.Call, error) {
	path, err := below("/batchPredictionJobs")(t, false)
	if err != nil {
		return nil, err
	}
	id, _ := openai.SplitID(c.Path)
	switch {
	case id == "" && c.Method == http.MethodPost:
		body, err := appendBatchJob(t, c.Body, meta.ID)
		return &provider.Call{Method: http.MethodPost, Path: path, Body: body}, err
	case id == "":
		if asked, err := url.ParseQuery(c.Query); err == nil && asked.Get("limit") != "" {
			path += "?pageSize=" + url.QueryEscape(asked.Get("limit"))
		}
		return &provider.Call{Method: http.MethodGet, Path: path}, nil
	}
	return aboutBatch(c, path)
}

// appendBatchJob writes a job's body. The output goes to the client's output_gcs_uri,
// or to the folder of the input.
func appendBatchJob(t *target.Target, client []byte, unique string) ([]byte, error) {
	b, err := openai.BatchOf(client)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(b.Input, "gs://") {
		return nil, &chat.RequestError{Field: "input_file_id", Message: "must be a URI of Cloud Storage, such as gs://bucket/input.jsonl"}
	}
	output, _ := jsonedit.String(jsonedit.Find(b.Members, "output_gcs_uri"))
	if output == "" {
		output = b.Input[:strings.LastIndexByte(b.Input, '/')]
	}
	model := "publishers/google/models/" + strings.TrimPrefix(t.Model, "publishers/google/models/")
	body := jsonedit.AppendText(jsonedit.AppendText([]byte{'{'}, "displayName", "batch-"+unique), "model", model)
	body = append(jsonedit.AppendString(append(body, `,"inputConfig":{"instancesFormat":"jsonl","gcsSource":{"uris":[`...), b.Input), "]}}"...)
	body = append(jsonedit.AppendText(append(body, `,"outputConfig":{"predictionsFormat":"jsonl","gcsDestination":{`...), "outputUriPrefix", output), "}}"...)
	return append(body, '}'), nil
}

// Answer implements provider.Resource.
func (batchJobs) Answer(_ *target.Target, c *provider.Call, body []byte, meta chat.Meta, _ *chat.Seen) (*provider.Reply, error) {
	return batchReply(c, body, meta, "batchPredictionJobs", func(v *jsonedit.Value) openai.Batch {
		b := jobOf(v)
		if c.Method == http.MethodPost {
			if asked, err := openai.BatchOf(c.Body); err == nil {
				b.Endpoint, b.Metadata = asked.Endpoint, asked.Metadata
			}
		}
		return b
	})
}

func jobOf(v *jsonedit.Value) openai.Batch {
	name, model := string(v.GetStringBytes("name")), string(v.GetStringBytes("model"))
	b := openai.Batch{
		ID: batchPrefix + name[strings.LastIndexByte(name, '/')+1:], Status: batchState(string(v.GetStringBytes("state"))),
		Model: model[strings.LastIndexByte(model, '/')+1:], Input: string(v.GetStringBytes("inputConfig", "gcsSource", "uris", "0")),
		Created: jsonedit.Unix(v, "createTime"), Ended: jsonedit.Unix(v, "endTime"),
		Completed: counter(v, "completionStats", "successfulCount"), Failed: counter(v, "completionStats", "failedCount"),
	}
	b.Total = b.Completed + b.Failed + counter(v, "completionStats", "incompleteCount")
	if b.Status == openai.BatchFailed {
		b.Message = string(v.GetStringBytes("error", "message"))
	}
	if b.Status == openai.BatchCompleted {
		b.Output = string(v.GetStringBytes("outputInfo", "gcsOutputDirectory"))
	}
	return b
}
