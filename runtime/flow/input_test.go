package flow

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/admission"
	"github.com/llmservice/llmservice/runtime/relay"
)

const typedRoute = `{"path":"/items/{id}","method":"POST","request":{
	"parameters":[
		{"name":"X-Tenant","in":"Header","schema":{"type":"string","default":"none"}},
		{"name":"tags","in":"Query","schema":{"type":"array","items":{"type":"string"}}},
		{"name":"n","in":"Query","required":true,"schema":{"type":"integer","minimum":1}},
		{"name":"id","in":"Path","schema":{"type":"integer"}}],
	"schema":{"type":"object","required":["q"],"properties":{"q":{"type":"string","minLength":1},"lang":{"type":"string","default":"en"}}}},
	"response":{"body":{"id":"${request.params.id + 1}","n":"${request.params.n}","tags":"${request.params.?tags.orValue([])}","tenant":"${request.params.` + "`X-Tenant`" + `}",
		"q":"${request.body.q}","lang":"${request.body.lang}","path":"${request.path}","method":"${request.method}","own":"${request.headers['x-own']}"}}}`

// Text is read by its schema, defaults are filled in, and templates see each value with its type.
func TestInputIsTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, nil, typedRoute)
		g := w.do(t.Context(), "/items/41?n=7&tags=a&tags=b%26&bad=%zz", `{"q":"hi"}`, http.Header{"X-Own": {"one", "two"}})
		w.wants(g, 200, `{"id":42,"n":7,"tags":["a","b&"],"tenant":"none","q":"hi","lang":"en","path":"/items/41","method":"POST","own":"one"}`)
		g = w.do(t.Context(), "/items/41?n=7", `{"q":"hi","lang":"de"}`, http.Header{"X-Own": {""}, "X-Tenant": {"t"}})
		w.wants(g, 200, `{"id":42,"n":7,"tags":[],"tenant":"t","q":"hi","lang":"de","path":"/items/41","method":"POST","own":""}`)
	})
}

// All mistakes are reported at once, in FastAPI's order: path, query, header, body.
func TestInputIsRefusedAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		path, body, media string
		status            int
		want              []string
	}{
		"everything":    {"/items/x", `{"q":""}`, "application/json", 422, []string{"path.id int_parsing", "query.n missing", "body.q string_too_short"}},
		"no JSON":       {"/items/1?n=0", `{`, "application/json", 422, []string{"body.1 json_invalid"}},
		"no body":       {"/items/1?n=1", ``, "application/json", 422, []string{"body missing"}},
		"another media": {"/items/x", `q=1`, "application/x-www-form-urlencoded", 415, nil},
		"a +json media": {"/items/1?n=1", `{}`, "application/merge-patch+json", 422, []string{"body.q missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, nil, typedRoute)
				g := w.do(t.Context(), tt.path, tt.body, http.Header{"Content-Type": {tt.media}})
				if g.status != tt.status {
					t.Fatalf("%d %s", g.status, g.body)
				}
				var detail struct {
					Detail []struct {
						Type string `json:"type"`
						Loc  []any  `json:"loc"`
					} `json:"detail"`
				}
				if tt.want == nil {
					return
				}
				if err := json.Unmarshal([]byte(g.body), &detail); err != nil {
					t.Fatal(err)
				}
				var have []string
				for _, d := range detail.Detail {
					have = append(have, dotted(d.Loc)+" "+d.Type)
				}
				if diff := cmp.Diff(tt.want, have); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// A body that the route does not describe is any JSON, or missing.
func TestInputWithoutASchema(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, nil, `{"response":{"body":{"is":"${request.body}"}}}`)
		for sent, want := range map[string]string{``: `{"is":null}`, `[1,2.5,"x"]`: `{"is":[1,2.5,"x"]}`} {
			w.wants(w.post(sent), 200, want)
		}
		if g := w.post(`[1,`); g.status != 422 || !strings.Contains(g.body, "json_invalid") {
			t.Errorf("%d %s", g.status, g.body)
		}
	})
}

// An item that a client sends twice in a set is there once; a route's own answer is checked against the schema as it is.
func TestARequestsSetsAreSets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const set = `{"type":"array","items":{"type":"integer"},"uniqueItems":true}`
		w := newWorld(t, settings{}, nil, `{"request":{"parameters":[{"name":"q","in":"Query","schema":`+set+`}],"schema":`+set+`},
			"response":{"body":{"body":"${request.body}","q":"${request.params.?q.orValue([])}"}}}`)
		w.wants(w.do(t.Context(), "/?q=1&q=2&q=1", `[3,3,1]`, nil), 200, `{"body":[3,1],"q":[1,2]}`)
		w = newWorld(t, settings{}, nil, `{"request":{"schema":`+set+`},"response":{"body":"${request.body + request.body}","schema":`+set+`}}`)
		w.blames(w.post(`[1]`), `["body"]`)
	})
}

