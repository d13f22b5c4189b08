package plugin

import (
	"fmt"
	"net/http"
	"slices"

	"go-ai-proxy/plugin/endpoint"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// listed is a model that clients may name, and the first target that serves it.
type listed struct {
	provider.Model
	target *endpoint.Endpoint
}

// answerModels answers a client that asks which models the route serves, or for
// one of them, and says whether that is what it asked. Nothing is sent to a
// provider.
func answerModels(x *exchange) (bool, error) {
	inst, asked := x.instance, x.request.asked()
	var all []listed
	find := func(id string) int {
		if all == nil {
			all = listModels(x)
		}
		if i := slices.IndexFunc(all, func(m listed) bool { return m.is(id) }); i >= 0 {
			return i
		}
		return slices.IndexFunc(all, func(m listed) bool { return m.target.HasAlias(id) })
	}
	id, ok := inst.table.Models(&asked, func(id string) bool { return find(id) >= 0 })
	if !ok {
		return false, nil
	}
	writer := inst.table.Format().Models
	i := find(id)
	var body []byte
	switch {
	case id == "":
		models := make([]provider.Model, len(all))
		for i := range all {
			models[i] = all[i].Model
		}
		body = writer.AppendModels(nil, models)
	case i < 0:
		e := refuse(http.StatusNotFound, fmt.Sprintf("The model '%s' does not exist or you do not have access to it.", id))
		e.Code, e.Param = "model_not_found", "model"
		return true, e
	default:
		model := all[i].Model
		if !all[i].is(id) {
			model.ID = id // what a pattern stands for
		}
		body = writer.AppendModel(nil, &model)
		x.record.Update(all[i].target.Describe)
	}
	x.reply.finish(record.Completed, "")
	return true, x.reply.send(http.StatusOK, http.Header{"Content-Type": isJSONInUTF8}, body)
}

// listModels returns the models that the request's client may name, each once, in
// the order of the targets. A target whose model depends on the request has none to
// list, unless it has an alias.
func listModels(x *exchange) []listed {
	all := []listed{}
	for _, t := range x.instance.targets {
		if t.RouteType == route.Preserve || !x.shows(t) {
			continue
		}
		for _, id := range t.Names() {
			i := slices.IndexFunc(all, func(m listed) bool { return m.ID == id })
			if i < 0 {
				i = len(all)
				all = append(all, listed{provider.Model{ID: id, Owner: t.Model.Provider}, t})
			}
			if !slices.Contains(all[i].Routes, t.RouteType) {
				all[i].Routes = append(all[i].Routes, t.RouteType)
			}
		}
	}
	return all
}

// is says whether id names the model.
func (m *listed) is(id string) bool {
	plain := m.target.Provider.PlainModel
	return m.ID == id || plain != nil && plain(m.ID) == plain(id)
}
