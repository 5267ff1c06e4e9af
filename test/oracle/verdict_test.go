package oracle

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	listed := []difference{
		{Number: 1, Title: "one", Reason: "so", Where: []where{{Request: "a *", At: "status", Gateway: "422*"}, {Request: "b x=1"}}},
		{Number: 2, Title: "two", Reason: "so", Where: []where{{At: "header allow"}}},
	}
	deltas := []delta{
		{"a x=1", "status", "200", "422 int_type@body.x"},
		{"a x=2", "status", "200", "404"},
		{"c", "header allow", "GET", absent},
	}
	v := judge(listed, deltas)
	if got := len(v.explained[0]) + 10*len(v.explained[1]); got != 11 {
		t.Errorf("explained %v", v.explained)
	}
	if len(v.unlisted) != 1 || v.unlisted[0].gateway != "404" {
		t.Errorf("unlisted %v, want the 404", v.unlisted)
	}
	if len(v.gone) != 1 || !strings.Contains(v.gone[0], "b x=1") {
		t.Errorf("gone %v, want the request that is answered alike", v.gone)
	}
	var b strings.Builder
	if err := v.print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1. one (1 in 1 requests)", "2. two (1 in 1 requests)", "NOT LISTED (1 in 1 requests)", "NO LONGER THERE: 1. one"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &b)
		}
	}
}

