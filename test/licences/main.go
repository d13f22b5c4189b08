// Licences writes the licences and notices of everything that the program is made of: Go,
// and each module that is linked into it on one of the systems of a release. They ask to be
// passed on with the program, so archives and images have the file.
//
//	go run ./test/licences -o THIRD-PARTY-LICENSES
//
// It fails if a module has no licence, or one that is not among the permitted ones.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// permitted are the licences that a dependency may have, each known by words of its text.
var permitted = []struct{ name, words string }{
	{"Apache-2.0", "Apache License Version 2.0"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"},
	{"ISC", "Permission to use, copy, modify, and distribute this software for any purpose with or without fee"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"BSD", "Redistribution and use in source and binary forms, with or without modification, are permitted"},
}

// systems are those whose modules differ.
var systems = []string{"linux", "darwin"}

// module is a part of the program, with the folder that has its licence.
type module struct{ name, dir string }

func main() {
	file := flag.String("o", os.Stdout.Name(), "the file to write")
	flag.Parse()
	if err := run(*file); err != nil {
		fmt.Fprintln(os.Stderr, "licences: "+err.Error())
		os.Exit(1)
	}
}

func run(file string) error {
	modules, err := linked(".")
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for _, m := range modules {
		if err := describe(&out, m); err != nil {
			return err
		}
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// linked returns Go, and the modules that the program in dir is made of, by name.
func linked(dir string) ([]module, error) {
	var lines []string
	for _, system := range systems {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", ".")
		cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0"), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", system, err)
		}
		lines = append(lines, strings.Split(strings.TrimSpace(string(out)), "\n")...)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	slices.Sort(lines)
	modules := []module{{"Go " + strings.TrimPrefix(runtime.Version(), "go"), strings.TrimSpace(string(root))}}
	for _, line := range slices.Compact(lines) {
		name, dir, _ := strings.Cut(line, "\t")
		modules = append(modules, module{name, dir})
	}
	return modules, nil
}

// describe writes a heading and the texts of a module.
func describe(out *bytes.Buffer, m module) error {
	texts, licence, err := texts(m.dir)
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	fmt.Fprintf(out, "%s\n%s: %s\n", strings.Repeat("=", 80), m.name, licence)
	for _, text := range texts {
		fmt.Fprintf(out, "\n%s\n", strings.TrimSpace(text))
	}
	out.WriteByte('\n')
	return nil
}

// texts returns what is to be passed on of the module in dir, and its licence's name.
func texts(dir string) (all []string, licence string, err error) {
	for _, pattern := range []string{"LICEN[CS]E*", "NOTICE*", "PATENTS*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, "", err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, "", err
			}
			all = append(all, string(text))
		}
		if pattern == "LICEN[CS]E*" && len(all) == 0 {
			return nil, "", errors.New("no licence")
		}
	}
	licence, err = licenceOf(all[0])
	return all, licence, err
}

// licenceOf names the licence that has this text.
func licenceOf(text string) (string, error) {
	text = strings.Join(strings.Fields(text), " ")
	for _, l := range permitted {
		if strings.Contains(text, l.words) {
			return l.name, nil
		}
	}
	return "", errors.New("its licence is not among the permitted ones")
}
