package plugin

import (
	"strings"
	"testing"
)

// A model goes by several names in the bodies of providers.
func TestModelOfExtraBodyIsHeldWhateverItIsCalled(t *testing.T) {
	for member, status := range map[string]int{
		`"model":"evil"`: 400, `"modelId":"evil"`: 400, `"model_id":"evil"`: 400, `"MODEL":"evil"`: 400, `"ModelID":"evil"`: 400,
		`"modelId":"gpt-4o"`: 200, `"model_id":"gpt-4o"`: 200, `"other_model":"evil"`: 200,
	} {
		b := newBench(t, chatConf, answer)
		resp, body := b.post(strings.TrimSuffix(hello, "}") + `,"extra_body":{` + member + `}}`)
		if resp.StatusCode != status || status == 400 && !strings.Contains(body, "cannot use own model - must be: gpt-4o") {
			t.Errorf("%s: %d %s", member, resp.StatusCode, body)
			continue
		}
		if status == 400 {
			continue
		}
		_, sent := b.asked()
		if kept := strings.Contains(sent, member); kept != strings.Contains(member, "other") || strings.Contains(sent, "extra_body") {
			t.Errorf("%s: sent %s", member, sent)
		}
	}
}

func TestOptionsThatAreSetAreKeptFromExtraBody(t *testing.T) {
	set := strings.Replace(chatConf, `"options":{`, `"options":{"max_tokens":5,"top_k":3,`, 1)
	for member, kept := range map[string]bool{
		`"max_tokens":9`: false, `"maxOutputTokens":9`: false, `"num_predict":9`: false, `"k":9`: false, `"top_k":9`: false,
		`"temperature":9`: true, `"top_p":9`: true, `"p":9`: true, `"nested":{"max_tokens":9}`: false, `"nested":{"temperature":9}`: true,
	} {
		b := newBench(t, set, answer)
		if resp, body := b.post(strings.TrimSuffix(hello, "}") + `,"extra_body":{` + member + `}}`); resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", member, resp.StatusCode, body)
			continue
		}
		if _, sent := b.asked(); strings.Contains(sent, "9") != kept {
			t.Errorf("%s: sent %s", member, sent)
		}
	}
}

func TestStreamsOfWhatCannotStreamAreRefused(t *testing.T) {
	for _, route := range []string{"image/v1/images/generations", "image/v1/images/edits"} {
		for stream, status := range map[string]int{`true`: 400, `false`: 200} {
			b := newBench(t, routeConf(route, "gemini", "m", ""), answering(`{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]}`)).elsewhere()
			resp, body := b.send("POST", "/i", asJSON, `{"prompt":"x","images":[{"image_url":"data:image/png;base64,AAAA"}],"stream":`+stream+`}`)
			if resp.StatusCode != status || status == 400 && (!strings.Contains(body, "cannot stream: send the request without stream") || len(b.upstreamBodies()) > 0) {
				t.Errorf("%s, stream %s: %d %s", route, stream, resp.StatusCode, body)
			}
		}
	}
}
