package standalone

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/engine/enginetest"
)

func TestConfigurationIsNamedByItsFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	relay := plugin.NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	t.Cleanup(relay.Close)
	read := func(file string, mocked bool) error {
		l, err := (&source{relay: relay, file: file, mocked: mocked}).read()
		if err == nil {
			l.close()
		}
		return err
	}
	for _, c := range []struct {
		name, file string
		mocked     bool
		want       string // "" for none
	}{
		{"no default", "", false, "no kong.yml here: name one with -config, or try -mock"},
		{"none of that name", "kong.yml", false, "-config kong.yml: no such file or directory"},
		{"none of that name, with the mock", "x.yml", true, "-config x.yml: no such file or directory"},
		{"a directory", dir, false, "-config " + dir + ": is a directory"},
		{"the example", "", true, ""},
	} {
		if err := read(c.file, c.mocked); c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "kong.yml"), []byte("services: 5"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"", "kong.yml"} {
		if err := read(file, false); err == nil || !strings.HasPrefix(err.Error(), "kong.yml: services: ") {
			t.Errorf("%q: %v", file, err)
		}
	}
}
