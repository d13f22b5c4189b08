// Refresh brings the built-in price list up to date, from a file in LiteLLM's form
// (model_prices_and_context_window.json) or in that of models.dev (api.json):
//
//	go run ./translators/prices/refresh -date 2026-07-02 FILE > new.jsonl
//	mv new.jsonl translators/prices/prices.jsonl
//
// Rows that the file has are replaced or added, others stay. It says on stderr what
// changed, and what it could not take.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"go-ai-proxy/translators/prices"
)

func main() {
	date := flag.String("date", time.Now().UTC().Format(time.DateOnly), "the day of the prices in FILE")
	flag.Parse()
	if err := run(flag.Args(), *date, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, date string, out, log io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("refresh needs one FILE, in the form of LiteLLM or of models.dev")
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	rows, err := read(data, date)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	for _, r := range merge(prices.List().Rows(), rows, log) {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}
