package standalone

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go-ai-proxy/plugin/config"
)

// placeholder replaces a missing secret, with -mock.
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

// ofDecK matches what decK replaces by the environment before Kong reads a file.
var ofDecK = regexp.MustCompile(`\$\{\{\s*env\b`)

// unreplaced finds text that looks as if a value should have replaced it. It would be
// sent to a provider unchanged. It is used on the result of Dereference. Problems do
// not repeat the text, since the rest of it may be a secret.
func unreplaced(path string, value any) (problems config.Problems) {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			problems = append(problems, unreplaced(path+"."+name, value[name])...)
		}
	case []any:
		for i, one := range value {
			problems = append(problems, unreplaced(fmt.Sprintf("%s[%d]", path, i+1), one)...)
		}
	case string:
		if message := refuseUnreplaced(value); message != "" {
			problems = append(problems, config.Problem{Field: path, Message: message})
		}
	}
	return problems
}

// refuseUnreplaced returns what is wrong with a text, or "".
func refuseUnreplaced(text string) string {
	at := strings.Index(text, "{vault://")
	switch {
	case ofDecK.MatchString(text):
		return `${{ env "…" }} is replaced by decK only: use {vault://env/…}, or write the value`
	case at < 0:
		return ""
	case at == 0 && strings.IndexByte(text, '}') == len(text)-1:
		return "a reference to a vault is not replaced here: write the value"
	}
	return "a reference to a vault must be the whole of a value: put what stands around it into the secret"
}
