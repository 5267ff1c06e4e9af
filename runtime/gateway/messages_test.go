package gateway

import (
	"bufio"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/test/mockllm"
)

// What no answer may repeat: each request has the prompt in some value, and the secret in its header and in the upstream's key.
const (
	hiddenPrompt = "canary-prompt"
	hiddenSecret = "sk-canary-0123456789abcdef"
)

// badRequest is a request that fails, with the code and some words of its answer.
type badRequest struct {
	name   string
	target string // METHOD /path, of which a path below /v1 has OpenAI's form
	header string // lines; JSON unless it names a Content-Type
	body   string
	code   problem.Code
	says   string // the part at fault, and what is allowed of it
}

// asked is a request of which each part may be wrong.
const asked = `{"parameters":[
	{"name":"id","in":"Path","schema":{"type":"integer","minimum":1}},
	{"name":"limit","in":"Query","schema":{"type":"integer","maximum":10}},
	{"name":"sort","in":"Query","required":true,"schema":{"enum":["asc","desc"]}},
	{"name":"since","in":"Query","schema":{"type":"string","pattern":"^[0-9]{4}$"}},
	{"name":"tag","in":"Query","schema":{"type":"array","maxItems":1,"items":{"type":"string"}}},
	{"name":"X-Team","in":"Header","schema":{"type":"string","minLength":2}},
	{"name":"sid","in":"Cookie","schema":{"type":"boolean"}}],
	"assertFormats":true,
	"schema":{"type":"object","required":["question"],"additionalProperties":false,"properties":{
	"question":{"type":"string","minLength":1,"maxLength":40,"pattern":"^[a-z -]+$"},"n":{"type":"integer","minimum":0,"maximum":9,"multipleOf":3},
	"x":{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1},"flag":{"type":"boolean"},"nothing":{"type":"null"},"one":{"const":"one"},
	"kind":{"enum":["a","b",3]},"at":{"type":"string","format":"date-time"},"mail":{"type":"string","format":"email"},
	"link":{"type":"string","format":"uri"},"uid":{"type":"string","format":"uuid"},
	"tags":{"type":"array","minItems":1,"maxItems":2,"uniqueItems":true,"items":{"type":"string"}},
	"pair":{"type":"array","prefixItems":[{"type":"integer"}],"items":false},"some":{"type":"array","contains":{"const":1}},
	"map":{"type":"object","minProperties":1,"maxProperties":1,"propertyNames":{"maxLength":3}},
	"either":{"anyOf":[{"type":"integer"},{"type":"array","items":{"type":"boolean"}}]},"no":{"not":{"type":"string"}},
	"list":{"type":"array","items":{"type":"object","required":["deep"],"properties":{"deep":{"type":"integer"}}}}}}}`

const uploaded = `{"form":{"files":[{"name":"scan","required":true,"maxBytes":8},{"name":"pages","maxItems":1}]},
	"schema":{"type":"object","required":["title"],"properties":{"title":{"type":"string","maxLength":5},"n":{"type":"integer"}}}}`

