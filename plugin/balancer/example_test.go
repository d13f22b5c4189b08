package balancer_test

import (
	"fmt"
	"time"

	"go-ai-proxy/plugin/balancer"
)

// A request is tried at one target after another until one answers.
func Example() {
	states := balancer.NewStore()
	b, err := balancer.New(balancer.Options{Algorithm: balancer.Priority}, []balancer.Target{
		{ID: "large", Weight: 10, State: states.Use("large")},
		{ID: "small", Weight: 1, State: states.Use("small")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Now()
	r := &balancer.Request{Now: now, Candidates: []int{0, 1}}
	first, _ := b.Pick(r)
	b.Exclude(r, first)
	b.Done(r, first, balancer.Bad, now) // it did not answer
	second, _ := b.Pick(r)
	b.Done(r, second, balancer.Good, now)
	fmt.Println(first, second)
	// Output:
	// 0 1
}
