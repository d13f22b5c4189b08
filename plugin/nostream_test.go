package plugin

import (
	"strings"
	"testing"
)

func TestStreamIsRefusedWhereTheTargetCannotStream(t *testing.T) {
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
