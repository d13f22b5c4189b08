package huggingface

import (
	"math"
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

type generate struct{}

// natives lists parameters that the internal form has no field for.
var natives = []string{"adapter_id", "grammar", "repetition_penalty", "truncate", "typical_p", "watermark"}

// AppendRequest implements chat.Upstream. The text of all messages, as
// paragraphs, is what the model goes on with: roles belong to a chat template,
// which is the server's business on its other path.
func (generate) AppendRequest(dst []byte, t *target.Target, r *chat.Request) ([]byte, error) {
	if len(r.Tools) > 0 {
		return nil, &chat.RequestError{Field: "tools", Message: "text generation has none: use the chat route"}
	}
	inputs, err := chat.Prompt(r.Messages)
	if err != nil {
		return nil, err
	}
	dst = jsonedit.AppendString(append(dst, `{"inputs":`...), inputs)
	dst = append(dst, `,"parameters":{`...)
	dst = append(appendParameters(dst, r), '}')
	dst = appendOptions(dst, t)
	dst = jsonedit.AppendBool(dst, "stream", r.Stream)
	dst = jsonedit.AppendOptional(dst, "model", t.Model)
	return append(dst, '}'), nil
}

// appendParameters writes the parameters that TGI accepts: a temperature above 0, a
// top_p between 0 and 1, a top_k above 0. Values outside mean "not given" and are
// left out. Details bring usage and the finish reason.
// https://github.com/huggingface/text-generation-inference/blob/main/router/src/validation.rs
func appendParameters(dst []byte, r *chat.Request) []byte {
	full := jsonedit.IsTrue(r.Lookup("echo"))
	dst = strconv.AppendBool(append(dst, `"details":true,"return_full_text":`...), full)
	dst = appendNumber(dst, "max_new_tokens", r.MaxTokens, 0, math.Inf(1))
	if f, ok := r.Temperature.Float(); ok && f > 0 {
		dst = appendNumber(dst, "temperature", r.Temperature, 0, math.Inf(1))
		dst = append(dst, `,"do_sample":true`...) // with a temperature of 1 it would be greedy otherwise
	}
	dst = appendNumber(dst, "top_p", r.TopP, 0, 1)
	dst = appendNumber(dst, "top_k", r.TopK, 0, math.Inf(1))
	dst = appendNumber(dst, "frequency_penalty", r.FrequencyPenalty, math.Inf(-1), math.Inf(1))
	dst = appendNumber(dst, "seed", r.Seed, -1, math.Inf(1))
	dst = jsonedit.AppendTexts(dst, "stop", r.Stop)
	for _, name := range natives {
		dst = jsonedit.AppendRaw(dst, name, r.Lookup(name))
	}
	return dst
}

// appendNumber writes a number that is between low and high, both excluded.
func appendNumber(dst []byte, name string, n chat.Number, low, high float64) []byte {
	if f, ok := n.Float(); !ok || f <= low || f >= high {
		return dst
	}
	return jsonedit.AppendRaw(dst, name, n)
}

// appendOptions writes the options of the inference API, which a TGI server ignores.
func appendOptions(dst []byte, t *target.Target) []byte {
	if t.Options == nil || t.Options.Huggingface == (target.Huggingface{}) {
		return dst
	}
	dst = append(dst, `,"options":{`...)
	for _, o := range [...]struct {
		name  string
		value *bool
	}{{"use_cache", t.Options.Huggingface.UseCache}, {"wait_for_model", t.Options.Huggingface.WaitForModel}} {
		if o.value != nil {
			dst = jsonedit.AppendBool(dst, o.name, *o.value)
		}
	}
	return append(dst, '}')
}

// finishReasons maps finish_reason.
var finishReasons = chat.FinishReasons{
	"eos_token":     chat.Stop,
	"stop_sequence": chat.Stop,
	"stop":          chat.Stop,
	"length":        chat.Length,
}

// ParseResponse implements chat.Upstream. The answer is an object, or a list
// of one. Only a stream counts the prompt's tokens, unless the client asked for
// decoder_input_details in extra_body.
func (generate) ParseResponse(t *target.Target, body []byte) (*chat.Response, error) {
	v, err := parse(body)
	if err != nil {
		return nil, err
	}
	generated := v.GetStringBytes("generated_text")
	if generated == nil {
		return nil, invalid()
	}
	details := v.Get("details")
	c := chat.Choice{
		Parts:  []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain(string(generated))}},
		Finish: finishReasons.Of(details.GetStringBytes("finish_reason")),
	}
	// Kong answers so on completions, too: clients of it may look here.
	if t.Route == route.Completions {
		message := jsonedit.AppendBytes([]byte(`{"role":"assistant","content":`), generated)
		c.Extra = []chat.Member{{Name: "message", Value: append(message, '}')}}
	}
	r := &chat.Response{Choices: []chat.Choice{c}}
	prompt, completion := readUsage(&r.Usage, details)
	r.NoUsage = !prompt || !completion
	if r.NoUsage {
		r.UsageText = usageUnknown // usage without the prompt would be wrong
	}
	return r, nil
}

var usageUnknown = chat.Raw("null")

// parse reads the JSON of a 200, which may be an error.
func parse(body []byte) (*jsonedit.Value, error) {
	v, err := jsonedit.Parse(body)
	if err != nil {
		return nil, invalid()
	}
	if list := v.GetArray(); len(list) > 0 && list[0].Type() == jsonedit.TypeObject {
		v = list[0]
	}
	if v.Type() == jsonedit.TypeObject && !v.Exists("generated_text") {
		if m := message(v); m != "" {
			return nil, &chat.ResponseError{Message: "API error: " + m}
		}
	}
	return v, nil
}

// noAnswer returns the error for a 200 without an answer, of chat, too.
func noAnswer(body []byte) error {
	if _, err := parse(body); err != nil {
		return err
	}
	return invalid()
}

// message returns the text of an error answer, in `error` or `message`.
func message(v *jsonedit.Value) string {
	for _, keys := range [...][]string{{"error"}, {"error", "message"}, {"message"}} {
		if s := v.GetStringBytes(keys...); len(s) > 0 {
			return string(s)
		}
	}
	if list := v.GetArray("error"); len(list) > 0 {
		return string(list[0].GetStringBytes())
	}
	return ""
}

func invalid() error { return &chat.ResponseError{Message: "Invalid response format"} }

// readUsage reads the counters of details and reports which there are. The prompt's
// tokens are counted in a stream, and listed if the client asked for them.
func readUsage(u *chat.Usage, details *jsonedit.Value) (prompt, completion bool) {
	prompt = chat.Counter(&u.Prompt, details.Get("input_length"))
	if n := len(details.GetArray("prefill")); !prompt && n > 0 {
		u.Prompt, prompt = n, true
	}
	return prompt, chat.Counter(&u.Completion, details.Get("generated_tokens"))
}