func TestCompare(t *testing.T) {
	const json, stream = "application/json", "text/event-stream"
	answered := func(status int, kind, body string) *answer {
		return &answer{status: status, header: http.Header{"Content-Type": {kind}}, body: []byte(body)}
	}
	tests := map[string]struct {
		fastapi, gateway *answer
		want             []delta
	}{
		"members in another order": {answered(200, json, `{"a":1,"b":[2]}`), answered(200, json, `{"b":[2.0],"a":1e0}`), nil},
		"another value":            {answered(200, json, `{"a":[1,"1"]}`), answered(200, json, `{"a":[1,1]}`), []delta{{"r", "body.a.1", `"1"`, "1"}}},
		"a member more":            {answered(200, json, `{}`), answered(200, json, `{"a":null}`), []delta{{"r", "body.a", absent, "null"}}},
		"a member less":            {answered(200, json, `{"a":null}`), answered(200, json, `{}`), []delta{{"r", "body.a", "null", absent}}},
		"media type": {
			answered(200, json, `1`), answered(200, "text/json", `1`), []delta{{"r", "header content-type", json, "text/json"}},
		},
		"status": {
			answered(422, json, `{"detail":[{"type":"t","loc":["body",0]}]}`), answered(200, json, `1`), []delta{{"r", "status", "422 t@body.0", "200"}},
		},
		"progress in another order": {
			answered(200, stream, "event: progress\ndata: 1\n\nevent: progress\ndata: 2\n\nevent: a\ndata: 1\n\nevent: progress\ndata: 3\n\n"),
			answered(200, stream, "event: progress\ndata: 2\n\nevent: progress\ndata: 1\n\nevent: a\ndata: 1\n\nevent: progress\ndata: 3\n\n"), nil,
		},
		"progress on the other side of an event": {
			answered(200, stream, "event: progress\ndata: 1\n\nevent: a\ndata: 1\n\n"),
			answered(200, stream, "event: a\ndata: 1\n\nevent: progress\ndata: 1\n\n"),
			[]delta{
				{"r", "frames 0", "event: progress\ndata: 1\n\n", "event: a\ndata: 1\n\n"},
				{"r", "frames 1", "event: a\ndata: 1\n\n", "event: progress\ndata: 1\n\n"},
			},
		},
		"violations in another order": {
			answered(422, json, `{"detail":[{"type":"t","loc":["a"]},{"type":"t","loc":["b"]}]}`),
			answered(422, json, `{"detail":[{"type":"t","loc":["b"]},{"type":"t","loc":["a"]}]}`),
			[]delta{{"r", "order", "t@a t@b", "t@b t@a"}},
		},
		"another violation": {
			answered(422, json, `{"detail":[{"type":"t","loc":["a"]}]}`), answered(422, json, `{"detail":[{"type":"u","loc":["a"]}]}`),
			[]delta{{"r", "detail", "t@a", "u@a"}},
		},
		"violation in other words": {
			answered(422, json, `{"detail":[{"type":"t","loc":["a"],"msg":"x"}]}`),
			answered(422, json, `{"detail":[{"type":"t","loc":["a"],"msg":"y"}]}`),
			[]delta{{"r", "body.detail.0.msg", `"x"`, `"y"`}},
		},
		"one event differs": {
			answered(200, stream, "data: a\n\ndata: b\n\n"), answered(200, stream, "data: a\n\ndata: c\n\n"),
			[]delta{{"r", "frames 1", "data: b\n\n", "data: c\n\n"}},
		},
		"an event more": {
			answered(200, stream, "data: a\n\n"), answered(200, stream, "data: a\n\nevent: done\n\n"),
			[]delta{{"r", "frames after the last", "", "event: done\n\n"}},
		},
		"cut": {
			answered(200, stream, "data: a\n\n"), &answer{status: 200, header: http.Header{"Content-Type": {stream}}, body: []byte("data: a\n\n"), cut: true},
			[]delta{{"r", "end", "whole", "cut"}},
		},
		"no JSON": {answered(500, "text/plain", "x"), answered(500, "text/plain", "y"), []delta{{"r", "bytes", "x", "y"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := compare(&request{name: "r"}, tt.fastapi, tt.gateway)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(delta{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCompareDocuments(t *testing.T) {
	const one = `{"components":{"schemas":{"N":{"title":"N","type":"object","required":["b","a"],"properties":{"title":{"type":"string"},
		"kids":{"items":{"$ref":"#/components/schemas/N"}},"k":{"const":"x","type":"string","default":null}}}}},
		"paths":{"/a":{"post":{"operationId":"p","parameters":[{"name":"q","in":"query","required":false},{"name":"X-A","in":"header"}],
		"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/N"}}}},"responses":{"200":{"description":"Fine"}}}}}}`
	tests := map[string]struct{ other, at string }{
		"the same, said otherwise": {`{"paths":{"/a":{"post":{"parameters":[{"name":"x-a","in":"header"},{"name":"q","in":"query"}],
			"requestBody":{"content":{"application/json":{"schema":{"type":"object","additionalProperties":true,"required":["a","b"],"properties":{
			"title":{"type":"string"},"k":{"enum":["x"]},"kids":{"items":{"$ref":"#/paths/~1a/post/requestBody/content/application~1json/schema"}}}}}}},
			"responses":{"200":{"description":"OK"}}}}}}`, "paths.post /a.requestBody.content.application/json.schema.properties.kids.items*"},
		"another status":    {strings.Replace(one, `"200"`, `"201"`, 1), "paths.post /a.responses.20*"},
		"another parameter": {strings.Replace(one, `"q"`, `"r"`, 1), "paths.post /a.parameters.query *"},
		"a bound more":      {strings.Replace(one, `{"type":"string"}`, `{"type":"string","minLength":1}`, 1), "paths.post /a.requestBody.content.application/json.schema.properties.*"},
		"a property less":   {strings.Replace(one, `"title":{"type":"string"},`, "", 1), "paths.post /a.requestBody.content.application/json.schema.properties.*"},
		"nothing":           {one, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			found := compareDocuments(parsed(t, one), parsed(t, tt.other))
			if (len(found) == 0) != (tt.at == "") {
				t.Errorf("found %v", found)
			}
			for _, d := range found {
				if !fits(tt.at, d.at) {
					t.Errorf("at %q, want %q", d.at, tt.at)
				}
			}
		})
	}
}

func parsed(t *testing.T, text string) map[string]any {
	t.Helper()
	value, err := decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return value.(map[string]any)
}
