package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestUnpinnedConditionIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a dozen packages")
	}
	var out strings.Builder
	if err := run(t.Context(), []string{"-p", "2", "./testdata/tiny"}, &out); err != nil {
		t.Fatal(err)
	}
	const want = "test/mutate/testdata/tiny/tiny.go:11: < becomes <= in n < limit\n" +
		"go-ai-proxy/test/mutate/testdata/tiny: 6 of 7 changes that compile noticed (85.7 %); 2 had a build of their own, 0 do not compile\n"
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// woven returns a package of one file with all of its changes in it, or fails.
func woven(t *testing.T, source string) ([]mutant, string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "p.go")
	if err := os.WriteFile(file, []byte("package p\n"+source), 0o600); err != nil {
		t.Fatal(err)
	}
	exports, err := exportsOf(t.Context(), "time")
	if err != nil {
		t.Fatal(err)
	}
	c, err := newChecker(&pkg{Dir: dir, ImportPath: "p", GoFiles: []string{"p.go"}}, exports)
	if err != nil {
		t.Fatal(err)
	}
	all, err := mutants(file)
	if err != nil {
		t.Fatal(err)
	}
	files, err := c.weave(all)
	if err != nil {
		t.Fatal(err)
	}
	return all, string(files[file])
}

// Each form of a change has the original beside it, and the program compiles.
func TestChangesAreWovenBesideTheOriginal(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"func f(a, b int) bool { if a == b { return true }; return false }",
			"if (mutantNow == 1 && (a != b) || mutantNow != 1 && (a == b)) { return mutantZero[bool](2, true) }"},
		{"func f() (x struct{ n int }) { x.n++; return }",
			"if mutantNow == 1 { x.n-- } else if mutantNow == 2 {  } else { x.n++ }"},
		{"import \"time\"\nvar x = 2 * time.Second",
			"func() time.Duration { if mutantNow == 1 { return 2 / time.Second }; return mutantPick[time.Duration](mutantPick[time.Duration](2, 2, (3)), 3, (1)) * time.Second }()"},
		{"func f(g func()) { defer g() }", "if mutantNow == 1 {  } else { defer g() }"},
	} {
		all, got := woven(t, c.source)
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: got %s\nwant %s", c.source, got, c.want)
		}
		for _, m := range all {
			if m.form == alone {
				t.Errorf("%s: %s has a build of its own", c.source, m.change)
			}
		}
	}
}

// What has no place beside the original is left to a build of its own, and only that.
func TestOnlyWhatCannotBeWovenStandsAlone(t *testing.T) {
	for source, want := range map[string][]string{
		"const size = 1\nvar x = [size]int{}": {"1 becomes 2 in const size = 1", "1 becomes 0 in const size = 1"},
		"func f() int { for i := 0; ; i++ { if i == 2 { return i } } }": {
			"++ becomes -- in i++", "i++ is left out"},
		"func f(s string) string { return s + s }": {"+ becomes - in s + s"},
	} {
		all, _ := woven(t, source)
		var got []string
		for _, m := range all {
			if m.form == alone {
				got = append(got, m.change)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: alone are %q, want %q", source, got, want)
		}
	}
}

func TestSampleIsTheSameEachTime(t *testing.T) {
	all, err := mutants("mutants.go")
	if err != nil || len(all) < 50 {
		t.Fatalf("%d mutants, %v", len(all), err)
	}
	again, _ := mutants("mutants.go")
	a, b := sample(all, 20), sample(again, 20)
	if len(a) != 20 {
		t.Fatalf("%d of 20", len(a))
	}
	for i := range a {
		if a[i].change != b[i].change || a[i].line != b[i].line {
			t.Fatalf("%q and %q", a[i].change, b[i].change)
		}
	}
}

func TestPackageIsNamed(t *testing.T) {
	if err := run(t.Context(), nil, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "name a package") {
		t.Errorf("%v", err)
	}
}
