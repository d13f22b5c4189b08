package config

import (
	"slices"
	"strings"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/provider"
)

// cloud is a kind of credentials for one identity.
type cloud struct {
	identity provider.Identity
	field    string // of those that are set, the first
	off      string // the switch that would make them count, "" when it is on or there is none
}

// clouds are the kinds of which a has something.
func clouds(a *Auth) (set []cloud) {
	add := func(identity provider.Identity, toggle string, on bool, fields ...[2]string) {
		c := cloud{identity: identity}
		if toggle != "" && !on {
			c.off = toggle
		}
		if on {
			c.field = toggle
		}
		for _, f := range fields {
			if f[1] != "" && c.field == "" {
				c.field = f[0]
			}
		}
		if c.field != "" {
			set = append(set, c)
		}
	}
	add(provider.AWS, "", false, [2]string{"aws_access_key_id", a.AWSAccessKeyID}, [2]string{"aws_secret_access_key", a.AWSSecretAccessKey})
	add(provider.Entra, "azure_use_managed_identity", a.AzureUseManagedIdentity,
		[2]string{"azure_client_id", a.AzureClientID}, [2]string{"azure_client_secret", a.AzureClientSecret}, [2]string{"azure_tenant_id", a.AzureTenantID})
	add(provider.Google, "gcp_use_service_account", a.GCPUseServiceAccount,
		[2]string{"gcp_service_account_json", a.GCPServiceAccountJSON}, [2]string{"gcp_metadata_url", a.GCPMetadataURL}, [2]string{"gcp_oauth_token_url", a.GCPOAuthTokenURL})
	return set
}

// auth is about credentials that are not used: where they are all that there is,
// every request would be refused by the provider; beside others they only have
// no effect.
func (k *checker) auth(path, name string, a *Auth) {
	p := translators.Lookup(name)
	if p == nil {
		return // which is said elsewhere
	}
	keyed := a.HeaderName != "" || a.ParamName != ""
	var unused []cloud
	for _, c := range clouds(a) {
		if c.identity == p.Identity && c.off == "" {
			keyed = true
			continue
		}
		unused = append(unused, c)
	}
	for _, c := range unused {
		say := k.fail
		if keyed {
			say = k.warn
		}
		if c.identity == p.Identity {
			say(path+"."+c.field, "is not used: set %s to true", c.off)
		} else {
			say(path+"."+c.field, "is not used for provider %s, only for %s: set header_name and header_value", name, strings.Join(withIdentity(c.identity), ", "))
		}
	}
	switch {
	case !a.AllowOverride:
	case a.HeaderName == "" && a.ParamName == "":
		k.warn(path+".allow_override", "has no effect without header_name or param_name")
	case p.OwnKey:
		k.warn(path+".allow_override", "has no effect for provider %s: the configured value always wins", name)
	}
}

// withIdentity are the names of the providers with an identity.
func withIdentity(identity provider.Identity) []string {
	return slices.DeleteFunc(translators.Names(), func(name string) bool { return translators.Lookup(name).Identity != identity })
}

// noUser refuses a URL with a user's name and password: nothing would send them.
func (k *checker) noUser(field, raw string) {
	_, rest, _ := strings.Cut(raw, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	if strings.Contains(provider.WithoutTemplates(host), "@") {
		k.fail(field, "cannot have a user name or password: set auth.header_name and auth.header_value")
	}
}
