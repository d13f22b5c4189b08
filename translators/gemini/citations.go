package gemini

import (
	"sort"
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// grounding reads the sources of a candidate's text out of its groundingMetadata.
// Its places are counted in bytes.
// https://ai.google.dev/api/generate-content#GroundingMetadata
type grounding struct {
	text  chat.Cited
	parts []int // where each part begins in text; none in a stream
	list  chat.Citations
}

// add adds the text of a part of a whole answer.
func (g *grounding) add(p *chat.Part) {
	g.parts = append(g.parts, g.text.Bytes())
	if p.Kind == chat.Text {
		g.text.Write([]byte(p.Text.String()))
	}
}

// read returns the citations that a metadata adds. Chunks that no support names are
// sources of all of the text.
func (g *grounding) read(metadata *jsonedit.Value) []chat.Citation {
	before := len(g.list.List)
	chunks := metadata.GetArray("groundingChunks")
	named := make([]bool, len(chunks))
	for _, s := range metadata.GetArray("groundingSupports") {
		segment := s.Get("segment")
		from := 0
		if n := segment.GetInt("partIndex"); n > 0 && n < len(g.parts) {
			from = g.parts[n]
		}
		start := g.text.Character(from + segment.GetInt("startIndex"))
		end := g.text.Character(from + segment.GetInt("endIndex"))
		for _, i := range s.GetArray("groundingChunkIndices") {
			if n := i.GetInt(); n >= 0 && n < len(chunks) && end >= start {
				c := source(chunks[n])
				c.Start, c.End = start, end
				g.list.Add(c)
				named[n] = true
			}
		}
	}
	for i, chunk := range chunks {
		if !named[i] {
			g.list.Add(source(chunk))
		}
	}
	return g.list.List[before:]
}

// source reads a chunk: a page, a place on the map, or a document that was retrieved.
func source(chunk *jsonedit.Value) chat.Citation {
	for _, kind := range [...]string{"web", "maps", "retrievedContext"} {
		if v := chunk.Get(kind); v != nil {
			return chat.Citation{URL: string(v.GetStringBytes("uri")), Title: string(v.GetStringBytes("title")), Quote: string(v.GetStringBytes("text"))}
		}
	}
	return chat.Citation{}
}

// sources are what the citations of an answer stand in, to be written.
type sources struct {
	list  []chat.Citation
	text  chat.Cited
	parts []textPart // of a whole answer: places are counted in each
	runs  []*chat.Run
}

// textPart is a part of text: its number among all parts, and where it begins in the
// text, in bytes.
type textPart struct{ index, from int }

// add adds the text of a part of a whole answer.
func (s *sources) add(p *chat.Part, index int) {
	if p.Kind == chat.Text && len(s.list) > 0 {
		s.parts = append(s.parts, textPart{index, s.text.Bytes()})
		s.text.Write([]byte(p.Text.String()))
	}
}

// append writes the members groundingMetadata and urlContextMetadata.
func (s *sources) append(dst []byte) []byte {
	dst = s.appendPages(dst)
	before := len(dst)
	dst = append(jsonedit.AppendName(dst, "groundingMetadata"), '{')
	if empty := len(dst); len(s.list) == 0 {
		if dst = s.appendQueries(dst); len(dst) == empty {
			return dst[:before]
		}
		return append(dst, '}')
	}
	dst = append(jsonedit.AppendName(s.appendQueries(dst), "groundingChunks"), '[')
	for i := range s.list {
		kind := `{"web":{`
		if s.list[i].URL == "" {
			kind = `{"retrievedContext":{`
		}
		dst = jsonedit.AppendOptional(append(jsonedit.AppendComma(dst), kind...), "uri", s.list[i].URL)
		dst = append(jsonedit.AppendText(dst, "title", s.list[i].Title), "}}"...)
	}
	dst = append(dst, `],"groundingSupports":[`...)
	for i := range s.list {
		if c := &s.list[i]; c.End > c.Start {
			dst = append(s.appendSegment(append(jsonedit.AppendComma(dst), '{'), c), `,"groundingChunkIndices":[`...)
			dst = append(strconv.AppendInt(dst, int64(i), 10), "]}"...)
		}
	}
	return append(dst, "]}"...)
}

func (s *sources) appendSegment(dst []byte, c *chat.Citation) []byte {
	start, end := s.text.Byte(c.Start), s.text.Byte(c.End)
	var part textPart
	if n := sort.Search(len(s.parts), func(i int) bool { return s.parts[i].from > start }); n > 0 {
		part = s.parts[n-1]
	}
	dst = append(jsonedit.AppendName(dst, "segment"), '{')
	if part.index > 0 {
		dst = jsonedit.AppendInt(dst, "partIndex", part.index)
	}
	return append(jsonedit.AppendInt(jsonedit.AppendInt(dst, "startIndex", start-part.from), "endIndex", end-part.from), '}')
}
