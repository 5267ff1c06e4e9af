package flow

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHTTPRequests(t *testing.T) {
	for name, tt := range map[string]struct{ step, request, method, url, body string }{
		"a path is escaped": {
			`"method":"GET","path":"/find/${request.body.q}/x"`, `{"q":"a/b?c#d%20 é"}`, "GET", "http://web.test/0/find/a%2Fb%3Fc%23d%2520%20%C3%A9/x", "",
		},
		"a path cannot climb": {`"method":"GET","path":"/find/${request.body.q}"`, `{"q":".."}`, "", "", ""},
		"a query": {
			`"method":"GET","path":"/x","query":{"text":"${request.body.q}","many":"${request.body.l}","no":"${request.body.n}","made":"<${request.body.q}>","n":"${1}"}`,
			`{"q":"a&b=c","l":["1",2,null],"n":null}`, "GET", "http://web.test/0/x?made=%3Ca%26b%3Dc%3E&many=1&many=2&n=1&text=a%26b%3Dc", "",
		},
		"a body": {
			`"method":"PUT","path":"/x","body":{"q":"${request.body.q}","n":1}`, `{"q":["\"",2]}`, "PUT", "http://web.test/0/x", `{"q":["\"",2],"n":1}`,
		},
		"a null body": {`"method":"POST","path":"/x","body":"${request.body.q}"`, `{"q":null}`, "POST", "http://web.test/0/x", `null`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"web": func(*asked) canned { return jsonOf(200, `1`) }},
					answering(`"${steps.s.body}"`, `{"name":"s","http":{"upstream":"web",`+tt.step+`}}`))
				g := w.post(tt.request)
				if tt.url == "" {
					w.blames(g, `["body","q"]`)
					return
				}
				w.wants(g, 200, `1`)
				c := w.client.of("web")[0]
				if c.Method != tt.method || c.URL != tt.url || string(c.Body.Joined()) != tt.body {
					t.Errorf("%s %s %s", c.Method, c.URL, c.Body.Joined())
				}
			})
		})
	}
}

// Header fields have the values that they are given, and never a second line; the client's own fields and credentials are not
// passed on.
func TestHTTPHeaders(t *testing.T) {
	step := `{"name":"s","http":{"upstream":"web","method":"GET","path":"/x","headers":{"X-Tenant":"${request.body.q}","accept":"text/plain","X-None":"${request.body.n}"}}}`
	for sent, want := range map[string]string{"team a\tb": "team a\tb", "a\r\nX-Evil: 1": "", "a\x00": "", "a\x7f": "", "grün": "grün"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, settings{}, map[string]upstreamFunc{"web": func(*asked) canned { return jsonOf(200, `1`) }}, answering(`1`, step))
			g := w.do(t.Context(), "/", fmt.Sprintf(`{"q":%s,"n":null}`, mustQuote(sent)), http.Header{
				"Authorization": {"Bearer MARK-TOKEN"}, "Cookie": {"MARK-COOKIE"}, "X-Own": {"MARK-OWN"},
			})
			if want == "" {
				w.blames(g, `["body","q"]`)
				if strings.Contains(strings.Join(w.reports, ""), "X-Evil") {
					t.Errorf("the value is reported: %q", w.reports)
				}
				return
			}
			w.wants(g, 200, `1`)
			c := w.client.of("web")[0]
			if got := c.Header.Get("X-Tenant"); got != want || c.Header.Get("Accept") != "text/plain" || c.Header["X-None"] != nil ||
				strings.Contains(fmt.Sprint(c.Header), "MARK") {
				t.Errorf("sent %v", c.Header)
			}
		})
	}
}

func mustQuote(text string) string {
	var b strings.Builder
	for _, r := range text {
		fmt.Fprintf(&b, `\u%04x`, r)
	}
	return `"` + b.String() + `"`
}

func TestHTTPAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		answer canned
		status int
		want   string
	}{
		"JSON":                        {bodyOf(200, "application/json; charset=utf-8", `{"a":[1,2.5]}`), 200, `{"status":200,"body":{"a":[1,2.5]},"type":"application/json; charset=utf-8"}`},
		"JSON of another name":        {bodyOf(201, "application/problem+json", `{}`), 200, `{"status":201,"body":{},"type":"application/problem+json"}`},
		"text":                        {bodyOf(200, "text/plain", `{"a":1}`), 200, `{"status":200,"body":"{\"a\":1}","type":"text/plain"}`},
		"JSON, odd":                   {bodyOf(200, "Application/JSON ; charset=\"x", `{}`), 200, `{"status":200,"body":{},"type":"Application/JSON ; charset=\"x"}`},
		"text of another charset":     {bodyOf(200, "text/plain; charset=iso-8859-1", "gr\xfcn"), 200, `{"status":200,"body":"gr` + "\uFFFD" + `n","type":"text/plain; charset=iso-8859-1"}`},
		"what only claims to be JSON": {bodyOf(200, "application/json", `{"a":`), 502, "upstream_error"},
		"compressed":                  {canned{header: http.Header{"Content-Type": {"text/plain"}, "Content-Encoding": {"gzip"}}, parts: []part{{text: "\x1f\x8b"}}}, 502, "upstream_error"},
		"not UTF-8":                   {bodyOf(200, "text/plain", "a\xffb"), 200, `{"status":200,"body":"a` + "\uFFFD" + `b","type":"text/plain"}`},
		"nothing":                     {bodyOf(204, "text/plain", ""), 200, `{"status":204,"body":null,"type":"text/plain"}`},
		"a status that is allowed":    {bodyOf(404, "application/json", `{"no":1}`), 200, `{"status":404,"body":{"no":1},"type":"application/json"}`},
		"not found, not allowed":      {bodyOf(410, "application/json", `{"no":1}`), 502, "upstream_error"},
		"a redirect is not followed":  {canned{status: 302, header: http.Header{"Location": {"http://evil.test"}}}, 502, "upstream_error"},
		"wrong":                       {bodyOf(422, "application/json", `{}`), 422, "upstream_rejected"},
		"overloaded":                  {bodyOf(429, "application/json", `{}`), 429, "upstream_overloaded"},
		"unreachable":                 {canned{err: errNoScript}, 502, "upstream_unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"web": func(*asked) canned { return tt.answer }},
					answering(`{"status":"${steps.s.status}","body":"${steps.s.body}","type":"${steps.s.headers['content-type']}"}`,
						`{"name":"s","http":{"upstream":"web","method":"GET","path":"/x","allowStatus":[404]}}`))
				g := w.post(hi)
				if tt.status == 200 {
					w.wants(g, 200, tt.want)
				} else if !strings.Contains(g.body, messageOf(tt.want)) || g.status != tt.status {
					t.Errorf("%d %s, want %d %s", g.status, g.body, tt.status, tt.want)
				}
				if len(w.noted(&w.reports)) > 0 {
					t.Errorf("reported %q", w.reports)
				}
			})
		})
	}
}

// An answer that says that it is JSON is read as leniently as JSON can be, and otherwise fails the step: it never becomes text.
func TestJSONOfHTTPAnswers(t *testing.T) {
	for name, tt := range map[string]struct{ media, body, want, log string }{
		"twice, the last counts": {"application/json", `{"items":["a"],"x":1,"x":2}`, `{"items":["a"],"x":2}`, ""},
		"half a pair":            {"application/json", `{"items":["a \ud83c"]}`, `{"items":["a ` + "\uFFFD" + `"]}`, ""},
		"a whole one":            {"application/json", `{"items":["\ud83c\udf75"]}`, `{"items":["🍵"]}`, ""},
		"a byte order mark":      {"application/json", "\xef\xbb\xbf" + `{"items":["a"]}`, `{"items":["a"]}`, ""},
		"not UTF-8":              {"application/json", "{\"items\":[\"a\xff\"]}", `{"items":["a` + "\uFFFD" + `"]}`, ""},
		"a long number":          {"application/json", `{"items":[12345678901234567890]}`, `{"items":[12345678901234567000]}`, ""},
		"no type, JSON":          {"", `{"items":["a"]}`, `{"items":["a"]}`, ""},
		"no type, text":          {"", `{"items":`, `"{\"items\":"`, ""},
		"another type":           {"text/plain", `{"items":["a"]}`, `"{\"items\":[\"a\"]}"`, ""},
		"beyond any number":      {"application/json", `{"items":["MARK"],"n":1e999}`, "", "Number out of range at byte 27"},
		"cut":                    {"application/json", `{"items":["MARK"`, "", "Unexpected end of JSON at byte 16"},
		"no JSON":                {"application/problem+json", `<html>MARK`, "", "Invalid syntax at byte 0"},
		"more than one":          {"application/json", `{"items":["MARK"]} {}`, "", "Extra data at byte"},
		"blank":                  {"application/json", " \n", "", "the JSON text is empty"},
		"NaN":                    {"application/json", `{"MARK":NaN}`, "", "Invalid syntax at byte 8"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers := map[string]upstreamFunc{"web": func(*asked) canned { return bodyOf(200, tt.media, tt.body) }}
				step := `{"name":"s","http":{"upstream":"web","method":"GET","path":"/x"}`
				w := newWorld(t, settings{endpoints: 2}, answers,
					answering(`"${steps.s.body}"`, step+`}`), `{"path":"/instead",`+answering(`"${steps.s}"`, step+`,"onError":{"value":"${error.code}"}}`)[1:])
				g := w.post(hi)
				if tt.log == "" {
					w.wants(g, 200, tt.want)
					return
				}
				w.refused(g, 502, "upstream_error")
				observed := w.noted(&w.observed)
				if len(observed) != 2 || !strings.HasPrefix(observed[0], "web:malformed: ") || !strings.Contains(observed[0], tt.log) || strings.Contains(observed[0], "MARK") {
					t.Errorf("observed %q, want %s at both endpoints", observed, tt.log)
				}
				w.wants(w.do(t.Context(), "/instead", hi, nil), 200, `"upstream_error"`)
			})
		})
	}
}

