package openai

import (
	"unicode/utf8"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// appendAnnotations writes a message's annotations, if there are any. This API knows
// pages only: SDKs refuse an answer with another annotation.
// https://platform.openai.com/docs/api-reference/chat/object
func appendAnnotations(dst []byte, list []chat.Citation) []byte {
	any := false
	for i := range list {
		if list[i].URL == "" {
			continue
		}
		if !any {
			any, dst = true, append(jsonedit.AppendName(dst, "annotations"), '[')
		}
		dst = appendAnnotation(jsonedit.AppendComma(dst), &list[i])
	}
	if any {
		dst = append(dst, ']')
	}
	return dst
}

func appendAnnotation(dst []byte, c *chat.Citation) []byte {
	dst = jsonedit.AppendInt(append(dst, `{"type":"url_citation","url_citation":{`...), "start_index", c.Start)
	dst = jsonedit.AppendText(jsonedit.AppendInt(dst, "end_index", c.End), "url", c.URL)
	return append(jsonedit.AppendText(dst, "title", c.Title), "}}"...)
}

// appendOutputAnnotation writes an annotation of the API of responses. from is where the
// text that it stands in begins in the answer.
// https://platform.openai.com/docs/api-reference/responses/object
func appendOutputAnnotation(dst []byte, c *chat.Citation, from int) []byte {
	if c.URL == "" {
		dst = jsonedit.AppendText(append(dst, `{"type":"file_citation"`...), "file_id", c.FileID)
		return append(jsonedit.AppendInt(jsonedit.AppendText(dst, "filename", c.Title), "index", max(c.End-from, 0)), '}')
	}
	dst = jsonedit.AppendInt(append(dst, `{"type":"url_citation"`...), "start_index", max(c.Start-from, 0))
	dst = jsonedit.AppendText(jsonedit.AppendInt(dst, "end_index", max(c.End-from, 0)), "url", c.URL)
	return append(jsonedit.AppendText(dst, "title", c.Title), '}')
}

// characters is how many a message has of the answer's text.
func (it *item) characters() int {
	if it.refused {
		return 0
	}
	return utf8.RuneCount(it.text)
}

// cite writes a citation into the message that is open; without one it waits.
func (e *responsesEncoder) cite(dst []byte, c *chat.Citation) []byte {
	it := e.response.last(messageItem)
	if it == nil || it.refused {
		e.response.waiting = append(e.response.waiting, c)
		return dst
	}
	dst = jsonedit.AppendInt(e.of(dst, "response.output_text.annotation.added", it), "content_index", 0)
	dst = jsonedit.AppendInt(dst, "annotation_index", len(it.cites))
	it.cites = append(it.cites, c)
	return closeEvent(appendOutputAnnotation(jsonedit.AppendName(dst, "annotation"), c, it.from))
}

// readSources adds the sources of an answer: the annotations of a message or a delta m,
// and the lists that Perplexity and xAI have beside the choices.
// https://docs.perplexity.ai/api-reference/chat-completions-post
// https://docs.x.ai/docs/guides/live-search
func readSources(l *chat.Citations, answer, m *jsonedit.Value) (added []chat.Citation) {
	before := len(l.List)
	for _, a := range m.GetArray("annotations") {
		if c := a.Get("url_citation"); c != nil {
			l.Add(chat.Citation{URL: c.GetString("url"), Title: c.GetString("title"), Start: max(c.GetInt("start_index"), 0), End: max(c.GetInt("end_index"), 0)})
		}
	}
	results := answer.GetArray("search_results")
	for i, v := range answer.GetArray("citations") {
		c := chat.Citation{URL: string(v.GetStringBytes())}
		if i < len(results) && results[i].GetString("url") == c.URL {
			c.Title = results[i].GetString("title")
		}
		l.Add(c)
	}
	return l.List[before:]
}
