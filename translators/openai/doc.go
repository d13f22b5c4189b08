// Package openai implements OpenAI's formats on both sides, and is the provider with
// them. On the client's side, start with Chat: parse.go reads requests, answer.go
// writes whole answers, stream.go writes chunks; meter.go reads usage from bytes that
// are forwarded. On the provider's side, start with Provider: operations.go holds the
// operations of OpenAI's API, also for providers that are compatible with it, and
// upstream.go writes requests.
//
// For what OpenAI's API has no member for, the package uses members that other
// APIs have established, in requests and in answers, so that a client that sends
// an answer back as history loses nothing:
//
//   - message.reasoning_content and delta.reasoning_content: the text of the
//     model's thinking (DeepSeek, vLLM). In requests "reasoning" is read too.
//   - message.thinking_blocks and delta.thinking_blocks: a list of
//     {"type":"thinking","thinking":"…","signature":"…"} and
//     {"type":"redacted_thinking","data":"…"}, as LiteLLM has it. It is written
//     where there is a signature or redacted data, each block whole, also in a
//     stream (after its text has come as reasoning_content): to rebuild the
//     message, append the blocks. In requests it wins over reasoning_content.
//   - tool_calls[].extra_content.google.thought_signature: the signature of a
//     call, as Google's OpenAI-compatible API has it, with the runs of Google's own
//     tools before it (signed_runs.go).
//   - message.images: [{"type":"image_url","image_url":{"url":"data:…"}}],
//     pictures in an answer, as OpenRouter has it; delta.images in a stream.
//   - usage.prompt_tokens_details.cache_write_tokens: tokens written to a cache.
//   - cache_control on messages' parts and on tools, as Anthropic has it.
package openai