// If a service's answer cannot be read, the next endpoint is asked, unless the request must not be sent twice.
func TestUnreadableAnswersAreTriedElsewhere(t *testing.T) {
	for method, want := range map[string]int{"GET": 200, "PUT": 200, "POST": 502} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			w := newWorld(t, settings{endpoints: 2}, map[string]upstreamFunc{"web": func(*asked) canned {
				if n++; n == 1 {
					return jsonOf(200, `{`)
				}
				return jsonOf(200, `{"a":1}`)
			}}, answering(`"${steps.s.body.a}"`, `{"name":"s","http":{"upstream":"web","path":"/x","method":"`+method+`"}}`))
			if g := w.post(hi); g.status != want {
				t.Errorf("%s: %d %s after %d calls", method, g.status, g.body, n)
			}
		})
	}
}

// Fields that the gateway adds to a request can be changed and left out; a request without a body has none that describe it.
func TestHTTPHeadersOfTheGateway(t *testing.T) {
	for more, want := range map[string][3]string{
		``:           {"application/json", "", "llmservice-gateway"},
		`,"body":{}`: {"application/json", "application/json", "llmservice-gateway"},
		`,"headers":{"Accept":"${null}","user-agent":"${null}","Content-Type":"${null}"},"body":{}`: {},
		`,"headers":{"Accept":"text/csv","User-Agent":"x","Content-Type":"text/plain"},"body":{}`:   {"text/csv", "text/plain", "x"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, settings{}, map[string]upstreamFunc{"web": func(*asked) canned { return jsonOf(200, `1`) }},
				answering(`1`, `{"name":"s","http":{"upstream":"web","method":"PUT","path":"/x"`+more+`}}`))
			w.wants(w.post(hi), 200, `1`)
			h := w.client.of("web")[0].Header
			if got := [3]string{h.Get("Accept"), h.Get("Content-Type"), h.Get("User-Agent")}; got != want || h.Get("Accept-Encoding") != "identity" {
				t.Errorf("%s: %q", more, got)
			}
		})
	}
}

// Large answers are decoded by fewer than all workers: while the only place for such work is taken, they wait, but no longer
// than their time.
func TestBigAnswersWaitForAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"web": func(*asked) canned {
			return jsonOf(200, `"`+strings.Repeat("x", 70<<10)+`"`)
		}}, `{"timeout":"3s",`+answering(`1`, `{"name":"s","timeout":"1s","http":{"upstream":"web","method":"GET","path":"/x"}}`)[1:])
		release, err := w.admission.Heavy(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		g := w.post(hi)
		if w.refused(g, 504, "timeout"); g.after != time.Second {
			t.Errorf("took %s, want the step's 1s", g.after)
		}
		g = w.post(`{"q":"` + strings.Repeat("x", 70<<10) + `"}`)
		w.refused(g, 504, "timeout")
		if len(w.client.of("web")) != 1 || len(w.noted(&w.reports)) > 0 {
			t.Errorf("%d calls, reports %q", len(w.client.of("web")), w.reports)
		}
		release()
		w.wants(w.post(hi), 200, `1`)
	})
}

func TestWhatIsPlain(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{"text", "text"},
		{int64(3), "3"},
		{2.5, "2.5"},
		{true, "true"},
		{nil, "null"},
		{map[string]any{"b": int64(1), "a": []any{"x"}}, `{"a":["x"],"b":1}`},
	} {
		got, err := plain(tt.value)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%v: %v %s", tt.value, err, diff)
		}
	}
}
