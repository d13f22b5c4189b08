package cluster

import (
	"testing"

	"go-ai-proxy/plugin/resp/redistest"
)

func TestAnswerIsCountedByOneNode(t *testing.T) {
	server := redistest.New(t)
	one, two := join(t, server.URL()), join(t, server.URL())
	if !one.node.First("host resp_1") || two.node.First("host resp_1") || one.node.First("host resp_1") || !two.node.First("host resp_2") {
		t.Error("each is counted once")
	}
	server.Kill()
	if !one.node.First("host resp_1") {
		t.Error("without Redis a node counts by itself")
	}
	server.Start() // the client goes on dialling until there is one
}
