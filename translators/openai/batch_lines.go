package openai

import (
	"fmt"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// Translate returns the line's request as a body of op, a provider's chat. The
// model is the target's, whatever the line says. A hosted tool that op does not
// have is refused, as an answer in a file has no header that could name it. Errors
// are *chat.RequestError.
func (l *BatchLine) Translate(t *target.Target, op *provider.Operation) ([]byte, error) {
	if l.URL != "" && l.URL != "/v1/chat/completions" {
		return nil, &chat.RequestError{Field: "url", Message: fmt.Sprintf("%q: only /v1/chat/completions is translated in batches", l.URL)}
	}
	r, err := chat.ParseRequest(Chat, l.Body)
	if err != nil {
		return nil, err
	}
	r.Model, r.Stream = t.Model, false
	if left, err := op.Offer(t, r); err != nil {
		return nil, err
	} else if len(left) > 0 {
		return nil, &chat.RequestError{Field: "tools", Message: "the target runs no " + left[0] + " of its own: leave it out"}
	}
	return op.Chat.AppendRequest(nil, t, r)
}

// NeedLines returns the *chat.RequestError for a client that names a file where a provider has no
// files.
func (b *NewBatch) NeedLines() error {
	if len(b.Lines) > 0 {
		return nil
	}
	return &chat.RequestError{Field: "input_file_id", Message: "the provider has no input files: send the lines in `requests`, or as a data URL in input_file_id"}
}

// AppendBatchResult writes a line of an output file for a provider's answer,
// whose usage it adds to seen.
// https://platform.openai.com/docs/api-reference/batch/request-output
func AppendBatchResult(dst []byte, t *target.Target, up chat.Upstream, id string, answer []byte, meta chat.Meta, seen *chat.Seen) []byte {
	resp, err := up.ParseResponse(t, answer)
	if err != nil {
		return AppendBatchError(dst, id, &chat.Error{Status: 500, Type: chat.TypeOf(500), Message: err.Error()})
	}
	if !resp.NoUsage {
		seen.Usage.Add(&resp.Usage)
		seen.HasUsage = true
	}
	if resp.Model != "" {
		seen.Model = resp.Model
	}
	resp.Meta = meta
	body, err := Chat.AppendResponse(nil, resp)
	if err != nil {
		return AppendBatchError(dst, id, &chat.Error{Status: 500, Type: chat.TypeOf(500), Message: err.Error()})
	}
	dst = appendResultHead(dst, id)
	dst = append(append(append(dst, `"response":{"status_code":200,"request_id":"","body":`...), body...), `},"error":null}`...)
	return append(dst, '\n')
}

func appendResultHead(dst []byte, id string) []byte {
	dst = jsonedit.AppendString(append(dst, `{"id":`...), "batch_req_"+id)
	return append(jsonedit.AppendText(dst, "custom_id", id), ',')
}

// AppendBatchError writes a line for a request that failed.
func AppendBatchError(dst []byte, id string, e *chat.Error) []byte {
	dst = append(appendResultHead(dst, id), `"response":null,"error":{"code":`...)
	code := e.Code
	if code == "" {
		code = e.Type
	}
	dst = jsonedit.AppendString(append(jsonedit.AppendString(dst, code), `,"message":`...), e.Message)
	return append(dst, "}}\n"...)
}
