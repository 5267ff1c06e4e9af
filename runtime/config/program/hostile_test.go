package program

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

// withSchemas is a config of so many routes, each with the schema.
func withSchemas(n int, schema string) *config.Config {
	c := valid()
	for i := range n {
		c.Routes = append(c.Routes, config.Route{
			Path: fmt.Sprintf("/r%d", i), Method: "POST", Timeout: c.Routes[0].Timeout, Budget: c.Routes[0].Budget,
			Request:  &config.Request{Schema: []byte(schema)},
			Response: &config.Response{Body: []byte(`"x"`)},
		})
	}
	return c
}

// TestHostileSpecsCostLittle: the operator compiles what tenants write, and each of these is within the size of a config.
func TestHostileSpecsCostLittle(t *testing.T) {
	properties := func(n int, pattern string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"p%d":{"type":"string","pattern":"%s%d"}`, i, pattern, i)
		}
		return `{"type":"object","properties":{` + b.String()[1:] + `}}`
	}
	tests := map[string]*config.Config{
		"forty patterns of sixty repeats": withSchemas(1, properties(40, strings.Repeat("(a|b|c|d){1000}", 60))),
		"many schemas below each bound":   withSchemas(300, properties(2, strings.Repeat("[a-z]{1000}", 19))),
		"Unicode, and a mistake":          withSchemas(400, properties(1, strings.Repeat(`\\pL`, 90)+"(?=")),
		"case, and a mistake":             withSchemas(400, properties(1, "(?i)["+strings.Repeat(`A-\\x{1e942}`, 3)+"](?=")),
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			errs := Validate(c)
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; len(errs) == 0 || used > 64<<20 {
				t.Errorf("%d bytes, errors %.200s", used, errs)
			}
		})
	}
}

// TestManySchemasWithTheSameNames: lists of names in many routes are ordinary.
func TestManySchemasWithTheSameNames(t *testing.T) {
	var zones []string
	for i := range 550 {
		zones = append(zones, fmt.Sprintf("Region/Town_%03d", i))
	}
	c := withSchemas(30, `{"type":"object","properties":{"zone":{"type":"string","pattern":"^(`+strings.Join(zones, "|")+`)$"}}}`)
	if errs := Validate(c); len(errs) > 0 {
		t.Error(errs)
	}
}

// TestExpressionsTakeLittleTogether: each of these is within the bounds of an expression, and the config within its own.
func TestExpressionsTakeLittleTogether(t *testing.T) {
	ordinary := strings.Repeat("[1].exists(x, x==1) && ", 300) + "true"
	deep := "[" + strings.Repeat(strings.Repeat("[", 18)+"1"+strings.Repeat("]", 18)+",", 190) + "[]]"
	for in, most := range map[string]int{ordinary: 0, deep: 54} {
		c := withSchemas(55, `{}`)
		for i := range c.Routes {
			if c.Routes[i].Path != "/r0" && i > 0 {
				c.Routes[i].Response.Body = fmt.Appendf(nil, "%q", "${"+in+"}")
			}
		}
		errs := Validate(c)
		if (len(errs) > 0) != (most > 0) || len(errs) > most {
			t.Errorf("%.20s: %d errors, %.300v", in, len(errs), errs)
		}
		for _, e := range errs {
			if !strings.Contains(e.Message, "take more than 500000 checks together") {
				t.Error(e)
			}
		}
	}
}

// TestChecksEndWithTheirContext: nothing is compiled once nobody waits for it, and nothing is said of the config.
func TestChecksEndWithTheirContext(t *testing.T) {
	gone := errors.New("the operator ends")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	pattern := `{"type":"string","pattern":"[a-z]{1,900}@"}`
	expressions := valid()
	expressions.Routes[0].Response = &config.Response{Body: []byte(`"${1 + 1}"`)}
	for name, c := range map[string]*config.Config{
		"valid": valid(), "wrong": {Version: config.Version}, "schemas": withSchemas(3, pattern), "expressions": expressions,
	} {
		v := &validator{
			ctx: ctx, upstreams: map[string]*config.Upstream{}, functions: map[string]*function{}, known: newKnown(ctx),
		}
		if n := compiledIn(v.config(c)); n > 0 || v.automata > 0 || v.expressions > 0 {
			t.Errorf("%s: %d fields were compiled", name, n)
		}
		if errs, err := ValidateWithin(ctx, c); !errors.Is(err, gone) || errs != nil {
			t.Errorf("%s: %v, %v", name, errs, err)
		}
		if errs, err := ValidateWithin(t.Context(), c); err != nil || (len(errs) > 0) != (name == "wrong") {
			t.Errorf("%s, with time: %v, %v", name, errs, err)
		}
	}
}

// compiledIn counts what has been compiled of the routes of these tests.
func compiledIn(p *Program) int {
	n := 0
	count := func(compiled bool) {
		if compiled {
			n++
		}
	}
	for _, r := range p.Routes {
		count(r.Body != nil)
		count(r.Response.Body != nil)
		for _, s := range r.Steps {
			for _, m := range s.Work.(*Chat).Messages {
				count(m.Content != nil)
			}
		}
	}
	return n
}
