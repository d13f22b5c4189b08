package config

import "strings"

// cloud is a kind of credentials that one provider knows.
type cloud struct {
	provider string
	field    string // of those that are set, the first
	off      string // the switch that would make them count, "" when it is on or there is none
}

// clouds are the kinds of which a has something.
func clouds(a *Auth) (set []cloud) {
	add := func(provider, toggle string, on bool, fields ...[2]string) {
		c := cloud{provider: provider}
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
	add("bedrock", "", false, [2]string{"aws_access_key_id", a.AWSAccessKeyID}, [2]string{"aws_secret_access_key", a.AWSSecretAccessKey})
	add("azure", "azure_use_managed_identity", a.AzureUseManagedIdentity,
		[2]string{"azure_client_id", a.AzureClientID}, [2]string{"azure_client_secret", a.AzureClientSecret}, [2]string{"azure_tenant_id", a.AzureTenantID})
	add("gemini", "gcp_use_service_account", a.GCPUseServiceAccount,
		[2]string{"gcp_service_account_json", a.GCPServiceAccountJSON}, [2]string{"gcp_metadata_url", a.GCPMetadataURL}, [2]string{"gcp_oauth_token_url", a.GCPOAuthTokenURL})
	return set
}

// auth is about credentials that are not used: where they are all that there is,
// every request would be refused by the provider; beside others they only have
// no effect.
func (k *checker) auth(path, provider string, a *Auth) {
	keyed := a.HeaderName != "" || a.ParamName != ""
	var unused []cloud
	for _, c := range clouds(a) {
		if c.provider == provider && c.off == "" {
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
		if c.provider == provider {
			say(path+"."+c.field, "is not used: set %s to true", c.off)
		} else {
			say(path+"."+c.field, "is not used for provider %s, only for %s: set header_name and header_value", provider, c.provider)
		}
	}
	switch {
	case !a.AllowOverride:
	case a.HeaderName == "" && a.ParamName == "":
		k.warn(path+".allow_override", "has no effect without header_name or param_name")
	case provider == "huggingface":
		k.warn(path+".allow_override", "has no effect for provider huggingface: the configured value always wins")
	}
}

// noUser refuses a URL with a user's name and password: nothing would send them.
func (k *checker) noUser(field, raw string) {
	_, rest, _ := strings.Cut(raw, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	if strings.Contains(placeholders.ReplaceAllString(host, "x"), "@") {
		k.fail(field, "cannot have a user name or password: set auth.header_name and auth.header_value")
	}
}
