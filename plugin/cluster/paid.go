package cluster

import (
	"context"
	"time"
)

// How long an answer that can be read again is known, and how long a request waits for
// Redis to say so.
const (
	paidFor      = 30 * 24 * time.Hour // the longest for which OpenAI keeps a response
	paidPatience = 250 * time.Millisecond
)

// First says whether no node has counted the answer called id yet, and that this one
// does. Without Redis it says yes: what one node counts twice is for the caller to know.
func (n *Node) First(id string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), paidPatience)
	defer cancel()
	first, err := n.client.SetNX(ctx, "go-ai-proxy:paid:"+digest(id), 1, paidFor).Result()
	return first || err != nil
}
