package bedrock

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

// batches translates OpenAI's batches to model invocation jobs. Input and output are
// in the user's own S3 buckets, in the model's format. A file's id is an S3 URI, and
// a batch's id is the job's ARN.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_CreateModelInvocationJob.html
type batches struct{}

const batchPrefix = "batch_"

// Request implements provider.Resource.
func (batches) Request(t *target.Target, c *provider.Call, meta chat.Meta) (*provider.Call, error) {
	id, rest := openai.SplitID(c.Path)
	if id == "" && c.Method == http.MethodPost {
		body, err := appendJob(t, c.Body, meta.ID)
		return &provider.Call{Method: http.MethodPost, Path: "/model-invocation-job", Body: body}, err
	}
	if id == "" && c.Method == http.MethodGet {
		query := url.Values{"sortBy": {"CreationTime"}, "sortOrder": {"Descending"}}
		if asked, err := url.ParseQuery(c.Query); err == nil && asked.Get("limit") != "" {
			query.Set("maxResults", asked.Get("limit"))
		}
		return &provider.Call{Method: http.MethodGet, Path: "/model-invocation-jobs?" + query.Encode()}, nil
	}
	arn, err := arnOf(batchPrefix, id, "model-invocation-job/")
	switch {
	case err != nil:
		return nil, err
	case c.Method == http.MethodGet && rest == "":
		return &provider.Call{Method: http.MethodGet, Path: "/model-invocation-job/" + escape(arn)}, nil
	case c.Method == http.MethodPost && rest == "/cancel":
		return &provider.Call{Method: http.MethodPost, Path: "/model-invocation-job/" + escape(arn) + "/stop"}, nil
	}
	return nil, openai.NoSuchCall(c)
}

// appendJob writes a job's body. The role and the place of the output are configured,
// or in members of the client's body with Amazon's names.
func appendJob(t *target.Target, client []byte, unique string) ([]byte, error) {
	b, err := openai.BatchOf(client)
	if err != nil {
		return nil, err
	}
	o := &t.Options.Bedrock
	prefix := strings.TrimSuffix(o.BatchBucketPrefix, "/")
	input := b.Input
	if prefix != "" && !strings.HasPrefix(input, "s3://") {
		input = prefix + "/" + strings.TrimPrefix(input, "/")
	}
	if !strings.HasPrefix(input, "s3://") || strings.Contains(input, "..") {
		return nil, &chat.RequestError{Field: "input_file_id", Message: "must be an S3 URI, or a name below options.bedrock.batch_bucket_prefix"}
	}
	role, output := o.BatchRoleARN, ""
	if role == "" {
		role, _ = jsonedit.String(jsonedit.Find(b.Members, "roleArn"))
	}
	if role == "" {
		return nil, &chat.RequestError{Field: "roleArn", Message: "must be set, or options.bedrock.batch_role_arn"}
	}
	if output, _ = jsonedit.String(jsonedit.Find(b.Members, "output_s3_uri")); output == "" {
		output = input[:strings.LastIndexByte(input, '/')+1]
		if prefix != "" {
			output = prefix + "/output/"
		}
	}
	name, _ := jsonedit.String(jsonedit.Find(b.Members, "jobName"))
	if name == "" {
		name, _ = jsonedit.String(jsonedit.Lookup(b.Metadata, "job_name"))
	}
	if name == "" {
		name = "batch-" + unique
	}
	body := jsonedit.AppendText(jsonedit.AppendText([]byte{'{'}, "jobName", name), "modelId", t.Model)
	body = append(jsonedit.AppendText(append(jsonedit.AppendText(body, "roleArn", role), `,"inputDataConfig":{"s3InputDataConfig":{`...), "s3Uri", input), "}}"...)
	body = append(jsonedit.AppendText(append(body, `,"outputDataConfig":{"s3OutputDataConfig":{`...), "s3Uri", output), "}}"...)
	return append(body, '}'), nil
}

// Answer implements provider.Resource.
func (batches) Answer(_ *target.Target, c *provider.Call, body []byte, meta chat.Meta, _ *chat.Seen) (*provider.Reply, error) {
	id, rest := openai.SplitID(c.Path)
	if rest == "/cancel" { // Amazon's answer is empty
		b := openai.Batch{ID: id, Status: openai.Cancelling, Model: meta.Model, Created: meta.Created}
		return &provider.Reply{Body: b.Append(nil)}, nil
	}
	v, err := jsonedit.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: "failed to decode bedrock response"}
	}
	if id == "" && c.Method == http.MethodGet {
		var list []openai.Batch
		for _, job := range v.GetArray("invocationJobSummaries") {
			list = append(list, batchOf(job))
		}
		return &provider.Reply{Body: openai.AppendBatches(nil, list, v.Exists("nextToken"))}, nil
	}
	if v.GetString("jobArn") == "" {
		return nil, &chat.ResponseError{Message: "'jobArn' not in bedrock response"}
	}
	b := batchOf(v)
	if id == "" {
		b.Status, b.Created, b.Model = openai.Validating, meta.Created, meta.Model
		if asked, err := openai.BatchOf(c.Body); err == nil {
			b.Input, b.Endpoint, b.Metadata = asked.Input, asked.Endpoint, asked.Metadata
		}
	}
	return &provider.Reply{Body: b.Append(nil)}, nil
}

// jobStates maps Amazon's states to OpenAI's.
var jobStates = map[string]string{
	"Submitted": openai.Validating, "Validating": openai.Validating, "Scheduled": openai.BatchInProgress, "InProgress": openai.BatchInProgress,
	"Completed": openai.BatchCompleted, "PartiallyCompleted": openai.BatchCompleted, "Failed": openai.BatchFailed,
	"Stopping": openai.Cancelling, "Stopped": openai.Cancelled, "Expired": openai.Expired,
}

// batchOf reads a job.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_GetModelInvocationJob.html
func batchOf(v *jsonedit.Value) openai.Batch {
	arn := v.GetString("jobArn")
	b := openai.Batch{
		ID: openai.NameID(batchPrefix, arn), Model: v.GetString("modelId"), Status: jobStates[v.GetString("status")], Message: "",
		Input:   v.GetString("inputDataConfig", "s3InputDataConfig", "s3Uri"),
		Created: jsonedit.Unix(v, "submitTime"), Ended: jsonedit.Unix(v, "endTime"), Expires: jsonedit.Unix(v, "jobExpirationTime"),
		Total: v.GetInt("totalRecordCount"), Completed: v.GetInt("successRecordCount"), Failed: v.GetInt("errorRecordCount"),
	}
	if b.Status == "" {
		b.Status = openai.BatchInProgress
	}
	if b.Status == openai.BatchFailed {
		b.Message = v.GetString("message")
		if b.Message == "" {
			b.Message = "the job failed"
		}
	}
	if output := v.GetString("outputDataConfig", "s3OutputDataConfig", "s3Uri"); b.Status == openai.BatchCompleted && output != "" {
		b.Output = strings.TrimSuffix(output, "/") + "/" + arn[strings.LastIndexByte(arn, '/')+1:] + "/"
	}
	return b
}