// faulty is a service with a route for each kind of mistake, its client's and its own.
func faulty(t *testing.T, url string) *config.Config {
	t.Helper()
	c := assistant(url)
	c.Upstreams[0].Auth = &config.Auth{Bearer: &config.SecretFile{Secret: "keys", Key: "model"}}
	closed := httptest.NewServer(nil)
	closed.Close()
	add := func(name string, change func(*config.Upstream)) {
		u := c.Upstreams[0]
		u.Name = name
		change(&u)
		c.Upstreams = append(c.Upstreams, u)
		c.Models = append(c.Models, config.Model{Name: name, Upstreams: []string{name}})
	}
	at := func(url string) []config.Endpoint { return []config.Endpoint{{URL: url}} }
	add("gone", func(u *config.Upstream) { u.Endpoints = at(closed.URL + "/v1") })
	add("hasty", func(u *config.Upstream) { u.Timeouts.FirstToken = config.Duration(20 * time.Millisecond) })
	add("replies", func(u *config.Upstream) { u.OpenAI = &config.OpenAI{Model: "m", APIs: []string{config.APIResponses}} })
	add("talks", func(u *config.Upstream) {
		u.OpenAI = &config.OpenAI{Model: "m", APIs: []string{config.APIChatCompletions}}
	})
	route := func(path, request, response string, steps ...config.Step) *config.Route {
		r := c.Routes[1]
		r.Path, r.Steps, r.Request, r.Response = path, steps, &config.Request{}, &config.Response{Body: []byte(response)}
		mustJSON(t, request, r.Request)
		c.Routes = append(c.Routes, r)
		return &c.Routes[len(c.Routes)-1]
	}
	const object = `{"schema":{"type":"object"}}`
	route("/asked/{id}", asked, `1`)
	route("/form", uploaded, `1`)
	route("/divides", object, `"${100 / int(request.body.n)}"`)
	c.Models = append(c.Models, config.Model{Name: "routed", Route: &config.ModelRoute{Path: "/answer", Body: []byte(byLastMessage)}})
	asks := func(change func(*config.Step)) config.Step {
		s := chatStep()
		s.Chat.Messages = []config.Message{{Role: "user", Content: "${request.body.question}"}}
		change(&s)
		return s
	}
	route("/late", object, `1`, asks(func(*config.Step) {})).Timeout = config.Duration(20 * time.Millisecond)
	route("/narrow", object, `1`, asks(func(*config.Step) {})).Budget = config.Budget{MaxCalls: 1, MaxBytes: 300}
	route("/checked", object, `"${steps.answer.text}"`, asks(func(*config.Step) {})).Response.Schema = []byte(`{"type":"string","maxLength":3}`)
	route("/output", object, `1`, asks(func(s *config.Step) { s.Chat.Output = &config.Output{Schema: []byte(`{"type":"object"}`)} }))
	route("/agent", object, `1`, asks(func(s *config.Step) {
		s.Agent = &config.Agent{Upstream: "a", Messages: s.Chat.Messages, Tools: []string{"find"}, MaxTurns: 1, MaxParallel: 1}
		s.Chat = nil
	}))
	c.Functions = append(c.Functions, find())
	says := func(word string) config.Branch {
		return config.Branch{Name: word, Action: config.Action{Chat: &config.Chat{
			Upstream: "a", Messages: []config.Message{{Role: "user", Content: `[[mock {"text":"` + word + `"}]]`}},
		}}}
	}
	route("/vote", object, `1`, config.Step{Name: "answer", Gather: &config.Gather{
		Strategy: "Vote", Branches: []config.Branch{says("yes"), says("no"), says("perhaps")},
		Vote: &config.Vote{Key: "${result.text}", Quorum: 2, Ties: "Fail"},
	}})
	route("/broken", object, `"${steps.list[steps.at]}"`,
		config.Step{Name: "list", Set: &config.Set{Value: []byte(`[1]`)}},
		config.Step{Name: "at", Set: &config.Set{Value: []byte(`7`)}})
	stream := route("/endless", object, `1`, asks(func(*config.Step) {}))
	stream.Response, stream.MaxStreamDuration = &config.Response{Stream: "answer"}, config.Duration(20*time.Millisecond)
	return c
}

// scripted is a body whose question makes the mock follow a script.
func scripted(script string) string {
	return strings.Replace(question(script), "]]", "]] "+hiddenPrompt, 1)
}

func modelled(model, members string) string { return `{"model":"` + model + `",` + members + `}` }

const greeting = `"messages":[{"role":"user","content":"` + hiddenPrompt + `"}]`

const (
	plainForm = "Content-Type: application/x-www-form-urlencoded"
	multipart = "Content-Type: multipart/form-data; boundary=b"
	noType    = "Content-Type:"
	json1     = "Content-Type: application/json"
)

func part(disposition, content string) string {
	return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + content + "\r\n"
}

// asking is a body for /asked with one member in addition.
func asking(member string) string { return `{"question":"` + hiddenPrompt + `",` + member + `}` }

