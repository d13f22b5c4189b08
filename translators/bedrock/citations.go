package bedrock

import (
	"cmp"
	"net/url"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// citation reads a citation of a block: of a page, a document or a search result.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html
func citation(v *jsonedit.Value) chat.Citation {
	return chat.Citation{
		URL: v.GetString("location", "web", "url"), Title: cmp.Or(v.GetString("title"), v.GetString("location", "web", "domain")),
		FileID: v.GetString("source"), Quote: textsOf(v.GetArray("sourceContent")),
	}
}

// appendCitation writes a source as a citation of a block. Where in a document it
// stands is only known to the provider that read the document.
func appendCitation(dst []byte, c *chat.Citation) []byte {
	dst = jsonedit.AppendOptional(append(dst, '{'), "title", c.Title)
	dst = jsonedit.AppendOptional(dst, "source", c.FileID)
	if c.Quote != "" {
		dst = append(jsonedit.AppendText(append(jsonedit.AppendName(dst, "sourceContent"), "[{"...), "text", c.Quote), "}]"...)
	}
	if c.URL != "" {
		dst = jsonedit.AppendText(append(jsonedit.AppendName(dst, "location"), `{"web":{`...), "url", c.URL)
		if u, err := url.Parse(c.URL); err == nil {
			dst = jsonedit.AppendOptional(dst, "domain", u.Hostname())
		}
		dst = append(dst, "}}"...)
	}
	return append(dst, '}')
}

// appendCitedText writes a block of text with its sources.
func appendCitedText(dst []byte, text jsonedit.Text, list []chat.Citation) []byte {
	if len(list) == 0 {
		return append(text.AppendMember(append(jsonedit.AppendComma(dst), '{'), "text"), '}')
	}
	dst = append(text.AppendMember(append(jsonedit.AppendComma(dst), `{"citationsContent":{"content":[{`...), "text"), `}],"citations":[`...)
	for i := range list {
		dst = appendCitation(jsonedit.AppendComma(dst), &list[i])
	}
	return append(dst, "]}}"...)
}
