package schema

import (
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// A validator may apply several subschemas to one value, and each of those several to every value below it. Where a
// schema refers to itself from more than one branch, the number of applications doubles with each level of the body. So
// that no body can make use of that, growth says for every depth what one value there may cost at worst.
type growth struct {
	visits   levels // steps per value
	patterns levels // regular expressions per string
}

type levels [MaxBodyDepth + 1]float64

// What one body may cost. Either takes a few seconds at worst on one core.
const (
	maxVisits       = 2_000_000
	maxMatchedBytes = 64 << 20 // bytes matched, summed over regular expressions
)

// A schema for which one value this near the top costs this many visits would refuse almost every body.
const (
	nearTop        = 4
	maxVisitsThere = 10_000
)

// affords says whether validating doc stays within bounds. A name or string costs each pattern its bytes, and all of them
// together cannot be more than the body.
func (g growth) affords(doc document) bool {
	return g.visits.worst(doc.depth)*float64(doc.nodes) <= maxVisits &&
		g.patterns.worst(doc.depth)*float64(doc.bytes) <= maxMatchedBytes
}

func (l levels) worst(depth int) float64 { return slices.Max(l[:depth+1]) }

// visitsOf weighs one application of a schema. Numbers are compared as fractions, which is more work than all the rest;
// strings are compared in passing.
func visitsOf(s *jsonschema.Schema) float64 {
	w := 1.0
	for _, bound := range []*big.Rat{s.Minimum, s.Maximum, s.ExclusiveMinimum, s.ExclusiveMaximum, s.MultipleOf} {
		if bound != nil {
			w++
		}
	}
	if s.Enum == nil {
		return w
	}
	for _, v := range s.Enum.Values {
		switch v.(type) {
		case string, bool, nil:
			w += 1.0 / 64
		default:
			w += 2
		}
	}
	return w
}

func patternsOf(s *jsonschema.Schema) float64 {
	n := float64(len(s.PatternProperties))
	if s.Pattern != nil {
		n++
	}
	return n
}

// node is a schema and the schemas that it applies, by index.
type node struct {
	schema          *jsonschema.Schema
	here            []int          // to the same value: all of them
	dynamic         []int          // to the same value: one of them
	properties      map[string]int // to the member of that name
	additional      []int          // to a member of another name: all of them
	everyMember     []int          // to a member of any name: all of them
	item, everyItem []int          // to an item of an array: one of the first, all of the second
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
			return nil, &Error{Pointer: pointerOf(n.schema.Location), Reason: "refers to a schema of another draft than 2020-12"}
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

// isDynamic says whether a $dynamicRef may lead elsewhere than to its own target (JSON Schema 2020-12, section 8.2.3.2).
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
	n.properties = make(map[string]int, len(s.Properties))
	for name, sub := range s.Properties {
		n.properties[name] = g.index(sub)
	}
	if sub, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		n.additional = g.add(n.additional, sub)
	}
	for _, sub := range s.PatternProperties {
		n.everyMember = g.add(n.everyMember, sub)
	}
	n.everyMember = g.add(n.everyMember, s.PropertyNames, s.UnevaluatedProperties)
	n.item = g.add(n.item, s.PrefixItems...)
	n.item = g.add(n.item, s.Items2020)
	n.everyItem = g.add(n.everyItem, s.Contains, s.UnevaluatedItems)
}

func (g *graph) add(to []int, schemas ...*jsonschema.Schema) []int {
	for _, s := range schemas {
		if s != nil {
			to = append(to, g.index(s))
		}
	}
	return to
}

// costs are what one value costs each schema, by the value's depth: the visits and the patterns of growth.
type costs struct{ visits, patterns [][]float64 }

// of gives the growth under one schema, by its index.
func (c costs) of(i int) growth {
	var g growth
	for depth := range g.visits {
		g.visits[depth], g.patterns[depth] = c.visits[depth][i], c.patterns[depth][i]
	}
	return g
}

// costs follows the schemas down, level by level.
func (g *graph) costs() (costs, error) {
	order, err := g.order()
	if err != nil {
		return costs{}, err
	}
	surfaces := g.surfaces(order)
	out := costs{visits: g.levels(order, surfaces, visitsOf), patterns: g.levels(order, surfaces, patternsOf)}
	if out.of(0).visits.worst(nearTop) > maxVisitsThere {
		return costs{}, &Error{Reason: fmt.Sprintf("applies its subschemas to one value more than %d times", maxVisitsThere)}
	}
	return out, nil
}

// levels sums the weights of all schemas that one value of each depth may meet.
func (g *graph) levels(order []int, surfaces []surface, weight func(*jsonschema.Schema) float64) [][]float64 {
	out := make([][]float64, MaxBodyDepth+1)
	out[0] = make([]float64, len(g.nodes))
	for _, i := range order {
		n := g.nodes[i]
		out[0][i] = weight(n.schema) + total(n.here, out[0]) + largest(n.dynamic, out[0])
	}
	for depth := 1; depth < len(out); depth++ {
		out[depth] = make([]float64, len(g.nodes))
		reaches := make([]reach, len(g.nodes))
		for _, i := range order {
			reaches[i] = surfaces[i].reach(g.nodes[i], out[depth-1], reaches)
			out[depth][i] = reaches[i].worst()
		}
	}
	return out
}

func largest(indexes []int, costs []float64) float64 {
	m := 0.0
	for _, i := range indexes {
		m = max(m, costs[i])
	}
	return m
}

func total(indexes []int, costs []float64) float64 {
	sum := 0.0
	for _, i := range indexes {
		sum += costs[i]
	}
	return sum
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
			return &Error{Pointer: pointerOf(g.nodes[i].schema.Location), Reason: "refers to itself without an end"}
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

// replacePropertyNames puts our propertyNames in the place of the library's, whose errors share one slice for their
// locations and name the wrong object once the next sibling has been visited.
func (g *graph) replacePropertyNames() {
	for _, n := range g.nodes {
		if names := n.schema.PropertyNames; names != nil {
			n.schema.PropertyNames = nil
			n.schema.Extensions = append(n.schema.Extensions, propertyNames{names})
		}
	}
}

type propertyNames struct{ schema *jsonschema.Schema }

func (p propertyNames) Validate(ctx *jsonschema.ValidatorContext, value any) {
	object, _ := value.(map[string]any)
	for name := range object {
		if err, ok := errors.AsType[*jsonschema.ValidationError](ctx.Validate(p.schema, name, []string{name})); ok {
			ctx.AddErrors([]*jsonschema.ValidationError{err}, &kind.PropertyNames{Property: name})
		}
	}
}
