package flow

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// depended are functions that routes depend on: who asks, whether that is an admin, and one that is slow.
const depended = `[
	{"name":"current_user","input":{"type":"object","required":["token"],"properties":{"token":{"type":"string","minLength":1}}},"steps":[
		{"name":"found","http":{"upstream":"web","method":"GET","path":"/users/${input.token}","allowStatus":[404]},
			"onError":{"respond":{"status":503,"body":{"detail":"Try later"}}}},
		{"name":"unknown","when":"${steps.found.status == 404}",
			"respond":{"status":401,"headers":{"WWW-Authenticate":"Bearer"},"body":{"detail":"Who is ${input.token}?"}}}],
		"output":{"name":"${input.token}","admin":"${input.token == 'root'}"}},
	{"name":"admin","input":{"type":"object","properties":{"user":{"type":"object","properties":{"admin":{"type":"boolean"}},"required":["admin"]}},"required":["user"]},
		"steps":[{"name":"no","when":"${!input.user.admin}","respond":{"status":403,"body":{"detail":"Admins only"}}},
			{"name":"level","set":{"value":7}}],"output":"${steps.level}"},
	{"name":"slow","timeout":"2s","steps":[{"name":"wait","http":{"upstream":"web","method":"GET","path":"/"}}],"output":1}]`

const (
	user  = `{"name":"user","function":"current_user","input":{"token":"${request.body.q}"}}`
	admin = `{"name":"level","function":"admin","input":{"user":"${dependencies.user}"}}`
)

// depending is a route that has dependencies.
func depending(dependencies, route string) string {
	return `{"dependencies":[` + dependencies + `],` + strings.TrimPrefix(route, "{")
}

// lookup is how long users takes for those that it knows.
const lookup = 1500 * time.Millisecond

// users knows root and ann; each other name is as it says.
func users(c *asked) canned {
	switch name := c.URL[strings.LastIndex(c.URL, "/")+1:]; name {
	case "root", "ann":
		return jsonOf(200, `{}`).in(lookup)
	case "long":
		return jsonOf(200, `"`+strings.Repeat("x", 1000)+`"`)
	case "broken":
		return jsonOf(500, `{}`)
	case "": // the path of the function that is slow
		return hangs(c)
	}
	return jsonOf(404, `{}`)
}

func script() map[string]upstreamFunc {
	return map[string]upstreamFunc{"web": users, "a": func(c *asked) canned { return says(c, 0, c.last()) }, "b": hangs}
}

// TestDependencies: functions run before the steps, whose values steps, answers, heads of streams and later dependencies read; and
// one that refuses is the whole answer, before a model is asked.
func TestDependencies(t *testing.T) {
	const all = user + "," + admin
	chat := `{"name":"s","chat":{"upstream":"a","messages":[{"role":"user","content":"${dependencies.user.name} ${request.body.q}"}]}}`
	const text = `"stream":"s","format":"Text","keepAlive":"1s"`
	for name, tt := range map[string]struct {
		route, q, want string
		status         int
	}{
		"a value in the body":    {depending(user, answering(`"${dependencies.user.name}"`)), "ann", `"ann"`, 200},
		"a value in a step":      {depending(user, answering(`"${steps.s.text}"`, chat)), "ann", `"ann ann"`, 200},
		"a chain":                {depending(all, answering(`"${dependencies.level + 1}"`, chat)), "root", `8`, 200},
		"a refusal":              {depending(user, answering(`1`, chat)), "eve", `{"detail":"Who is eve?"}`, 401},
		"a refusal down a chain": {depending(all, answering(`1`, chat)), "ann", `{"detail":"Admins only"}`, 403},
		"the first refuses":      {depending(all, answering(`1`, chat)), "eve", `{"detail":"Who is eve?"}`, 401},
		"a failure's answer":     {depending(user, answering(`1`, chat)), "broken", `{"detail":"Try later"}`, 503},
		"input that is wrong":    {depending(user, answering(`1`, chat)), "", `"Value error, an expression of this route that reads it gives input that a function does not accept"`, 422},
		"a stream":               {depending(all, streaming(text, chat)), "root", "data: root root\n\nevent: done", 200},
		"a stream refused":       {depending(all, streaming(text, chat)), "ann", `{"detail":"Admins only"}`, 403},
		"chunks that pass":       {depending(user, streaming(`"stream":"s"`, chat)), "ann", `"content":"ann ann"`, 200},
		"chunks refused":         {depending(user, streaming(`"stream":"s"`, chat)), "eve", `{"detail":"Who is eve?"}`, 401},
		"events":                 {depending(all, streaming(`"events":{"steps":["s"]},"body":"${dependencies.level}"`, chat)), "root", "event: result\ndata: 7\n\n", 200},
		"events refused":         {depending(user, streaming(`"events":{"steps":["s"]}`, chat)), "eve", `{"detail":"Who is eve?"}`, 401},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: depended}, script(), tt.route)
				g := w.post(`{"q":"` + tt.q + `"}`)
				if g.err != nil || g.status != tt.status || !strings.Contains(g.body, tt.want) {
					t.Errorf("%d %s (%v), want %d %s; reports %q", g.status, g.body, g.err, tt.status, tt.want, w.noted(&w.reports))
				}
				if asked := len(w.client.of("a")); tt.status != 200 && asked > 0 {
					t.Errorf("a model was asked %d times", asked)
				}
			})
		})
	}
}

