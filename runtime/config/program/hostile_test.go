package program

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
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

// fan is a schema whose definitions each refer to the next one from several places; level writes one of them, whose references
// are the argument, and leaf is the last.
func fan(levels, width int, level func(refs []string) string, leaf string) string {
	var defs strings.Builder
	for i := range levels {
		refs := slices.Repeat([]string{fmt.Sprintf(`{"$ref":"#/$defs/d%d"}`, i+1)}, width)
		fmt.Fprintf(&defs, `"d%d":%s,`, i, level(refs))
	}
	return fmt.Sprintf(`{"properties":{"x":{"$ref":"#/$defs/d0"}},"$defs":{%s"d%d":%s}}`, defs.String(), levels, leaf)
}

// members makes an object of schemas.
func members(schemas []string) string {
	var b strings.Builder
	for i, s := range schemas {
		fmt.Fprintf(&b, `,"p%d":%s`, i, s)
	}
	return `"properties":{` + b.String()[1:] + `}`
}

// settingSteps is a config whose route has so many steps of set, of which each may refer to the one before.
func settingSteps(n int, value func(before string) string) *config.Config {
	c := valid()
	before := "request.path"
	for i := range n {
		name := fmt.Sprintf("s%d", i)
		c.Routes[0].Steps = append(c.Routes[0].Steps, config.Step{Name: name, Set: &config.Set{Value: []byte(value(before))}})
		before = "steps." + name
	}
	return c
}

// callingFunctions is a config with so many functions, of which each does the work that step gives, and calls the next in it.
func callingFunctions(n int, step func(next config.Action) config.Step) *config.Config {
	c := valid()
	c.Routes[0].Steps[0].Action = config.Action{Call: &config.Call{Function: "f0"}}
	c.Routes[0].Response.Body = []byte(`{"a":"${steps.answer}"}`)
	chat := config.Action{Chat: &config.Chat{Upstream: "fast", Messages: []config.Message{{Role: "user", Content: "x"}}}}
	for i := range n {
		next := chat
		if i+1 < n {
			next = config.Action{Call: &config.Call{Function: fmt.Sprintf("f%d", i+1)}}
		}
		c.Functions = append(c.Functions, config.Function{
			Name: fmt.Sprintf("f%d", i), Steps: []config.Step{step(next)}, Output: []byte(`{"a":"${steps.all}","b":"${steps.all}"}`),
		})
	}
	return c
}

