package cohere

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// citing follows the text of an answer and collects what its citations say. Cohere
// counts characters from where a block of content begins.
// https://docs.cohere.com/v2/docs/rag-citations
type citing struct {
	chat.Citations
	chars  int   // of text so far
	starts []int // where each block of content begins; -1 for one that is not text
}

// begin begins a block of content.
func (c *citing) begin(index int, isText bool) {
	for index >= len(c.starts) && len(c.starts) < most {
		c.starts = append(c.starts, -1)
	}
	if isText && index >= 0 && index < len(c.starts) && c.starts[index] < 0 {
		c.starts[index] = c.chars
	}
}

func (c *citing) say(text []byte) { c.chars += utf8.RuneCount(text) }

// start is where the text begins in which a citation stands, and whether the client
// gets that text.
func (c *citing) start(v *jsonedit.Value) (at int, said bool) {
	switch v.GetString("type") {
	case "PLAN":
		return 0, true
	case "THINKING_CONTENT":
		return 0, false
	}
	if i := v.GetInt("content_index"); i >= 0 && i < len(c.starts) && c.starts[i] >= 0 {
		return c.starts[i], true
	}
	for _, at := range c.starts {
		if at >= 0 {
			return at, true
		}
	}
	return 0, true
}

// cite reads one or several citations, and returns the sources that they add. The
// documents are those of version 1, which names them by their ids.
func (c *citing) cite(v *jsonedit.Value, documents []*jsonedit.Value) []chat.Citation {
	before := len(c.List)
	list := v.GetArray()
	if v != nil && v.Type() == jsonedit.TypeObject {
		list = []*jsonedit.Value{v}
	}
	for _, one := range list {
		at, said := c.start(one)
		if !said {
			continue
		}
		add := func(n chat.Citation) {
			n.Start, n.End = at+max(one.GetInt("start"), 0), at+max(one.GetInt("end"), 0)
			c.Add(n)
		}
		for _, s := range one.GetArray("sources") {
			add(source(s.GetString("id"), s.Get(cmp.Or(map[string]string{"tool": "tool_output"}[s.GetString("type")], "document"))))
		}
		for _, id := range one.GetArray("document_ids") {
			add(sourceCalled(string(id.GetStringBytes()), documents))
		}
	}
	return c.List[before:]
}

// source is a document, or what a tool has returned, called id.
func source(id string, v *jsonedit.Value) chat.Citation {
	c := chat.Citation{FileID: id, Title: v.GetString("title"), Quote: cmp.Or(v.GetString("snippet"), v.GetString("text"))}
	if url := v.GetString("url"); strings.HasPrefix(url, "http") {
		c.URL = url
	}
	return c
}

func sourceCalled(id string, documents []*jsonedit.Value) chat.Citation {
	for _, d := range documents {
		if d.GetString("id") == id {
			return source(id, d)
		}
	}
	return chat.Citation{FileID: id}
}
