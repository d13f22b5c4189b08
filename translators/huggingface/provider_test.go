package huggingface

import (
	"go-ai-proxy/translators/target"
	"reflect"
	"testing"
)

func TestOptionsOfTheOlderAPIBecomeHeaders(t *testing.T) {
	no, yes := false, true
	got := Provider.Header(&target.Target{Options: &target.Options{Huggingface: target.Huggingface{UseCache: &no, WaitForModel: &yes}}})
	if !reflect.DeepEqual(got, [][2]string{{"x-use-cache", "false"}, {"x-wait-for-model", "true"}}) {
		t.Errorf("got %v", got)
	}
}
