package chat

import "strings"

// mediaTypes are registered media types by other names that clients use for them.
// https://www.iana.org/assignments/media-types/media-types.xhtml#image
var mediaTypes = map[string]string{
	"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/jpe": "image/jpeg", "image/x-png": "image/png", "image/x-webp": "image/webp",
	"audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "audio/vnd.wave": "audio/wav", "application/x-pdf": "application/pdf",
}

// MediaType returns the registered name of a media type, in small letters and without
// parameters: providers refuse other names, as image/jpg for image/jpeg.
func MediaType(name string) string {
	name, _, _ = strings.Cut(name, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	if known, ok := mediaTypes[name]; ok {
		return known
	}
	return name
}