// TestDependenciesOfAService: they run before those of the route, and read parameters that each route then has; what is wrong with
// these comes first, and nothing has run by then.
func TestDependenciesOfAService(t *testing.T) {
	const shared = `[
		{"name":"user","function":"current_user","input":{"token":"${request.params.` + "`X-Key`" + `}"},"parameters":[
			{"name":"X-Key","in":"Header","required":true,"schema":{"type":"string","minLength":2}},
			{"name":"page","in":"Query","schema":{"type":"integer","default":3}}]}]`
	chat := `{"name":"s","chat":{"upstream":"a","messages":[{"role":"user","content":"${dependencies.user.name}"}]}}`
	own := `"request":{"parameters":[{"name":"n","in":"Query","schema":{"type":"integer","default":1}}],"schema":{"type":"object","properties":{"q":{"type":"string"}}}}`
	with := func(route string) string { return `{` + own + `,` + route[1:] }
	for name, tt := range map[string]struct {
		route, query, key, want string
		status                  int
	}{
		"its values":            {with(answering(`["${dependencies.user.name}","${request.params.page + request.params.n}"]`)), "page=4", "ann", `["ann",5]`, 200},
		"before the route's":    {with(depending(admin, answering(`1`, chat))), "", "eve", `{"detail":"Who is eve?"}`, 401},
		"then the route's":      {with(depending(admin, answering(`1`, chat))), "", "ann", `{"detail":"Admins only"}`, 403},
		"a stream":              {with(depending(admin, streaming(`"stream":"s","format":"Text"`, chat))), "", "root", "data: root\n\nevent: done", 200},
		"a stream refused":      {with(streaming(`"stream":"s","format":"Text"`, chat)), "", "eve", `{"detail":"Who is eve?"}`, 401},
		"what is wrong, first":  {with(answering(`1`, chat)), "n=x&page=y", "", `["query","page"]`, 422},
		"then the header":       {with(answering(`1`, chat)), "n=x", "a", `[{"type":"string_too_short","loc":["header","x-key"]`, 422},
		"without the parameter": {with(answering(`1`, chat)), "", "", `"loc":["header","x-key"]`, 422},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: depended, dependencies: shared}, script(), tt.route)
				header := http.Header{}
				if tt.key != "" {
					header.Set("X-Key", tt.key)
				}
				g := w.do(t.Context(), "/?"+tt.query, `{"q":"x"}`, header)
				if g.err != nil || g.status != tt.status || !strings.Contains(g.body, tt.want) {
					t.Errorf("%d %s (%v), want %d %s; reports %q", g.status, g.body, g.err, tt.status, tt.want, w.noted(&w.reports))
				}
				if asked := len(w.client.of("a")) + len(w.client.of("web")); tt.status == 422 && asked > 0 {
					t.Errorf("upstreams were asked %d times", asked)
				}
			})
		})
	}
}

func TestHeadsOfDependencies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{functions: depended}, script(), depending(user, streaming(
			`"stream":"s","headers":{"X-User":"${dependencies.user.name}"}`, `{"name":"s",`+chatOf("a")+`}`)))
		if g := w.post(`{"q":"ann"}`); g.header.Get("X-User") != "ann" || g.status != http.StatusOK {
			t.Errorf("%d, headers %v", g.status, g.header)
		}
		if g := w.post(`{"q":"eve"}`); g.header.Get("WWW-Authenticate") != "Bearer" || g.header.Get("X-User") != "" {
			t.Errorf("%d, headers %v", g.status, g.header)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if o := w.outcomes[0]; o.Duration != lookup || o.FirstContent != lookup {
			t.Errorf("the outcome does not have the time of the dependencies: %+v", o)
		}
	})
}

// TestDependenciesEnd: with the timeout of the function, that of the route, its budget, or its client; and the stream that follows
// has what is left of the time.
func TestDependenciesEnd(t *testing.T) {
	const slow = `{"name":"x","function":"slow"}`
	chat := `{"name":"s",` + chatOf("a") + `}`
	for name, tt := range map[string]struct {
		route, q, code string
		status         int
		after          time.Duration
	}{
		"the function's timeout": {depending(slow, answering(`1`)), "ann", "took longer than this route allows", 504, 2 * time.Second},
		"the route's timeout":    {`{"timeout":"1s",` + depending(slow, streaming(`"stream":"s"`, chat))[1:], "ann", "", 504, time.Second},
		"the budget":             {`{"budget":{"maxCalls":9,"maxBytes":1000},` + depending(user, answering(`"${steps.s.text}"`, chat))[1:], "long", "Try later", 503, 0},
		"what is left":           {`{"timeout":"3s",` + depending(user, streaming(`"stream":"s"`, `{"name":"s",`+chatOf("b")+`}`))[1:], "ann", "", 504, 3 * time.Second},
		"the stream's bound": {
			`{"maxStreamDuration":"3s",` + depending(user, streaming(`"events":{"progress":true}`, `{"name":"s",`+chatOf("b")+`}`))[1:], "ann", "", 200, 3 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: depended}, script(), tt.route)
				g := w.post(`{"q":"` + tt.q + `"}`)
				if g.status != tt.status || g.after != tt.after || !strings.Contains(g.body, tt.code) {
					t.Errorf("%d %s after %s, want %d %q after %s", g.status, g.body, g.after, tt.status, tt.code, tt.after)
				}
			})
		})
	}
}
