package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLicencesOfDependenciesArePermissive looks at each module that the program contains.
// With -v it prints them.
func TestLicencesOfDependenciesArePermissive(t *testing.T) {
	modules, err := linked("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(modules) < 20 || !strings.HasPrefix(modules[0].name, "Go 1.") {
		t.Fatalf("the program is made of %v", modules)
	}
	for _, m := range modules {
		all, licence, err := texts(m.dir)
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		t.Log(m.name, licence, len(all))
	}
}

func TestEveryTextOfAModuleIsPassedOn(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"LICENSE.txt": "Apache License\n  Version 2.0\nthe licence",
		"NOTICE.txt":  "the notice",
		"PATENTS":     "the grant",
		"README":      "not this one",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, licence, err := texts(dir)
	got := strings.Join(all, ";")
	if err != nil || licence != "Apache-2.0" || len(all) != 3 || !strings.HasSuffix(got, "the licence;the notice;the grant") {
		t.Errorf("%s %q %v", licence, got, err)
	}
	if _, _, err := texts(t.TempDir()); err == nil {
		t.Error("a module without a licence passes")
	}
}

func TestACopyleftLicenceIsNotPermitted(t *testing.T) {
	for _, text := range []string{
		"GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007",
		"Mozilla Public License Version 2.0",
		"Business Source License 1.1",
		"",
	} {
		if name, err := licenceOf(text); err == nil {
			t.Errorf("%q passes as %s", text, name)
		}
	}
}
