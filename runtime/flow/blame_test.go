package flow

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// The client that sent the value gets an error that names it, and why it could not be used.
func TestValuesThatAnExpressionCannotUse(t *testing.T) {
	const schema = `"request":{"schema":{"type":"object","properties":{"n":{"type":"integer","default":0},"l":{"type":"array","items":{"type":"integer"},"default":[]},` +
		`"x":{"type":"number","default":1},"s":{"type":"string","default":""},"maybe":{"type":["string","null"],"default":null},` +
		`"m":{"type":"object","additionalProperties":{"type":"string"},"default":{}},"any":{"default":null}}}},`
	get := func(what string) string { return `{"name":"s","http":{"upstream":"web","method":"GET",` + what + `}}` }
	for name, tt := range map[string]struct{ body, steps, request, loc string }{
		"an integer beyond 64 bits":           {`"${request.body.n}"`, "", `{"n":12345678901234567890}`, `["body","n"]`},
		"one far beyond, in an object":        {`{"is":"${request.body.n}"}`, "", `{"n":-1e300}`, `["body","n"]`},
		"one in a list":                       {`"${request.body.l.map(i, i + 1)}"`, "", `{"l":[1,12345678901234567890]}`, `["body","l"]`},
		"one at a position":                   {`"${request.body.l[1]}"`, "", `{"l":[1,12345678901234567890]}`, `["body","l",1]`},
		"a sum that overflows":                {`"${request.body.n + 1}"`, "", `{"n":9223372036854775807}`, `["body","n"]`},
		"a product that overflows, in text":   {`"n is ${request.body.n * 2}"`, "", `{"n":9223372036854775807}`, `["body","n"]`},
		"a negation that overflows":           {`"${-request.body.n}"`, "", `{"n":-9223372036854775808}`, `["body","n"]`},
		"a division by zero":                  {`"${10 / request.body.n}"`, "", `{}`, `["body","n"]`},
		"a remainder by zero":                 {`"${10 % request.body.n}"`, "", `{}`, `["body","n"]`},
		"a number that is not finite":         {`"${request.body.x * 1e300}"`, "", `{"x":1e300}`, `["body","x"]`},
		"not a number":                        {`"${(request.body.x - request.body.x) / (request.body.x - request.body.x)}"`, "", `{}`, `["body","x"]`},
		"an empty list":                       {`"${request.body.l[0]}"`, "", `{}`, `["body","l",0]`},
		"a position that a client gives":      {`"${request.body.l[request.body.n]}"`, "", `{"l":[1],"n":7}`, `["body","l"]`},
		"a key that is not there":             {`"${request.body.m.k}"`, "", `{}`, `["body","m","k"]`},
		"a member of anything":                {`"${request.body.any.a.b}"`, "", `{"any":{"a":[]}}`, `["body","any","a","b"]`},
		"a member of what is not declared":    {`"${request.body.other.a}"`, "", `{"other":"x"}`, `["body","other","a"]`},
		"a null in text":                      {`"is ${request.body.any}"`, "", `{}`, `["body","any"]`},
		"a null among those that are joined":  {`"${[request.body.maybe].join(' ')}"`, "", `{}`, `["body","maybe"]`},
		"a null that is added to":             {`"${request.body.maybe + '!'}"`, "", `{}`, `["body","maybe"]`},
		"a text that is no number":            {`"${int(request.body.s)}"`, "", `{"s":"x"}`, `["body","s"]`},
		"a number that is too large for int":  {`"${int(request.body.x)}"`, "", `{"x":1e30}`, `["body","x"]`},
		"a text that is no time":              {`"${timestamp(request.body.s)}"`, "", `{"s":"yesterday"}`, `["body","s"]`},
		"a text that is no duration":          {`"${duration(request.body.s)}"`, "", `{"s":"1 fortnight"}`, `["body","s"]`},
		"a time that is out of range":         {`"${timestamp(request.body.n)}"`, "", `{"n":9223372036854775807}`, `["body","n"]`},
		"a text that is no JSON":              {`"${request.body.s.parseJson()}"`, "", `{"s":"{"}`, `["body","s"]`},
		"a truncation to less than none":      {`"${'abc'.truncate(request.body.n)}"`, "", `{"n":-1}`, `["body","n"]`},
		"more output than is allowed":         {`"${request.body.s + request.body.s}"`, "", `{"s":"` + strings.Repeat("x", 600_000) + `"}`, `["body","s"]`},
		"more text than is allowed":           {`"a ${request.body.s} b ${request.body.s}"`, "", `{"s":"` + strings.Repeat("x", 600_000) + `"}`, `["body","s"]`},
		"a set step's value":                  {`"${10 / steps.s.a}"`, `{"name":"s","set":{"value":{"a":"${request.body.n}","b":1}}}`, `{}`, `["body","n"]`},
		"a set step's whole value":            {`"${10 / steps.s.n}"`, `{"name":"s","set":{"value":"${request.body}"}}`, `{}`, `["body","n"]`},
		"a condition":                         {`1`, `{"name":"s","when":"${10 / request.body.n > 1}","set":{"value":1}}`, `{}`, `["body","n"]`},
		"a function's input":                  {`1`, `{"name":"s","call":{"function":"inverse","input":{"of":"${request.body.n}"}}}`, `{}`, `["body","n"]`},
		"a function's input, by its schema":   {`1`, `{"name":"s","call":{"function":"inverse","input":{"of":"${request.body.any}"}}}`, `{"any":"x"}`, `["body","any"]`},
		"a function's output":                 {`"${10 / steps.s}"`, `{"name":"s","call":{"function":"same","input":{"of":"${request.body.n}"}}}`, `{}`, `["body","n"]`},
		"an item":                             {`1`, `{"name":"s","forEach":{"items":"${request.body.l}","maxItems":9,"maxParallel":1,"do":{"call":{"function":"inverse","input":{"of":"${item}"}}}}}`, `{"l":[1,0]}`, `["body","l",1]`},
		"an item of a list that was made":     {`1`, `{"name":"s","forEach":{"items":"${request.body.l.map(i, i)}","maxItems":9,"maxParallel":1,"do":{"call":{"function":"inverse","input":{"of":"${item}"}}}}}`, `{"l":[1,0]}`, `["body","l"]`},
		"a history":                           {`1`, `{"name":"s","chat":{"upstream":"a","messages":[{"history":"${request.body.l}"}]}}`, `{"l":[1]}`, `["body","l"]`},
		"a path, empty":                       {`1`, get(`"path":"/a/${request.body.s}/b"`), `{}`, `["body","s"]`},
		"a path that climbs":                  {`1`, get(`"path":"/a/${request.body.s}"`), `{"s":".."}`, `["body","s"]`},
		"a path that stays":                   {`1`, get(`"path":"/a/${request.body.s}/"`), `{"s":"."}`, `["body","s"]`},
		"a path that climbs in parts":         {`1`, get(`"path":"/a/.${request.body.s}"`), `{"s":"."}`, `["body","s"]`},
		"a header of two lines":               {`1`, get(`"path":"/","headers":{"X-A":"${request.body.s}"}`), `{"s":"a\nb"}`, `["body","s"]`},
		"a header with a zero byte":           {`1`, get(`"path":"/","headers":{"X-A":"a","X-B":"<${request.body.s}>"}`), `{"s":"a\u0000b"}`, `["body","s"]`},
		"a body of a service":                 {`1`, get(`"path":"/","body":{"q":["${1 / request.body.n}"]}`), `{}`, `["body","n"]`},
		"parameters of a model":               {`1`, `{"name":"s","chat":{"upstream":"a","messages":[{"role":"user","content":"x"}],"parameters":{"seed":"${1 / request.body.n}"}}}`, `{}`, `["body","n"]`},
		"what is beside an upstream's answer": {`"${steps.s.status} and ${1 / request.body.n}"`, get(`"path":"/"`), `{}`, `["body","n"]`},
		"what is added to an answer's":        {`"${steps.s.status + 1 / request.body.n}"`, get(`"path":"/"`), `{}`, `["body","n"]`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: inverting}, map[string]upstreamFunc{"a": always("x"), "web": func(*asked) canned { return jsonOf(200, `{}`) }},
					`{`+schema+answering(tt.body, nonEmpty(tt.steps)...)[1:])
				w.blames(w.post(tt.request), tt.loc)
			})
		})
	}
}