// badRequests are wrong in one way each.
func badRequests() []badRequest {
	const ok, q = "POST /asked/1?sort=asc", `{"question":"` + hiddenPrompt + `"}`
	title, scan := part(`name="title"`, "a"), part(`name="scan"; filename="f"`, "1234")
	deep := strings.Repeat(`[`, 300) + strings.Repeat(`]`, 300)
	all := []badRequest{
		{"a path parameter", "POST /asked/x?sort=asc", "", q, problem.InvalidRequest, `["path","id"]`},
		{"one below its bound", "POST /asked/0?sort=asc", "", q, problem.InvalidRequest, `greater than or equal to 1`},
		{"a query parameter", ok + "&limit=11", "", q, problem.InvalidRequest, `["query","limit"]`},
		{"none", "POST /asked/1", "", q, problem.InvalidRequest, `["query","sort"]`},
		{"not of its enum", "POST /asked/1?sort=up", "", q, problem.InvalidRequest, `'asc' or 'desc'`},
		{"not of its pattern", ok + "&since=canary-prompt", "", q, problem.InvalidRequest, `^[0-9]{4}$`},
		{"too many", ok + "&tag=a&tag=b", "", q, problem.InvalidRequest, `["query","tag"]`},
		{"a header", ok, "X-Team: a", q, problem.InvalidRequest, `["header","x-team"]`},
		{"a cookie", ok, "Cookie: sid=" + hiddenSecret, q, problem.InvalidRequest, `["cookie","sid"]`},
		{"no body", ok, "", ``, problem.InvalidRequest, `["body"]`},
		{"no object", ok, "", `["` + hiddenPrompt + `"]`, problem.InvalidRequest, `["body"]`},
		{"cut off", ok, "", `{"question":"` + hiddenPrompt, problem.MalformedJSON, `"error":"Unterminated string`},
		{"not JSON", ok, "", hiddenPrompt, problem.MalformedJSON, `"error":"Expecting value"`},
		{"two values", ok, "", q + q, problem.MalformedJSON, `"error":"Extra data"`},
		{"a number that is none", ok, "", asking(`"x":1e999`), problem.MalformedJSON, `out of range`},
		{"too deep", ok, "", asking(`"list":` + deep), problem.MalformedJSON, `levels deep`},
		{"a zero", "POST /divides", "", `{"n":0}`, problem.InvalidRequest, `["body","n"]`},
		{"a form for JSON", ok, plainForm, "question=" + hiddenPrompt, problem.UnsupportedMediaType, "must be application/json"},
		{"no type", ok, noType, q, problem.UnsupportedMediaType, "must be application/json"},
		{"too large", ok, "", `"` + strings.Repeat("a", config.DefaultRequestBodyLimit) + `"`, problem.PayloadTooLarge, "limit of 4194304 bytes"},
		{"no route", "GET /" + hiddenPrompt, "", "", problem.NotFound, "Not Found"},
		{"no method", "DELETE /answer", "", "", problem.MethodNotAllowed, "Method Not Allowed"},
		{"JSON for a form", "POST /form", json1, q, problem.UnsupportedMediaType, "multipart/form-data or application/x-www-form-urlencoded"},
		{"no boundary", "POST /form", "Content-Type: multipart/form-data", "--b", problem.MalformedForm, "must name a boundary"},
		{"a form that is cut off", "POST /form", multipart, title, problem.MalformedForm, "ends with its boundary"},
		{"a part without a name", "POST /form", multipart, part("filename=x", hiddenPrompt) + "--b--\r\n", problem.MalformedForm, `name=\"field\"`},
		{"too many fields", "POST /form", plainForm, strings.Repeat("a=1&", 3000), problem.MalformedForm, "more than 1000 fields"},
		{"a long name", "POST /form", plainForm, strings.Repeat("a", 3000) + "=1", problem.MalformedForm, "longer than"},
		{"a form without its fields", "POST /form", plainForm, "", problem.InvalidRequest, `["body","title"]`},
		{"a field of a form", "POST /form", multipart, title + part(`name="n"`, hiddenPrompt) + scan + "--b--\r\n", problem.InvalidRequest, `["body","n"]`},
		{"a text for a file", "POST /form", multipart, title + part(`name="scan"`, hiddenPrompt) + "--b--\r\n", problem.InvalidRequest, `["body","scan"]`},
		{"a file that is too large", "POST /form", multipart, title + part(`name="scan"; filename="f"`, hiddenPrompt) + "--b--\r\n", problem.PayloadTooLarge, `"scan\" is over the limit of 8 bytes`},
		{"a file that is not text", "POST /form", multipart, title + part(`name="scan"; filename="f"`, "\xff\xfe") + "--b--\r\n", problem.InvalidRequest, `["body","scan"]`},
		{"a refusal of the upstream", "POST /answer", "", scripted(`{"status":400}`), problem.UpstreamRejected, "The upstream rejected the request."},
		{"a limit of the upstream", "POST /answer", "", scripted(`{"status":429}`), problem.UpstreamOverloaded, "Try again later"},

		{"no model", "POST /v1/chat/completions", "", modelled("gpt", greeting), problem.ModelNotFound, "GET /v1/models lists"},
		{"a model to show", "GET /v1/models/gpt", "", "", problem.ModelNotFound, "GET /v1/models lists"},
		{"an embedding of a route", "POST /v1/embeddings", "", modelled("routed", `"input":"`+hiddenPrompt+`"`), problem.ModelNotFound, "ask it at /v1/chat/completions"},
		{"no path of OpenAI", "POST /v1/" + hiddenPrompt, "", "{}", problem.NotFound, "GET /openapi.json lists"},
		{"a method of OpenAI", "DELETE /v1/chat/completions", "", "", problem.MethodNotAllowed, "one of POST"},
		{"a chat that is not JSON", "POST /v1/chat/completions", "", hiddenPrompt, problem.MalformedJSON, "at byte 0"},
		{"a chat with a member twice", "POST /v1/chat/completions", "", modelled("assistant", greeting+`,"model":"b"`), problem.MalformedJSON, "without repeated names"},
		{"a chat that is too deep", "POST /v1/chat/completions", "", modelled("assistant", greeting+`,"x":`+deep), problem.MalformedJSON, "at most 64 levels deep"},
		{"a chat as a form", "POST /v1/chat/completions", plainForm, "model=assistant", problem.UnsupportedMediaType, "must be application/json"},
		{"a chat that is too large", "POST /v1/chat/completions", "", strings.Repeat("a", config.DefaultRequestBodyLimit+1), problem.PayloadTooLarge, "limit of 4194304 bytes"},
		{"a chat without a model", "POST /v1/chat/completions", "", `{` + greeting + `}`, problem.InvalidRequest, "must be a string"},
		{"a chat without messages", "POST /v1/chat/completions", "", modelled("assistant", `"messages":"`+hiddenPrompt+`"`), problem.InvalidRequest, "must be an array"},
		{"another spelling", "POST /v1/chat/completions", "", modelled("assistant", greeting+`,"Stream":true`), problem.InvalidRequest, `it must be \"stream\"`},
		{"a stream that is not a boolean", "POST /v1/chat/completions", "", modelled("assistant", greeting+`,"stream":"`+hiddenPrompt+`"`), problem.InvalidRequest, "true or false"},
		{"tools of a route", "POST /v1/chat/completions", "", modelled("routed", greeting+`,"tools":[{"type":"function","function":{"name":"f"}}]`), problem.InvalidRequest, "calls no tools"},
		{"an end of a route", "POST /v1/chat/completions", "", modelled("routed", greeting+`,"stop":"x"`), problem.InvalidRequest, "where to stop"},
		{"JSON of a route", "POST /v1/chat/completions", "", modelled("routed", greeting+`,"response_format":{"type":"json_object"}`), problem.InvalidRequest, "whether its answer is JSON"},
		{"an unknown member of a route", "POST /v1/chat/completions", "", modelled("routed", greeting+`,"logit_bias":{}`), problem.InvalidRequest, "must be left out"},
		{"a value of a route", "POST /v1/chat/completions", "", modelled("routed", greeting+`,"n":2`), problem.InvalidRequest, "must be of the type"},
		{"a role of a route", "POST /v1/chat/completions", "", modelled("routed", `"messages":[{"role":"`+hiddenPrompt+`","content":"a"}]`), problem.InvalidRequest, "must be one of system, developer"},
		{"a route's own schema", "POST /v1/chat/completions", "", modelled("routed", `"messages":[{"role":"user","content":""}]`), problem.InvalidRequest, "at least 1 character"},
		{"a response in the background", "POST /v1/responses", "", modelled("replies", `"input":"`+hiddenPrompt+`","background":true`), problem.InvalidRequest, "keeps no responses"},
		{"a response to nothing", "POST /v1/responses", "", modelled("replies", `"input":"a","previous_response_id":7`), problem.InvalidRequest, "must be a string"},
		{"a lost response", "POST /v1/responses", "", modelled("replies", `"input":"a","previous_response_id":"resp_AQECAwQFBgcIcmVzcF8x"`), problem.PreviousNotFound, "not found"},
		{"an item of a response", "POST /v1/responses", "", modelled("routed", `"input":[7]`), problem.InvalidRequest, "must be an item"},
		{"an input of a response", "POST /v1/responses", "", modelled("routed", `"input":7`), problem.InvalidRequest, "must be a string or an array"},
		{"no such endpoint", "POST /v1/completions", "", modelled("talks", `"prompt":"`+hiddenPrompt+`"`), problem.UpstreamRejected, "It has /v1/chat/completions."},
		{"a limit of the model's", "POST /v1/chat/completions", "", completion(false, `{"status":429}`), problem.UpstreamOverloaded, "Try again later"},

		{"no time", "POST /late", "", scripted(`{"fault":"HangBeforeHeaders"}`), problem.Timeout, "longer than this route allows"},
		{"no time for a stream", "POST /endless", "", scripted(`{"fault":"HangBeforeHeaders"}`), problem.DurationExceeded, "maximum duration"},
		{"no bytes", "POST /narrow", "", scripted(`{"tokens":200}`), problem.BudgetExceeded, "the budget of this route"},
		{"a wrong answer", "POST /checked", "", scripted(`{"text":"` + hiddenPrompt + `"}`), problem.ResponseInvalid, "the response schema of this route"},
		{"a wrong output", "POST /output", "", scripted(`{"text":"` + hiddenPrompt + `"}`), problem.OutputInvalid, "the schema of its step"},
		{"no turns", "POST /agent", "", scripted(`{"toolCalls":[{"name":"find","arguments":{}}]}`), problem.TurnsExceeded, "turn limit"},
		{"no majority", "POST /vote", "", `{}`, problem.VoteUndecided, "vote was not decided"},
		{"a fault of the route's", "POST /broken", "", `{}`, problem.Internal, "Internal Server Error"},
		{"an upstream that is full", "POST /v1/chat/completions", "", completion(false, `{"status":503}`), problem.UpstreamUnavailable, "unavailable"},
		{"an upstream that is gone", "POST /v1/chat/completions", "", modelled("gone", greeting), problem.UpstreamUnreachable, "could not be reached"},
		{"an upstream that is slow", "POST /v1/chat/completions", "", strings.Replace(completion(true, `{"fault":"HangBeforeHeaders"}`), "assistant", "hasty", 1), problem.UpstreamTimeout, "in time"},
		{"an upstream that fails", "POST /v1/chat/completions", "", completion(false, `{"status":500}`), problem.UpstreamError, "failed to answer"},
		{"an upstream that breaks off", "POST /v1/chat/completions", "", completion(false, `{"fault":"Truncate","afterTokens":2}`), problem.UpstreamTruncated, "broke off"},
	}
	for _, member := range []string{
		`"n":-3`, `"n":12`, `"n":4`, `"n":"canary-prompt"`, `"n":1.5`, `"x":0`, `"x":1`, `"x":"a"`, `"flag":"canary-prompt"`, `"nothing":1`, `"one":"canary-prompt"`, `"kind":"canary-prompt"`,
		`"at":"canary-prompt"`, `"mail":"canary-prompt"`, `"link":"canary prompt"`, `"uid":"canary-prompt"`, `"tags":[]`, `"tags":["a","b","c"]`, `"tags":"canary-prompt"`,
		`"pair":[1,2]`, `"pair":["a"]`, `"some":[2]`, `"map":{}`, `"map":{"a":1,"b":2}`, `"map":{"long-name":1}`, `"either":"canary-prompt"`, `"either":["a"]`, `"no":"canary-prompt"`,
		`"list":[{}]`, `"list":[{"deep":"canary-prompt"}]`, `"more":"canary-prompt"`,
	} {
		name, _, _ := strings.Cut(strings.Trim(member, `"`), `"`)
		all = append(all, badRequest{member, ok, "", asking(member), problem.InvalidRequest, `["body","` + name + `"`})
	}
	for _, text := range []string{`""`, `"` + strings.Repeat("a", 41) + `"`, `"CANARY"`, `7`, `null`, `[]`, `{}`} {
		all = append(all, badRequest{text, ok, "", `{"question":` + text + `}`, problem.InvalidRequest, `["body","question"]`})
	}
	return all
}

