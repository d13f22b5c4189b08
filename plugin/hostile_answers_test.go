package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/mock"
)

// altered is an Upstream that answers as the mock would, but for what alter
// does to the pieces of the answer.
type altered struct {
	pieces      [][]byte // of the good answer: one when it is whole
	contentType string
	alter       func(pieces [][]byte) []byte
}

func (a *altered) Do(_ context.Context, out *wire.Outgoing) (*wire.Answer, error) {
	var body bytes.Buffer
	for _, p := range out.Pieces {
		body.Write(p)
	}
	r := &http.Request{Method: out.Method, URL: out.URL, Header: out.Header}
	f := mock.Lookup(r)
	if f == nil {
		return nil, fmt.Errorf("no mock at %s", out.URL)
	}
	s := mock.Find(body.Bytes())
	if f.Streamed(r, body.Bytes()) {
		a.contentType, a.pieces = f.Stream(s, body.Bytes())
	} else {
		a.contentType, a.pieces = "application/json", [][]byte{f.Whole(s, body.Bytes())}
	}
	said := bytes.Join(a.pieces, nil)
	if a.alter != nil {
		said = a.alter(a.pieces)
	}
	return &wire.Answer{Status: 200, Header: http.Header{"Content-Type": {a.contentType}}, Body: io.NopCloser(bytes.NewReader(said)), Peer: "127.0.0.1:1"}, nil
}

// strangeFor are those of jsontest.Strange for the i-th place: null, and three that take
// turns. All of them at every place take a minute and found no more. One does for the
// race detector: it looks for something else.
func strangeFor(i int) []string {
	all := jsontest.Strange
	if raceEnabled {
		return all[i%len(all):][:1]
	}
	turn := func(n int) string { return all[1+(3*i+n)%(len(all)-1)] }
	return []string{all[0], turn(0), turn(1), turn(2)}
}

// reframed is a piece of a stream with its JSON changed.
func reframed(contentType string, piece []byte, change func(data []byte) []byte) []byte {
	if kind, _ := frame.KindOf(contentType, frame.SSE); kind == frame.EventStream {
		ev, err := frame.New(kind, bytes.NewReader(piece), 0).Next()
		if err != nil {
			return piece
		}
		return frame.AppendEventStream(nil, []frame.Header{{Name: ":event-type", Value: string(ev.Type)}, {Name: ":content-type", Value: "application/json"}, {Name: ":message-type", Value: "event"}}, change(ev.Data))
	}
	from, to := bytes.IndexByte(piece, '{'), bytes.LastIndexByte(piece, '}')+1
	if from < 0 || to <= from {
		return piece
	}
	return bytes.Join([][]byte{piece[:from], change(piece[from:to]), piece[to:]}, nil)
}

// formats of providers that an option chooses.
var formatsOf = map[string][]string{
	"llama2":  {"", `"llama2_format":"raw","upstream_url":"http://llama.test/"`, `"llama2_format":"ollama","upstream_url":"http://llama.test/api/chat"`},
	"mistral": {"", `"mistral_format":"ollama","upstream_url":"http://ollama.test/api/chat"`},
	"gemini":  {"", `"gemini":{"api_endpoint":"us-central1-aiplatform.googleapis.com","project_id":"p","location_id":"us-central1"}`},
}

// Whatever stands in the place of any value of any provider's answer, and
// whatever becomes of its events, the client gets JSON or a stream of JSON that
// ends once, the log gets a record, and nothing panics.
func TestOddAnswersAreHandledForEveryProvider(t *testing.T) {
	t.Parallel()
	for _, name := range translators.Names() {
		if translators.Lookup(name).Operations[chatRoute].Parts != "" {
			continue // its pieces are no events; what is in them is OpenAI's
		}
		variants := formatsOf[name]
		if variants == nil {
			variants = []string{""}
		}
		for i, more := range variants {
			t.Run(fmt.Sprintf("%s %d", name, i), func(t *testing.T) {
				conf := confOf("openai", chatRoute, name, mock.Model, more)
				if more != "" && options[name] != "" {
					conf = strings.Replace(conf, options[name]+",", "", 1)
				}
				o := &odd{t: t, conf: conf}
				for _, scenario := range []string{"thinking_tools", "usage"} {
					o.whole(scenario)
					if !strings.Contains(more, `"raw"`) { // which cannot stream
						o.streamed(scenario)
					}
				}
				t.Logf("%d answers", o.n)
			})
		}
	}
}

type odd struct {
	t    *testing.T
	conf string
	n    int
	// translated: the provider does not speak OpenAI's format, whose events pass.
	translated bool
}

// start returns what serves requests for the scenario, and the good answer.
func (o *odd) start(scenario, more string) (serve func(what string, alter func([][]byte) []byte), good *altered) {
	r := NewRelay(testSchema, zerolog.New(o), enginetest.Kind)
	up := &altered{}
	r.upstream = up
	inst, err := r.NewInstance([]byte(o.conf))
	if err != nil {
		o.t.Fatalf("%v\n%s", err, o.conf)
	}
	p := inst.targets[0].Provider
	if t, err := inst.targets[0].Resolve(nil, ""); err == nil && p.Variant != nil {
		p = p.Variant(t)
	}
	o.translated = p.Operations[chatRoute].Format != routes.Of(chatRoute).Format
	body := []byte(strings.Replace(`{"messages":[{"role":"user","content":"scenario:`+scenario+`"}]}`, "]}", "]"+more+"}", 1))
	return func(what string, alter func([][]byte) []byte) {
		up.alter = alter
		o.n++
		out := &taken{}
		rec := r.Serve(context.Background(), inst, inbound(body), out, nil)
		if alter == nil && rec.Outcome() != record.Completed {
			o.t.Fatalf("the good answer: %s %s", rec.Data().Message, out.body.String())
		}
		o.check(scenario+": "+what, rec, out)
	}, up
}

