package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// TestInline: what is small goes on one line, what is not or has lines of its own does not, and the file means the same.
func TestInline(t *testing.T) {
	long := strings.Repeat("x", widest)
	before := `a:
  small:
    type: string
    maxLength: 3
    enum:
    - "on"
    - 'no: {}'
  text:
    description: |-
      Two
        lines
    items:
      type: string
  long:
    a: ` + long + `
    b:
    - {}
    - - 1
`
	after := `---
a:
  small: {type: string, maxLength: 3, enum: ["on", 'no: {}']}
  text:
    description: |-
      Two
        lines
    items: {type: string}
  long:
    a: ` + long + `
    b: [{}, [1]]
`
	var out strings.Builder
	if err := rewrite(&out, []byte(before)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(after, out.String()); diff != "" {
		t.Errorf("it is written otherwise (-want +got):\n%s", diff)
	}
	var want, got any
	if err := yaml.Unmarshal([]byte(before), &want); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("it means something else (-want +got):\n%s", diff)
	}
}
