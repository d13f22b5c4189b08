// bench measures go-ai-proxy beside other gateways on one machine: what each costs per
// request and what it adds, in the shapes in which others publish their figures.
//
//	go run . -list
//	go run . -shapes 400-c100,stream-s128 -peers direct,nginx,this -out results
//
// Start with run. shapes.go has the loads, mock.go the provider, load.go the clients,
// peers.go the gateways, report.go what is printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go-ai-proxy/test/ports"
)

// options are those of the command line.
type options struct {
	shapes, peers string
	rounds        int
	duration      time.Duration
	out, page     string
	repo, kong    string
	list          bool
	port          int

	dir    string // for everything that is written while it runs
	pinned bool   // gateways have a core of their own
	all    int    // cores of the machine
}

func main() {
	if args := os.Getenv(proxyEnv); args != "" {
		fmt.Fprintln(os.Stderr, reverseProxy(args))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run does what args say: the report goes to out, what happens meanwhile to log.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	o := &options{all: runtime.NumCPU()}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.StringVar(&o.shapes, "shapes", "", "`names` with commas between them; all by default")
	flags.StringVar(&o.peers, "peers", "", "`names` with commas between them; all that are installed by default")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds of each peer, in turn; 0 only writes the page")
	flags.DurationVar(&o.duration, "d", 5*time.Second, "how long a round takes")
	flags.StringVar(&o.out, "out", "", "`folder` for results and charts, which keeps those of other shapes")
	flags.StringVar(&o.page, "page", "", "Markdown `file` in which what is in -out goes between its marks")
	flags.StringVar(&o.repo, "repo", "..", "the `folder` of go-ai-proxy")
	flags.StringVar(&o.kong, "kong", "kong", "Kong's `program`")
	flags.BoolVar(&o.list, "list", false, "name shapes and peers, and end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.list {
		return list(o, out)
	}
	if o.rounds == 0 && o.page != "" {
		return rewrite(o)
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.dir = dir
	if o.repo, err = filepath.Abs(o.repo); err != nil {
		return err
	}
	o.pin()
	return measure(ctx, o, out, log)
}

// pin leaves the first core to the gateways, if the machine has several.
func (o *options) pin() {
	if o.all < 2 {
		return
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		return
	}
	others := "1-" + strconv.Itoa(o.all-1)
	o.pinned = exec.Command("taskset", "-acp", others, strconv.Itoa(os.Getpid())).Run() == nil
}

// list names what there is.
func list(o *options, out io.Writer) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.dir = dir
	for _, s := range shapes() {
		fmt.Fprintf(out, "shape  %-16s %s, %d bytes\n", s.name, s.title, len(s.body))
	}
	for i := range peers {
		_, version, err := peers[i].find(o)
		if err != nil {
			version = "not installed"
		}
		fmt.Fprintf(out, "peer   %-16s %s: %s\n", peers[i].name, peers[i].about, version)
	}
	return nil
}

// named returns those of all that a list names; all if it is empty.
func named[T any](all []T, names string, of func(*T) string) (some []*T, err error) {
	wanted := strings.FieldsFunc(names, func(r rune) bool { return r == ',' })
	for i := range all {
		if len(wanted) == 0 || slices.Contains(wanted, of(&all[i])) {
			some = append(some, &all[i])
		}
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(some, func(one *T) bool { return of(one) == name }) {
			return nil, fmt.Errorf("nothing is called %s: see -list", name)
		}
	}
	return some, nil
}

// measure runs the shapes, each with all peers in turn, and prints the report.
func measure(ctx context.Context, o *options, out, log io.Writer) error {
	loads := shapes()
	some, err := named(loads, o.shapes, func(s *shape) string { return s.name })
	if err != nil {
		return err
	}
	wanted, err := named(peers, o.peers, func(p *peer) string { return p.name })
	if err != nil {
		return err
	}
	var there []*peer
	var versions []string
	programs := map[*peer]string{}
	for _, p := range wanted {
		program, version, err := p.find(o)
		if err != nil {
			fmt.Fprintf(log, "%s is left out: %v\n", p.name, err)
			continue
		}
		there, programs[p] = append(there, p), program
		versions = append(versions, fmt.Sprintf("%s: %s, %s", p.name, p.about, version))
	}
	if len(there) == 0 {
		return errors.New("no peer is installed")
	}
	var done []finished
	for _, s := range some {
		rows, err := measureShape(ctx, o, s, there, programs, log)
		if err != nil {
			return err
		}
		done = append(done, finished{s, rows})
	}
	of := &conditions{When: time.Now().UTC().Format("2006-01-02 15:04 UTC"), Machine: o.machine(), Versions: versions}
	if o.out != "" {
		if err := save(o, of, done); err != nil {
			return err
		}
	}
	if o.page != "" {
		if err := rewrite(o); err != nil {
			return err
		}
	}
	_, err = io.WriteString(out, report(of, done))
	return err
}

// measureShape starts the peers in front of one provider and loads them in turn.
func measureShape(ctx context.Context, o *options, s *shape, there []*peer, programs map[*peer]string, log io.Writer) ([]*row, error) {
	m, err := startMock(o.dir, s.tls)
	if err != nil {
		return nil, err
	}
	defer m.close()
	var rows []*row
	gateways := map[*row]*running{}
	for _, p := range there {
		dir := filepath.Join(o.dir, s.name+"-"+p.name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		r := &row{peer: p}
		rows = append(rows, r)
		address, release, err := ports.Take()
		if err != nil {
			return nil, err
		}
		defer release()
		g, err := p.start(&place{options: o, dir: dir, program: programs[p], address: address, mock: m})
		if err != nil {
			fmt.Fprintf(log, "%s did not start: %v\n", p.name, err)
			r.failed = err
			continue
		}
		defer g.stop()
		gateways[r] = g
	}
	m.shape = s                                  // the requests before were only to see who is there
	for round := -1; round < o.rounds; round++ { // the first is to warm up, and is not counted
		for _, r := range rows {
			g := gateways[r]
			if g == nil {
				continue
			}
			own := *s
			if r.peer.body != nil {
				own.body = r.peer.body(s.body)
			}
			before := m.connected.Load()
			one := load(ctx, &own, g.url, g.headers, o.duration, func() (time.Duration, int64) {
				if g.pid == 0 {
					return 0, 0
				}
				return usage(g.pid)
			})
			one.connected = m.connected.Load() - before
			if one.wrong > 0 {
				delete(gateways, r) // it gets no figure
			}
			if round >= 0 || one.wrong > 0 {
				r.results = append(r.results, one)
			}
			fmt.Fprintf(log, "%s, round %d, %s: %.0f/s, %.0f µs, %d wrong, %d connections to the provider\n", s.name, round+1, r.peer.name, rate(one), cpuOf(one), one.wrong, one.connected)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}
