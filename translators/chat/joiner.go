package chat

import "go-ai-proxy/translators/jsonedit"

// Joiner collects the parts of a message and joins consecutive texts into one
// part. It takes linear time, since a provider may send thousands of texts. The
// zero value is ready to use.
type Joiner struct {
	parts []Part
	text  []byte // of the last part as in a JSON string, where several were joined
}

// Add adds p as a separate part.
func (j *Joiner) Add(p Part) {
	j.settle()
	j.parts = append(j.parts, p)
}

// Join appends p's text to the previous part if that is of the same kind;
// otherwise it adds p. The last signature wins.
func (j *Joiner) Join(p Part) {
	n := len(j.parts) - 1
	if n < 0 || j.parts[n].Kind != p.Kind {
		j.Add(p)
		return
	}
	if len(j.text) == 0 {
		j.text = j.parts[n].Text.AppendInside(j.text)
	}
	j.text = p.Text.AppendInside(j.text)
	if p.Signature != "" {
		j.parts[n].Signature = p.Signature
	}
}

// Parts returns the parts collected so far.
func (j *Joiner) Parts() []Part {
	j.settle()
	return j.parts
}

func (j *Joiner) settle() {
	if len(j.text) > 0 {
		j.parts[len(j.parts)-1].Text = jsonedit.Quoted(string(j.text))
		j.text = j.text[:0]
	}
}
