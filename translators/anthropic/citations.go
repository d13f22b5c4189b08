package anthropic

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// citing follows the text of an answer and the citations of its blocks: a block of
// text is what its citations stand for.
// https://platform.claude.com/docs/en/build-with-claude/citations
type citing struct {
	chars   int // said so far
	from    int // where the block began
	pending []chat.Citation
	list    chat.Citations
}

func (c *citing) said(text []byte) { c.chars += utf8.RuneCount(text) }

func (c *citing) begin() { c.from, c.pending = c.chars, c.pending[:0] }

// cite notes a citation of the block that has begun.
func (c *citing) cite(v *jsonedit.Value) {
	n := chat.Citation{URL: text(v, "url"), Title: text(v, "title"), Quote: text(v, "cited_text"), FileID: text(v, "file_id")}
	if n.Title == "" {
		n.Title = text(v, "document_title")
	}
	if source := text(v, "source"); strings.HasPrefix(source, "http") { // search_result_location
		n.URL = source
	} else if source != "" {
		n.FileID = source
	}
	c.pending = append(c.pending, n)
}

// end ends the block, and returns the citations that it adds.
func (c *citing) end() []chat.Citation {
	before := len(c.list.List)
	for _, n := range c.pending {
		n.Start, n.End = c.from, c.chars
		c.list.Add(n)
	}
	c.pending = c.pending[:0]
	return c.list.List[before:]
}

// appendCitation writes a source as the citation of a block. What Anthropic's own have
// besides, an index that only Anthropic can read, is empty: by that ownCitations knows
// it in the history.
func appendCitation(dst []byte, c *chat.Citation) []byte {
	if c.URL == "" {
		dst = jsonedit.AppendText(append(dst, `{"type":"search_result_location"`...), "source", cmp.Or(c.FileID, c.Title))
		dst = jsonedit.AppendText(jsonedit.AppendText(dst, "title", c.Title), "cited_text", c.Quote)
		return append(dst, `,"search_result_index":0,"start_block_index":0,"end_block_index":0,"encrypted_index":""}`...)
	}
	dst = jsonedit.AppendText(append(dst, `{"type":"web_search_result_location"`...), "url", c.URL)
	dst = jsonedit.AppendText(jsonedit.AppendText(dst, "title", c.Title), "cited_text", c.Quote)
	return append(dst, `,"encrypted_index":""}`...)
}

// appendCitedText writes a block of text with its sources.
func appendCitedText(dst []byte, text jsonedit.Text, list []chat.Citation) []byte {
	dst = appendTextBlock(dst, text, nil)
	if len(list) == 0 {
		return dst
	}
	dst = append(jsonedit.AppendName(dst[:len(dst)-1], "citations"), '[')
	for i := range list {
		dst = appendCitation(jsonedit.AppendComma(dst), &list[i])
	}
	return append(dst, ']', '}')
}

// ownCitations returns a block of text without the citations that appendCitation wrote:
// Claude refuses them.
func ownCitations(block []byte) []byte {
	list := jsonedit.Lookup(block, "citations")
	if list == nil {
		return block
	}
	own := jsonedit.Each(list, func(c []byte) []byte {
		if string(jsonedit.Lookup(c, "encrypted_index")) == `""` {
			return nil
		}
		return c
	})
	if len(jsonedit.Elements(own, nil)) == 0 {
		own = nil
	}
	return jsonedit.With(block, "citations", own)
}
