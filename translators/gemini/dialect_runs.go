package gemini

import (
	"cmp"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// What other makers' hosted tools did reaches a client in Google's words: code and its
// output as parts, a search and a page that was read in the candidate's metadata. The
// token with which the maker takes a run back is a thoughtSignature: of the part with the
// output, or of an empty text.
//
//	https://ai.google.dev/gemini-api/docs/code-execution
//	https://ai.google.dev/gemini-api/docs/google-search
//	https://ai.google.dev/gemini-api/docs/url-context

// appendCode writes the part with code that another provider ran.
func appendCode(dst []byte, run *chat.Run, whose origin.Name) []byte {
	dst = jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"executableCode":{"language":"PYTHON"`...), "code", run.Input)
	return append(jsonedit.AppendOptional(append(dst, '}'), "thoughtSignature", origin.Text(whose, origin.Google, "")), '}')
}

// appendCodeResult writes the part with what came of the code.
func appendCodeResult(dst []byte, run *chat.Run, token string, whose origin.Name) []byte {
	outcome := "OUTCOME_OK"
	if run.Failed {
		outcome = "OUTCOME_FAILED"
	}
	dst = jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"codeExecutionResult":{`...), "outcome", outcome)
	dst = append(jsonedit.AppendText(dst, "output", run.Output), '}')
	return append(jsonedit.AppendOptional(dst, "thoughtSignature", origin.Text(whose, origin.Google, token)), '}')
}

// appendRunToken writes the part with the token of a run that has no part of its own;
// nothing if nobody would take it back. Google's own is its parts.
func appendRunToken(dst []byte, token string, whose origin.Name) []byte {
	if own, _ := partsOfRun(token); whose == origin.Google {
		for _, part := range own {
			dst = append(jsonedit.AppendComma(dst), part...)
		}
		return dst
	}
	if token == "" || whose == origin.Unknown {
		return dst
	}
	dst = append(jsonedit.AppendComma(dst), `{"text":""`...)
	return append(jsonedit.AppendText(dst, "thoughtSignature", origin.Text(whose, origin.Google, chat.MarkedRun(token))), '}')
}

// appendRunParts writes the parts of a run in a whole answer.
func appendRunParts(dst []byte, p *chat.Part, meta *chat.Meta) []byte {
	whose := cmp.Or(p.Origin, meta.Origin)
	if p.Run == nil || p.Run.Kind != chat.CodeExecution {
		return appendRunToken(dst, p.Signature, whose)
	}
	return appendCodeResult(appendCode(dst, p.Run, whose), p.Run, p.Signature, whose)
}

// run writes what a stream tells of a run as a response; nothing if there is no part.
func (e *encoder) run(dst []byte, d *chat.Delta) []byte {
	if d.Run == nil {
		return dst
	}
	e.cited[d.Choice].ran(d.Run)
	mark, whose := len(dst), cmp.Or(d.Origin, e.meta.Origin)
	dst = e.begin(dst)
	before := len(dst)
	switch code := d.Run.Kind == chat.CodeExecution; {
	case code && d.Kind == chat.RunStart:
		dst = appendCode(dst, d.Run, whose)
	case code:
		dst = appendCodeResult(dst, d.Run, string(d.Signature), whose)
	case d.Kind == chat.RunEnd:
		dst = appendRunToken(dst, string(d.Signature), whose)
	}
	if len(dst) == before {
		return e.undo(dst, mark)
	}
	return e.finish(append(appendCandidateTail(dst, d.Choice, ""), '}'), false)
}

// ran adds a run to what the metadata tells.
func (s *sources) ran(run *chat.Run) {
	for _, known := range s.runs {
		if known == run {
			return
		}
	}
	if run.Kind == chat.WebSearch || run.Kind == chat.WebFetch {
		s.runs = append(s.runs, run)
	}
}

// appendQueries writes what was searched for, as members of the metadata.
func (s *sources) appendQueries(dst []byte) []byte {
	var queries []string
	for _, run := range s.runs {
		if run.Kind == chat.WebSearch {
			queries = append(queries, run.Input)
		}
	}
	return jsonedit.AppendTexts(dst, "webSearchQueries", queries)
}

// appendPages writes the member urlContextMetadata: the pages that were read.
func (s *sources) appendPages(dst []byte) []byte {
	any := false
	for _, run := range s.runs {
		if run.Kind != chat.WebFetch {
			continue
		}
		if !any {
			any, dst = true, append(jsonedit.AppendName(dst, "urlContextMetadata"), `{"urlMetadata":[`...)
		}
		status := "URL_RETRIEVAL_STATUS_SUCCESS"
		if run.Failed {
			status = "URL_RETRIEVAL_STATUS_ERROR"
		}
		dst = jsonedit.AppendText(append(jsonedit.AppendComma(dst), '{'), "retrievedUrl", run.Input)
		dst = append(jsonedit.AppendText(dst, "urlRetrievalStatus", status), '}')
	}
	if any {
		dst = append(dst, "]}"...)
	}
	return dst
}

// ranOnServer reads what hosted tools left in the history, p, which is opaque to others:
// code and its output are told in words, and other calls not at all.
// https://ai.google.dev/api/caching#Part
func ranOnServer(p *jsonedit.Value, part chat.Part) chat.Part {
	told := chat.Told("")
	switch part.Type {
	case "executableCode", "executable_code":
		told = chat.Told(codeInWords(string(p.GetStringBytes(part.Type, "code"))))
	case "codeExecutionResult", "code_execution_result":
		told.Text = p.GetText(part.Type, "output")
	case "toolCall", "tool_call", "toolResponse", "tool_response":
	default:
		return part
	}
	told.Signature = part.Signature
	return told
}

func codeInWords(code string) string { return "```\n" + code + "\n```" }

// addRun adds a part that ranOnServer or a token of ours made, and reports whether it was
// one. Google's own signatures are for Google, which has the part itself.
func addRun(parts *[]chat.Part, part *chat.Part) bool {
	if part.Kind == chat.Text && part.Text.Empty() {
		return chat.TakeRun(parts, &chat.Part{Text: jsonedit.Plain(part.Signature), Origin: part.Origin})
	}
	if part.Kind != chat.HostedRun {
		return false
	}
	told, token := chat.Told(part.Text.String()), part.Signature
	if !chat.Tell(parts, &told) {
		*parts = append(*parts, told)
	}
	if token != "" && part.Origin != origin.Google {
		chat.AddRunToken(parts, token, part.Origin)
	}
	return true
}

// ownRun returns a part with code, or with its output, that another provider ran, in
// words; nil for others.
func ownRun(part []byte) []byte {
	for _, name := range [...]string{"executableCode", "executable_code"} {
		if code := jsonedit.Lookup(part, name); code != nil {
			said, _ := jsonedit.String(jsonedit.Lookup(code, "code"))
			return append(jsonedit.AppendText([]byte{'{'}, "text", codeInWords(said)), '}')
		}
	}
	for _, name := range [...]string{"codeExecutionResult", "code_execution_result"} {
		if result := jsonedit.Lookup(part, name); result != nil {
			said, _ := jsonedit.String(jsonedit.Lookup(result, "output"))
			return append(jsonedit.AppendText([]byte{'{'}, "text", said), '}')
		}
	}
	return nil
}
