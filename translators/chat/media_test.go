package chat_test

import (
	"testing"

	"go-ai-proxy/translators/chat"
)

func TestImageTypesHaveTheirRegisteredNames(t *testing.T) {
	for in, want := range map[string]string{"image/jpg": "image/jpeg", "image/jpg;q=1": "image/jpeg;q=1", "image/jpgx": "image/jpgx", "IMAGE/JPG": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png", "image/png": "image/png", "": ""} {
		if got := (&chat.Media{MIME: in}).Type(); got != want {
			t.Errorf("%s became %s", in, got)
		}
	}
}
