package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"go-ai-proxy/translators/conformance/workload"
)

func inner(pieces ...string) string {
	var u innerText
	var text []byte
	for _, p := range pieces {
		text = u.append(text, []byte(p))
	}
	return string(u.end(text))
}

func TestTextOfArgumentsIsTheirOneString(t *testing.T) {
	for arguments, want := range map[string]string{
		`{"input":"plain"}`:                            "plain",
		` { "input" : "a\n\"b\"\\c\/\u00e9\t" } `:      "a\n\"b\"\\c/é\t",
		`{"input":"\ud83d\ude00!"}`:                    "😀!",
		`{"input":"\ud83d!"}`:                          "\ufffd!",
		`{"input":"\ud83d\n"}`:                         "\ufffd\n",
		`{"input":"\ud83d"}`:                           "\ufffd",
		`{"input":"\ud83d\ud83d\ude00"}`:               "\ufffd😀",
		`{"input":"\ud83d\u0041\n"}`:                   "\ufffdA\n",
		`{"input":"é😀"}`:                               "é😀",
		`{"input":""}`:                                 "",
		`{"n":1,"o":{"x":"}\\\","},"input":"after"}`:   "after",
		`{"l":["a",{"b":"]"}],"patch":"another name"}`: "another name",
		`{}`:                          "",
		``:                            "",
		`*** Begin Patch` + "\n+a":    "*** Begin Patch\n+a",
		`{ not JSON`:                  "{ not JSON",
		`{"input":3}`:                 `{"input":3}`,
		`{"input":"cut off`:           "cut off",
		`{"input":"bad \q escape"}`:   `bad \q escape`,
		`{"in\"put":"a quoted name"}`: "a quoted name",
	} {
		if got := inner(arguments); got != want {
			t.Errorf("%s: got %q, want %q", arguments, got, want)
		}
		for i := range arguments {
			if got := inner(arguments[:i], arguments[i:]); got != want && !strings.ContainsAny(want, "é😀") {
				t.Errorf("%s, cut after %d: got %q, want %q", arguments, i, got, want)
			}
		}
		if got := inner(strings.Split(arguments, "")...); got != want {
			t.Errorf("%s, letter by letter: got %q, want %q", arguments, got, want)
		}
	}
}

func FuzzTextOfArgumentsIsTheSameHoweverTheyAreCut(f *testing.F) {
	f.Add("a \"quoted\" \\ text\n😀", "{", 3)
	f.Fuzz(func(t *testing.T, text, other string, cut int) {
		defer workload.Linear(t, len(text)+len(other))()
		quoted, _ := json.Marshal(map[string]string{"input": text})
		for _, arguments := range []string{string(quoted), other} {
			whole := inner(arguments)
			if n := len(arguments); n > 0 {
				cut = max(cut%n, -(cut % n))
				if got := inner(arguments[:cut], arguments[cut:]); got != whole {
					t.Errorf("%q cut after %d: got %q, want %q", arguments, cut, got, whole)
				}
			}
			if arguments == string(quoted) && whole != strings.ToValidUTF8(text, "\ufffd") && json.Valid(quoted) {
				var back struct{ Input string }
				if json.Unmarshal(quoted, &back) == nil && back.Input != whole {
					t.Errorf("got %q, want %q", whole, back.Input)
				}
			}
		}
	})
}
