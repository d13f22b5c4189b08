package azure

import (
	"go-ai-proxy/translators/target"
	"reflect"
	"testing"
)

func TestAzureKeepsItsVersionInTheQuery(t *testing.T) {
	got := Provider.Query(&target.Target{Options: &target.Options{AzureAPIVersion: "2024-10-21"}})
	if !reflect.DeepEqual(got, [][2]string{{"api-version", "2024-10-21"}}) {
		t.Errorf("got %v", got)
	}
}
