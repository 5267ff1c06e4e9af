package schema

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// checkDefaults holds each default, with what it lacks filled in, against its own schema. All of them together may take what
// one body may.
func checkDefaults(g *graph, rules map[*jsonschema.Schema]*rule, fillers map[*jsonschema.Schema]*filler) error {
	w := NewWorkBudget(context.Background())
	for _, n := range g.nodes {
		if n.schema.Default == nil || !strings.HasPrefix(n.schema.Location, base) {
			continue
		}
		at := pointerOf(n.schema.Location) + "/default"
		doc, err := measure(*n.schema.Default)
		if err == nil {
			err = fillers[n.schema].fillIn(&doc, w)
		}
		if err != nil {
			return &Error{Pointer: at, Reason: fmt.Sprintf("cannot be filled in: %v", err)}
		}
		err = w.defaultError(rules[n.schema], doc.value)
		switch {
		case w.err != nil:
			return &Error{Pointer: at, Reason: "takes too much work to validate, want a smaller default"}
		case err != nil:
			return &Error{Pointer: at, Reason: "does not satisfy its own schema: " + inWords(doc.value, err)}
		}
	}
	return nil
}

func (w *WorkBudget) defaultError(r *rule, value any) error {
	e := evaluation{work: w, room: maxRanked}
	if e.apply(r, value, nil, nil, nil) {
		return nil
	}
	var errs tally
	e.apply(r, value, nil, nil, &errs)
	if len(errs) == 0 {
		return errors.New("is not valid, want a value that the schema accepts")
	}
	return &jsonschema.ValidationError{ErrorKind: &kind.Group{}, Causes: errs}
}