func nonEmpty(step string) []string {
	if step == "" {
		return nil
	}
	return []string{step}
}

const inverting = `[{"name":"inverse","input":{"type":"object","required":["of"],"properties":{"of":{"type":"integer"}}},
	"steps":[{"name":"x","set":{"value":"${10 / input.of}"}}],"output":"${steps.x}"},
	{"name":"same","input":{"type":"object","required":["of"],"properties":{"of":{"type":"integer"}}},
	"steps":[{"name":"x","set":{"value":"${input.of}"}}],"output":"${steps.x}"}]`

// They are named by their place in the request.
func TestParametersThatAnExpressionCannotUse(t *testing.T) {
	route := `{"path":"/files/{id}","request":{"parameters":[{"name":"id","in":"Path"},{"name":"n","in":"Query","schema":{"type":"integer","default":1}},` +
		`{"name":"X-Tenant","in":"Header","schema":{"type":"string","default":"a"}}]},"steps":[` +
		"{\"name\":\"s\",\"http\":{\"upstream\":\"web\",\"method\":\"GET\",\"path\":\"/d/${request.params.id}/${request.params.`X-Tenant`}\",\"query\":{\"n\":\"${10 / request.params.n}\"}}}" +
		`],"response":{"body":1}}`
	for path, loc := range map[string]string{
		"/files/..": `["path","id"]`, "/files/.": `["path","id"]`, "/files/%2e%2e": `["path","id"]`, "/files/%2E": `["path","id"]`, "/files/.%2e": `["path","id"]`,
		"/files/a?n=0": `["query","n"]`, "/files/a?n=12345678901234567890": `["query","n"]`,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, settings{}, map[string]upstreamFunc{"web": func(*asked) canned { return jsonOf(200, `1`) }}, route)
			w.blames(w.do(t.Context(), path, "", nil), loc)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"web": func(*asked) canned { return jsonOf(200, `1`) }}, route)
		w.blames(w.do(t.Context(), "/files/a", "", http.Header{"X-Tenant": {".."}}), `["header","x-tenant"]`)
	})
}

