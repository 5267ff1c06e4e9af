package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestWorkIsBounded: both branches of the schema look at every child, so that each level of a body doubles the work; 64
// levels would take longer than the universe has.
func TestWorkIsBounded(t *testing.T) {
	s := mustCompile(t, `{"$ref":"#/$defs/n","$defs":{"n":{"anyOf":[
		{"properties":{"c":{"$ref":"#/$defs/n"}},"required":["x"]},
		{"properties":{"c":{"$ref":"#/$defs/n"}},"required":["y"]}]}}}`)
	nested := func(n int) []byte {
		return []byte(strings.Repeat(`{"y":1,"c":`, n) + `{"y":1}` + strings.Repeat("}", n))
	}
	if _, vs := s.Check(nested(8)); vs != nil {
		t.Errorf("a modest body: %v", vs)
	}
	_, vs := s.Check(nested(60))
	if len(vs) != 1 || vs[0].Ctx["error"] != "Too much work to validate" {
		t.Errorf("got %v", vs)
	}
}

// TestWorkIsWhatWasReckoned counts the schemas that are applied, and holds that against the bound.
func TestWorkIsWhatWasReckoned(t *testing.T) {
	tests := map[string]struct{ schema, body string }{
		"metaschema":  {`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`, smallSchema},
		"properties":  {smallSchema, smallBody},
		"two parts":   {`{"allOf":[{"properties":{"a":{"allOf":[true,{},{"minimum":1}]}}},{"properties":{"b":{},"a":{}}}]}`, `{"a":{},"b":{}}`},
		"additional":  {`{"allOf":[{"properties":{"a":{}},"additionalProperties":{"allOf":[{"x":1},{"x":1},{"x":1}]}},{"additionalProperties":{"x":1}}]}`, `{"a":1,"b":2}`},
		"doubling":    {`{"$ref":"#/$defs/n","$defs":{"n":{"allOf":[{"properties":{"c":{"$ref":"#/$defs/n"}}},{"properties":{"c":{"$ref":"#/$defs/n"}}}]}}}`, `{"c":{"c":{"c":{"c":{"c":{}}}}}}`},
		"by turns":    {`{"$ref":"#/$defs/n","$defs":{"n":{"allOf":[{"properties":{"c":{"$ref":"#/$defs/n"}}},{"items":{"$ref":"#/$defs/n"}}]}}}`, `{"c":[{"c":[[{"c":1}]]}]}`},
		"many names":  {`{"allOf":[{"properties":{` + manyNames(600, "a") + `}},{"properties":{` + manyNames(600, "a") + `}}]}`, `{"a1":1,"a2":2}`},
		"too many":    {`{"$ref":"#/$defs/d0","$defs":{` + chained(100, 10) + `"d100":{}}}`, `{"a1":1,"a2":{},"b":2}`},
		"patterns":    {`{"patternProperties":{"^a":{"x":1},"b$":{"x":1}},"properties":{"ab":{"x":1}},"unevaluatedProperties":{"x":1},"propertyNames":{"x":1}}`, `{"ab":1,"c":2}`},
		"dynamic":     {`{"$dynamicAnchor":"n","properties":{"l":{"items":{"$dynamicRef":"#n"}}},"$defs":{"m":{"$dynamicAnchor":"m","properties":{"l":{"x":1}}}}}`, `{"l":[{"l":[{"l":[]}]}]}`},
		"everything ": {`{"anyOf":[{"not":{"required":["a"]}},{"x":1}],"oneOf":[{"x":1},false],"if":{"x":1},"then":{"x":1},"contains":{"x":1},"prefixItems":[{"x":1}]}`, `[1,2]`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := mustCompile(t, tt.schema)
			g, err := newGraph(s.compiled, nil)
			if err != nil {
				t.Fatal(err)
			}
			if name == "too many" && !slices.ContainsFunc(g.surfaces(order(t, g)), func(s surface) bool { return s.crude }) {
				t.Error("all names are told apart")
			}
			applied := 0
			for _, n := range g.nodes {
				n.schema.Extensions = append(n.schema.Extensions, counter{&applied})
			}
			doc, _ := decode([]byte(tt.body), limits{MaxBodyDepth, MaxBodyNodes, MaxObjectKeys})
			_ = s.compiled.Validate(doc.value)
			bound := s.growth.visits.worst(doc.depth) * float64(doc.nodes)
			if applied == 0 || float64(applied) > bound {
				t.Errorf("%d schemas were applied, the bound is %v", applied, bound)
			}
			if !s.growth.affords(doc) {
				t.Errorf("a bound of %v is not afforded", bound)
			}
		})
	}
}

func order(t *testing.T, g *graph) []int {
	t.Helper()
	order, err := g.order()
	if err != nil {
		t.Fatal(err)
	}
	return order
}

// counter counts the schemas that are applied.
type counter struct{ n *int }

func (c counter) Validate(*jsonschema.ValidatorContext, any) { *c.n++ }

// chained gives n definitions, each with some properties, and with the next one for the same value.
func chained(n, properties int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"d%d":{"$ref":"#/$defs/d%d","properties":{"a1":{"x":1},%s}},`, i, i+1, manyNames(properties, fmt.Sprintf("p%d_", i)))
	}
	return b.String()
}

func manyNames(n int, prefix string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%s%d":{"x":1}`, prefix, i)
	}
	return b.String()[1:]
}

// TestNumbersInEnumsAreBounded: each number of a body is compared with each of the enum's as a fraction.
func TestNumbersInEnumsAreBounded(t *testing.T) {
	s := mustCompile(t, `{"items":{"enum":[`+strings.Repeat("7,", 3000)+`8]}}`)
	if _, vs := s.Check([]byte("[7" + strings.Repeat(",7", 50) + "]")); vs != nil {
		t.Errorf("a modest body: %v", vs)
	}
	if _, vs := s.Check([]byte("[7" + strings.Repeat(",7", 5000) + "]")); len(vs) != 1 || vs[0].Ctx["error"] != "Too much work to validate" {
		t.Errorf("got %v", vs)
	}
}

// TestOrdinaryRecursionIsAffordable: a tree is visited once, whatever its depth.
func TestOrdinaryRecursionIsAffordable(t *testing.T) {
	s := mustCompile(t, `{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"left":{"$ref":"#/$defs/n"},"right":{"$ref":"#/$defs/n"}}}}}`)
	if _, vs := s.Check([]byte(strings.Repeat(`{"right":{},"left":`, MaxBodyDepth-1) + `{}` + strings.Repeat("}", MaxBodyDepth-1))); vs != nil {
		t.Errorf("got %v", vs)
	}
}

func TestPatternsAreBounded(t *testing.T) {
	var patterns []string
	for i := range 500 {
		patterns = append(patterns, fmt.Sprintf(`"(a|b)*c%d":true`, i))
	}
	s := mustCompile(t, `{"patternProperties":{`+strings.Join(patterns, ",")+`}}`)
	if _, vs := s.Check([]byte(`{"` + strings.Repeat("a", 1000) + `":1}`)); vs != nil {
		t.Errorf("a modest body: %v", vs)
	}
	if _, vs := s.Check([]byte(`{"` + strings.Repeat("a", 1<<20) + `":1}`)); len(vs) != 1 || vs[0].Ctx["error"] != "Too much work to validate" {
		t.Errorf("got %v", vs)
	}
}
