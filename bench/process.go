package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks are those of /proc in a second: USER_HZ, which is 100 on every Linux.
const ticks = 100

// usage is the CPU time and the resident memory of a process and its children, from
// /proc. Both are 0 where there is none.
func usage(pid int) (cpu time.Duration, memory int64) {
	children := map[int][]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, 0
	}
	type state struct {
		cpu    time.Duration
		memory int64
	}
	all := map[int]state{}
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		id, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		_, rest, _ := strings.Cut(string(data), ") ")
		f := strings.Fields(rest)
		if len(f) < 22 {
			continue
		}
		parent, _ := strconv.Atoi(f[1])
		user, _ := strconv.ParseInt(f[11], 10, 64)
		system, _ := strconv.ParseInt(f[12], 10, 64)
		pages, _ := strconv.ParseInt(f[21], 10, 64)
		children[parent] = append(children[parent], id)
		all[id] = state{time.Duration(user+system) * time.Second / ticks, pages * int64(os.Getpagesize())}
	}
	var add func(id int)
	add = func(id int) {
		cpu += all[id].cpu
		memory += all[id].memory
		for _, child := range children[id] {
			add(child)
		}
	}
	add(pid)
	return cpu, memory
}

// machine says what the figures were measured on.
func machine() string {
	model, kernel := "unknown processor", ""
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
			}
		}
	}
	if data, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = ", Linux " + strings.TrimSpace(string(data))
	}
	return fmt.Sprintf("%s%s", model, kernel)
}