// They are not the client's fault, and the client's error says so; the log names what the manifest expects.
func TestAnswersThatAnExpressionCannotUse(t *testing.T) {
	web := `{"name":"x","http":{"upstream":"web","method":"GET","path":"/"}},`
	for name, tt := range map[string]struct{ body, steps string }{
		"a member that is not there":     {`"${steps.x.body.nope}"`, web},
		"a null in text":                 {`"${steps.x.body.none} of them"`, web},
		"a list that is empty":           {`"${steps.x.body.list[0]}"`, web},
		"a set step made of it":          {`"${10 / steps.s.zero}"`, web + `{"name":"s","set":{"value":{"zero":"${steps.x.body.zero}"}}},`},
		"with a position of the request": {`"${steps.x.body.list[size(request.body.q)]}"`, web},
		"a function that asks for it":    {`"${10 / steps.s}"`, `{"name":"s","call":{"function":"asks"}},`},
		"a function's input made of it":  {`1`, web + `{"name":"s","call":{"function":"inverse","input":{"of":"${steps.x.body.none}"}}},`},
		"an item of it":                  {`1`, web + `{"name":"s","forEach":{"items":"${steps.x.body.zeros}","maxItems":9,"maxParallel":1,"do":{"call":{"function":"inverse","input":{"of":"${item}"}}}}},`},
		"a model's text":                 {`"${int(steps.x.text)}"`, `{"name":"x",` + chatOf("a") + `},`},
		"an integer beyond 64 bits": {
			`"${steps.x.output.n}"`,
			`{"name":"x","chat":{"upstream":"c","messages":[{"role":"user","content":"x"}],"output":{"schema":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}}}},`,
		},
		"a winner's value":    {`"${int(steps.g.text)}"`, gatherOf("First", "", "a", "b") + ","},
		"the key of a vote":   {`1`, gatherOf("Vote", `"vote":{"key":"${string(int(result.text))}","ties":"Fail"}`, "a", "b") + ","},
		"a header made of it": {`1`, web + `{"name":"s","http":{"upstream":"web","method":"GET","path":"/","headers":{"X-A":"${steps.x.body.lines}"}}},`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				functions := strings.TrimSuffix(inverting, "]") + `,{"name":"asks","steps":[{"name":"x","http":{"upstream":"web","method":"GET","path":"/"}}],"output":"${steps.x.body.zero}"}]`
				w := newWorld(t, settings{functions: functions}, map[string]upstreamFunc{
					"a": always("MARK"), "b": always("MARK"), "c": always(`{"n":12345678901234567890,"MARK":1}`),
					"web": func(*asked) canned {
						return jsonOf(200, `{"none":null,"list":[],"zero":0,"zeros":[0],"lines":"MARK\n"}`)
					},
				}, answering(tt.body, strings.TrimSuffix(tt.steps, ",")))
				g := w.post(hi)
				if g.status != 502 || !strings.Contains(g.body, "an upstream's answer") {
					t.Errorf("%d %s", g.status, g.body)
				}
				if reports := w.noted(&w.reports); len(reports) != 1 || strings.Contains(reports[0], "MARK") || !strings.Contains(reports[0], "upstream_error") {
					t.Errorf("reported %q", reports)
				}
			})
		})
	}
}