// Write takes the relay's log.
func (o *odd) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("panic")) {
		o.t.Errorf("log: %s", p)
	}
	return len(p), nil
}

func (o *odd) check(what string, rec *record.Record, out *taken) {
	o.t.Helper()
	body := out.body.Bytes()
	text := rec.Append(nil)
	var logged struct {
		Usage struct {
			Prompt     float64 `json:"prompt_tokens"`
			Completion float64 `json:"completion_tokens"`
			Total      float64 `json:"total_tokens"`
		}
	}
	switch err := json.Unmarshal(text, &logged); {
	case err != nil:
		o.t.Errorf("%s: record: %v %s", what, err, text)
	case logged.Usage.Prompt < 0 || logged.Usage.Completion < 0 || logged.Usage.Total < 0:
		o.t.Errorf("%s: record: %s", what, text)
	case rec.Outcome() == record.Panicked || rec.Outcome() == record.Pending:
		o.t.Errorf("%s: outcome %s", what, rec.Outcome())
	}
	if !strings.HasPrefix(out.header.Get("Content-Type"), "text/event-stream") {
		var v map[string]json.RawMessage
		if err := json.Unmarshal(body, &v); err != nil {
			o.t.Errorf("%s: %d %v: %.300q", what, out.status, err, body)
		} else if _, ok := v["error"]; ok != (out.status != 200) && v["choices"] == nil {
			o.t.Errorf("%s: %d %.300s", what, out.status, body)
		}
		return
	}
	o.checkStream(what, body)
}

func (o *odd) checkStream(what string, body []byte) {
	o.t.Helper()
	ends, failures := 0, 0
	constant := map[string]any{}
	for _, block := range strings.Split(strings.TrimSuffix(string(body), "\n\n"), "\n\n") {
		data, _ := strings.CutPrefix(block, "data: ")
		if ends+failures > 0 {
			o.t.Errorf("%s: after the end: %.200s", what, block)
		}
		if data == "[DONE]" {
			ends++
			continue
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(data), &v); err != nil {
			if !strings.Contains(err.Error(), "cannot unmarshal") && !strings.Contains(err.Error(), "max depth") {
				o.t.Errorf("%s: %v in %.300s", what, err, block)
			}
			continue
		}
		if v["error"] != nil {
			failures++
		}
		if !o.translated {
			continue
		}
		for _, k := range []string{"id", "created", "model"} {
			if constant[k] == nil {
				constant[k] = v[k]
			} else if v["error"] == nil && v[k] != constant[k] {
				o.t.Errorf("%s: %s was %v and is %v", what, k, constant[k], v[k])
			}
		}
	}
	if ends+failures != 1 {
		o.t.Errorf("%s: %d ends, %d errors: %.600s", what, ends, failures, body)
	}
}

func (o *odd) whole(scenario string) {
	serve, good := o.start(scenario, "")
	serve("good", nil)
	text := good.pieces[0]
	for i, at := range jsontest.Values(text) {
		for _, value := range strangeFor(i) {
			serve(fmt.Sprintf("%.60s at %d is %.20s", text[at.Start:at.End], at.Start, value), func([][]byte) []byte {
				return at.Replace(text, value)
			})
		}
	}
}

func (o *odd) streamed(scenario string) {
	serve, good := o.start(scenario, `,"stream":true`)
	serve("good, streamed", nil)
	if len(good.pieces) < 2 {
		return // it cannot stream
	}
	pieces := append([][]byte(nil), good.pieces...)
	with := func(i int, p ...[]byte) []byte {
		all := append(append(append([][]byte(nil), pieces[:i]...), p...), pieces[i+1:]...)
		return bytes.Join(all, nil)
	}
	seen := map[string]bool{} // shapes of events that were tried
	for i, piece := range pieces {
		serve(fmt.Sprintf("without event %d", i), func([][]byte) []byte { return with(i) })
		serve(fmt.Sprintf("event %d twice", i), func([][]byte) []byte { return with(i, piece, piece) })
		serve(fmt.Sprintf("up to event %d", i), func([][]byte) []byte { return bytes.Join(pieces[:i], nil) })
		if i > 0 {
			serve(fmt.Sprintf("events %d and %d in each other's place", i-1, i), func([][]byte) []byte {
				all := append([][]byte(nil), pieces...)
				all[i-1], all[i] = all[i], all[i-1]
				return bytes.Join(all, nil)
			})
		}
		shape := ""
		reframed(good.contentType, piece, func(data []byte) []byte { shape = shapeOf(data); return data })
		if seen[shape] {
			continue
		}
		seen[shape] = true
		reframed(good.contentType, piece, func(data []byte) []byte {
			for j, at := range jsontest.Values(data) {
				for _, value := range strangeFor(i + j) {
					serve(fmt.Sprintf("event %d: %.60s at %d is %.20s", i, data[at.Start:at.End], at.Start, value), func([][]byte) []byte {
						return with(i, reframed(good.contentType, piece, func([]byte) []byte { return at.Replace(data, value) }))
					})
				}
			}
			return data
		})
	}
}

// shapeOf is a JSON text without its values.
func shapeOf(text []byte) string {
	var b strings.Builder
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		t, err := d.Token()
		if err != nil {
			return b.String()
		}
		if s, ok := t.(string); ok && len(s) > 25 {
			t = "long"
		}
		fmt.Fprintf(&b, "%T", t)
		if d, ok := t.(json.Delim); ok {
			b.WriteString(d.String())
		}
	}
}
