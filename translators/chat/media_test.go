package chat

import "testing"

func TestMediaTypesHaveTheirRegisteredNames(t *testing.T) {
	for in, want := range map[string]string{
		"image/jpg": "image/jpeg", "image/JPG": "image/jpeg", "image/jpeg": "image/jpeg", " image/pjpeg ;q=1": "image/jpeg", "image/x-png": "image/png",
		"audio/x-wav": "audio/wav", "text/plain;charset=utf-8": "text/plain", "": "", "application/x-yaml": "application/x-yaml",
	} {
		if got := MediaType(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
