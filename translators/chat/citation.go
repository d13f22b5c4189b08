package chat

import (
	"cmp"
	"slices"
	"sort"
	"unicode/utf8"
)

// Citation is a source of an answer: a page on the web, or a file that the client sent.
// It is not changed once it is made.
type Citation struct {
	URL    string // of a page
	Title  string // of the page, or the file's name
	FileID string
	Quote  string // the words of the source
	// Start and End are what the source stands for: characters (code points) of the
	// text of the choice, all its Text parts together. Both are 0 for nobody knows.
	Start, End int
}

// Most that is kept of citations: a provider could name one long address thousands
// of times in few bytes.
const (
	maxCitations = 1024
	maxCitation  = 8 << 10 // bytes of one
)

// Citations collects citations without those that came before. The zero value is ready
// to use.
type Citations struct {
	List []Citation
	seen map[Citation]bool
}

// Add adds c, and says whether it did: not what is no source, what came before, or
// what is too much.
func (l *Citations) Add(c Citation) bool {
	if c.URL == "" && c.Title == "" && c.FileID == "" || len(l.List) >= maxCitations ||
		len(c.URL)+len(c.Title)+len(c.FileID)+len(c.Quote) > maxCitation || l.seen[c] {
		return false
	}
	if l.seen == nil {
		l.seen = map[Citation]bool{}
	}
	l.seen[c] = true
	l.List = append(l.List, c)
	return true
}

// BlockCitations follows the blocks of an answer that is cited block by block: the text
// of a block is what its citations stand for. The zero value is ready to use.
type BlockCitations struct {
	Citations
	chars   int // of text so far
	from    int // where the block began
	last    int // where the last one with text began
	pending []Citation
}

// Begin begins a block.
func (b *BlockCitations) Begin() { b.from, b.pending = b.chars, b.pending[:0] }

// Say adds text of the answer.
func (b *BlockCitations) Say(text []byte) { b.chars += utf8.RuneCount(text) }

// Cite adds a citation of the block that has begun.
func (b *BlockCitations) Cite(c Citation) {
	if len(b.pending) < maxCitations {
		b.pending = append(b.pending, c)
	}
}

// End ends the block, and returns the citations that it adds. A block without text cites
// for the one before: Nova has them behind it. The next block begins.
func (b *BlockCitations) End() []Citation {
	before := len(b.List)
	if b.chars > b.from {
		b.last = b.from
	}
	for _, c := range b.pending {
		c.Start, c.End = b.last, b.chars
		b.Add(c)
	}
	b.Begin()
	return b.List[before:]
}

// Cited is text with what later places in it are measured by: formats count in bytes or
// in characters. The zero value is ready to use.
type Cited struct {
	text  []byte
	chars int
	steps []int // where every step-th character begins, in bytes
}

const step = 256

// Write adds more of the text. A character may not be cut.
func (t *Cited) Write(more []byte) {
	at := len(t.text)
	t.text = append(t.text, more...)
	for at < len(t.text) {
		if t.chars%step == 0 {
			t.steps = append(t.steps, at)
		}
		_, n := utf8.DecodeRune(t.text[at:])
		at += n
		t.chars++
	}
}

// Characters is how many characters there are.
func (t *Cited) Characters() int { return t.chars }

// Bytes is how many bytes there are.
func (t *Cited) Bytes() int { return len(t.text) }

// Byte is where the character begins.
func (t *Cited) Byte(character int) int {
	if character <= 0 {
		return 0
	}
	if character >= t.chars {
		return len(t.text)
	}
	at := t.steps[character/step]
	for range character % step {
		_, n := utf8.DecodeRune(t.text[at:])
		at += n
	}
	return at
}

// Character is the number of the character that begins at the byte.
func (t *Cited) Character(at int) int {
	if at <= 0 {
		return 0
	}
	if at >= len(t.text) {
		return t.chars
	}
	i := sort.SearchInts(t.steps, at+1) - 1
	return i*step + utf8.RuneCount(t.text[t.steps[i]:at])
}

// PartCites deals the citations of a choice to its parts of text.
type PartCites struct {
	left []Citation
	end  int // of the parts so far, in characters
	last *Part
}

// CitesOf returns the citations of c, to be dealt to its parts in their order.
func CitesOf(c *Choice) PartCites {
	if len(c.Citations) == 0 {
		return PartCites{}
	}
	sorted := slices.Clone(c.Citations)
	slices.SortStableFunc(sorted, func(a, b Citation) int { return cmp.Compare(a.Start, b.Start) })
	p := PartCites{left: sorted}
	if i := c.lastText(); i >= 0 {
		p.last = &c.Parts[i]
	}
	return p
}

// Next returns the citations that stand for something in p, and where p begins in the
// text of the choice, in characters.
func (l *PartCites) Next(p *Part) (list []Citation, from int) {
	if len(l.left) == 0 || p.Kind != Text {
		return nil, l.end
	}
	from = l.end
	l.end += utf8.RuneCountInString(p.Text.String())
	n := len(l.left)
	if p != l.last {
		n = sort.Search(n, func(i int) bool { return l.left[i].Start >= l.end })
	}
	list, l.left = l.left[:n], l.left[n:]
	return list, from
}