// The client gets an error if another request would be answered better.
func TestAnswersThatARequestMakesBreakTheirPromise(t *testing.T) {
	const promised = `"schema":{"type":"object","required":["n"],"properties":{"n":{"type":"integer","maximum":10},"l":{"type":"array","maxItems":2}}}`
	script := map[string]upstreamFunc{"web": func(*asked) canned { return jsonOf(200, `{"n":99}`) }}
	step := `"steps":[{"name":"s","http":{"upstream":"web","method":"GET","path":"/"}},{"name":"t","set":{"value":{"n":"${has(request.body.n) ? request.body.n : 1}"}}}],`
	for name, tt := range map[string]struct{ body, request, loc string }{
		"a number":                {`{"n":"${request.body.n}"}`, `{"n":11}`, `["body","n"]`},
		"one of another type":     {`{"n":"${request.body.n}"}`, `{"n":"MARK"}`, `["body","n"]`},
		"a list":                  {`{"n":1,"l":"${request.body.l}"}`, `{"l":[1,2,3]}`, `["body","l"]`},
		"a member that is absent": {`"${request.body}"`, `{}`, `["body","n"]`},
		"through a step":          {`{"n":"${steps.t.n}"}`, `{"n":11}`, `["body","n"]`},
		"beside an upstream's":    {`{"n":"${request.body.n}","s":"${steps.s.body.n}"}`, `{"n":11}`, `["body","n"]`},
		"an upstream's":           {`{"n":"${steps.s.body.n}","m":"${request.body.n}"}`, `{"n":11}`, ""},
		"made of both":            {`{"n":"${steps.s.body.n + request.body.n}"}`, `{"n":11}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, script, `{`+step+`"response":{`+promised+`,"body":`+tt.body+`}}`)
				if g := w.post(tt.request); tt.loc != "" {
					w.blames(g, tt.loc)
					return
				} else if w.refused(g, 502, "response_invalid"); len(w.noted(&w.reports)) != 1 || len(w.noted(&w.invalid)) != 1 {
					t.Errorf("reports %q, metric %q", w.reports, w.invalid)
				}
			})
		})
	}
}
