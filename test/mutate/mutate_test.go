package main

import (
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
	const want = "test/mutate/testdata/tiny/tiny.go:9: < becomes <= in n < limit\n" +
		"go-ai-proxy/test/mutate/testdata/tiny: 6 of 7 changes that compile noticed (85.7 %); 0 do not compile\n"
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
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
