package standalone

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// placeholder stands for a secret that is not there, with -mock.
const placeholder = "mock-secret"

// vault returns the value of a reference to Kong's env vault:
// {vault://env/my-key} is the variable MY_KEY, {vault://env/my-keys/first} the
// member `first` of the JSON object in MY_KEYS, and ?prefix=X_ goes before the name.
func (l *loader) vault(reference string) (string, error) {
	u, err := url.Parse(strings.TrimSuffix(strings.TrimPrefix(reference, "{"), "}"))
	if err != nil {
		return "", errors.New("not a reference to a vault")
	}
	if u.Host != "env" {
		return "", fmt.Errorf("there is no vault %q without Kong, only env", u.Host)
	}
	resource, key, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if resource == "" {
		return "", errors.New("names no environment variable")
	}
	name := strings.ToUpper(strings.ReplaceAll(u.Query().Get("prefix")+resource, "-", "_"))
	value := l.getenv(name)
	switch {
	case value != "" && key == "":
		return value, nil
	case value != "":
		if value, err = member(value, key); err == nil {
			return value, nil
		}
		return "", fmt.Errorf("environment variable %s %w", name, err)
	case l.mock:
		return placeholder, nil
	}
	return "", fmt.Errorf("environment variable %s is not set", name)
}

// member returns a string of the JSON object in text. Its errors do not repeat
// the text, which is a secret.
func member(text, key string) (string, error) {
	var object map[string]any
	if json.Unmarshal([]byte(text), &object) != nil {
		return "", errors.New("does not hold a JSON object")
	}
	value, ok := object[key].(string)
	if !ok {
		return "", fmt.Errorf("has no string %q in its JSON object", key)
	}
	return value, nil
}
