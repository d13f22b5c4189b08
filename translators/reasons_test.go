package translators

import (
	"slices"
	"testing"

	"go-ai-proxy/translators/chat"
)

// refusals are errors as providers answer them.
var refusals = []struct {
	provider string
	status   int // 0: in a stream
	body     string
	want     chat.Reason
}{
	{"openai", 429, `{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`, chat.Quota},
	{"openai", 429, `{"error":{"message":"Rate limit reached for gpt-4o in organization org-x on requests per min (RPM): Limit 3.","type":"requests","code":"rate_limit_exceeded"}}`, ""},
	{"openai", 400, `{"error":{"message":"Billing hard limit has been reached","type":"invalid_request_error","code":"billing_hard_limit_reached"}}`, chat.Quota},
	{"openai", 429, `{"error":{"message":"Your account is not active, please check your billing details on our website.","type":"billing_not_active","code":"billing_not_active"}}`, chat.Quota},
	{"openai", 401, `{"error":{"message":"Incorrect API key provided: sk-x.","type":"invalid_request_error","code":"invalid_api_key"}}`, chat.Auth},
	{"openai", 0, `{"error":{"message":"x","type":"invalid_request_error","code":"invalid_api_key"}}`, chat.Auth},
	{"openai", 400, `{"error":{"message":"This account has been deactivated.","code":"account_deactivated"}}`, chat.Auth},
	{"openai", 404, `{"error":{"message":"The model 'gpt-9' does not exist or you do not have access to it.","type":"invalid_request_error","code":"model_not_found"}}`, chat.InvalidModel},
	{"openai", 403, `{"error":{"message":"Project p does not have access to model m","code":"model_not_found"}}`, chat.InvalidModel},
	{"openai", 400, `{"error":{"message":"x","code":"content_filter"}}`, chat.Filtered},
	{"openai", 400, `{"error":{"message":"The model 'text-davinci-003' has been deprecated, learn more here: …","type":"invalid_request_error"}}`, chat.InvalidModel},
	{"openai", 400, `{"error":{"message":"Your request was rejected as a result of our safety system.","code":"content_policy_violation"}}`, chat.Filtered},
	{"openai", 400, `{"error":{"message":"Your request was rejected by the safety system.","code":"moderation_blocked"}}`, chat.Filtered},
	{"openai", 400, `{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy.","code":"invalid_prompt"}}`, chat.Filtered},
	{"openai", 400, `{"error":{"message":"Invalid prompt: it cannot be parsed.","code":"invalid_prompt"}}`, ""},
	{"openai", 400, `{"error":{"message":"This model's maximum context length is 128000 tokens.","code":"context_length_exceeded"}}`, chat.ContextLength},
	{"openai", 503, `{"error":{"message":"That model is currently overloaded with other requests.","type":"server_error"}}`, chat.Overloaded},
	{"openai", 0, `{"error":{"message":"That model is currently overloaded with other requests.","type":"server_error"}}`, chat.Overloaded},
	{"openai", 0, `{"type":"error","error":{"type":"service_unavailable_error","code":"server_is_overloaded","message":"Our servers are busy."}}`, chat.Overloaded},
	{"openai", 503, `{"error":{"code":"slow_down","message":"x"}}`, chat.Overloaded},
	{"openai", 429, `{"error":{"code":"slow_down","message":"x"}}`, ""},
	{"openai", 500, `{"error":{"message":"The server had an error while processing your request"}}`, ""},

	{"azure", 400, `{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}`, chat.Filtered},
	{"azure", 400, `{"error":{"message":"The response was filtered due to the prompt triggering our content management policy."}}`, chat.Filtered},
	{"azure", 400, `{"error":{"message":"x","code":"ResponsibleAIPolicyViolation"}}`, chat.Filtered},
	{"azure", 404, `{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}`, chat.InvalidModel},
	{"azure", 400, `{"error":{"code":"OperationNotSupported","message":"The chatCompletion operation does not work with the specified model."}}`, chat.InvalidModel},
	{"azure", 410, `{"error":{"code":"ModelDeprecated","message":"The model of the deployment has been retired."}}`, chat.InvalidModel},
	{"azure", 401, `{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}}`, chat.Auth},
	{"azure", 403, `{"error":{"code":"403","message":"Out of call volume quota. Quota will be replenished in 3 days."}}`, chat.Quota},
	{"azure", 429, `{"error":{"code":"429","message":"The system is experiencing high demand and cannot process your request."}}`, chat.Overloaded},

	{"anthropic", 529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, chat.Overloaded},
	{"anthropic", 0, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, chat.Overloaded},
	{"anthropic", 401, `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`, chat.Auth},
	{"anthropic", 0, `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`, chat.Auth},
	{"anthropic", 403, `{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."}}`, chat.Auth},
	{"anthropic", 0, `{"type":"error","error":{"type":"permission_error","message":"x"}}`, chat.Auth},
	{"anthropic", 0, `{"type":"error","error":{"type":"billing_error","message":"x"}}`, chat.Quota},
	{"anthropic", 402, `{"type":"error","error":{"type":"billing_error","message":"There is an issue with your billing."}}`, chat.Quota},
	{"anthropic", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}`, chat.Quota},
	{"anthropic", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-12-01."}}`, chat.Quota},
	{"anthropic", 404, `{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}`, chat.InvalidModel},
	{"anthropic", 404, `{"type":"error","error":{"type":"not_found_error","message":"message batch not found"}}`, ""},
	{"anthropic", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}`, chat.Filtered},
	{"anthropic", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}`, chat.ContextLength},
	{"anthropic", 429, `{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your account's rate limit."}}`, ""},

	{"sagemaker", 400, `{"Code":"ValidationError","Message":"Endpoint nope of account 123456789012 not found."}`, chat.InvalidModel},
	{"sagemaker", 429, `{"ErrorCode":"ModelNotReadyException","Message":"Please retry."}`, chat.Overloaded},

	{"bedrock", 400, `{"message":"The provided model identifier is invalid."}`, chat.InvalidModel},
	{"bedrock", 403, `{"message":"You don't have access to the model with the specified model ID."}`, chat.InvalidModel},
	{"bedrock", 400, `{"message":"Invocation of model ID x with on-demand throughput isn’t supported."}`, chat.InvalidModel},
	{"bedrock", 404, `{"message":"Could not resolve the foundation model from the model identifier."}`, chat.InvalidModel},
	{"bedrock", 404, `{"message":"This model version has reached the end of its life."}`, chat.InvalidModel},
	{"bedrock", 403, `{"message":"The security token included in the request is invalid."}`, chat.Auth},
	{"bedrock", 429, `{"message":"Model is not ready for inference."}`, chat.Overloaded},
	{"bedrock", 0, `{"__type":"serviceUnavailableException","message":"x"}`, chat.Overloaded},
	{"bedrock", 429, `{"message":"Too many tokens per day, please wait before trying again."}`, chat.Quota},
	{"bedrock", 400, `{"message":"Your request exceeds the service quota for your account."}`, chat.Quota},
	{"bedrock", 400, `{"message":"The request was blocked by our content filters."}`, chat.Filtered},
	{"bedrock", 429, `{"message":"Too many requests, please wait before trying again."}`, ""},

	{"gemini", 400, `{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}`, chat.Auth},
	{"gemini", 400, `{"error":{"code":400,"message":"API key expired. Please renew the API key.","status":"INVALID_ARGUMENT"}}`, chat.Auth},
	{"gemini", 429, `{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED"}}`, chat.Quota},
	{"gemini", 400, `{"error":{"code":400,"message":"Gemini API free tier is not available in your country. Please enable billing on your project.","status":"FAILED_PRECONDITION"}}`, chat.Quota},
	{"gemini", 403, `{"error":{"code":403,"message":"This API method requires billing to be enabled.","status":"PERMISSION_DENIED"}}`, chat.Quota},
	{"gemini", 429, `{"error":{"code":429,"message":"Resource exhausted. Please try again later.","status":"RESOURCE_EXHAUSTED"}}`, chat.Overloaded},
	{"gemini", 503, `{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}`, chat.Overloaded},
	{"gemini", 0, `{"error":{"message":"x","status":"UNAVAILABLE"}}`, chat.Overloaded},
	{"gemini", 404, `{"error":{"code":404,"message":"models/gemini-9 is not found for API version v1beta.","status":"NOT_FOUND"}}`, chat.InvalidModel},
	{"gemini", 404, `{"error":{"code":404,"message":"Publisher Model projects/p/locations/l/publishers/google/models/m was not found.","status":"NOT_FOUND"}}`, chat.InvalidModel},
	{"gemini", 400, `{"error":{"code":400,"message":"The prompt could not be submitted. It contains words that violated Google's Responsible AI practices.","status":"INVALID_ARGUMENT"}}`, chat.Filtered},

	{"cohere", 401, `{"message":"invalid api token"}`, chat.Auth},
	{"cohere", 429, `{"message":"You are using a Trial key, which is limited to 1000 API calls / month."}`, chat.Quota},
	{"cohere", 429, `{"message":"You are using a Trial key, which is limited to 40 API calls / minute."}`, ""},
	{"cohere", 404, `{"message":"model 'command-x' not found, make sure the correct model ID was used"}`, chat.InvalidModel},
	{"cohere", 404, `{"message":"model 'command-r-03-2024' was removed on September 15, 2025."}`, chat.InvalidModel},
	{"cohere", 498, `{"message":"invalid input: blocked"}`, chat.Filtered},

	{"mistral", 400, `{"object":"error","message":"Invalid model: mistral-9","type":"invalid_model","code":"1500"}`, chat.InvalidModel},
	{"mistral", 429, `{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","code":"3505"}`, chat.Overloaded},
	{"mistral", 401, `{"detail":"Unauthorized"}`, chat.Auth},

	{"huggingface", 402, `{"error":"You have exceeded your monthly included credits for Inference Providers."}`, chat.Quota},
	{"huggingface", 400, `{"error":{"message":"The requested model 'x' is not supported by any provider you have enabled.","type":"invalid_request_error","code":"model_not_supported"}}`, chat.InvalidModel},
	{"huggingface", 400, `{"error":"Model org/x does not exist"}`, chat.InvalidModel},
	{"huggingface", 429, `{"error":"Model is overloaded","error_type":"overloaded"}`, chat.Overloaded},
	{"huggingface", 503, `{"error":"Model org/x is currently loading","estimated_time":20.0}`, chat.Overloaded},

	{"ollama", 404, `{"error":"model 'x' not found"}`, chat.InvalidModel},
	{"ollama", 503, `{"error":"server busy, please try again. maximum pending requests exceeded"}`, chat.Overloaded},
	{"llama2", 404, `{"error":"model 'x' not found"}`, chat.InvalidModel},
	{"vllm", 404, `{"object":"error","message":"The model x does not exist.","type":"NotFoundError","code":404}`, chat.InvalidModel},
	{"cerebras", 404, `{"message":"Model x does not exist or you do not have access to it.","type":"not_found_error","code":"model_not_found"}`, chat.InvalidModel},

	{"dashscope", 400, `{"error":{"code":"Arrearage","message":"Access denied, please make sure your account is in good standing.","type":"Arrearage"}}`, chat.Quota},
	{"dashscope", 403, `{"error":{"code":"AllocationQuota.FreeTierOnly","message":"The free tier of the model has been exhausted."}}`, chat.Quota},
	{"dashscope", 404, `{"error":{"code":"ModelNotFound","message":"Model can not be found."}}`, chat.InvalidModel},
	{"dashscope", 400, `{"error":{"code":"model_not_supported","message":"Unsupported model."}}`, chat.InvalidModel},
	{"dashscope", 400, `{"code":"InvalidApiKey","message":"Invalid API-key provided."}`, chat.Auth},
	{"dashscope", 400, `{"error":{"code":"data_inspection_failed","message":"Input data may contain inappropriate content."}}`, chat.Filtered},
	{"dashscope", 400, `{"code":"DataInspectionFailed","message":"Output data may contain inappropriate content."}`, chat.Filtered},
	{"dashscope", 429, `{"error":{"code":"insufficient_quota","message":"You exceeded your tokens per minute.","type":"insufficient_quota"}}`, ""},

	{"xai", 400, `{"code":"Client specified an invalid argument","error":"Incorrect API key provided: na***ys. You can obtain an API key from https://console.x.ai."}`, chat.Auth},
	{"xai", 403, `{"code":"x","error":"Your newly created team doesn't have any credits or licenses yet."}`, chat.Quota},
	{"xai", 403, `{"code":"x","error":"You have run out of credits or need a Grok subscription."}`, chat.Quota},
	{"xai", 429, `{"code":"x","error":"Your team t has either used all available credits or reached its monthly spending limit."}`, chat.Quota},
	{"xai", 403, `{"code":"x","error":"Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_CSAM"}`, chat.Filtered},

	{"deepseek", 402, `{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}`, chat.Quota},
	{"deepseek", 400, `{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}`, chat.InvalidModel},
	{"deepseek", 400, `{"error":{"message":"Content Exists Risk","type":"invalid_request_error"}}`, chat.Filtered},

	{"openrouter", 403, `{"error":{"code":403,"message":"Input was flagged","metadata":{"reasons":["violence"]}}}`, chat.Filtered},
	{"openrouter", 403, `{"error":{"code":403,"message":"m requires moderation on p. Your input was refused"}}`, chat.Filtered},
	{"openrouter", 404, `{"error":{"code":404,"message":"No endpoints found for org/m."}}`, chat.InvalidModel},
	{"openrouter", 400, `{"error":{"code":400,"message":"org/m is not a valid model ID"}}`, chat.InvalidModel},
	{"openrouter", 402, `{"error":{"code":402,"message":"Insufficient credits"}}`, chat.Quota},

	{"databricks", 404, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"The given endpoint does not exist, please retry after checking."}`, chat.InvalidModel},
	{"databricks", 404, `{"error_code":"ENDPOINT_NOT_FOUND","message":"x"}`, chat.InvalidModel},
	{"databricks", 500, `{"error_code":"TEMPORARILY_UNAVAILABLE","message":"x"}`, chat.Overloaded},
}

func TestReasonsAreKnownByEachProvidersErrors(t *testing.T) {
	for _, c := range refusals {
		e := chat.ErrorFrom(c.status, []byte(c.body))
		if got := Lookup(c.provider).Reasons.Of(e); got != c.want {
			t.Errorf("%s, %d %s:\n%q, want %q", c.provider, c.status, c.body, got, c.want)
		}
	}
}

// TestEveryRowOfReasonsIsNeeded: without any row some error would not be known, and
// each row names its document.
func TestEveryRowOfReasonsIsNeeded(t *testing.T) {
	for _, p := range Providers {
		if p.Reasons == nil {
			t.Errorf("%s has none", p.Name)
		}
		for i, row := range p.Reasons {
			if row.Document == "" || row.Status == 0 && row.Name == "" && row.Words == nil || row.Reason != "" && !slices.Contains(chat.AllReasons, row.Reason) {
				t.Errorf("%s: %+v", p.Name, row)
			}
			needed := false
			for _, c := range refusals {
				with := Lookup(c.provider)
				at := slices.IndexFunc(with.Reasons, func(r chat.ReasonRow) bool { return same(r, row) })
				if at < 0 {
					continue
				}
				e := chat.ErrorFrom(c.status, []byte(c.body))
				without := slices.Delete(slices.Clone(with.Reasons), at, at+1)
				needed = needed || with.Reasons.Of(e) == c.want && without.Of(e) != c.want
			}
			if !needed {
				t.Errorf("%s: no error needs row %d: %+v", p.Name, i+1, row)
			}
		}
	}
}

func same(a, b chat.ReasonRow) bool {
	return a.Reason == b.Reason && a.Status == b.Status && a.Name == b.Name && slices.Equal(a.Words, b.Words)
}
