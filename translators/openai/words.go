package openai

import "go-ai-proxy/translators/jsonedit"

// PromptWords counts the words in all texts of a request (messages, prompt or input),
// separated by white space. Images and files do not count; a token number counts as
// one word. Kong estimates prompts this way if a provider does not report usage. It
// reads the requests of all vendors: they differ in few names.
func PromptWords(body []jsonedit.Member) int {
	n := 0
	for _, m := range body {
		switch string(m.Key) {
		case "messages", "prompt", "input", "contents", "message", "inputText", "system", "instructions", "systemInstruction", "system_instruction":
			n += words(m.Value)
		}
	}
	return n
}

// words counts the words of a text, a token number, or a list of texts, parts and
// messages.
func words(value []byte) int {
	n := 0
	switch {
	case jsonedit.IsString(value):
		return wordsOf(value[1 : len(value)-1])
	case jsonedit.IsNumber(value):
		return 1
	case jsonedit.IsObject(value):
		// A message has content, or parts; a part of type text (input_text …) has text.
		for m := jsonedit.Walk(value); m.Next(); {
			switch string(m.Key) {
			case "content", "parts", "toolResult":
				n += words(m.Value)
			case "text":
				if jsonedit.IsString(m.Value) {
					n += words(m.Value)
				}
			}
		}
	case jsonedit.IsArray(value):
		for _, item := range jsonedit.Elements(value, nil) {
			n += words(item)
		}
	}
	return n
}

// wordsOf counts the words of escaped text, without unescaping it.
func wordsOf(text []byte) int {
	n, inside := 0, false
	for i := 0; i < len(text); i++ {
		space := text[i] == ' '
		if text[i] == '\\' && i+1 < len(text) {
			i++
			switch text[i] {
			case 'n', 't', 'r', 'f':
				space = true
			}
		}
		if !space && !inside {
			n++
		}
		inside = !space
	}
	return n
}
