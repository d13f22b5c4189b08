package chat

// Joiner collects the parts of a message, and makes one of texts that follow
// one another, in time that grows as they do: a provider may send thousands of
// them. The zero value is ready.
type Joiner struct {
	parts []Part
	text  []byte // of the last part, where several were joined
}

// Add adds a part of its own.
func (j *Joiner) Add(p Part) {
	j.settle()
	j.parts = append(j.parts, p)
}

// Join adds p's text to the part before it, if that is of the same kind, and
// else p. The last signature counts.
func (j *Joiner) Join(p Part) {
	n := len(j.parts) - 1
	if n < 0 || j.parts[n].Kind != p.Kind {
		j.Add(p)
		return
	}
	if len(j.text) == 0 {
		j.text = append(j.text, j.parts[n].Text...)
	}
	j.text = append(j.text, p.Text...)
	if p.Signature != "" {
		j.parts[n].Signature = p.Signature
	}
}

// Parts are the parts so far.
func (j *Joiner) Parts() []Part {
	j.settle()
	return j.parts
}

func (j *Joiner) settle() {
	if len(j.text) > 0 {
		j.parts[len(j.parts)-1].Text = string(j.text)
		j.text = j.text[:0]
	}
}
