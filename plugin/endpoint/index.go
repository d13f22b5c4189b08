package endpoint

import (
	"fmt"
	"net/http"
	"slices"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/route"
)

// Index finds the targets that may serve a request, by its route type and the model that
// it names. Targets are numbers: their places in the list. The zero Index has none.
type Index struct {
	all []*Endpoint
	// Candidates by route type, and by route type and model.
	byRoute, anyModel map[route.Type][]int
	byModel           map[string][]int
	patterns          []string // the aliases that are patterns, the more specific ones first
}

// Candidates returns the indexes of the targets that may serve a request for model
// on the route type. A name that a target has comes before all patterns, and of the
// patterns the most specific one decides. Errors are *chat.Error.
func (x *Index) Candidates(model string, wanted route.Type) ([]int, error) {
	if model == "" {
		return x.byRoute[wanted], nil
	}
	if list := x.byModel[string(wanted)+" "+model]; list != nil {
		return list, nil
	}
	for _, pattern := range x.patterns {
		if list := x.byModel[string(wanted)+" "+pattern]; list != nil && config.MatchesAlias(pattern, model) {
			return list, nil
		}
	}
	if list := x.anyModel[wanted]; list != nil {
		return list, nil
	}
	if all := x.byRoute[wanted]; len(all) == 1 {
		return nil, chat.NewError(http.StatusBadRequest, "cannot use own model - must be: "+x.all[all[0]].public())
	}
	return nil, chat.NewError(http.StatusBadRequest, fmt.Sprintf("no target matches model '%s'", model))
}

// NewIndex makes the tables of candidates. A target that takes any model, or whose
// model depends on the request, is in all of them.
func NewIndex(all []*Endpoint) Index {
	x := Index{all: all}
	x.byRoute, x.anyModel, x.byModel = map[route.Type][]int{}, map[route.Type][]int{}, map[string][]int{}
	for i, t := range x.all {
		x.byRoute[t.RouteType] = append(x.byRoute[t.RouteType], i)
		if t.Model.Alias == "" && (t.Model.Name == "" || !t.Static()) {
			x.anyModel[t.RouteType] = append(x.anyModel[t.RouteType], i)
		}
	}
	for _, t := range x.all {
		names := t.Aliases
		if !t.HasAlias(t.Model.Name) { // else its pattern decides: targets that share one are fallbacks for each other
			names = append(slices.Clone(names), t.Model.Name)
		}
		for _, name := range names {
			key := string(t.RouteType) + " " + name
			if name == "" || x.byModel[key] != nil {
				continue
			}
			for i, other := range x.all {
				if other.RouteType == t.RouteType && (slices.Contains(other.Aliases, name) || other.Model.Name == name || slices.Contains(x.anyModel[t.RouteType], i)) {
					x.byModel[key] = append(x.byModel[key], i)
				}
			}
		}
		for _, name := range t.Aliases {
			if config.IsPattern(name) && !slices.Contains(x.patterns, name) {
				x.patterns = append(x.patterns, name)
			}
		}
	}
	slices.SortStableFunc(x.patterns, config.CompareAliases)
	return x
}

// Of returns the targets of a route type.
func (x *Index) Of(wanted route.Type) []int { return x.byRoute[wanted] }

// RouteTypes is how many route types the targets have.
func (x *Index) RouteTypes() int { return len(x.byRoute) }