// TestAnswersHelp sends requests of which each is wrong in one way, over HTTP. Each answer says what was wrong and what is allowed, in
// the gateway's own words, and repeats neither prompts nor secrets. Each code that the gateway has is the code of one of them.
func TestAnswersHelp(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(keys, "model"), []byte(hiddenSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, faulty(t, url), func(o *Options) { o.SecretsDir = filepath.Dir(keys) })
	seen := newSeen()
	for _, tt := range badRequests() {
		t.Run(tt.name, func(t *testing.T) {
			resp := r.sends(t, &tt)
			seen.add(t, tt.target, tt.code, resp, tt.says)
		})
	}
	t.Run("a broken body", func(t *testing.T) {
		for _, target := range []string{"POST /answer", "POST /v1/chat/completions"} {
			seen.add(t, target, problem.RequestTimeout, r.raw(t, target+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
				"Transfer-Encoding: chunked\r\n\r\n5\r\n"+hiddenPrompt+"\r\nzz\r\n\r\n"), "without long pauses")
		}
	})
	t.Run("too many", func(t *testing.T) { seen.overloaded(t, url) })
	t.Run("a drain", func(t *testing.T) { seen.draining(t, mock, url) })
	seen.complete(t)
	logs := r.logs.String()
	if !strings.Contains(logs, "of this route: a violation of string_too_long at [response]") || strings.Contains(logs, "1 violations") {
		t.Error("no line of the log says which violation an answer has, and that there is one")
	}
	if strings.Contains(logs, hiddenPrompt) || strings.Contains(logs, hiddenSecret) {
		t.Error("the log has a prompt or a secret")
	}
}

