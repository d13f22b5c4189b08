package plugin

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// long is a text of about so many tokens.
func longText(tokens int) string { return strings.Repeat("word", tokens) }

func TestPromptCacheIsAskedForWhereTheClientDoesNot(t *testing.T) {
	openAI := func(more string) string {
		return fmt.Sprintf(`{%s"tools":[{"type":"function","function":{"name":"a","description":%q}},{"type":"function","function":{"name":"b"}}],
		"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"one"},{"role":"assistant","content":"1"},{"role":"user","content":"two"},{"role":"assistant","content":"2"},{"role":"user","content":"three"}]}`, more, longText(1200))
	}
	claude := func(more string) string {
		return fmt.Sprintf(`{%s"model":"m","max_tokens":5,"system":%q,"tools":[{"name":"a","input_schema":{"type":"object"}}],
		"messages":[{"role":"user","content":"one"},{"role":"assistant","content":"1"},{"role":"user","content":[{"type":"text","text":"two"}]}]}`, more, longText(1200))
	}
	converse := fmt.Sprintf(`{"system":[{"text":%q}],"toolConfig":{"tools":[{"toolSpec":{"name":"a","inputSchema":{"json":{}}}}]},"messages":[{"role":"user","content":[{"text":"one"}]}]}`, longText(1200))
	const (
		toAnthropic = `"provider":"anthropic","name":"claude-sonnet-4-5","options":{"upstream_url":"$UP/v1/messages"}`
		toOpus      = `"provider":"anthropic","name":"claude-opus-4-5","options":{"upstream_url":"$UP/v1/messages"}`
		toNova      = `"provider":"bedrock","name":"amazon.nova-pro-v1:0","options":{"upstream_url":"$UP/","bedrock":{"aws_region":"us-east-1"}}`
		toBedrock   = `"provider":"bedrock","name":"anthropic.claude-sonnet-4-5-20250929-v1:0","options":{"upstream_url":"$UP/","bedrock":{"aws_region":"us-east-1"}}`
		toOld       = `"provider":"bedrock","name":"anthropic.claude-sonnet-4-20250514-v1:0","options":{"upstream_url":"$UP/","bedrock":{"aws_region":"us-east-1"}}`
		toOpenAI    = `"provider":"openai","name":"gpt-5.1","options":{"upstream_url":"$UP/v1/chat/completions"}`
		mini        = `"provider":"openai","name":"gpt-4o-mini","options":{"upstream_url":"$UP/v1/chat/completions"}`
	)
	for _, c := range []struct {
		name, format, cache, target, body string
		marks                             int
		state                             any
		has, not                          []string
	}{
		{"off", "openai", ``, toAnthropic, openAI(""), 0, nil, nil, []string{"cache_control"}},
		{"tools, system and two turns", "openai", `"cache":{"auto":true},`, toAnthropic, openAI(""), 4, "added",
			[]string{`"input_schema":{"type":"object","properties":{}},"cache_control":{"type":"ephemeral"}}]`, `"be brief","cache_control":{"type":"ephemeral"}`, `"two","cache_control":{"type":"ephemeral"}`, `"three","cache_control":{"type":"ephemeral"}`},
			[]string{`"one","cache_control"`, `"1h"`}},
		{"for an hour", "openai", `"cache":{"auto":true,"ttl":"1h"},`, toAnthropic, openAI(""), 4, "added", []string{`"three","cache_control":{"type":"ephemeral","ttl":"1h"}`}, nil},
		{"OpenAI's day is Claude's hour", "openai", `"cache":{"auto":true},`, toAnthropic, openAI(`"prompt_cache_retention":"24h",`), 4, "added", []string{`"ttl":"1h"`}, nil},
		{"OpenAI's memory is five minutes", "openai", `"cache":{"auto":true,"ttl":"1h"},`, toAnthropic, openAI(`"prompt_cache_retention":"in_memory",`), 4, "added", nil, []string{`"ttl"`}},
		{"too short for the configuration", "openai", `"cache":{"auto":true,"min_tokens":5000},`, toAnthropic, openAI(""), 0, "short", nil, []string{"cache_control"}},
		{"too short for the model", "openai", `"cache":{"auto":true},`, toOpus, openAI(""), 0, "short", nil, []string{"cache_control"}},
		{"the client has marks", "openai", `"cache":{"auto":true},`, toAnthropic, strings.Replace(openAI(""), `"content":"one"`, `"content":[{"type":"text","text":"one","cache_control":{"type":"ephemeral"}}]`, 1), 0, "client",
			[]string{`"one","cache_control"`}, []string{`"three","cache_control"`}},
		{"Converse, Claude", "openai", `"cache":{"auto":true,"ttl":"1h"},`, toBedrock, openAI(""), 4, "added", []string{`{"text":"three"},{"cachePoint":{"type":"default","ttl":"1h"}}`}, nil},
		{"Converse, an older Claude", "openai", `"cache":{"auto":true,"ttl":"1h"},`, toOld, openAI(""), 4, "added", []string{`{"text":"three"},{"cachePoint":{"type":"default"}}`}, []string{`"1h"`}},
		{"Nova has none behind tools", "openai", `"cache":{"auto":true,"ttl":"1h"},`, toNova, openAI(""), 3, "added", []string{`{"text":"three"},{"cachePoint":{"type":"default"}}`, `{"text":"be brief"},{"cachePoint":{"type":"default"}}`}, []string{`"1h"`}},
		{"Claude's own format", "anthropic", `"cache":{"auto":true},`, toAnthropic, claude(""), 3, "added", []string{`wordword","cache_control":{"type":"ephemeral"}}]`, `[{"type":"text","text":"one","cache_control"`, `"two","cache_control"`}, []string{`"object"},"cache_control"`}},
		{"Claude's own format, with marks", "anthropic", `"cache":{"auto":true},`, toAnthropic, claude(`"cache_control":{"type":"ephemeral"},`), 0, "client", nil, []string{`"two","cache_control"`}},
		{"InvokeModel", "anthropic", `"cache":{"auto":true},`, toBedrock, claude(""), 3, "added", []string{`"two","cache_control":{"type":"ephemeral"}`}, nil},
		{"Converse's own format", "bedrock", `"cache":{"auto":true},`, toBedrock, converse, 2, "added", []string{`word"},{"cachePoint":{"type":"default"}}]`, `{"text":"one"},{"cachePoint":{"type":"default"}}]`}, nil},
		{"a key of OpenAI's, for a user", "anthropic", `"cache":{"auto":true},`, toOpenAI, claude(`"metadata":{"user_id":"CANARY-USER"},`), 0, "added", []string{`"prompt_cache_key":"`}, []string{"prompt_cache_retention", `"prompt_cache_key":"CANARY`}},
		{"Claude's hour is OpenAI's day", "anthropic", `"cache":{"auto":true},`, toOpenAI, claude(`"cache_control":{"type":"ephemeral","ttl":"1h"},`), 0, "added", []string{`"prompt_cache_retention":"24h"`}, []string{"prompt_cache_key"}},
		{"a model that refuses a day", "anthropic", `"cache":{"auto":true,"ttl":"1h"},`, mini, claude(""), 0, nil, nil, []string{"prompt_cache"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := fmt.Sprintf(`{%s"llm_format":%q,"max_request_body_size":0,"targets":[{"route_type":"llm/v1/chat","logging":{"log_statistics":true},
				"auth":{"aws_access_key_id":"a","aws_secret_access_key":"s","header_name":"x-api-key","header_value":"k"},"model":{"model_alias":"m",%s}}]}`, c.cache, c.format, c.target)
			b := newBench(t, conf, answer)
			path := map[string]string{"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "bedrock": "/model/m/converse"}[c.format]
			b.send("POST", path, "application/json", c.body)
			rec := b.record()
			bodies := b.upstreamBodies()
			if len(bodies) != 1 || !json.Valid([]byte(bodies[0])) {
				t.Fatalf("bodies %q, record %v", bodies, rec)
			}
			body := bodies[0]
			short := strings.ReplaceAll(body, longText(1150), "…")
			for _, text := range c.has {
				if !strings.Contains(body, text) {
					t.Errorf("has no %s: %s", text, short)
				}
			}
			for _, text := range c.not {
				if strings.Contains(body, text) {
					t.Errorf("has %s: %s", text, short)
				}
			}
			if n := strings.Count(body, `"cache_control":`) + strings.Count(body, `"cachePoint":`); c.state == "added" && n != c.marks {
				t.Errorf("%d marks, want %d: %s", n, c.marks, short)
			}
			marks, _ := at(rec, "meta.prompt_cache_marks").(float64)
			if at(rec, "meta.prompt_cache") != c.state || int(marks) != c.marks {
				t.Errorf("record %v, %v marks, want %v, %d", at(rec, "meta.prompt_cache"), marks, c.state, c.marks)
			}
		})
	}
}

func TestCacheWithoutAnyTargetThatHasOneGetsAWarning(t *testing.T) {
	for target, want := range map[string]int{
		`"provider":"anthropic","name":"claude-sonnet-4-5"`: 0, `"provider":"openai","name":"gpt-5"`: 0,
		`"provider":"mistral","name":"mistral-large","options":{"mistral_format":"openai"}`: 1,
	} {
		b := newBench(t, fmt.Sprintf(`{"cache":{"auto":true},"route_type":"llm/v1/chat","model":{%s}}`, target), answer)
		n := 0
		for _, w := range b.instance.Warnings() {
			if w.Field == "config.cache.auto" {
				n++
			}
		}
		if n != want {
			t.Errorf("%s: %d warnings, want %d", target, n, want)
		}
	}
}
