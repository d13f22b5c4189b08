// Command mutate finds conditions that no test pins. It changes a package in
// one place at a time (a comparison, a constant, a call that is left out …),
// runs the package's tests on that, and prints each change that they did not
// notice:
//
//	go run ./test/mutate ./plugin/balancer
//	go run ./test/mutate -files 'cache*.go' -max 100 ./plugin/credentials
//	go run ./test/mutate -files cost.go ./plugin/record
//
// A change that does not compile is not counted. A change that makes the tests
// hang counts as noticed. All changes that type-check side by side are compiled
// into one test binary (weave.go); each of the others is compiled into its own.
// Some changes make no noticeable difference (a bound that nothing reaches, a
// field that is only a hint), so 100 % is not the goal. The working tree is not
// touched: the changes are given to go test by -overlay.
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
	skip     string   // of go test
	short    bool     // of go test
	max      int      // mutants, 0 for all
	parallel int
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.StringVar(&s.run, "run", "", "run only the tests that match, as go test has it")
	flags.StringVar(&s.skip, "skip", "", "skip the tests that match, as go test has it")
	flags.BoolVar(&s.short, "short", false, "run the tests that run with -short")
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

// exportsOf returns the files with what the compiler needs to know of each package
// that the package at path imports, and the selector.
func exportsOf(ctx context.Context, path string) (map[string]string, error) {
	text, err := exec.CommandContext(ctx, "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", path, "os", "strconv").Output()
	if err != nil {
		return nil, fmt.Errorf("%s does not compile: %w", path, err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, file, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		exports[name] = file
	}
	return exports, nil
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
	exports, err := exportsOf(ctx, p.ImportPath)
	if err != nil {
		return err
	}
	c, err := newChecker(p, exports)
	if err != nil {
		return err
	}
	t, err := newTester(ctx, s, c, all)
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
				results[i] = t.test(ctx, all, i)
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
	count, single := map[result]int{}, 0
	for i, r := range results {
		count[r]++
		if r != broken && all[i].form == alone {
			single++
		}
	}
	compiled := count[killed] + count[survived]
	fmt.Fprintf(out, "%s: %d of %d changes that compile noticed (%.1f %%); %d had a build of their own, %d do not compile\n",
		p.ImportPath, count[killed], compiled, 100*float64(count[killed])/float64(max(compiled, 1)), single, count[broken])
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

// tester runs tests on the changes of one package: all that can be are in one test
// binary, and a variable of the environment says which is meant; each of the others
// has a build of its own.
type tester struct {
	settings
	*checker
	dir     string
	timeout time.Duration
	woven   []binary
}

// binary is a compiled test, and the directory in which it runs.
type binary struct{ path, dir string }

// newTester builds the tests with all of the changes in them and runs them once
// without any: they must pass, and tell how long they take.
func newTester(ctx context.Context, s settings, c *checker, all []mutant) (*tester, error) {
	sources, err := c.weave(all)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	t := &tester{settings: s, checker: c, dir: dir, timeout: 10 * time.Minute}
	t.woven, err = t.build(ctx, "woven", sources)
	began := time.Now()
	if err == nil {
		err = t.execute(ctx, t.woven, 0)
	}
	if err != nil {
		t.close()
		return nil, fmt.Errorf("the tests fail without a change: %w", err)
	}
	t.timeout = 3*time.Second + 10*time.Since(began)
	return t, nil
}

func (t *tester) close() { os.RemoveAll(t.dir) }

// build compiles the tests with other sources of some files.
func (t *tester) build(ctx context.Context, name string, sources map[string][]byte) ([]binary, error) {
	dir := filepath.Join(t.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	replace := map[string]string{}
	for file, source := range sources {
		replace[file] = filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(replace[file], source, 0o600); err != nil {
			return nil, err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return nil, err
	}
	var list []binary
	for i, tests := range t.tests {
		p, err := load(ctx, tests)
		if err != nil {
			return nil, err
		}
		b := binary{filepath.Join(dir, fmt.Sprintf("tests%d", i)), p.Dir}
		text, err := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w",
			"-overlay", filepath.Join(dir, "overlay.json"), "-o", b.path, tests).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, text)
		}
		list = append(list, b)
	}
	return list, nil
}

// execute runs tests with change n, or none for 0.
func (t *tester) execute(ctx context.Context, list []binary, n int) error {
	for _, b := range list {
		ctx, cancel := context.WithTimeout(ctx, t.timeout+3*time.Second)
		cmd := exec.CommandContext(ctx, b.path, "-test.failfast", "-test.timeout="+t.timeout.String(),
			"-test.run="+t.run, "-test.skip="+t.skip, fmt.Sprintf("-test.short=%t", t.short), "-test.paniconexit0")
		cmd.Dir = b.dir
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", variable, n))
		cmd.WaitDelay = 5 * time.Second
		text, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, text)
		}
	}
	return nil
}

// test tries change i.
func (t *tester) test(ctx context.Context, all []mutant, i int) result {
	m := &all[i]
	tests := t.woven
	n := i + 1
	if m.form == alone {
		if !t.compiles(m) {
			return broken
		}
		name := fmt.Sprintf("change%d", n)
		defer os.RemoveAll(filepath.Join(t.dir, name))
		var err error
		if tests, err = t.build(ctx, name, map[string][]byte{m.file: m.apply()}); err != nil {
			return broken // a test does not compile
		}
	}
	err := t.execute(ctx, tests, n)
	switch {
	case ctx.Err() != nil:
		return broken
	case err != nil:
		return killed
	}
	return survived
}
