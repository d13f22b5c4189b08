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

// accounting puts what an answer says of its usage into the record.
type accounting struct {
	plan   *plan
	out    *outgoing // the request that is answered
	reply  *reply
	status int       // the answer's; 0 for none
	seen   chat.Seen // what the answer has said so far
	billed bool      // whether seen's usage counts has been decided
}

// settle copies what the answer said into the record. Usage that was counted
// before is not counted again: it is removed from seen, and so for the balancer,
// too.
func (c *accounting) settle() {
	p := c.plan
	if !c.billed {
		c.billed = true
		if !c.bills() {
			c.seen.Usage, c.seen.HasUsage = chat.Usage{ServiceTier: c.seen.Usage.ServiceTier}, true
		}
	}
	if c.speaks() && c.seen.Usage.Characters == 0 { // no answer counts them
		said, _ := jsonedit.String(jsonedit.Find(p.request.members, "input"))
		c.seen.Usage.Characters = utf8.RuneCountInString(said)
	}
	record.Bound(&c.seen.Usage)
	price := p.endpoint.Price(p.target.Options, c.seen.Model)
	c.reply.record.Update(func(d *record.Data) {
		d.Usage = c.seen.Usage
		if d.Price == nil {
			d.Price = price
		}
		if c.seen.Model != "" {
			d.ResponseModel = c.seen.Model
		}
		d.Finish = c.seen.Finish
	})
}

// speaks says whether the answer is the client's text, spoken.
func (c *accounting) speaks() bool {
	return c.plan.request.route == route.Speech && c.status != 0 && c.status < 300
}

// bills says whether the usage in the answer counts. The usage of a stored answer
// was counted when the answer was made. Where usage is known only later (an answer
// in background mode, a run, a batch), it counts the first time it is seen.
func (c *accounting) bills() bool {
	p := c.plan
	if p.request.batchOutput() {
		c.seen.Stored, _ = openai.SplitID(p.request.sub)
		c.seen.Usage.ServiceTier = cmp.Or(c.seen.Usage.ServiceTier, "batch") // only a batch's output has usage
	}
	if c.seen.Stored == "" {
		return !p.request.reads()
	}
	at, id := c.storedAt(), c.seen.Stored
	return c.seen.HasUsage && p.instance.relay.paid.First(at, id) && (p.instance.relay.node == nil || p.instance.relay.node.First(at+" "+id))
}

// storedAt is where ids are unique: the host and path below which the API is. Behind one
// gateway there may be several accounts.
func (c *accounting) storedAt() string {
	path := c.out.call.URL.EscapedPath()
	base, _, _ := strings.Cut(path, "/"+c.seen.Stored)
	if r := c.plan.request.api.Resources; r != nil {
		for _, family := range r.Names {
			if before, _, found := strings.Cut(path, "/"+family); found {
				base = before
			}
		}
	}
	return c.out.call.URL.Host + base
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

// observe keeps what a translated answer says for the record.
func (c *accounting) observe(resp *chat.Response) {
	c.seen.Usage, c.seen.HasUsage = resp.Usage, !resp.NoUsage
	c.seen.Model = resp.Model
	if resp.ServiceTier != "" {
		c.seen.Usage.ServiceTier = resp.ServiceTier
	}
	for i := range resp.Choices {
		c.seen.Finish = resp.Choices[i].Finish
		for j := range resp.Choices[i].Parts {
			c.seen.TextLen += resp.Choices[i].Parts[j].Text.Len()
		}
	}
	c.settle()
}

// meterWhole reads usage from an answer that is forwarded unchanged.
func (c *accounting) meterWhole(whole []byte, h http.Header) {
	meter := c.plan.op.Meter
	if c.plan.how == untouched {
		meter = openai.Meter
	}
	if meter == nil {
		return
	}
	meter.Whole(whole, &c.seen)
	c.meterHeaders(h)
	c.settle()
}

// meterHeaders reads the usage of an answer that reports it in headers only.
func (c *accounting) meterHeaders(h http.Header) {
	if !c.seen.HasUsage && c.plan.op.MeterHeaders != nil {
		c.plan.op.MeterHeaders(h, &c.seen)
	}
}
