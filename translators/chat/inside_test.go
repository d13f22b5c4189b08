package chat_test

import (
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/workload"
)

func TestA200MayBeAnError(t *testing.T) {
	for body, want := range map[string]chat.Error{
		`{"error":{"message":"down","code":502,"metadata":{}}}`:                             {Status: 502, Type: "api_error", Code: "502", Message: "down"},
		`{"error":{"message":"slow down","code":429},"choices":[{"delta":{"content":""}}]}`: {Status: 429, Type: "rate_limit_error", Code: "429", Message: "slow down"},
		`{"error":{"message":"no","type":"server_error","code":"x","param":"p"}}`:           {Type: "server_error", Code: "x", Param: "p", Message: "no"},
		`{"error":"down"}`: {Message: "down"},
		`{"error":{}, "choices":[{"error":{"message":"down","code":503},"message":{"content":"Hel"}}]}`: {Status: 503, Type: "api_error", Code: "503", Message: "down"},
		`{"object":"error","message":"too long","type":"BadRequestError","code":400}`:                   {Status: 400, Type: "invalid_request_error", Code: "400", Message: "too long"},
		`{"code":"InternalError","message":"down","request_id":"r"}`:                                    {Code: "InternalError", Message: "down"},
		`{"detail":"down"}`: {Message: "down"},
		`{"error":{"code":"server_error","message":"slow down"},"id":"resp_1","model":"","object":"response","output":[],"status":"failed"}`: {Code: "server_error", Message: "slow down"},
		`{"choices":null,"base_resp":{"status_code":1002,"status_msg":"down"}}`:                                                              {Code: "1002", Message: "down"},
		`[{"error":{"code":503,"message":"down","status":"UNAVAILABLE"}}]`:                                                                   {Status: 503, Type: "api_error", Code: "503", Message: "down"},
		`{"errors":[{"message":"down","code":5007}],"success":false}`:                                                                        {Message: "down"},
		`{"error":{"message":"Provider returned error","metadata":{"raw":"{\"error\":\"down\"}"}}}`:                                          {Message: "Provider returned error: down"},
		`{"error":{"message":"down","metadata":{"raw":"down"}}}`:                                                                             {Message: "down"},
		`{"error":{"message":"down","metadata":{"raw":"<html>"}}}`:                                                                           {Message: "down"},
		`{"error":{"message":"down","metadata":{"raw":{"error":"x"}}}}`:                                                                      {Message: "down"},
		`{"error":{"code":500}}`: {Status: 500, Type: "api_error", Code: "500", Message: "the provider sent an error without a message"},
	} {
		if e := chat.ErrorInside([]byte(body)); e == nil || *e != want {
			t.Errorf("%s: got %+v, want %+v", body, e, want)
		}
	}
}

func TestAnswersAreNoErrors(t *testing.T) {
	for _, body := range []string{
		`{"choices":[{"message":{"content":"{\"error\":\"x\"}"}}],"error":null}`, `{"choices":[],"usage":{}}`, `{"choices":[{"error":null}],"error":""}`,
		`{"choices":[{"delta":{}}],"base_resp":{"status_code":0,"status_msg":""}}`, `{"choices":null,"base_resp":{"status_code":0}}`,
		`{"message":{"role":"assistant","content":"message"}}`, `{"error":false,"output":{}}`, `{"object":"response","status":"failed","error":{"message":"x"}}`,
		`{"object":"response","model":"m","status":"failed","error":{"message":"x"},"output":[]}`, `{"object":"response","model":"","status":"completed","error":null,"output":[]}`,
		`{"id":"x"}`, `[]`, `[{"id":"x"}]`, `[{"error":"x"},{}]`, `[[]]`, `{"errors":[]}`, `{"choices":[{}],"errors":["x"]}`, `null`, `text`, ``, `{"error":`,
	} {
		if e := chat.ErrorInside([]byte(body)); e != nil {
			t.Errorf("%s: got %+v", body, e)
		}
	}
}

func FuzzErrorInside(f *testing.F) {
	for _, body := range []string{`{"error":{"message":"x"}}`, `{"choices":[{"error":"x"}]}`, `{"choices":3,"base_resp":{"status_code":1}}`, `{"detail":"x"}`, `{"choices":[{]}`} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		defer workload.Linear(t, len(body))()
		if e := chat.ErrorInside([]byte(body)); e != nil && e.Message == "" {
			t.Errorf("%q: an error without a message", body)
		}
	})
}
