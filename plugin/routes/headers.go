package routes

import (
	"slices"
	"strings"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/provider"
)

// vendorHeader is a family of headers, by their prefix, of the vendor of a format.
type vendorHeader struct {
	prefix, format string
	private        bool // see provider.ClientFormat.Private
}

// vendorHeaders are those of all formats.
var vendorHeaders = func() (all []vendorHeader) {
	add := func(f *provider.ClientFormat) {
		for _, prefix := range f.Headers {
			all = append(all, vendorHeader{prefix, f.Name, false})
		}
		for _, prefix := range f.Private {
			all = append(all, vendorHeader{prefix, f.Name, true})
		}
	}
	add(translators.Client)
	for _, f := range natives {
		add(f)
	}
	return all
}()

// Withholds says whether a client's header, which has its canonical name, is another
// vendor's than p. client is the client's format, and same says that the body has that
// format at p, too, whose headers p then understands.
func Withholds(header, client string, p *provider.Provider, same bool) bool {
	owned := false
	for i := range vendorHeaders {
		v := &vendorHeaders[i]
		if !strings.HasPrefix(header, v.prefix) {
			continue
		}
		owned = true
		own := v.format == p.Name
		if own && (!v.private || v.format == client) {
			return false
		}
		copied := v.format == translators.Client.Name // by many, without its headers
		if !v.private && (slices.Contains(p.Understands, v.format) || same && v.format == client && !copied) {
			return false
		}
	}
	return owned
}
