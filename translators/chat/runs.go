package chat

import (
	"slices"
	"strings"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// Run is what a hosted tool did: the provider ran it, and the client is told.
//
// The client sends it back with the history. Its provider takes it back in its own
// format only, which is the Signature of its part: an opaque token, whose mark tells
// whose it is. Others are told in words, if at all.
type Run struct {
	Kind   Hosted
	ID     string // the provider's
	Name   string // of the tool, of an MCP server
	Server string // the name of the MCP server
	// Input is what the tool was given: code, a page's address, what was searched for,
	// or an MCP tool's arguments, as JSON.
	Input string
	// Output is what came of it, as text: what the code printed, an MCP tool's result.
	Output  string
	Sources []Citation // the pages that a search found
	Failed  bool
}

// runMark begins the tokens of runs, where a format has one place for all tokens.
const runMark = "hosted:"

// Most that is kept of a run: its provider could name long pages.
const (
	maxRunToken  = 1 << 20
	maxRunOutput = 1 << 20
)

// RunToken is the token of a run whose form in its provider's format is native; "" if
// that is too much to be carried along.
func RunToken(native []byte) string {
	if len(native) > maxRunToken {
		return ""
	}
	return string(native)
}

// Clip is as much of text as is kept of a run.
func Clip(text string) string {
	if len(text) <= maxRunOutput {
		return text
	}
	return strings.ToValidUTF8(text[:maxRunOutput], "")
}

// MarkedRun is token as redacted thinking, which is where formats without a place for
// the tokens of runs have them; see TakeRun.
func MarkedRun(token string) string { return runMark + token }

// IsMarkedRun reports whether redacted thinking is the token of a run.
func IsMarkedRun(redacted string) bool { return strings.HasPrefix(redacted, runMark) }

// TakeRun is called for redacted thinking in a history. If it is the token of a run, it
// gives it to the run, which is the last of parts, or adds one, and reports true.
func TakeRun(parts *[]Part, redacted *Part) bool {
	token, ok := strings.CutPrefix(redacted.Text.String(), runMark)
	if !ok {
		return false
	}
	AddRunToken(parts, token, redacted.Origin)
	return true
}

// WithRuns is the token of a call together with those of the runs before it, for a format
// that has a place for the tokens of calls only: a client keeps both or loses both. It is
// "" if that is too much to be carried along.
func WithRuns(call string, runs []string) string {
	if len(runs) == 0 || call == "" {
		return call
	}
	all := append([]byte(runMark), '[')
	for _, run := range runs {
		all = jsonedit.AppendString(jsonedit.AppendComma(all), run)
	}
	return RunToken(append(jsonedit.AppendString(append(all, ','), call), ']'))
}

// TakeRuns undoes WithRuns for a call in a history: it gives the call its own token and
// adds the runs before it to parts.
func TakeRuns(parts *[]Part, call *Part) {
	list, ok := strings.CutPrefix(call.Signature, runMark)
	if !ok {
		return
	}
	call.Signature = ""
	if jsonedit.Valid([]byte(list)) != nil { // a client sends it
		return
	}
	tokens := jsonedit.Elements([]byte(list), nil)
	for i, token := range tokens {
		switch s, _ := jsonedit.String(token); {
		case i == len(tokens)-1:
			call.Signature = s
		case s != "":
			*parts = append(*parts, Part{Kind: HostedRun, Signature: s, Origin: call.Origin})
		}
	}
}

// AddRunToken gives a token to the run that is the last of parts, or adds one.
func AddRunToken(parts *[]Part, token string, whose origin.Name) {
	if n := len(*parts); n == 0 || (*parts)[n-1].Kind != HostedRun || (*parts)[n-1].Signature != "" {
		*parts = append(*parts, Part{Kind: HostedRun})
	}
	p := &(*parts)[len(*parts)-1]
	p.Signature, p.Origin = token, whose
}

// Told is the part of a history for a run that others are told of in words; "" is
// nothing.
func Told(words string) Part { return Part{Kind: HostedRun, Text: jsonedit.Plain(words)} }

// Tell is called for a part that Told returned, in a history where a run is several
// blocks or parts. It adds the words to the run that is the last of parts and reports
// true, unless that one is complete: its token is behind it.
func Tell(parts *[]Part, told *Part) bool {
	n := len(*parts) - 1
	if n < 0 || (*parts)[n].Kind != HostedRun || (*parts)[n].Signature != "" {
		return false
	}
	said, more := (*parts)[n].Text, told.Text
	switch {
	case said.Empty():
		(*parts)[n].Text = more
	case !more.Empty():
		(*parts)[n].Text = jsonedit.Quoted(string(more.AppendInside(append(said.AppendInside(nil), `\n`...))))
	}
	return true
}

// OpenRuns pairs what begins a run with what ends it, in answers in which a run is two
// blocks with one id. The zero value is ready to use.
type OpenRuns struct{ open []openRun }

// openRun is a run without a result yet.
type openRun struct {
	run    *Run
	native []byte // the block that began it
}

// maxOpenRuns is how many runs may be open at a time.
const maxOpenRuns = 128

// Begin begins a run with its block in the provider's format, which is kept. It reports
// false for too many.
func (r *OpenRuns) Begin(run *Run, native []byte) bool {
	if len(r.open) >= maxOpenRuns {
		return false
	}
	r.open = append(r.open, openRun{run, native})
	return true
}

// End ends the run with an id by the block native, and returns it with its token, which
// is the list of its two blocks; nil if none is open.
func (r *OpenRuns) End(id string, native []byte) (run *Run, token string) {
	i := slices.IndexFunc(r.open, func(o openRun) bool { return o.run.ID == id })
	if i < 0 {
		return nil, ""
	}
	o := r.open[i]
	r.open = slices.Delete(r.open, i, i+1)
	both := append(append(append(append([]byte{'['}, o.native...), ','), native...), ']')
	return o.run, RunToken(both)
}
