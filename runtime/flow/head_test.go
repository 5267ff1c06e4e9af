package flow

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// answers is a route whose answer is made of the body of the request.
func answers(response string) string { return `{"response":` + response + `}` }

// headed compares an answer with what is expected of it: fields that are expected to be empty are absent.
func (w *world) headed(g got, status int, body string, header map[string]string) {
	w.t.Helper()
	w.wants(g, status, body)
	for name, want := range header {
		if got := strings.Join(g.header.Values(name), " | "); got != want {
			w.t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestHeadsOfWholeAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		response, sent string
		status         int
		body           string
		header         map[string]string
	}{
		"a status": {`{"status":201,"body":{"id":7}}`, `{}`, 201, `{"id":7}`, map[string]string{"Content-Type": "application/json"}},
		"no body":  {`{"status":204}`, `{}`, 204, ``, map[string]string{"Content-Type": "", "Content-Length": ""}},
		"headers": {
			`{"headers":{"X-Total":"${size(request.body.items)}","X-Kept":"a ${request.body.q}","X-Left-Out":"${null}"},"body":1}`, `{"items":[1,2],"q":"b"}`, 200, `1`,
			map[string]string{"X-Total": "2", "X-Kept": "a b", "X-Left-Out": "", "Content-Type": "application/json"},
		},
		"text":             {`{"contentType":"text/plain","body":"hi ${request.body.q}"}`, `{"q":"\"you\"\n"}`, 200, "hi \"you\"\n", map[string]string{"Content-Type": "text/plain; charset=utf-8"}},
		"HTML":             {`{"contentType":"text/html","body":"<p>${request.body.q}</p>"}`, `{"q":"é"}`, 200, "<p>é</p>", map[string]string{"Content-Type": "text/html; charset=utf-8"}},
		"another charset":  {`{"contentType":"text/csv; charset=us-ascii","body":"a,b"}`, `{}`, 200, "a,b", map[string]string{"Content-Type": "text/csv; charset=us-ascii"}},
		"XML":              {`{"contentType":"application/xml","body":"<a/>"}`, `{}`, 200, "<a/>", map[string]string{"Content-Type": "application/xml"}},
		"another JSON":     {`{"contentType":"application/problem+json","body":{"title":"x"}}`, `{}`, 200, `{"title":"x"}`, map[string]string{"Content-Type": "application/problem+json"}},
		"bytes":            {`{"contentType":"image/png","bodyEncoding":"Base64","body":"${request.body.q}"}`, `{"q":"AP8B"}`, 200, "\x00\xff\x01", map[string]string{"Content-Type": "image/png", "Content-Length": "3"}},
		"text of a schema": {`{"contentType":"text/plain","body":"${request.body.q}","schema":{"type":"string","maxLength":3}}`, `{"q":"abc"}`, 200, "abc", nil},
		"a redirect":       {`{"location":{"path":"/jobs/${request.body.q}"}}`, `{"q":"7"}`, 307, ``, map[string]string{"Location": "/jobs/7", "Content-Type": "", "Content-Length": "0"}},
		"a redirect to another place": {
			`{"status":303,"location":{"origin":"https://login.example:8443","path":"/in","query":{"next":"${request.path}?a","left":"${null}","n":"${[1,2]}"}}}`, `{}`, 303, ``,
			map[string]string{"Location": "https://login.example:8443/in?n=1&n=2&next=%2F%3Fa"},
		},
		"what an expression gives stays where it is": {`{"location":{"path":"/${request.body.q}","query":{"r":"${request.body.q}"}}}`, `{"q":"//evil.example\\?#@%2e\r\nX-A: b&"}`, 307, ``, map[string]string{
			"Location": "/%2F%2Fevil.example%5C%3F%23@%252e%0D%0AX-A:%20b&?r=%2F%2Fevil.example%5C%3F%23%40%252e%0D%0AX-A%3A+b%26", "X-A": "",
		}},
		"what was made": {`{"status":201,"location":{"path":"/items/1"},"body":{"id":1}}`, `{}`, 201, `{"id":1}`, map[string]string{"Location": "/items/1"}},
		"cookies": {
			`{"cookies":[{"name":"sid","value":"${request.body.q}","path":"/","maxAge":60,"httpOnly":true,"secure":true,"sameSite":"Lax"},
				{"name":"old","path":"/a","maxAge":0,"httpOnly":false,"secure":false,"sameSite":"Strict"}],"body":1}`, `{"q":"abc=="}`, 200, `1`,
			map[string]string{"Set-Cookie": "sid=abc==; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax | old=; Path=/a; Max-Age=0; SameSite=Strict"},
		},
		"a cookie's value stays one": {
			`{"cookies":[{"name":"sid","value":"${request.body.q}","path":"/","httpOnly":true,"secure":true,"sameSite":"None"}],"body":1}`, `{"q":"a; Domain=evil.example, \"b\" \\"}`, 200, `1`,
			map[string]string{"Set-Cookie": `sid="a\073 Domain=evil.example\054 \"b\" \\"; Path=/; HttpOnly; Secure; SameSite=None`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, nil, answers(tt.response))
				w.headed(w.post(tt.sent), tt.status, tt.body, tt.header)
			})
		})
	}
}