// TestSmallSpecsCostLittle: each of these is of a few kilobytes, and stands for what is many times as large once every way through
// it is counted: levels that double, and lists in lists.
func TestSmallSpecsCostLittle(t *testing.T) {
	list := func(keyword string) func([]string) string {
		return func(refs []string) string { return fmt.Sprintf(`{"%s":[%s]}`, keyword, strings.Join(refs, ",")) }
	}
	object := func(more string) func([]string) string {
		return func(refs []string) string { return `{"type":"object",` + more + members(refs) + `}` }
	}
	conditional := func(refs []string) string {
		return fmt.Sprintf(`{"if":%s,"then":%s,"else":%s,"not":%s}`, refs[0], refs[0], refs[0], refs[0])
	}
	unevaluated := func(refs []string) string {
		return fmt.Sprintf(`{"anyOf":[%s],"unevaluatedProperties":%s}`, strings.Join(refs, ","), refs[0])
	}
	const leaf = `{"type":"object","properties":{"n":{"type":"integer","default":1}}}`
	// Two fans, whose definitions have different names, apply to one value.
	first := fan(9, 4, object(""), `{"properties":{"a":{}}}`)
	second := strings.NewReplacer("$defs/d", "$defs/e", `"d`, `"e`).Replace(fan(9, 4, object(""), `{"properties":{"b":{}}}`))
	_, others, _ := strings.Cut(second, `"e0"`)
	both := strings.Replace(strings.TrimSuffix(first, "}}")+`,"e0"`+others, `{"$ref":"#/$defs/d0"}`, `{"allOf":[{"$ref":"#/$defs/d0"},{"$ref":"#/$defs/e0"}]}`, 1)
	gather := func(next config.Action) config.Step {
		branches := make([]config.Branch, 8)
		for i := range branches {
			branches[i] = config.Branch{Name: fmt.Sprintf("b%d", i), Action: next}
		}
		return config.Step{Name: "all", Gather: &config.Gather{Strategy: config.GatherAll, Branches: branches}}
	}
	each := func(next config.Action) config.Step {
		return config.Step{Name: "all", ForEach: &config.ForEach{Items: "${[1,2]}", MaxItems: 100, MaxParallel: 10, Do: config.Do{Action: next}}}
	}
	cartesian := "1"
	for range 12 {
		cartesian = "[1,2,3,4,5,6,7,8,9].map(x, " + cartesian + ")"
	}
	for name, c := range map[string]*config.Config{
		"two objects that apply to one value": withSchemas(1, both),
		"objects":                             withSchemas(1, fan(60, 4, object(""), leaf)),
		"objects with defaults":               withSchemas(1, fan(30, 2, object(`"default":{},`), `{"default":1}`)),
		"wide ones":                           withSchemas(1, fan(8, 8, object(`"default":{},`), `{"default":1}`)),
		"anyOf":                               withSchemas(1, fan(60, 4, list("anyOf"), leaf)),
		"oneOf":                               withSchemas(1, fan(60, 4, list("oneOf"), leaf)),
		"allOf":                               withSchemas(1, fan(60, 4, list("allOf"), leaf)),
		"if":                                  withSchemas(1, fan(60, 1, conditional, leaf)),
		"unevaluated":                         withSchemas(1, fan(60, 3, unevaluated, leaf)),
		"a default that many forms refuse":    withSchemas(1, strings.Replace(fan(12, 4, list("anyOf"), `{"type":"integer"}`), `d0"}`, `d0","default":"no"}`, 1)),
		"references in a row":                 withSchemas(1, fan(250, 1, func(refs []string) string { return refs[0] }, leaf)),
		"repeats in repeats":                  withSchemas(1, `{"type":"string","pattern":"`+strings.Repeat("(a|b|(c|d){9}){9}", 200)+`"}`),
		"objects of the step before":          settingSteps(60, func(s string) string { return `{"a":"${` + s + `}","b":"${` + s + `}"}` }),
		"lists of it":                         settingSteps(40, func(s string) string { return `"${[[` + s + `, ` + s + `]]}"` }),
		"maps of it":                          settingSteps(40, func(s string) string { return `"${{'a': ` + s + `, 'b': {'c': ` + s + `}}}"` }),
		"texts of it":                         settingSteps(60, func(s string) string { return `"${` + s + `}${` + s + `}"` }),
		"a product that reads nothing":        settingSteps(1, func(string) string { return `"${` + cartesian + `}"` }),
		"brackets":                            settingSteps(1, func(string) string { return `"${` + strings.Repeat("[", 3000) + `}"` }),
		"arrays":                              settingSteps(1, func(string) string { return strings.Repeat("[", 3000) + strings.Repeat("]", 3000) }),
		"gathers of gathers":                  callingFunctions(15, gather),
		"items of items":                      callingFunctions(40, each),
	} {
		t.Run(name, func(t *testing.T) {
			encoded, err := config.Encode(c)
			if err != nil || len(encoded) > 16<<10 {
				t.Fatalf("%d bytes, %v", len(encoded), err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_ = Validate(c) // what it says is the others' matter
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > 96<<20 {
				t.Errorf("%d KiB for %d bytes", used>>10, len(encoded))
			}
		})
	}
}

// TestExpressionsThatAreNoneTakeLittleTogether: their parser takes long to say why.
func TestExpressionsThatAreNoneTakeLittleTogether(t *testing.T) {
	c := settingSteps(1000, func(string) string { return `"${` + strings.Repeat("[", 240) + `}"` })
	read := 0
	for _, e := range Validate(c) {
		if !strings.Contains(e.Message, "checks together") {
			read++
		}
	}
	if read == 0 || read > 100 {
		t.Errorf("%d of 1000 were read", read)
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
