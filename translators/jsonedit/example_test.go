package jsonedit_test

import (
	"fmt"

	"go-ai-proxy/translators/jsonedit"
)

// A member gets another value, one goes and one comes; every other byte stays,
// the white space too.
func ExampleSplice() {
	body := []byte(`{"model": "mine",  "stream":true, "n":1}`)
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	pieces := jsonedit.Splice(nil, body, members, []jsonedit.Edit{
		{Key: "model", Value: []byte(`"gpt-4o"`)},
		{Key: "n"},
		{Key: "user", Value: []byte(`"u1"`)},
	})
	fmt.Printf("%s\n", jsonedit.Join(nil, pieces))
	// Output:
	// {"model": "gpt-4o",  "stream":true,"user":"u1"}
}
