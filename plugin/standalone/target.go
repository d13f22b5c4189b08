package standalone

import (
	"strings"

	"go-ai-proxy/plugin"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/provider"
	options "go-ai-proxy/translators/target"
)

// target is a target of a plugin's configuration, as text: it is shown at start,
// redacted in log entries, and replaced by -mock.
type target struct {
	routeType string
	auth      map[string]any
	model     map[string]any
	options   map[string]any
}

// targetsOf returns the targets of a configuration that Process returned. The
// maps are the configuration's own.
func targetsOf(config map[string]any) (targets []target) {
	one := func(c map[string]any) {
		t := target{auth: recordIn(c, "auth"), model: recordIn(c, "model")}
		t.options = recordIn(t.model, "options")
		t.routeType, _ = c["route_type"].(string)
		targets = append(targets, t)
	}
	if list, ok := config["targets"].([]any); ok {
		for _, c := range list {
			if c, ok := c.(map[string]any); ok {
				one(c)
			}
		}
		return targets
	}
	one(config)
	return targets
}

// recordIn returns a member that is a record, and creates it if necessary.
func recordIn(of map[string]any, name string) map[string]any {
	r, ok := of[name].(map[string]any)
	if !ok {
		r = map[string]any{}
		of[name] = r
	}
	return r
}

func text(of map[string]any, name string) string {
	s, _ := of[name].(string)
	return s
}

// offline changes a target's identity to one that needs neither network nor keys,
// since the mock does not ask for any.
func (t *target) offline() {
	for _, cloud := range []string{"azure_use_managed_identity", "gcp_use_service_account"} {
		if on, _ := t.auth[cloud].(bool); on {
			t.auth[cloud] = false
			t.auth["header_name"], t.auth["header_value"] = "Authorization", "Bearer "+placeholder
		}
	}
	for _, name := range []string{"azure_client_id", "azure_client_secret", "azure_tenant_id", "gcp_service_account_json",
		"gcp_metadata_url", "gcp_oauth_token_url"} {
		delete(t.auth, name)
	}
	name := text(t.model, "provider")
	if p := translators.Lookup(name); p != nil && p.Identity == provider.AWS && text(t.auth, "header_name") == "" {
		for _, key := range []string{"aws_access_key_id", "aws_secret_access_key"} {
			if text(t.auth, key) == "" {
				t.auth[key] = placeholder
			}
		}
	}
	for i := range options.List {
		o := &options.List[i]
		if !o.ReadBy(name) || !o.Identification && o.Mock == "" {
			continue
		}
		in, key := t.options, o.Name
		if group, member, nested := strings.Cut(o.Name, "."); nested {
			in, key = recordIn(t.options, group), member
		}
		switch {
		case o.Identification:
			delete(in, key)
		case text(in, key) == "":
			in[key] = o.Mock
		}
	}
}

// label returns the target as it is shown at start.
func (t *target) label() string {
	name := text(t.model, "name")
	if name == "" {
		name = "the request's model"
	}
	return text(t.model, "provider") + "/" + name
}

// Name of the program, in messages.
const program = plugin.Name + " standalone"
