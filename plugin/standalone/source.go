package standalone

import (
	_ "embed"
	"errors"
	"fmt"
	"os"

	"go-ai-proxy/plugin"
)

// demo is what -mock serves without -config.
//
//go:embed mock.yml
var demo []byte

// source is the configuration's source.
type source struct {
	relay  *plugin.Relay
	file   string // "" for the default
	mocked bool
}

// name returns the configuration's name for messages.
func (s *source) name() string {
	switch {
	case s.file != "":
		return s.file
	case s.mocked:
		return "the built-in example"
	}
	return "kong.yml"
}

// read reads the configuration and loads it. An error is one line.
func (s *source) read() (*loader, error) {
	data, err := s.data()
	if err != nil {
		return nil, err
	}
	l := &loader{relay: s.relay, getenv: os.Getenv, mock: s.mocked}
	if err := l.load(data); err != nil {
		l.close()
		return nil, fmt.Errorf("%s: %w", s.name(), err)
	}
	return l, nil
}

func (s *source) data() ([]byte, error) {
	if s.file == "" && s.mocked {
		return demo, nil
	}
	data, err := os.ReadFile(s.name())
	switch {
	case err == nil:
		return data, nil
	case s.file == "" && errors.Is(err, os.ErrNotExist):
		return nil, errors.New("no kong.yml here: name one with -config, or try -mock")
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return nil, fmt.Errorf("-config %s: %w", s.name(), err)
}