// sends has a request sent, with the secret in its header.
func (r *replica) sends(t *testing.T, b *badRequest) *http.Response {
	t.Helper()
	method, path, _ := strings.Cut(b.target, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(b.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+hiddenSecret)
	if req.Header.Set("Content-Type", "application/json"); b.header != "" {
		name, value, _ := strings.Cut(b.header, ":")
		if req.Header.Set(name, strings.TrimSpace(value)); b.header == noType {
			req.Header.Del(name)
		}
	}
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// raw sends bytes.
func (r *replica) raw(t *testing.T, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// seen are the answers that the tests have got, by form and code.
type seen map[string]map[problem.Code]int

const inOpenAI, inFastAPI = "OpenAI", "FastAPI"

func newSeen() seen { return seen{inOpenAI: {}, inFastAPI: {}} }

func (s seen) overloaded(t *testing.T, url string) {
	t.Helper()
	c := assistant(url)
	c.Runtime.MaxInFlight = 1
	r := start(t, c)
	r.post("/stream", question(`{"tokens":5,"afterTokens":1,"fault":"Silence"}`))
	for _, path := range []string{"/answer", "/v1/chat/completions"} {
		s.add(t, "POST "+path, problem.Overloaded, r.post(path, scripted("{}")), "at its limit. Try again later.")
	}
}

// draining is a replica that goes away before its upstream answers.
func (s seen) draining(t *testing.T, mock *mockllm.Server, url string) {
	t.Helper()
	before := mock.Stats().Opened
	r := start(t, assistant(url), func(o *Options) { o.MaxStreamDuration = 100 * time.Millisecond })
	answers := make(chan *http.Response, 1)
	go func() {
		resp, err := r.client.Post(r.url+"/answer", "application/json", strings.NewReader(scripted(`{"fault":"HangBeforeHeaders"}`)))
		if err != nil {
			t.Error(err)
		}
		answers <- resp
	}()
	if _, err := mock.Await(t.Context(), func(s mockllm.Stats) bool { return s.Opened > before }); err != nil {
		t.Fatal(err)
	}
	r.begin()
	if resp := <-answers; resp != nil {
		s.add(t, "POST /answer", problem.Draining, resp, "shutting down")
	}
}

// add holds an answer to the rules for all of them.
func (s seen) add(t *testing.T, target string, code problem.Code, resp *http.Response, says string) {
	t.Helper()
	body := text(t, resp)
	form, status := inFastAPI, problem.New(code).Status
	if strings.Contains(target, " /v1/") {
		if form = inOpenAI; status == http.StatusUnprocessableEntity {
			status = http.StatusBadRequest
		}
	}
	if resp.StatusCode != status || !strings.Contains(body, says) {
		t.Errorf("%s: %d %s\nwant %d %s", target, resp.StatusCode, body, status, says)
	}
	if resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: an answer of type %q", target, resp.Header.Get("Content-Type"))
	}
	if code == problem.MethodNotAllowed && resp.Header.Get("Allow") == "" {
		t.Errorf("%s: no method is said to be allowed", target)
	}
	if status == http.StatusTooManyRequests && code == problem.Overloaded && resp.Header.Get("Retry-After") == "" {
		t.Errorf("%s: no time is said after which to try again", target)
	}
	for _, wrong := range wrongs(form, code, body) {
		t.Errorf("%s: %s: %s", target, wrong, body)
	}
	s[form][code]++
}

// The codes of which only one of the forms can be asked for.
var (
	onlyOpenAI  = []problem.Code{problem.ModelNotFound, problem.PreviousNotFound}
	onlyFastAPI = []problem.Code{problem.MalformedForm}
)

// complete holds what was seen against the codes that there are: each 4xx in each form, each other failure in one.
func (s seen) complete(t *testing.T) {
	t.Helper()
	all := codesOf(t)
	if len(all) < 20 {
		t.Errorf("the code has %v: the test looks in the wrong place", all)
	}
	for _, code := range all {
		switch openAI, fastAPI := s[inOpenAI][code], s[inFastAPI][code]; {
		case openAI+fastAPI == 0:
			t.Errorf("no request of the test is answered with %s: it needs a case", code)
		case problem.New(code).Status >= http.StatusInternalServerError:
		case openAI == 0 && !slices.Contains(onlyFastAPI, code), fastAPI == 0 && !slices.Contains(onlyOpenAI, code):
			t.Errorf("%s is answered %d times in the form of OpenAI, and %d times in that of FastAPI: each needs a case", code, openAI, fastAPI)
		}
	}
}

// codesOf are the values of the constants of type Code.
func codesOf(t *testing.T) []problem.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "problem", "codes.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []problem.Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		named, typed := spec.Type.(*ast.Ident)
		value, constant := spec.Values[0].(*ast.BasicLit)
		if typed && constant && named.Name == "Code" {
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, problem.Code(text))
		}
		return true
	})
	return all
}

