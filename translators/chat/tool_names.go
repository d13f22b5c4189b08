package chat

import (
	"hash/fnv"
	"slices"
	"strconv"
)

// longestName is how long the name of a function may be at all providers, of the
// pattern [a-zA-Z_][a-zA-Z0-9_-]*.
//
//	https://ai.google.dev/gemini-api/docs/function-calling ("Must start with a letter or an underscore")
//	https://platform.openai.com/docs/api-reference/chat/create
//	https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolSpecification.html
const longestName = 64

// nameTools gives the functions of r, and the calls in its history, names that every
// provider takes; Meta.Tools has the client's names for the answer. A name is the same
// in every turn. Of functions with one name, which providers refuse, the last remains.
func nameTools(r *Request) {
	if repeats(r.Tools) {
		r.Tools = lastOfEach(r.Tools)
	}
	if portable(r) {
		return
	}
	n := names{of: map[string]string{}, taken: map[string]bool{}}
	for i := range r.Tools {
		if t := &r.Tools[i]; t.Hosted == "" && isToolName(t.Name) {
			n.taken[t.Name] = true
		}
	}
	for i := range r.Tools {
		t := &r.Tools[i]
		if name := n.name(t.Name); t.Hosted == "" && name != t.Name {
			t.Client.Name, t.Name = t.Name, name
		}
	}
	if !r.ForcesHosted() && r.ToolChoice.Mode == "function" {
		r.ToolChoice.Name = n.name(r.ToolChoice.Name)
	}
	for i := range r.Messages {
		parts := r.Messages[i].Parts
		for j := range parts {
			if p := &parts[j]; p.Kind == ToolCall || p.Kind == ToolResult && p.Name != "" {
				p.Name = n.name(p.Name)
			}
		}
	}
}

// repeats says whether two of a few tools may have one name; many may.
func repeats(tools []Tool) bool {
	const few = 64
	if len(tools) > few {
		return true
	}
	for i := range tools {
		for j := range i {
			if tools[i].Name == tools[j].Name {
				return true
			}
		}
	}
	return false
}

// lastOfEach leaves the last of the functions with one name, in the first one's place.
func lastOfEach(tools []Tool) []Tool {
	at := make(map[string]int, len(tools))
	kept := tools[:0]
	for _, t := range tools {
		if i, again := at[t.Name]; again && t.Hosted == "" {
			kept[i] = t
			continue
		}
		if t.Hosted == "" {
			at[t.Name] = len(kept)
		}
		kept = append(kept, t)
	}
	return kept
}

// names are the names of functions, by the client's.
type names struct {
	of    map[string]string
	taken map[string]bool
}

// portable says whether no name of a function or a call needs a change.
func portable(r *Request) bool {
	for i := range r.Tools {
		if t := &r.Tools[i]; t.Hosted == "" && !isToolName(t.Name) {
			return false
		}
	}
	for i := range r.Messages {
		parts := r.Messages[i].Parts
		for j := range parts {
			if parts[j].Kind == ToolCall && !isToolName(parts[j].Name) {
				return false
			}
		}
	}
	return true
}

func (n *names) name(client string) string {
	if isToolName(client) || client == "" {
		return client
	}
	if known, ok := n.of[client]; ok {
		return known
	}
	name := []byte(client)
	if c := name[0]; inToolName(c) && !beginsToolName(c) {
		name = append([]byte{'_'}, name...)
	}
	for i, c := range name {
		if !inToolName(c) {
			name[i] = '_'
		}
	}
	if len(name) > longestName || n.taken[string(name)] {
		h := fnv.New32a()
		_, _ = h.Write([]byte(client)) // never fails
		end := "_" + strconv.FormatUint(uint64(h.Sum32()), 36)
		name = append(name[:min(len(name), longestName-len(end))], end...)
	}
	n.of[client], n.taken[string(name)] = string(name), true
	return string(name)
}

func isToolName(name string) bool {
	for i := range len(name) {
		if !inToolName(name[i]) {
			return false
		}
	}
	return name != "" && beginsToolName(name[0]) && len(name) <= longestName
}

func beginsToolName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}

func inToolName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// ToolName returns the client's name of a function; a nil m, in a request, has none.
func ToolName[T string | []byte](m *Meta, name T) T {
	if m == nil {
		return name
	}
	if t := m.Tools[string(name)]; t.Name != "" {
		return T(t.Name)
	}
	return name
}

// Allow leaves r the functions that are called by one of names, and its hosted tools; it
// says whether r has a function of each name. No names allow all.
func (r *Request) Allow(allowed []string) bool {
	if len(allowed) == 0 {
		return true
	}
	for _, name := range allowed {
		if !slices.ContainsFunc(r.Tools, func(t Tool) bool { return t.Name == name }) {
			return false
		}
	}
	r.Tools = slices.DeleteFunc(r.Tools, func(t Tool) bool { return t.Hosted == "" && !slices.Contains(allowed, t.Name) })
	return true
}
