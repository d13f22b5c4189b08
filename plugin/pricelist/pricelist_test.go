package pricelist

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/lines/linestest"
	"go-ai-proxy/test/leaks"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/prices"
)

func TestMain(m *testing.M) { leaks.VerifyTestMain(m) }

// write writes a file that seems to have been changed a minute ago.
func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Minute)
	if err := os.Chtimes(file, past, past); err != nil {
		t.Fatal(err)
	}
}

// A file that is empty for a moment, as an editor or a copy leaves it, takes no prices away.
func TestAFileThatIsBeingWrittenIsLeftAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.jsonl")
	write(t, file, row)
	var s Store
	l, err := s.Open(file, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	if err := l.read(); err != nil {
		t.Fatal(err)
	}
	if r := l.Table().Find(translators.Lookup("openai"), "m"); r == nil {
		t.Error("the list is empty")
	}
}

const row = `{"provider":"openai","model":"m","date":"2026-01-02","input_cost":1,"output_cost":2}` + "\n"

// soon asks the list until f holds of it.
func soon(t *testing.T, l *List, f func(r *prices.Row) bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		l.checked.Store(0) // as if time had passed
		if f(l.Table().Find(translators.Lookup("openai"), "m")) {
			break
		}
	}
	if r := l.Table().Find(translators.Lookup("openai"), "m"); !f(r) {
		t.Errorf("the list has %+v", r)
	}
	for l.busy.Load() {
		time.Sleep(time.Millisecond)
	}
}

func TestAListThatChangesIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.jsonl")
	write(t, file, row)
	var said linestest.Buffer
	var s Store
	l, err := s.Open(file, zerolog.New(&said))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Open(file, zerolog.Nop()); err != nil || again != l {
		t.Errorf("a second configuration has another list: %v", err)
	}
	if first := l.Table(); l.Table() != first {
		t.Error("an unchanged list is read again")
	}
	write(t, file, strings.Replace(row, ":1,", ":30,", 1))
	soon(t, l, func(r *prices.Row) bool { return *r.InputCost == 30 })

	write(t, file, row+"{nonsense}\n")
	soon(t, l, func(*prices.Row) bool { return strings.Contains(said.String(), file+":2: ") })
	soon(t, l, func(r *prices.Row) bool { return *r.InputCost == 30 })
	if n := strings.Count(said.String(), "\n"); n != 1 {
		t.Errorf("an error is said %d times: %s", n, said.String())
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	soon(t, l, func(r *prices.Row) bool { return *r.InputCost == 30 && strings.Contains(said.String(), "no such file") })

	write(t, file, row)
	soon(t, l, func(r *prices.Row) bool { return *r.InputCost == 1 })
}

func TestAFileIsLookedAtOnceInAWhile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.jsonl")
	write(t, file, row)
	var s Store
	l, err := s.Open(file, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	l.look(now)
	for l.busy.Load() {
		time.Sleep(time.Millisecond)
	}
	at := l.checked.Load()
	l.look(now.Add(every - 1))
	if l.checked.Load() != at {
		t.Error("it is looked at again too soon")
	}
	l.look(now.Add(every))
	if l.checked.Load() == at {
		t.Error("it is not looked at again")
	}
	for l.busy.Load() {
		time.Sleep(time.Millisecond)
	}
}

func TestListThatIsTooLargeIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.jsonl")
	write(t, file, strings.Repeat("\n", maxFile+1))
	var s Store
	if _, err := s.Open(file, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
}

func TestBuiltInListNeedsNoFile(t *testing.T) {
	var s Store
	l, err := s.Open(prices.BuiltIn, zerolog.Nop())
	if err != nil || l.Table() != prices.List() {
		t.Errorf("%v", err)
	}
}
