package plugin

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
)

func TestFormThatIsCutOffAbortsTheRequest(t *testing.T) {
	body := formOf("model=m", "file@="+strings.Repeat("x", 200_000))
	for name, n := range map[string]int{"in its front": 100, "later": 150_000} {
		src := io.MultiReader(strings.NewReader(body[:n]), iotest.ErrReader(io.ErrUnexpectedEOF))
		q := &exchange{instance: &Instance{config: &config.Config{}}, record: &record.Record{}}
		q.request = request{
			api: routes.Of("audio/v1/audio/transcriptions"),
			in:  &wire.Inbound{Header: http.Header{"Content-Type": {formType}}, Body: src, ContentLength: -1},
		}
		err := (&reading{q, &q.request}).takeForm(0)
		if err == nil {
			_, err = io.ReadAll(q.request.form)
		}
		if !errors.Is(err, wire.ErrClientGone) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
