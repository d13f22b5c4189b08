package plugin

import (
	"cmp"
	"net/http"
	"strings"
	"unicode/utf8"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/server"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/route"
)

// settleSeen copies what the answer said into the record. Usage that was counted
// before is not counted again: it is removed from seen, and so for the balancer,
// too.
func settleSeen(a *attempt) {
	if !a.billed {
		a.billed = true
		if !bills(a) {
			a.seen.Usage, a.seen.HasUsage = chat.Usage{ServiceTier: a.seen.Usage.ServiceTier}, true
		}
	}
	if speaks(a) && a.seen.Usage.Characters == 0 { // no answer counts them
		said, _ := jsonedit.String(jsonedit.Find(a.request.members, "input"))
		a.seen.Usage.Characters = utf8.RuneCountInString(said)
	}
	record.Bound(&a.seen.Usage)
	price := a.endpoint.Price(a.target.Options, a.seen.Model)
	a.record.Update(func(d *record.Data) {
		d.Usage = a.seen.Usage
		if d.Price == nil {
			d.Price = price
		}
		if a.seen.Model != "" {
			d.ResponseModel = a.seen.Model
		}
		d.Finish = a.seen.Finish
	})
}

// speaks says whether the answer is the client's text, spoken.
func speaks(a *attempt) bool {
	return a.request.route == route.Speech && a.answer != nil && a.answer.Status < 300
}

// bills says whether the usage in the answer counts. The usage of a stored answer
// was counted when the answer was made. Where usage is known only later (an answer
// in background mode, a run, a batch), it counts the first time it is seen.
func bills(a *attempt) bool {
	if a.request.batchOutput() {
		a.seen.Stored, _ = openai.SplitID(a.request.sub)
		a.seen.Usage.ServiceTier = cmp.Or(a.seen.Usage.ServiceTier, "batch") // only a batch's output has usage
	}
	if a.seen.Stored == "" {
		return !a.request.reads()
	}
	at, id := storedAt(a), a.seen.Stored
	return a.seen.HasUsage && a.relay.paid.First(at, id) && (a.relay.node == nil || a.relay.node.First(at+" "+id))
}

// storedAt is where ids are unique: the host and path below which the API is. Behind one
// gateway there may be several accounts.
func storedAt(a *attempt) string {
	path := a.out.URL.EscapedPath()
	base, _, _ := strings.Cut(path, "/"+a.seen.Stored)
	if r := a.request.api.Resources; r != nil {
		for _, family := range r.Names {
			if before, _, found := strings.Cut(path, "/"+family); found {
				base = before
			}
		}
	}
	return a.out.URL.Host + base
}

// loggingInstance is a kongInstance for a Kong without the shim: its log phase
// writes the log entry itself, with our record in it.
type loggingInstance struct{ kongInstance }

// logID is the key in Kong's shared context under which the access phase stores
// the record's id.
const logID = "go_ai_proxy_record"

// Access implements server.Instance.
func (l loggingInstance) Access(e *server.Event) {
	c, err := l.context(e.PDK)
	if err == nil {
		c.RecordID = l.kong.gateway.Reserve()
		if err = e.Ctx.SetShared(logID, c.RecordID); err == nil {
			err = l.send(e.PDK, l.access.Header(c))
		}
	}
	if err != nil {
		l.kong.log.Error().Err(err).Msg("access")
		e.Response.Exit(http.StatusInternalServerError, nil, nil)
	}
}

// Log implements server.LogHandler.
func (l loggingInstance) Log(e *server.Event) {
	id, err := e.Ctx.GetSharedString(logID)
	if err != nil {
		return // the access phase did not see this request
	}
	entry, err := e.PDK.Log.Serialize()
	if err != nil {
		l.kong.log.Warn().Err(err).Msg("log entry")
		return
	}
	line := []byte(entry)
	if rec := l.kong.gateway.Record(id); rec != nil {
		if b := rec.Append(nil); len(b) > 0 {
			line = withRecord(line, b)
		}
	}
	_, _ = l.kong.entries.Write(append(line, '\n'))
}

// withRecord puts a record into a log entry of Kong's.
func withRecord(entry, record []byte) []byte {
	members, err := jsonedit.Object(entry, nil)
	if err != nil {
		return entry
	}
	ai := append(append([]byte(`{"proxy":`), record...), '}')
	return jsonedit.Join(nil, jsonedit.Splice(nil, entry, members, []jsonedit.Edit{{Key: "ai", Value: ai}}))
}

// observeResponse keeps what a translated answer says for the record.
func observeResponse(a *attempt, resp *chat.Response) {
	a.seen.Usage, a.seen.HasUsage = resp.Usage, !resp.NoUsage
	a.seen.Model = resp.Model
	if resp.ServiceTier != "" {
		a.seen.Usage.ServiceTier = resp.ServiceTier
	}
	for i := range resp.Choices {
		a.seen.Finish = resp.Choices[i].Finish
		for j := range resp.Choices[i].Parts {
			a.seen.TextLen += resp.Choices[i].Parts[j].Text.Len()
		}
	}
	settleSeen(a)
}

// meterWhole reads usage from an answer that is forwarded unchanged.
func meterWhole(a *attempt, whole []byte) {
	meter := a.op.Meter
	if a.how == untouched {
		meter = openai.Meter
	}
	if meter == nil {
		return
	}
	meter.Whole(whole, &a.seen)
	meterHeaders(a)
	settleSeen(a)
}

// meterHeaders reads the usage of an answer that reports it in headers only.
func meterHeaders(a *attempt) {
	if !a.seen.HasUsage && a.op.MeterHeaders != nil {
		a.op.MeterHeaders(a.answer.Header, &a.seen)
	}
}