var (
	// ofGo is what only somebody who knows the code can read.
	ofGo = regexp.MustCompile(`<nil>|%!|\bmap\[|\[\]\w|&\{|\{\{|interface ?\{|\bstruct\b|\b(?:u?int|float)(?:8|16|32|64)\b|\*\w+\.\w|\w+\.\w+Error\b|` +
		`\.go:\d|goroutine|panic|runtime error|0x[0-9a-f]{6}|\bEOF\b|context (?:canceled|deadline)|\b(?:json|jsontext|http|tcp):|dial tcp|\b1 \w+s\b|\.:|\.\.|: :`)
	// sentence is one that a person reads.
	sentence = regexp.MustCompile(`^[A-Z].*\.$`)
	// part is what a sentence is about.
	parts = regexp.MustCompile(`(?i)\b(?:request|body|form|file|model|member|upstream|service|replica|route|path|stream|agent|vote|answer|response|Invalid value for)\b`)
	// allows is how a message says what would be right.
	allows = regexp.MustCompile(`\b(?:must|should|required|want|one of|limit of|longer than|more than|lists|ask it at|Try again|not permitted|It has|` +
		`reads it|calls no|decides itself|cannot be told|at (?:least|most)|permits|possible)\b`)
)

// Words that are part of others' contracts: FastAPI's for a path and a method, whose answer has Allow, and OpenAI's. Words about an
// upstream's refusal of what the route has asked cannot say what it allows.
var notOurs = []string{"Not Found", "Method Not Allowed", "Internal Server Error"}

