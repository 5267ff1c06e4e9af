package flow

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// A step asks the upstream that its expression names, whichever kind it is and however it answers.
func TestChosenUpstreams(t *testing.T) {
	const usage = `{"completion_tokens":4,"prompt_tokens":3,"total_tokens":7}`
	const among = `"upstream":"${request.body.q}","upstreams":["a","b"]`
	chat := `{"name":"s","chat":{` + among + `,"messages":[{"role":"user","content":"x"}]}}`
	agent := `{"name":"s","agent":{` + among + `,"messages":[{"role":"user","content":"x"}],"tools":["double"],"maxTurns":2,"maxParallel":1}}`
	race := `{"name":"s","gather":{"strategy":"Fallback","branches":[{"name":"x",` + chat[len(`{"name":"s",`):] + `,{"name":"y",` + chatOf("c") + `}]}}`
	each := `{"name":"s","forEach":{"items":"${['b','a']}","maxItems":2,"maxParallel":1,"do":{"chat":{"upstream":"${item}","upstreams":["a","b"],"messages":[{"role":"user","content":"x"}]}}}}`
	vector := `{"name":"s","embeddings":{` + among + `,"input":"text"}}`
	for name, tt := range map[string]struct{ route, want string }{
		"chat":            {answering(`{"text":"${steps.s.text}","by":"${steps.s.upstream}"}`, chat), `{"text":"from b","by":"b"}`},
		"agent":           {answering(`{"text":"${steps.s.text}","by":"${steps.s.upstream}"}`, agent), `{"text":"from b","by":"b"}`},
		"winner":          {answering(`{"text":"${steps.s.text}","by":"${steps.s.upstream}"}`, race), `{"text":"from b","by":"b"}`},
		"items":           {answering(`"${steps.s.map(s, s.upstream)}"`, each), `["b","a"]`},
		"embeddings":      {answering(`"${steps.s.vectors}"`, vector), `[[4,0.5]]`},
		"relayed stream":  {streaming(`"stream":"s","format":"OpenAI"`, chat), chunks("b", "from b")},
		"text":            {streaming(`"stream":"s","format":"Text"`, chat), "data: from b\n\nevent: done\ndata: {\"finishReason\":\"stop\",\"usage\":" + usage + "}\n\n"},
		"a streamed race": {streaming(`"stream":"s","format":"Text"`, race), "data: from b\n\nevent: done\ndata: {\"finishReason\":\"stop\",\"usage\":" + usage + "}\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{functions: doubling}, map[string]upstreamFunc{"a": chosen, "b": chosen, "c": fails(500)}, tt.route)
				w.wants(w.post(`{"q":"b"}`), 200, tt.want)
			})
		})
	}
}

func chosen(c *asked) canned {
	if len(c.body.Input) > 0 {
		return vectors(c)
	}
	return says(c, 0, "from "+c.upstream)
}

// chunks is what a stream of an upstream's own chunks has.
func chunks(upstream, text string) string {
	c := &asked{upstream: upstream}
	c.body.Stream, c.body.Model = true, "model-"+upstream
	var all strings.Builder
	for _, p := range says(c, 0, text).parts {
		all.WriteString(p.text)
	}
	return all.String()
}

// A plain HTTP service is chosen, too: the world has one.
func TestAChosenService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"web": func(*asked) canned { return jsonOf(200, `"page"`) }},
			answering(`"${steps.s.body}"`, `{"name":"s","http":{"upstream":"${request.body.q}","upstreams":["web"],"method":"GET","path":"/"}}`))
		w.wants(w.post(`{"q":"web"}`), 200, `"page"`)
		w.blames(w.post(`{"q":"none"}`), `["body","q"]`)
	})
}

// A name that is not on the list is reported to the party that sent it, before anybody is asked.
func TestNamesThatCannotBeChosen(t *testing.T) {
	step := func(upstream string) string {
		return `{"name":"s","chat":{"upstream":"` + upstream + `","upstreams":["a","b"],"messages":[{"role":"user","content":"x"}]}}`
	}
	first := `{"name":"first",` + chatOf("c") + `}`
	for name, tt := range map[string]struct {
		route, blamed string
		status        int
	}{
		"of the request":           {answering(`1`, step("${request.body.q}")), `["body","q"]`, 422},
		"of the request, relayed":  {streaming(`"stream":"s"`, step("${request.body.q}")), `["body","q"]`, 422},
		"of the request, streamed": {streaming(`"events":{"steps":["s"]}`, step("${request.body.q}")), `["body","q"]`, 422},
		"no text":                  {answering(`1`, step("${request.body.n}")), `["body","n"]`, 422},
		"of an upstream's answer":  {answering(`1`, first, step("${steps.first.text}")), "", 502},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": chosen, "b": chosen, "c": always("d")}, tt.route)
				g := w.post(`{"q":"secret-name","n":7}`)
				if tt.status == 422 {
					w.blames(g, tt.blamed)
				} else {
					w.wants(g, tt.status, `{"detail":"This route cannot use an upstream's answer."}`)
				}
				if diff := cmp.Diff([]string{}, asksOf(w, "a", "b")); diff != "" {
					t.Errorf("asked: %s", diff)
				}
				if said := strings.Join(w.noted(&w.reports), "\n"); strings.Contains(said+g.body, "secret-name") {
					t.Errorf("the name is in %s or in %q", g.body, said)
				}
			})
		})
	}
}

// asksOf are the calls of some upstreams, by name.
func asksOf(w *world, names ...string) []string {
	w.client.mu.Lock()
	defer w.client.mu.Unlock()
	all := []string{}
	for _, c := range w.client.calls {
		for _, name := range names {
			if c.upstream == name {
				all = append(all, name)
			}
		}
	}
	return all
}
