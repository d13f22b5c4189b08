package anthropic

import (
	"cmp"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// citation reads a citation of a block.
// https://platform.claude.com/docs/en/build-with-claude/citations
func citation(v *jsonedit.Value) chat.Citation {
	c := chat.Citation{URL: v.GetString("url"), Title: v.GetString("title"), Quote: v.GetString("cited_text"), FileID: v.GetString("file_id")}
	if c.Title == "" {
		c.Title = v.GetString("document_title")
	}
	if source := v.GetString("source"); strings.HasPrefix(source, "http") { // search_result_location
		c.URL = source
	} else if source != "" {
		c.FileID = source
	}
	return c
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
