package mock

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Options configure how the mock answers.
type Options struct {
	// Delay is the time before each event of a stream.
	Delay time.Duration
	// Latency is the time before an answer begins.
	Latency time.Duration
	// AWSKeys are the secret access keys by their access key ids. With any, a
	// request signed for AWS must be signed with one of them; with none, only
	// the form of a signature is checked.
	AWSKeys map[string]string
	// Refuses, if set, returns why the API at a host and a path refuses a request whose
	// form is right: APIs that have the same format differ in what they take of it. The
	// host is that of X-Forwarded-Host, if a request has one.
	Refuses func(host, path string, body []byte) error
	// Unique gives the ids of each answer a part that depends on the request's body.
	Unique bool
}

// maxBody limits how much of a request a mock reads, in bytes.
const maxBody = 64 << 20

// Handler returns all mock providers behind one address: the path says which
// format is spoken. The same request always gets the same answer.
func Handler(o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		f := Lookup(r)
		switch {
		case err == nil && count(w, r, body):
			return
		case f == nil:
			writeJSON(w, http.StatusNotFound, []byte(`{"error":{"message":"no mock provider has this path","type":"invalid_request_error","code":null,"param":null}}`))
			return
		case err != nil:
			writeJSON(w, http.StatusBadRequest, f.Error(http.StatusBadRequest, err.Error()))
			return
		}
		if refused := (*SignatureError)(nil); errors.As(o.verify(r, body), &refused) {
			w.Header().Set("X-Amzn-ErrorType", refused.Type)
			writeJSON(w, http.StatusForbidden, []byte(`{"message":`+quote(refused.Message)+`}`))
			return
		}
		if err := o.check(f, r, body); err != nil {
			writeJSON(w, http.StatusBadRequest, f.Error(http.StatusBadRequest, err.Error()))
			return
		}
		if !wait(r, o.Latency) {
			return
		}
		answer(w, r, f, body, o)
	})
}

// check refuses what the API that r is for refuses.
func (o *Options) check(f Format, r *http.Request, body []byte) error {
	if err := f.Check(r, body); err != nil || o.Refuses == nil {
		return err
	}
	return o.Refuses(cmp.Or(r.Header.Get("X-Forwarded-Host"), r.Host), r.URL.Path, body)
}

// Lookup returns the format that r is for, or nil.
func Lookup(r *http.Request) Format {
	for _, f := range Formats {
		if f.Match(r) {
			return f
		}
	}
	return nil
}

// ByName returns the format called name, or nil.
func ByName(name string) Format {
	for _, f := range Formats {
		if f.Name() == name {
			return f
		}
	}
	return nil
}

func answer(w http.ResponseWriter, r *http.Request, f Format, body []byte, o Options) {
	s := Find(body)
	if o.Unique {
		s = s.unique(body)
	}
	if s.Error != nil && s.Break == 0 {
		if s.RetryAfter != "" {
			w.Header().Set("Retry-After", s.RetryAfter)
		}
		writeJSON(w, s.Error.Status, f.Error(s.Error.Status, s.Error.Message))
		return
	}
	if at, ok := f.(interface {
		At(*http.Request) (string, []byte)
	}); ok {
		contentType, answer := at.At(r)
		write(w, http.StatusOK, contentType, answer)
		return
	}
	if !f.Streamed(r, body) {
		writeJSON(w, http.StatusOK, f.Whole(s, body))
		return
	}
	contentType, events := Events(f, s, body)
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
	flusher := http.NewResponseController(w)
	for _, e := range events {
		if !wait(r, o.Delay) {
			return
		}
		if _, err := w.Write(e); err != nil {
			return
		}
		if err := flusher.Flush(); err != nil {
			return
		}
	}
}

// Events returns the events of s as f streams them, broken off where s says so.
func Events(f Format, s *Scenario, body []byte) (contentType string, events [][]byte) {
	contentType, events = f.Stream(s, body)
	if s.Error == nil || s.Break == 0 {
		return contentType, events
	}
	events = events[:min(s.Break, len(events)-1)]
	if e := f.StreamError(s.Error.Message); e != nil {
		events = append(events, e)
	}
	return contentType, events
}

// wait sleeps for d and reports whether the client is still connected.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return r.Context().Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	write(w, status, "application/json", body)
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
