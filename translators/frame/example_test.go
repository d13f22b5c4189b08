package frame_test

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go-ai-proxy/translators/frame"
)

// The Raw of all events is the stream; Data is what a translator reads.
func Example() {
	stream := "event: delta\ndata: {\"text\":\"Hel\"}\n\n: a comment\n\ndata: [DONE]\n\n"
	r := frame.New(frame.SSE, strings.NewReader(stream), 0)
	defer r.Release()
	size := 0
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		size += len(e.Raw)
		fmt.Printf("%q %q\n", e.Type, e.Data)
	}
	fmt.Println(size == len(stream))
	// Output:
	// "delta" "{\"text\":\"Hel\"}"
	// "" ""
	// "" "[DONE]"
	// true
}
