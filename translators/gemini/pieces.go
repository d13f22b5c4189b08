package gemini

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// joined returns msgs with what the model said in pieces as one: clients keep the parts
// of a streamed answer, or each chunk as a turn of its own, and send them back as they
// came. A thought's signature is for the whole thought, and is in its last piece.
// https://googleapis.github.io/python-genai/#chats
func joined(msgs []chat.Message) []chat.Message {
	kept := msgs[:0]
	for _, m := range msgs {
		if n := len(kept) - 1; n >= 0 && m.Role == chat.Assistant && kept[n].Role == chat.Assistant {
			kept[n].Parts = append(kept[n].Parts, m.Parts...)
			continue
		}
		kept = append(kept, m)
	}
	for i := range kept {
		if kept[i].Role == chat.Assistant {
			kept[i].Parts = joinedParts(kept[i].Parts)
		}
	}
	return kept
}

// joinedParts joins pieces of text, and pieces of a thought, up to the one with the
// signature.
func joinedParts(parts []chat.Part) []chat.Part {
	kept := parts[:0]
	for i := 0; i < len(parts); {
		p := parts[i]
		end := i + 1
		for end < len(parts) && parts[end-1].Signature == "" && pieces(&p, &parts[end]) {
			end++
		}
		if end > i+1 {
			var text []byte
			for _, piece := range parts[i:end] {
				text = piece.Text.AppendInside(text)
			}
			p = parts[end-1]
			p.Text = jsonedit.Quoted(string(text))
		}
		kept = append(kept, p)
		i = end
	}
	return kept
}

// pieces reports whether two parts that follow each other are pieces of one. What ran on
// a server (Type) stays apart.
func pieces(a, b *chat.Part) bool {
	return a.Kind == b.Kind && (a.Kind == chat.Text || a.Kind == chat.Thinking) && a.Type == "" && b.Type == ""
}
