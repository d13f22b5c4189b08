package plugin

import (
	"net/http"
	"strings"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/server"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
)

// finish settles the record; the first call counts.
func (x *exchange) finish(outcome record.Outcome, message string) {
	var estimate *chat.Usage
	if x.record.Outcome() == record.Pending {
		if u, ok := x.estimate(outcome); ok { // looks into the client's body: not under the lock
			estimate = &u
		}
	}
	if x.record.Settle(outcome, message, estimate) && x.reply.live != nil {
		x.reply.live.Settle(x.record)
	}
}

// settleSeen copies what the answer said into the record. What was counted
// before is not counted again: it is taken out of seen, for the balancer too.
func settleSeen(a *attempt) {
	if !a.billed {
		a.billed = true
		if !bills(a) {
			a.seen.Usage, a.seen.HasUsage = chat.Usage{ServiceTier: a.seen.Usage.ServiceTier}, true
		}
	}
	record.Bound(&a.seen.Usage)
	a.exchange.record.Update(func(d *record.Data) {
		d.Usage = a.seen.Usage
		if a.seen.Model != "" {
			d.ResponseModel = a.seen.Model
		}
		d.Finish = a.seen.Finish
	})
}

// estimate returns the usage of an answer whose provider counted nothing, or
// not all, as Kong does: words of the prompt (1.8 tokens each when streamed),
// four bytes of answer to a token. ok is false where nothing is estimated.
//
// Many providers count the output at the end of a stream, and some the prompt
// at its start: of one that did not come to its end, the output is estimated
// even where there are counts.
func (x *exchange) estimate(outcome record.Outcome) (u chat.Usage, ok bool) {
	if x.seen == nil || outcome == record.Refused || outcome == record.Panicked || x.request.api == nil {
		return u, false
	}
	so := x.record.Data()
	if len(so.Tried) == 0 || so.Tried[len(so.Tried)-1].Status != http.StatusOK {
		return u, false
	}
	if outcome == record.Completed && (x.seen.HasUsage || x.request.api.Prose == nil) {
		return u, false
	}
	u = so.Usage
	if !x.seen.HasUsage && x.request.api.Prose != nil && u.Prompt == 0 {
		u.Prompt, u.Total, ok = record.PromptTokens(x.request.api.Prose(x.request.members), x.request.stream), 0, true
	}
	return u, record.EstimateOutput(&u, x.seen.TextLen) || ok
}

// reads says whether the request only asks for what another one has made, or
// ends it: what that cost was counted when it was made, or is counted once, see
// bills.
func (q *request) reads() bool {
	switch {
	case q.in.Method == http.MethodGet || q.in.Method == http.MethodHead || q.in.Method == http.MethodDelete:
		return q.in.Upgrade == nil || q.api.Body != provider.TakeSocket
	case q.api.Resources == nil:
		return false
	}
	return strings.HasSuffix(q.sub, "/cancel") || strings.HasSuffix(q.sub, "/stop")
}

// bills says whether the usage in the answer counts. That of a stored answer
// was counted when it was made. Where it is only known later (an answer in
// background mode, a run, a batch) it counts the first time that it is seen.
func bills(a *attempt) bool {
	if a.request.family == "files" && strings.HasSuffix(a.request.sub, "/content") {
		a.seen.Stored, _ = openai.SplitID(a.request.sub)
	}
	if a.seen.Stored == "" {
		return !a.request.reads()
	}
	return a.seen.HasUsage && a.exchange.relay.paid.First(a.out.URL.Host, a.seen.Stored)
}

// loggingInstance is a kongInstance on a Kong without the shim: its log phase
// writes the log entry itself, with our record in it.
type loggingInstance struct{ kongInstance }

// logID is the name under which the access phase leaves the record's id in
// Kong's shared context.
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
		return // a request that access did not see
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
