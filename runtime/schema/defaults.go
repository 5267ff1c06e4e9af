package schema

import (
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// checkDefaults holds each default, with what it lacks filled in, against its own schema.
func checkDefaults(g *graph, costs costs, fillers map[*jsonschema.Schema]*filler) error {
	steps, left := maxVisits, float64(maxVisits)
	for i, n := range g.nodes {
		if n.schema.Default == nil || !strings.HasPrefix(n.schema.Location, base) {
			continue
		}
		at := pointerOf(n.schema.Location) + "/default"
		doc, err := measure(*n.schema.Default)
		if err == nil {
			err = fillers[n.schema].fillIn(&doc, &steps)
		}
		if err != nil {
			return &Error{Pointer: at, Reason: fmt.Sprintf("cannot be filled in: %v", err)}
		}
		growth := costs.of(i)
		if left -= growth.visits.worst(doc.depth) * float64(doc.nodes); left < 0 || !growth.affords(doc) {
			return &Error{Pointer: at, Reason: "takes too much work to validate"}
		}
		if err := n.schema.Validate(doc.value); err != nil {
			return &Error{Pointer: at, Reason: "does not satisfy its own schema: " + inWords(doc.value, err)}
		}
	}
	return nil
}