// Who is told of a head that cannot be made depends on where its values come from, as elsewhere.
func TestHeadsThatCannotBeMade(t *testing.T) {
	for name, tt := range map[string]struct{ response, sent, want string }{
		"a line break in a header": {`{"headers":{"X-A":"${request.body.q}"},"body":1}`, `{"q":"a\r\nSet-Cookie: b=c"}`, `["body","q"]`},
		"a null byte in a header":  {`{"headers":{"X-A":"${request.body.q}"},"body":1}`, `{"q":"a\u0000"}`, `["body","q"]`},
		"a line break in a cookie": {`{"cookies":[{"name":"a","value":"${request.body.q}","path":"/","httpOnly":true,"secure":true,"sameSite":"Lax"}],"body":1}`, `{"q":"a\n"}`, `["body","q"]`},
		"a cookie beyond ASCII":    {`{"cookies":[{"name":"a","value":"${request.body.q}","path":"/","httpOnly":true,"secure":true,"sameSite":"Lax"}],"body":1}`, `{"q":"é"}`, `["body","q"]`},
		"an empty segment":         {`{"location":{"path":"/${request.body.q}/x"}}`, `{"q":""}`, `["body","q"]`},
		"text that is a number":    {`{"contentType":"text/plain","body":"${request.body.q}"}`, `{"q":7}`, `["body","q"]`},
		"text that is null":        {`{"contentType":"text/plain","body":"${request.body.q}"}`, `{"q":null}`, `["body","q"]`},
		"not base64":               {`{"contentType":"image/png","bodyEncoding":"Base64","body":"${request.body.q}"}`, `{"q":"%"}`, `["body","q"]`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, nil, answers(tt.response))
				w.blames(w.post(tt.sent), tt.want)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": always("a\nb")}, `{"steps":[{"name":"x",`+chatOf("a")+`}],
			"response":{"headers":{"X-A":"${steps.x.text}"},"body":1}}`)
		w.wants(w.post(hi), 502, `{"detail":"This route cannot use an upstream's answer."}`)
	})
}

// A step that answers has a head, too.
func TestHeadsOfRespond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": always("x")},
			`{"steps":[{"name":"no","when":"${request.body.q == 'no'}","respond":{"status":401,"headers":{"WWW-Authenticate":"Bearer"},"contentType":"text/plain","body":"Who is ${request.body.q}?"}},
				{"name":"login","when":"${request.body.q == 'login'}","respond":{"status":302,"location":{"path":"/login"},"cookies":[{"name":"back","value":"1","path":"/","httpOnly":true,"secure":true,"sameSite":"Lax"}]}},
				{"name":"answer",`+chatOf("a")+`}],"response":{"stream":"answer","format":"Text"}}`)
		w.headed(w.post(`{"q":"no"}`), 401, "Who is no?", map[string]string{"Www-Authenticate": "Bearer", "Content-Type": "text/plain; charset=utf-8"})
		w.headed(w.post(`{"q":"login"}`), 302, "", map[string]string{"Location": "/login", "Set-Cookie": "back=1; Path=/; HttpOnly; Secure; SameSite=Lax"})
	})
}

// An answer after something was sent, or of a model, has the text that stands for its bytes.
func TestTextsInEventsAreJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, map[string]upstreamFunc{"a": always("x")},
			`{"steps":[{"name":"answer",`+chatOf("a")+`},{"name":"no","respond":{"status":410,"contentType":"text/plain","body":"7"}}],"response":{"events":{"progress":true}}}`)
		if g := w.post(hi); !strings.HasSuffix(g.body, `"status":410,"body":"7"}}`+"\n\n") {
			t.Errorf("%s", g.body)
		}
	})
}

// The head of a stream is made of the request, before anything is asked.
func TestHeadsOfStreams(t *testing.T) {
	const head = `"headers":{"X-Who":"${request.body.q}"},"cookies":[{"name":"seen","value":"1","path":"/","httpOnly":true,"secure":true,"sameSite":"Lax"}]`
	for name, response := range map[string]string{
		"relayed":    `{"stream":"answer",` + head + `}`,
		"in a form":  `{"stream":"answer","format":"JSON",` + head + `}`,
		"events":     `{"events":{"steps":["answer"]},` + head + `}`,
		"with a end": `{"events":{"progress":true},"body":1,` + head + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, map[string]upstreamFunc{"a": always("x")}, `{"steps":[{"name":"answer",`+chatOf("a")+`}],"response":`+response+`}`)
				g := w.post(`{"q":"me"}`)
				want := http.Header{
					"X-Who": {"me"}, "Set-Cookie": {"seen=1; Path=/; HttpOnly; Secure; SameSite=Lax"},
					"Content-Type": {"text/event-stream"}, "Cache-Control": {"no-cache"}, "X-Accel-Buffering": {"no"},
				}
				delete(g.header, "Date")
				if diff := cmp.Diff(want, g.header); g.status != 200 || diff != "" {
					t.Errorf("%d (-want +got)\n%s", g.status, diff)
				}
				asked := len(w.client.of("a"))
				w.blames(w.post(`{"q":"a\nb"}`), `["body","q"]`)
				if more := len(w.client.of("a")) - asked; more > 0 {
					t.Errorf("the upstream was asked %d times for an answer without a head", more)
				}
			})
		})
	}
}

// What was quoted is read again.
func TestCookiesAreReadAsTheyAreSet(t *testing.T) {
	for _, text := range []string{"", "a", "a=b", `"`, `\`, `"quoted"`, `a b, c; d\e"f`, `\073`, "~!#$%&'()*+-./:<=>?@[]^_`{|}"} {
		quoted, ok := quotedCookie(text)
		if values := cookieValues(http.Header{"Cookie": {"x=1; a=" + quoted + "; y=2"}}, "a"); !ok || !cmp.Equal(values, []string{text}) {
			t.Errorf("%q is set as %s and read as %q", text, quoted, values)
		}
	}
}
