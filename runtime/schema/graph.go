package schema

import (
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxApplied bounds how often a schema may apply its parts to one value: such a schema would refuse almost every body.
const maxApplied = 10_000

// node is a schema and the schemas that it applies to the same value, by index.
type node struct {
	schema  *jsonschema.Schema
	here    []int // all of them
	dynamic []int // one of them
}

// graph holds every schema reachable from the root, which comes first.
type graph struct {
	nodes   []*node
	indexes map[*jsonschema.Schema]int
	anchors map[string][]int // by dynamic anchor
}

// newGraph follows a schema and those that only a dynamic reference may lead to.
func newGraph(root *jsonschema.Schema, anchored []*jsonschema.Schema) (*graph, error) {
	g := &graph{indexes: map[*jsonschema.Schema]int{}, anchors: map[string][]int{}}
	g.index(root)
	for _, s := range anchored {
		g.index(s)
	}
	for i := 0; i < len(g.nodes); i++ { //nolint:intrange // it grows meanwhile
		n := g.nodes[i]
		if n.schema.DraftVersion != 2020 {
			return nil, &Error{Pointer: pointerOf(n.schema.Location), Reason: "refers to a schema of another draft, want one of 2020-12"}
		}
		g.connect(n)
	}
	for _, n := range g.nodes { // a dynamic reference may lead to any schema with its anchor
		if ref := n.schema.DynamicRef; isDynamic(ref) {
			n.dynamic = g.anchors[ref.Anchor]
		}
	}
	return g, nil
}

// isDynamic reports whether a $dynamicRef may lead elsewhere than to its own target (JSON Schema 2020-12, section 8.2.3.2).
func isDynamic(ref *jsonschema.DynamicRef) bool {
	return ref != nil && ref.Anchor != "" && ref.Ref.DynamicAnchor == ref.Anchor
}

func (g *graph) index(s *jsonschema.Schema) int {
	if i, ok := g.indexes[s]; ok {
		return i
	}
	i := len(g.nodes)
	g.indexes[s] = i
	g.nodes = append(g.nodes, &node{schema: s})
	if s.DynamicAnchor != "" {
		g.anchors[s.DynamicAnchor] = append(g.anchors[s.DynamicAnchor], i)
	}
	return i
}

func (g *graph) connect(n *node) {
	s := n.schema
	n.here = g.add(n.here, s.Ref, s.Not, s.If, s.Then, s.Else)
	n.here = g.add(n.here, s.AllOf...)
	n.here = g.add(n.here, s.AnyOf...)
	n.here = g.add(n.here, s.OneOf...)
	if ref := s.DynamicRef; isDynamic(ref) {
		g.index(ref.Ref)
	} else if ref != nil {
		n.here = g.add(n.here, ref.Ref)
	}
	for _, sub := range s.DependentSchemas {
		n.here = g.add(n.here, sub)
	}
	for _, dependency := range s.Dependencies {
		if sub, ok := dependency.(*jsonschema.Schema); ok {
			n.here = g.add(n.here, sub)
		}
	}
	g.connectBelow(s)
}

// connectBelow takes the schemas for members and items.
func (g *graph) connectBelow(s *jsonschema.Schema) {
	for _, sub := range s.Properties {
		g.index(sub)
	}
	if sub, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		g.index(sub)
	}
	for _, sub := range s.PatternProperties {
		g.index(sub)
	}
	g.add(nil, s.PropertyNames, s.UnevaluatedProperties, s.Items2020, s.Contains, s.UnevaluatedItems)
	g.add(nil, s.PrefixItems...)
}

func (g *graph) add(to []int, schemas ...*jsonschema.Schema) []int {
	for _, s := range schemas {
		if s != nil {
			to = append(to, g.index(s))
		}
	}
	return to
}

// checkCosts refuses schemas that have no end, or hardly one.
func (g *graph) checkCosts() error {
	order, err := g.order()
	if err != nil {
		return err
	}
	applied := make([]float64, len(g.nodes))
	for _, i := range order {
		n := g.nodes[i]
		applied[i] = 1
		for _, j := range n.here {
			applied[i] += applied[j]
		}
		most := 0.0
		for _, j := range n.dynamic {
			most = max(most, applied[j])
		}
		applied[i] += most
	}
	if applied[0] > maxApplied {
		return &Error{Reason: fmt.Sprintf("applies its subschemas to one value more than %d times, "+
			"want fewer references and combinations", maxApplied)}
	}
	return nil
}

// order lists the schemas so that each comes after those which it applies to the same value. A schema that would apply
// itself to the same value has no end and is refused.
func (g *graph) order() ([]int, error) {
	const visiting, done = 1, 2
	state := make([]int, len(g.nodes))
	order := make([]int, 0, len(g.nodes))
	var visit func(int) error
	visit = func(i int) error {
		switch state[i] {
		case done:
			return nil
		case visiting:
			return &Error{Pointer: pointerOf(g.nodes[i].schema.Location), Reason: "refers to itself endlessly, " +
				"want a reference below a keyword such as properties or items"}
		}
		state[i] = visiting
		for _, j := range slices.Concat(g.nodes[i].here, g.nodes[i].dynamic) {
			if err := visit(j); err != nil {
				return err
			}
		}
		state[i] = done
		order = append(order, i)
		return nil
	}
	for i := range g.nodes {
		if err := visit(i); err != nil {
			return nil, err
		}
	}
	return order, nil
}
