package chat

// PromptLen returns the length of all text that the model reads, in bytes: messages,
// calls and their results, definitions of tools, the schema of the answer. Images,
// sound and documents are not counted.
func (r *Request) PromptLen() int {
	n := len(r.ResponseFormat.Schema)
	for i := range r.Messages {
		n += partsLen(r.Messages[i].Parts)
	}
	for i := range r.Tools {
		t := &r.Tools[i]
		n += len(t.Name) + t.Description.Len() + len(t.Parameters) + len(t.Native)
	}
	return n
}

func partsLen(parts []Part) int {
	n := 0
	for i := range parts {
		p := &parts[i]
		n += p.Text.Len() + len(p.Name) + p.Arguments.Len() + partsLen(p.Parts)
	}
	return n
}
