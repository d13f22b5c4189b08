package engine

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func TestFieldsAreSplitAtTheirColon(t *testing.T) {
	for line, want := range map[string][2]string{
		"A: 1": {"A", "1"}, "A:1": {"A", "1"}, "A:": {"A", ""}, "A: \t ": {"A", ""}, "A:\t1 \t": {"A", "1"}, "A: b:c": {"A", "b:c"}, "A: a\tb": {"A", "a\tb"}, "A: \xff": {"A", "\xff"},
		"content-length: 5": {"Content-Length", "5"}, "Content-length: 5": {"Content-Length", "5"}, "CONTENT-LENGTH: 5": {"Content-Length", "5"}, "x-1a: 5": {"X-1a", "5"},
		"X-Y-Z: 5": {"X-Y-Z", "5"}, "!#$%&'*+-.^_`|~: 5": {"!#$%&'*+-.^_`|~", "5"},
		"A": {}, ":": {}, ": 1": {}, "A : 1": {}, " A: 1": {}, "\tA: 1": {}, "A B: 1": {}, "A\x00: 1": {}, "A(: 1": {}, "\x80: 1": {},
		"A: \x00": {}, "A: b\x1fc": {}, "A: \x7f": {}, "A: b\rc": {},
	} {
		name, value, err := parseField(line)
		if [2]string{name, value} != want || (err == nil) != (want[0] != "") {
			t.Errorf("%q: %q, %q, %v", line, name, value, err)
		}
		if folded := line[0] == ' ' || line[0] == '\t'; folded != (err == errFolded) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestFieldsOfOneNameAreKeptInTheirOrder(t *testing.T) {
	h, err := parseFields("A: 1\r\nB: 2\r\na: 3\nC: 4\r\nA: 5\r\n\r\nD: 6\r\n")
	want := http.Header{"A": {"1", "3", "5"}, "B": {"2"}, "C": {"4"}}
	if err != nil || !reflect.DeepEqual(h, want) {
		t.Errorf("%v, %v", h, err)
	}
	for _, none := range []string{"\r\n", "\n", ""} {
		if h, err := parseFields(none); h == nil || len(h) != 0 || err != nil {
			t.Errorf("%q: %v, %v", none, h, err)
		}
	}
	if _, err := parseFields("A: 1\r\nB\r\n\r\n"); err != errField {
		t.Error(err)
	}
}

func TestThereAreAThousandFieldsAtMost(t *testing.T) {
	for n, want := range map[int]error{1000: nil, 1001: errFields} {
		if _, err := parseFields(strings.Repeat("X: 1\r\n", n) + "\r\n"); err != want {
			t.Errorf("%d fields: %v", n, err)
		}
	}
}

func TestWhatAByteMayBe(t *testing.T) {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	for c := range 256 {
		one := string([]byte{byte(c)})
		in := func(extra string) bool { return strings.Contains(letters+extra, one) }
		isControl := c < ' ' && c != '\t' || c == 0x7f
		for what, same := range map[string]bool{
			"name":        validName(one) == in("!#$%&'*+-.^_`|~"),
			"host":        all(one, host) == in("!$%&'()*+,-.:;=[]_~"),
			"simple path": all(one, simple) == in("-._~/"),
			"value":       validValue(one) == !isControl,
			"query":       printable(one) == (c > ' ' && c != 0x7f),
			"digit":       digit(byte(c)) == strings.Contains("0123456789", one),
		} {
			if !same {
				t.Errorf("%q in a %s", one, what)
			}
		}
	}
	if validName("") || !validValue("") || !all("", host) || !printable("") {
		t.Error("a name has a character, the others may have none")
	}
	if validName("a b") || validName("a ") || validValue("ab\x00") || all("ab ", host) || printable("ab ") {
		t.Error("a character that is not the first is not looked at")
	}
}

func TestListsHaveTokens(t *testing.T) {
	for _, c := range []struct {
		values []string
		has    bool
	}{
		{nil, false}, {[]string{""}, false}, {[]string{"close"}, true}, {[]string{"a,close"}, true}, {[]string{"a,,\t Close ,b"}, true}, {[]string{"a", "b,CLOSE"}, true},
		{[]string{"closed"}, false}, {[]string{"a close"}, false}, {[]string{"clos,e"}, false},
	} {
		if hasToken(c.values, "close") != c.has {
			t.Errorf("%q has close: %v", c.values, !c.has)
		}
	}
	for s, want := range map[string]string{"": "", " ": "", "a": "a", " a ": "a", "\ta\t": "a", " \t a b \t ": "a b", "\x0ba": "\x0ba"} {
		if got := trimmed(s); got != want {
			t.Errorf("%q trimmed is %q", s, got)
		}
	}
}

func TestTheStatusLineHasThreeDigits(t *testing.T) {
	type line struct {
		status, minor int
		rest          string
	}
	for text, want := range map[string]line{
		"HTTP/1.1 200 OK\r\nX": {200, 1, "X"}, "HTTP/1.0 404\n": {404, 0, ""}, "HTTP/1.9 123  a": {123, 9, ""}, "HTTP/1.1  999 ": {999, 1, ""}, "HTTP/1.1 101 ": {101, 1, ""},
		"": {}, "HTTP/1.1": {}, "HTTP/1.1 ": {}, "HTTP/1.1 20": {}, "HTTP/1.1 2000": {}, "HTTP/1.1 099": {}, "HTTP/1.1 :00": {}, "HTTP/1.1 /00": {}, "HTTP/1.1 2x0": {}, "HTTP/1.1 20x": {}, "HTTP/1.1 x00": {},
		"HTTP/1.x 200": {}, "HTTP/1.10 200": {}, "HTTP/2.0 200": {}, "http/1.1 200": {}, " HTTP/1.1 200": {}, "HTTP/1.1\t200": {},
	} {
		status, minor, rest, err := parseStatus(text)
		if got := (line{status, minor, rest}); got != want || (err == nil) != (want.status > 0) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestAnAnnouncedTrailerIsNotPassedOn(t *testing.T) {
	for value, good := range map[string]bool{"X-T": true, "Content-Length": false, "x, transfer-encoding": false, "Trailer": false} {
		h := http.Header{"Trailer": {value}, "A": {"1"}}
		if err := checkTrailer(h); (err == nil) != good || good && (h["Trailer"] != nil || h["A"] == nil) {
			t.Errorf("%q: %v, %v", value, h, err)
		}
	}
	if err := checkTrailer(http.Header{}); err != nil {
		t.Error(err)
	}
}

// How an answer ends, by its header.
func TestTheLengthOfAnAnswer(t *testing.T) {
	for _, c := range []struct {
		values []string
		length int64
		good   bool
		left   int // values that are passed on
	}{
		{nil, -1, true, 0}, {[]string{"0"}, 0, true, 1}, {[]string{"7"}, 7, true, 1}, {[]string{"7", "7", "7"}, 7, true, 1},
		{[]string{"7", "8"}, 0, false, 2}, {[]string{"7", "7", "8"}, 0, false, 3}, {[]string{"x"}, 0, false, 1}, {[]string{""}, 0, false, 1},
	} {
		h := http.Header{}
		if c.values != nil {
			h["Content-Length"] = c.values
		}
		n, err := answerLength(h)
		if n != c.length || (err == nil) != c.good || len(h["Content-Length"]) != c.left {
			t.Errorf("%q: %d, %v, %v", c.values, n, h, err)
		}
	}
}