// A default that looks like a schema is filled in as it is.
func TestADefaultMayLookLikeASchema(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, nil, `{"request":{"schema":{"type":"object","properties":{
			"card":{"type":"object","default":{"$schema":"http://cards.example/card.json","type":"Card"}},
			"chart":{"type":"object","examples":[{"$schema":"https://charts.example/v5.json","mark":"bar"}]}}}},
			"response":{"body":"${request.body.card}"}}`)
		w.wants(w.post(`{}`), 200, `{"$schema":"http://cards.example/card.json","type":"Card"}`)
		w.wants(w.post(`{"card":{"type":"x"}}`), 200, `{"type":"x"}`)
	})
}

// A body that a web page can post to any address, without its browser asking first, is not read, unless the route allows it.
func TestOnlyJSONIsReadAsJSON(t *testing.T) {
	const route = `{"request":{%s"schema":{"type":"object","required":["q"]}},"response":{"body":"${request.body.q}"}}`
	for media, want := range map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "APPLICATION/JSON": 200, "application/json;": 200, "application/json; x": 200,
		"application/merge-patch+json": 200, "text/plain": 415, "text/plain;charset=UTF-8": 415, "application/x-www-form-urlencoded": 415,
		"multipart/form-data; boundary=x": 415, "text/json": 415, "application/jsonp": 415, "json": 415, "": 415, "(absent)": 415,
		"text/plain; a=application/json": 415, "application/json, text/plain": 415, "application/json text/plain": 415,
	} {
		t.Run(media, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				header := http.Header{"Content-Type": {media}}
				if media == "(absent)" {
					header["Content-Type"] = nil
				}
				strict := newWorld(t, settings{}, nil, fmt.Sprintf(route, ""))
				if g := strict.do(t.Context(), "/", `{"q":1}`, header); g.status != want {
					t.Errorf("%d %s, want %d", g.status, g.body, want)
				}
				allowing := newWorld(t, settings{}, nil, fmt.Sprintf(route, `"allowAnyContentType":true,`))
				allowing.wants(allowing.do(t.Context(), "/", `{"q":1}`, header), 200, `1`)
				if g := allowing.do(t.Context(), "/", `q=1`, header); g.status != 422 || !strings.Contains(g.body, "json_invalid") {
					t.Errorf("a form: %d %s", g.status, g.body)
				}
			})
		})
	}
}

// Templates cannot read what clients send to authenticate themselves.
func TestCredentialsAreWithheldFromTemplates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, nil, `{"response":{"body":"${request.headers}"}}`)
		g := w.do(t.Context(), "/", ``, http.Header{
			"Authorization": {"MARK"}, "Cookie": {"MARK"}, "X-Api-Key": {"MARK"}, "Proxy-Authorization": {"MARK"}, "X-Own": {"kept"},
		})
		if g.status != 200 || strings.Contains(g.body, "MARK") || !strings.Contains(g.body, `"x-own":"kept"`) {
			t.Errorf("%d %s", g.status, g.body)
		}
	})
}

// What has to be made of a request for templates is not made if none reads it.
func TestWhatNobodyReadsIsNotMade(t *testing.T) {
	for body, want := range map[string][]string{
		"x": nil, "${request.headers}": {"headers"}, "${request.client.address}${request.url}": {"client", "url"},
	} {
		p := compiled(t, settings{}, `{"response":{"body":"`+body+`"}}`)
		in := newInput(p.Routes[0])
		vars, err := in.read(t.Context(), &Environment{}, &relay.Request{
			Head: relay.Head{Method: http.MethodGet, Header: http.Header{"X-Own": {"a"}}}, Memory: relay.Unlimited,
		})
		if err != nil {
			t.Fatal(err)
		}
		seen := vars["request"].(map[string]any)
		var got []string
		for _, name := range []string{"client", "headers", "url"} {
			if _, made := seen[name]; made {
				got = append(got, name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
}

// A body is not checked any further once its client has left, or the route's time is over.
func TestChecksEndWithTheRequest(t *testing.T) {
	p := compiled(t, settings{}, `{"request":{"schema":{"type":"array","items":{"type":"integer"}}},"response":{"body":"x"}}`)
	env := &Environment{Heavy: admission.New(2, 1<<30).Heavy}
	in := newInput(p.Routes[0])
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(relay.Failure{Kind: relay.FailedTimeout})
	body := "[" + strings.Repeat("1,", 20_000) + "1]"
	_, err := in.read(ctx, env, &relay.Request{
		Head: relay.Head{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}}, Body: []byte(body), Memory: relay.Unlimited,
	})
	if relay.FailureKindOf(err) != relay.FailedTimeout {
		t.Errorf("got %v", err)
	}
}
