// Command mutate finds conditions that no test pins. It changes a package in
// one place at a time (a comparison, a constant, a call that is left out …),
// runs the package's tests on that, and prints each change that they did not
// notice:
//
//	go run ./test/mutate ./plugin/balancer
//	go run ./test/mutate -files 'cache*.go' -max 100 ./plugin/credentials
//	go run ./test/mutate -files cost.go ./plugin/record
//
// A change that does not compile is none; one at which the tests hang is
// noticed. Some changes make no difference that could be noticed (a bound that
// nothing reaches, a field that is only a hint), so that a score of 100 % is
// no aim. The working tree is not touched: go test -overlay has the changes.
//
// Start with mutants.go, which says what is changed.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// settings are the command line's.
type settings struct {
	tests    []string // packages whose tests are run
	run      string   // of go test
	files    string   // a pattern of file names
	max      int      // mutants, 0 for all
	parallel int
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.StringVar(&s.run, "run", "", "run only the tests that match, as go test has it")
	flags.StringVar(&s.files, "files", "*.go", "change only files whose `name` matches")
	flags.IntVar(&s.max, "max", 0, "try so many changes, always the same ones; 0 is all")
	flags.IntVar(&s.parallel, "p", 1, "how many changes are tried at once")
	more := flags.String("tests", "", "`packages` whose tests count as well, with commas")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("name a package, such as ./plugin/balancer")
	}
	// Arguments after the first that end in .go are files of the package before.
	for rest := flags.Args(); len(rest) > 0; {
		p, err := load(ctx, rest[0])
		if err != nil {
			return err
		}
		rest = rest[1:]
		var named []string
		for ; len(rest) > 0 && strings.HasSuffix(rest[0], ".go"); rest = rest[1:] {
			named = append(named, filepath.Base(rest[0]))
		}
		s.tests = []string{p.ImportPath}
		if *more != "" {
			s.tests = append(s.tests, strings.Split(*more, ",")...)
		}
		if err := try(ctx, s, p, named, out); err != nil {
			return err
		}
	}
	return nil
}

// pkg is what go list says of a package.
type pkg struct {
	Dir, ImportPath string
	GoFiles         []string
	Module          struct{ Dir string }
}

func load(ctx context.Context, path string) (*pkg, error) {
	text, err := exec.CommandContext(ctx, "go", "list", "-json=Dir,ImportPath,GoFiles,Module", path).Output()
	if err != nil {
		return nil, fmt.Errorf("%s is no package: %w", path, err)
	}
	p := &pkg{}
	return p, json.Unmarshal(text, p)
}

// try tries the changes of one package and prints what survives, and the score.
func try(ctx context.Context, s settings, p *pkg, named []string, out io.Writer) error {
	var all []mutant
	for _, name := range p.GoFiles {
		matches, err := filepath.Match(s.files, name)
		if err != nil {
			return fmt.Errorf("-files: %w", err)
		}
		if !matches || len(named) > 0 && !slices.Contains(named, name) {
			continue
		}
		list, err := mutants(filepath.Join(p.Dir, name))
		if err != nil {
			return err
		}
		all = append(all, list...)
	}
	all = sample(all, s.max)
	t, err := newTester(ctx, s)
	if err != nil {
		return err
	}
	defer t.close()
	results := make([]result, len(all))
	var workers sync.WaitGroup
	next := make(chan int)
	for range max(s.parallel, 1) {
		workers.Go(func() {
			for i := range next {
				results[i] = t.test(ctx, all[i])
				if results[i] == survived {
					name, _ := filepath.Rel(p.Module.Dir, all[i].file)
					fmt.Fprintf(out, "%s:%d: %s\n", name, all[i].line, all[i].change)
				}
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	workers.Wait()
	count := map[result]int{}
	for _, r := range results {
		count[r]++
	}
	compiled := count[killed] + count[survived]
	fmt.Fprintf(out, "%s: %d of %d changes that compile noticed (%.1f %%); %d do not compile\n",
		p.ImportPath, count[killed], compiled, 100*float64(count[killed])/float64(max(compiled, 1)), count[broken])
	return ctx.Err()
}

// sample returns max of the mutants, the same ones each time as long as their
// lines are what they were.
func sample(all []mutant, max int) []mutant {
	if max <= 0 || max >= len(all) {
		return all
	}
	slices.SortStableFunc(all, func(a, b mutant) int { return cmp.Compare(a.hash(), b.hash()) })
	all = all[:max]
	slices.SortStableFunc(all, func(a, b mutant) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.start, b.start))
	})
	return all
}

// result is what became of a mutant.
type result int

const (
	broken result = iota // it does not compile
	killed
	survived
)

// tester runs tests on mutants.
type tester struct {
	settings
	dir     string
	timeout time.Duration
}

// newTester runs the tests once as they are: they must pass, and tell how long
// they take.
func newTester(ctx context.Context, s settings) (*tester, error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	t := &tester{settings: s, dir: dir, timeout: 10 * time.Minute}
	for range 2 { // the first may have to compile much
		began := time.Now()
		if text, err := t.goTest(ctx, ""); err != nil {
			t.close()
			return nil, fmt.Errorf("the tests fail without a change: %w\n%s", err, text)
		}
		t.timeout = 10*time.Second + 5*time.Since(began)
	}
	return t, nil
}

func (t *tester) close() { os.RemoveAll(t.dir) }

func (t *tester) goTest(ctx context.Context, overlay string) ([]byte, error) {
	args := []string{"test", "-vet=off", "-count=1", "-failfast", "-ldflags=-s -w", "-timeout", t.timeout.String()}
	if t.run != "" {
		args = append(args, "-run", t.run)
	}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	return exec.CommandContext(ctx, "go", append(args, t.tests...)...).CombinedOutput()
}

// test tries one mutant.
func (t *tester) test(ctx context.Context, m mutant) result {
	dir, err := os.MkdirTemp(t.dir, "")
	if err != nil {
		return broken
	}
	defer os.RemoveAll(dir)
	source, overlay := filepath.Join(dir, filepath.Base(m.file)), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{m.file: source}})
	if err != nil || os.WriteFile(source, m.apply(), 0o600) != nil || os.WriteFile(overlay, replace, 0o600) != nil {
		return broken
	}
	text, err := t.goTest(ctx, overlay)
	switch {
	case err == nil:
		return survived
	case strings.Contains(string(text), "[build failed]"), strings.Contains(string(text), "[setup failed]"), ctx.Err() != nil:
		return broken
	}
	return killed
}