var withoutAdvice = []problem.Code{problem.PreviousNotFound, problem.UpstreamRejected}

func wrongs(form string, code problem.Code, body string) (all []string) {
	if found := ofGo.FindString(body); found != "" {
		all = append(all, fmt.Sprintf("%q is for those who know the code", found))
	}
	for _, secret := range []string{"canary", "CANARY", mockllm.ErrorDetail} {
		if strings.Contains(body, secret) {
			all = append(all, fmt.Sprintf("%q is repeated", secret))
		}
	}
	if form == inOpenAI {
		return append(all, wrongsOfOpenAI(code, body)...)
	}
	return append(all, wrongsOfFastAPI(code, body)...)
}

func wrongsOfMessage(code problem.Code, message string) (all []string) {
	if slices.Contains(notOurs, message) {
		return nil
	}
	if !sentence.MatchString(message) || !parts.MatchString(message) {
		all = append(all, "it is not a sentence about a part of the request or of the service")
	}
	client := problem.New(code).Status < http.StatusInternalServerError
	if client && !slices.Contains(withoutAdvice, code) && !allows.MatchString(message) {
		all = append(all, "it does not say what is allowed")
	}
	return all
}

func wrongsOfOpenAI(code problem.Code, body string) []string {
	var got struct {
		Error struct {
			Message string  `json:"message"`
			Type    string  `json:"type"`
			Param   *string `json:"param"`
			Code    any     `json:"code"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		return []string{err.Error()}
	}
	all := wrongsOfMessage(code, got.Error.Message)
	if got.Error.Code != string(code) || got.Error.Type == "" {
		all = append(all, "its code is not "+string(code))
	}
	if code == problem.InvalidRequest && got.Error.Param == nil && !strings.Contains(got.Error.Message, "JSON") {
		all = append(all, "it names no member")
	}
	return all
}

func wrongsOfFastAPI(code problem.Code, body string) (all []string) {
	var got struct {
		Detail json.RawMessage `json:"detail"`
	}
	var message string
	var violations []problem.Violation
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		return []string{err.Error()}
	}
	if json.Unmarshal(got.Detail, &message) == nil {
		return wrongsOfMessage(code, message)
	}
	if err := json.Unmarshal(got.Detail, &violations); err != nil || len(violations) == 0 {
		return []string{"it has no detail"}
	}
	for _, v := range violations {
		all = append(all, wrongsOfViolation(&v)...)
	}
	return all
}

var (
	wordsOfType = regexp.MustCompile(`^[a-z]+(?:_[a-z]+)*$`)
	inRequest   = []any{"body", "path", "query", "header", "cookie"}
	// pydantics are the words of Pydantic that say what is allowed.
	pydantics = regexp.MustCompile(`\b(?:should|required|not permitted|must|reads it|Expected|in the form of)\b`)
)

func wrongsOfViolation(v *problem.Violation) (all []string) {
	if !wordsOfType.MatchString(v.Type) || len(v.Loc) == 0 || !slices.Contains(inRequest, v.Loc[0]) {
		all = append(all, "a violation without a type, or without its place in the request")
	}
	if v.Input != nil {
		all = append(all, "what was sent is repeated")
	}
	if v.Type == problem.TypeJSONInvalid {
		if reason, _ := v.Ctx["error"].(string); reason == "" || len(v.Loc) != 2 {
			all = append(all, "it does not say where the JSON is wrong, and why")
		}
		return all
	}
	if !pydantics.MatchString(v.Msg) {
		all = append(all, "a violation that does not say what is allowed")
	}
	return all
}

// TestWrongsAreFound: the rules of TestAnswersHelp find what they are for.
func TestWrongsAreFound(t *testing.T) {
	violation := func(v string) string { return `{"detail":[` + v + `]}` }
	sentenceOf := func(s string) string { return `{"detail":` + strconv.Quote(s) + `}` }
	for name, tt := range map[string]struct {
		form string
		code problem.Code
		body string
	}{
		"a type of Go":         {inFastAPI, problem.MalformedForm, sentenceOf("The form must be a map[string]interface {}.")},
		"nil":                  {inFastAPI, problem.MalformedForm, sentenceOf("The form must be <nil>.")},
		"a format":             {inFastAPI, problem.MalformedForm, sentenceOf("The form must be %!s(int=3).")},
		"a plural":             {inFastAPI, problem.MalformedForm, sentenceOf("The form must have 1 violations.")},
		"two full stops":       {inFastAPI, problem.MalformedForm, sentenceOf("The form of this route.: must be short.")},
		"the prompt":           {inFastAPI, problem.MalformedForm, sentenceOf("The form must not be " + hiddenPrompt + ".")},
		"the secret":           {inFastAPI, problem.MalformedForm, sentenceOf("The form must not be " + hiddenSecret + ".")},
		"the upstream's words": {inFastAPI, problem.UpstreamRejected, sentenceOf("The upstream: " + mockllm.ErrorDetail + ".")},
		"no sentence":          {inFastAPI, problem.MalformedForm, sentenceOf("form must be short")},
		"nothing allowed":      {inFastAPI, problem.MalformedForm, sentenceOf("The form is bad.")},
		"no part":              {inFastAPI, problem.MalformedForm, sentenceOf("It must be better.")},
		"no detail":            {inFastAPI, problem.InvalidRequest, `{"detail":[]}`},
		"no place":             {inFastAPI, problem.InvalidRequest, violation(`{"type":"missing","loc":[],"msg":"Field required"}`)},
		"another place":        {inFastAPI, problem.InvalidRequest, violation(`{"type":"missing","loc":["steps"],"msg":"Field required"}`)},
		"nothing that is":      {inFastAPI, problem.InvalidRequest, violation(`{"type":"missing","loc":["body"],"msg":"Bad"}`)},
		"an echo":              {inFastAPI, problem.InvalidRequest, violation(`{"type":"missing","loc":["body"],"msg":"Field required","input":1}`)},
		"JSON without reason":  {inFastAPI, problem.MalformedJSON, violation(`{"type":"json_invalid","loc":["body",1],"msg":"JSON decode error","ctx":{}}`)},
		"another code":         {inOpenAI, problem.ModelNotFound, `{"error":{"message":"The model must exist.","type":"x","param":"model","code":"y"}}`},
		"no member":            {inOpenAI, problem.InvalidRequest, `{"error":{"message":"The request must be better.","type":"x","param":null,"code":"invalid_request"}}`},
	} {
		if len(wrongs(tt.form, tt.code, tt.body)) == 0 {
			t.Errorf("%s: nothing is found in %s", name, tt.body)
		}
	}
}
