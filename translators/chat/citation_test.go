package chat

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPlacesInATextAreCountedInBytesAndCharacters(t *testing.T) {
	text := strings.Repeat("aé€😀", 300)
	var cited Cited
	for _, r := range text {
		cited.Write([]byte(string(r)))
	}
	if cited.Bytes() != len(text) || cited.Characters() != utf8.RuneCountInString(text) {
		t.Fatalf("%d bytes, %d characters", cited.Bytes(), cited.Characters())
	}
	n := 0
	for at := range text {
		if got := cited.Character(at); got != n {
			t.Fatalf("byte %d is character %d, want %d", at, got, n)
		}
		if got := cited.Byte(n); got != at {
			t.Fatalf("character %d is at byte %d, want %d", n, got, at)
		}
		n++
	}
	if cited.Character(-1) != 0 || cited.Byte(-1) != 0 || cited.Character(len(text)+9) != n || cited.Byte(n+9) != len(text) {
		t.Error("places outside the text are not its ends")
	}
}

func TestCitationsAreBoundedAndNamedOnce(t *testing.T) {
	var l Citations
	for i := range 5000 {
		l.Add(Citation{URL: "https://example.org", Start: i, End: i + 1})
		l.Add(Citation{URL: "https://example.org", Start: i, End: i + 1})
	}
	if len(l.List) != maxCitations {
		t.Errorf("%d citations", len(l.List))
	}
	if l = (Citations{}); l.Add(Citation{Quote: "of nothing"}) || l.Add(Citation{URL: strings.Repeat("a", maxCitation+1)}) {
		t.Error("a citation without a source, or of any size, is kept")
	}
}
