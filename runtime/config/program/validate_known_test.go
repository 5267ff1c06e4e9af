package program

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/llmservice/llmservice/runtime/config"
)

// oneRoute is a config with a route of these steps and answer, all in JSON, and functions `int` (of {n, more}), `text` and
// `anything`.
func oneRoute(t *testing.T, steps, response string) *config.Config {
	t.Helper()
	c := typed()
	route := fmt.Sprintf(`{"path":"/x","method":"POST","timeout":"1m","budget":{"maxCalls":9,"maxBytes":1000000},
		"request":{"schema":{"type":"object","required":["s","n","x","l","any","maybe"],"properties":{"s":{"type":"string"},"n":{"type":"integer"},
			"x":{"type":"number"},"l":{"type":"array","items":{"type":"string"}},"any":{},"maybe":{"type":["string","null"]}}}},
		"steps":[%s],"response":%s}`, steps, response)
	functions := `[{"name":"int","input":{"type":"object","required":["n"],"additionalProperties":false,"properties":{"n":{"type":"integer","maximum":9},
			"more":{"type":"array","items":{"enum":["a","b"]}},"maybe":{"anyOf":[{"type":"integer"},{"type":"null"}],"default":null}}},"steps":[{"name":"s","set":{"value":1}}],"output":1},
		{"name":"text","input":{"type":"string"},"steps":[{"name":"s","set":{"value":1}}],"output":1},
		{"name":"anything","steps":[{"name":"s","set":{"value":1}}],"output":1}]`
	c.Routes = make([]config.Route, 1)
	for text, into := range map[string]any{route: &c.Routes[0], functions: &c.Functions} {
		if err := json.Unmarshal([]byte(text), into, json.RejectUnknownMembers(true)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestWhatIsKnownToFailIsRefused: no request could make it do better.
func TestWhatIsKnownToFailIsRefused(t *testing.T) {
	call := func(input string) string { return `{"name":"s","call":{"function":"int","input":` + input + `}}` }
	chat := func(what string) string { return `{"name":"s","chat":{"upstream":"fast",` + what + `}}` }
	asks := `"messages":[{"role":"user","content":"x"}],`
	web := func(what string) string {
		return `{"name":"s","http":{"upstream":"search","method":"GET",` + what + `}}`
	}
	promise := func(schema, body string) string { return `{"schema":` + schema + `,"body":` + body + `}` }
	const in = "routes[0].steps[0]."
	for _, tt := range []struct{ steps, response, path, want string }{
		// Constants, wherever an expression may stand.
		{"", `{"body":"${1/0}"}`, "routes[0].response.body", "column 3: always fails, because it divides by zero"},
		{"", `{"body":{"a":["${[1][5]}"]}}`, "routes[0].response.body.a[0]", "index that does not exist"},
		{`{"name":"s","set":{"value":"${int('x')}"}}`, "", in + "set.value", "no such form"},
		{`{"name":"s","when":"${1/0 > 1}","set":{"value":1}}`, "", in + "when", "divides by zero"},
		{`{"name":"s","set":{"value":1},"onError":{"value":"${1/0}"}}`, "", in + "onError.value", "divides by zero"},
		{`{"name":"s","respond":{"status":200,"body":"${[][0]}"}}`, "", in + "respond.body", "index"},
		{`{"name":"s","forEach":{"items":"${[1/0]}","maxItems":2,"maxParallel":1,"do":{"call":{"function":"anything"}}}}`, "", in + "forEach.items", "divides"},
		{`{"name":"s","forEach":{"items":"${[1,2,3]}","maxItems":2,"maxParallel":1,"do":{"call":{"function":"anything"}}}}`, "", in + "forEach.items", "always has 3 items; want at most maxItems, which is 2"},
		{chat(`"messages":[{"role":"user","content":"a ${[1][1]}"}]`), "", in + "chat.messages[0].content", "index"},
		{chat(asks + `"parameters":{"seed":"${1/0}"}`), "", in + "chat.parameters.seed", "divides"},
		{web(`"path":"/a/${'..'}/b"`), "", in + "http.path", "makes a segment of the path empty, . or .."},
		{web(`"path":"/${request.body.s}/.${'.'}"`), "", in + "http.path", "makes a segment"},
		{web(`"path":"/","query":{"a":"${1/0}"}`), "", in + "http.query.a", "divides"},
		{web(`"path":"/","body":{"a":"${1/0}"}`), "", in + "http.body.a", "divides"},
		{web(`"path":"/","headers":{"X-A":"a\nb"}`), "", in + "http.headers.X-A", "control characters"},
		{web(`"path":"/","headers":{"X-A":"a\r\n${request.body.s}"}`), "", in + "http.headers.X-A", "control characters"},
		{web(`"path":"/","headers":{"X-A":"${request.body.s + 'a'} ${'\\n'}"}`), "", in + "http.headers.X-A", "column 27: has control"},
		// What a function is called with.
		{call(`{}`), "", in + "call.input.n", "functions[0].input never allows this value: Field required"},
		{`{"name":"s","call":{"function":"int"}}`, "", in + "call.input.n", "Field required"},
		{call(`{"n":"five"}`), "", in + "call.input.n", "valid integer"},
		{call(`{"n":10}`), "", in + "call.input.n", "less than or equal to 9"},
		{call(`{"n":"${5 + 5}"}`), "", in + "call.input.n", "less than or equal to 9"},
		{call(`{"n":1,"more":["a","c"]}`), "", in + "call.input.more[1]", "'a' or 'b'"},
		{call(`{"n":1,"other":1}`), "", in + "call.input.other", "not permitted"},
		{call(`{"n":"${request.body.s}"}`), "", in + "call.input.n", "valid integer"},
		{call(`{"n":"number ${request.body.n}"}`), "", in + "call.input.n", "valid integer"},
		{call(`{"n":1,"maybe":"${request.body.s}"}`), "", in + "call.input.maybe", "valid integer"},
		{call(`{"n":1,"more":"${request.body.s}"}`), "", in + "call.input.more", "valid list"},
		{`{"name":"s","call":{"function":"text","input":{}}}`, "", in + "call.input", "valid string"},
		{`{"name":"s","forEach":{"items":"${request.body.l}","maxItems":2,"maxParallel":1,"do":{"call":{"function":"int","input":{"n":"${item}"}}}}}`, "", in + "forEach.do.call.input.n", "valid integer"},
		{`{"name":"s","agent":{"upstream":"fast",` + asks + `"tools":["text"],"maxTurns":1,"maxParallel":1}}`, "", in + "agent.tools[0]", "valid string"},
		// What a model is asked.
		{chat(asks + `"parameters":{"temperature":"hot"}`), "", in + "chat.parameters.temperature", "OpenAI's API never allows this value: Input should be a valid number"},
		{chat(asks + `"parameters":{"max_tokens":"${request.body.s}"}`), "", in + "chat.parameters.max_tokens", "valid integer"},
		{chat(asks + `"parameters":{"seed":1.5}`), "", in + "chat.parameters.seed", "valid integer"},
		{chat(asks + `"parameters":{"stop":7}`), "", in + "chat.parameters.stop", "valid"},
		{chat(`"messages":[{"history":"${[{'role':'robot','content':'x'}]}"}]`), "", in + "chat.messages[0].history", "'system', 'developer'"},
		{chat(`"messages":[{"history":"${[1]}"}]`), "", in + "chat.messages[0].history", "object"},
		{chat(`"messages":[{"history":"${[{'role':'user'}]}"}]`), "", in + "chat.messages[0].history", "Field required"},
		{`{"name":"s","embeddings":{"upstream":"fast","input":"${[1]}"}}`, "", in + "embeddings.input", "string"},
		{`{"name":"s","embeddings":{"upstream":"fast","input":"${request.body.n}"}}`, "", in + "embeddings.input", "string"},
		{`{"name":"s","embeddings":{"upstream":"fast","input":"x","parameters":{"dimensions":"many"}}}`, "", in + "embeddings.parameters.dimensions", "valid integer"},
		// What a route promises.
		{"", promise(`{"type":"object","properties":{"n":{"type":"integer"}}}`, `{"n":"x"}`), "routes[0].response.body.n", "routes[0].response.schema never allows this value"},
		{"", promise(`{"type":"object","properties":{"n":{"type":"integer"}}}`, `{"n":"${request.body.s}"}`), "routes[0].response.body.n", "valid integer"},
		{"", promise(`{"type":"object","required":["n"]}`, `{"m":"${request.body.any}"}`), "routes[0].response.body.n", "Field required"},
		{"", promise(`{"type":"array"}`, `"${request.body.s}"`), "routes[0].response.body", "valid list"},
		{"", promise(`{"type":"integer"}`, `null`), "routes[0].response.body", "valid integer"},
	} {
		t.Run(tt.path+" "+tt.want, func(t *testing.T) {
			if tt.response == "" {
				tt.response = `{"body":1}`
			}
			errs := Validate(oneRoute(t, tt.steps, tt.response))
			if len(errs) == 0 || !strings.HasPrefix(errs[0].Path, tt.path) || !strings.Contains(errs[0].Message, tt.want) {
				t.Errorf("errors %q, want one at %s: …%s", errs, tt.path, tt.want)
			}
		})
	}
}

// TestWhatMayDoIsLeftAlone: nothing is refused that some request has a use for.
func TestWhatMayDoIsLeftAlone(t *testing.T) {
	for _, step := range []string{
		`"call":{"function":"int","input":{"n":"${request.body.n}","more":["${request.body.s}","a"],"maybe":null}}`,
		`"call":{"function":"int","input":{"n":"${request.body.x}","maybe":"${request.body.any}"}}`,
		`"call":{"function":"int","input":{"n":9,"maybe":"${request.body.n}"}}`,
		`"call":{"function":"anything","input":{"n":"${1 + 1}"}}`,
		`"call":{"function":"anything"}`,
		`"http":{"upstream":"search","method":"GET","path":"/a.b/${request.body.s}.${'..'}/${'a/b'}","headers":{"X-A":"tab\tand ${request.body.s}","X-B":"${null}","X-C":"${['a']}"}}`,
		`"chat":{"upstream":"fast","messages":[{"history":"${[{'role':'user','content':'x'},{'role':'assistant','content':null,'tool_calls':[]},{'role':'tool','tool_call_id':'a','content':[{'type':'text'}]}]}"},{"history":"${request.body.any}"}],
			"parameters":{"temperature":"${request.body.n}","top_p":1,"max_tokens":"${request.body.any}","seed":null,"stop":["a"],"top_k":"any","user":"${request.body.maybe.orValue('')}"}}`,
		`"embeddings":{"upstream":"fast","input":"${request.body.l}"}`,
		`"embeddings":{"upstream":"fast","input":"${request.body.any}"}`,
		`"forEach":{"items":"${[1,2]}","maxItems":2,"maxParallel":1,"do":{"call":{"function":"int","input":{"n":"${item}"}}}}`,
	} {
		response := `{"schema":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"},"d":{"type":"string","default":"x"}}},"body":{"n":"${request.body.x}"}}`
		if errs := Validate(oneRoute(t, `{"name":"s",`+step+`}`, response)); len(errs) > 0 {
			t.Errorf("%s: %q", step, errs)
		}
	}
}

// TestConstantsTakeLittleTogether: each is within the bounds of an expression, and the config within its own.
func TestConstantsTakeLittleTogether(t *testing.T) {
	list := "[" + strings.Repeat("1,", 79) + "1]"
	c := withSchemas(300, `{}`)
	for i := range c.Routes[1:] {
		c.Routes[i+1].Response.Body = fmt.Appendf(nil, "%q", "${"+list+".map(x, "+list+".map(y, "+list+".map(z, x))).size()}")
	}
	errs := Validate(c)
	if len(errs) == 0 || !strings.Contains(errs[len(errs)-1].Message, "take more than 500000 checks together") {
		t.Errorf("%d errors, %.300v", len(errs), errs)
	}
}
