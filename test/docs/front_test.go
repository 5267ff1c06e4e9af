package docs_test

import (
	commandline "flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdkopenai "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

var update = commandline.Bool("update", false, "write docs/front.md, and the tables of docs/steps.md")

const frontPage = "docs/front.md"

// TestFrontPage writes down what a gateway does with everything that OpenAI's SDK for Go can send, and with what an upstream may
// answer, and compares docs/front.md with it. The names are those of the SDK and of the gateway's own tables; what becomes of each is
// what a gateway has done.
func TestFrontPage(t *testing.T) {
	p := &frontPages{T: t, lab: startLab(t)}
	p.say("# What passes under /v1, what is changed, and what is refused\n\nWritten by `go test ./test/docs -run TestFrontPage -update`, which asks a gateway for " +
		"all of it.\nThe names of members and events are those of OpenAI's SDK for Go, and of the gateway's own tables. [routes.md](routes.md#models)\n" +
		"says why, and lists all errors; [upstreams.md](upstreams.md#members-that-an-upstream-does-not-take) has what an upstream can declare.\n")
	p.endpoints()
	p.requestHeaders()
	p.answerHeaders()
	p.members()
	p.events()
	p.refusals()
	got := strings.TrimSuffix(p.text.String(), "\n")
	if *update {
		if err := os.WriteFile(filepath.Join(root, frontPage), []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(got, read(t, frontPage)); diff != "" {
		t.Errorf("%s is not what a gateway does (-gateway +page; go test -update writes it):\n%s", frontPage, diff)
	}
}

// frontPages is the page as far as it is written.
type frontPages struct {
	*testing.T
	*lab

	text strings.Builder
}

func (p *frontPages) say(text string) { p.text.WriteString(text + "\n") }

func (p *frontPages) row(cells ...string) {
	p.say("| " + strings.Join(cells, " | ") + " |")
}

func (p *frontPages) head(cells ...string) {
	p.row(cells...)
	p.say(strings.Repeat("|---", len(cells)) + "|")
}

// body is the least request of an endpoint for a model, and one more member.
func body(path, model, member string) string {
	needs := map[string]string{
		"/v1/chat/completions": `"messages":[{"role":"user","content":"hi"}]`, "/v1/completions": `"prompt":"hi"`,
		"/v1/embeddings": `"input":"hi"`, "/v1/responses": `"input":"hi"`,
	}[path]
	return `{"model":"` + model + `",` + needs + member + "}"
}

func (p *frontPages) endpoints() {
	p.say("## Endpoints\n")
	p.head("request", "upstream that has the endpoint", "upstream with chat completions alone", "upstream with responses alone", "route as a model")
	for _, path := range postPaths() {
		cells := []string{"`POST " + path + "`"}
		for _, model := range []string{modelFull, modelChats, modelResponses, modelRoute} {
			got := p.ask(http.MethodPost, path, body(path, model, ""), nil)
			cells = append(cells, map[bool]string{true: "passes", false: "translated"}[got.status == http.StatusOK && got.path == path])
			if got.status != http.StatusOK {
				cells[len(cells)-1] = got.refusal()
			} else if model == modelRoute {
				cells[len(cells)-1] = "answers"
			}
		}
		p.row(cells...)
	}
	p.say("\nThe gateway itself answers these, and asks no upstream:\n")
	p.head("request", "answer")
	for _, request := range []string{
		"GET /v1/models", "GET /v1/models/" + modelFull, "GET /v1/models/nobody", "GET /v1/chat/completions", "GET /v1/responses/resp_1",
		"DELETE /v1/responses/resp_1", "POST /v1/audio/speech", "POST /v1/images/generations", "POST /v1/files", "POST /v1/moderations", "POST /v1/conversations",
	} {
		method, path, _ := strings.Cut(request, " ")
		got := p.ask(method, path, map[bool]string{true: "{}"}[method == http.MethodPost], nil)
		p.row("`"+request+"`", got.refusal())
		if got.path != "" {
			p.Errorf("%s: an upstream was asked at %s", request, got.path)
		}
	}
}

func postPaths() []string {
	var paths []string
	for _, e := range (openai.Dialect{}).Endpoints() {
		paths = append(paths, "/v1"+e.Path())
	}
	return paths
}

func (p *frontPages) requestHeaders() {
	p.say("\n## Headers of a request\n\nThe upstream's key and the headers that its manifest declares are added. Of a client's own headers:\n")
	p.head("client's header", "at the upstream")
	sent := http.Header{}
	for _, name := range []string{
		"Authorization", "Api-Key", "X-Api-Key", "Cookie", "Openai-Organization", "Openai-Project", "Openai-Beta", "Idempotency-Key", "X-Request-Id",
		"X-Client-Request-Id", "X-Stainless-Lang", "Traceparent", "X-Forwarded-For", "Forwarded", "Accept", "Accept-Language", "User-Agent", "Upgrade",
		"Te", "Trailer", "Proxy-Authorization", "X-Anything",
	} {
		sent.Set(name, "of-the-client")
	}
	sent.Set("Traceparent", clientTrace) // which has to be one
	got := p.ask(http.MethodPost, "/v1/chat/completions", body("/v1/chat/completions", modelFull, ""), sent)
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		p.row("`"+name+"`", passed(got.asked, name))
	}
	p.say("\nEvery request to an upstream also has:\n")
	p.head("header", "value")
	for _, name := range slices.Sorted(maps.Keys(got.asked)) {
		if sent.Get(name) == "" && name != "Content-Length" {
			p.row("`"+name+"`", "`"+got.asked.Get(name)+"`")
		}
	}
}

func passed(h http.Header, name string) string {
	switch got := h.Get(name); got {
	case "of-the-client", "of-the-upstream", clientTrace:
		return "passes"
	case "":
		return "is dropped"
	default:
		return "is replaced by `" + got + "`"
	}
}

// clientTrace is a trace that a client has begun.
const clientTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func (p *frontPages) answerHeaders() {
	p.say("\n## Headers of an answer\n")
	p.head("upstream's header", "at the client, whole", "streamed")
	names := []string{
		"Set-Cookie", "X-Request-Id", "Openai-Processing-Ms", "Openai-Version", "X-Ratelimit-Remaining-Requests", "Retry-After", "Server", "Cache-Control",
		"Content-Type", "Access-Control-Allow-Origin", "X-Anything",
	}
	sent := http.Header{"X-Request-Id": {"ID-OF-THE-REQUEST"}}
	whole := p.ask(http.MethodPost, "/v1/chat/completions", body("/v1/chat/completions", modelFull, ""), sent)
	stream := p.ask(http.MethodPost, "/v1/chat/completions", body("/v1/chat/completions", modelFull, `,"stream":true`), sent.Clone())
	for _, name := range names {
		p.row("`"+name+"`", passed(whole.header, name), passed(stream.header, name))
	}
}

// params are the members of a request that the SDK knows.
func params(of any) []string {
	var names []string
	for field := range reflect.TypeOf(of).Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

func (p *frontPages) members() {
	p.say("\n## Members of a request\n\n\"Passes\" is byte for byte, unknown members and those within members included. A translated request is one whose upstream has the other of\n" +
		"`/v1/chat/completions` and `/v1/responses`, or whose model is a [route](routes.md#a-route-as-a-model). There, a member that is not in the table gets a\n" +
		"400 that names it, and so does a value that is not one of those in the last column. `null` is as if the member were left out.")
	sdk := map[string]any{
		"/chat/completions": sdkopenai.ChatCompletionNewParams{}, "/completions": sdkopenai.CompletionNewParams{},
		"/embeddings": sdkopenai.EmbeddingNewParams{}, "/responses": responses.ResponseNewParams{},
	}
	for _, e := range (openai.Dialect{}).Endpoints() {
		path := "/v1" + e.Path()
		translated := openai.Members(e)
		p.say("\n### " + path + "\n")
		columns := []string{"member", "read by the gateway", "upstream that has the endpoint"}
		if translated != nil {
			columns = append(columns, "translated", "route as a model")
		}
		p.head(columns...)
		names := append(append(params(sdk[e.Path()]), openai.Decisive(e)...), slices.Collect(maps.Keys(translated))...)
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			cells := []string{"`" + name + "`", map[bool]string{true: "yes"}[slices.Contains(openai.Decisive(e), name)], p.member(path, name)}
			if translated != nil {
				byRoute := p.ask(http.MethodPost, path, with(path, modelRoute, name, sampleAt(path, name)), nil)
				cells = append(cells, p.translated(e, translated, name), map[bool]string{true: "is accepted"}[byRoute.status == http.StatusOK])
				if byRoute.status != http.StatusOK {
					cells[len(cells)-1] = byRoute.refusal()
				}
			}
			p.row(cells...)
		}
	}
	p.say("\nA member that the gateway reads is refused in another spelling: as `Model`, `streamOptions`, `stream-options`, or with a letter that folds to the\nsame. So is one that is given twice.")
}

// samples are values of members that are not just any.
var samples = map[string]string{
	"model": `"` + modelFull + `"`, "messages": `[{"role":"user","content":"hi"}]`, "stream": "false", "stream_options": `{"include_usage":true}`,
	"tools":           `[{"type":"function","function":{"name":"f"}}]`,
	"tool_choice":     `"auto"`,
	"response_format": `{"type":"json_object"}`, "text": `{"format":{"type":"json_object"}}`, "parallel_tool_calls": "true", "temperature": "0.5", "top_p": "0.5",
	"max_tokens": "7", "max_completion_tokens": "7", "max_output_tokens": "7", "stop": `["x"]`, "include": `["reasoning.encrypted_content"]`,
	"reasoning": `{"effort":null}`, "input": `"hi"`, "instructions": `"hi"`, "background": "true", "previous_response_id": `"resp_1"`,
}

// sampleAt is a value that a member may have at an endpoint.
func sampleAt(path, name string) string {
	switch value, known := samples[name]; {
	case name == "tools" && path == "/v1/responses":
		return `[{"type":"function","name":"f"}]`
	case known:
		return value
	}
	for _, e := range (openai.Dialect{}).Endpoints() {
		if m := openai.Members(e)[name]; m.Only != "" && path == "/v1"+e.Path() {
			return m.Only
		}
	}
	return `"x"`
}

// with is a request that has a member once.
func with(path, model, name, value string) string {
	request := body(path, model, "")
	if name == "model" || strings.Contains(request, `"`+name+`":`) {
		return request
	}
	return strings.TrimSuffix(request, "}") + `,"` + name + `":` + value + "}"
}

// member is what becomes of a member whose upstream has the endpoint.
func (p *frontPages) member(path, name string) string {
	got := p.ask(http.MethodPost, path, with(path, modelFull, name, sampleAt(path, name)), nil)
	sent := strings.Replace(with(path, modelFull, name, sampleAt(path, name)), `"model":"`+modelFull+`"`, `"model":"`+realModel+`"`, 1)
	switch {
	case got.status != http.StatusOK:
		return got.refusal() + " for `" + sampleAt(path, name) + "`"
	case got.body != sent:
		p.Errorf("%s: %s: the upstream was asked %s, want %s", path, name, got.body, sent)
		return "?"
	case name == "model":
		return "the upstream's own name"
	case name == "previous_response_id":
		return "passes; an id that a gateway wrote becomes the upstream's own, and [goes to the endpoint that keeps it](routes.md#responses-that-continue-others)"
	}
	return "passes"
}

// translated is what becomes of a member whose upstream is asked in other words.
func (p *frontPages) translated(e llm.Endpoint, known map[string]openai.Member, name string) string {
	m, has := known[name]
	value := sampleAt("/v1"+e.Path(), name)
	r, wrong := e.ReadRequest([]byte(with("/v1"+e.Path(), modelFull, name, value)))
	if wrong == nil {
		_, wrong = r.Chat()
	}
	switch {
	case wrong != nil && (has || wrong.Param != name):
		p.Errorf("%s: %s with %s: %v", e.Path(), name, value, wrong)
	case wrong != nil:
		return "400"
	case m.Only != "":
		p.refuses(e, name, `"another"`)
		return "only `" + m.Only + "`, which is left out"
	case has && !m.Translated():
		return "left out"
	case m.Reads != "":
		p.refuses(e, name, `"another"`)
		return "translated: " + m.Reads
	}
	return "translated"
}

func (p *frontPages) refuses(e llm.Endpoint, name, value string) {
	if name == "tool_choice" || name == "stop" { // a text is one of those
		return
	}
	r, wrong := e.ReadRequest([]byte(with("/v1"+e.Path(), modelFull, name, value)))
	if wrong == nil {
		_, wrong = r.Chat()
	}
	if wrong == nil || wrong.Param != name {
		p.Errorf("%s: %s with %s: %v, want a problem of it", e.Path(), name, value, wrong)
	}
}

func (p *frontPages) events() {
	p.say("\n## Events of a stream\n\nUntil the first content, another endpoint or upstream may still be asked; what came before it is then dropped. An event that passes does so byte for byte,\n" +
		"but for the model's name, and the ids of a response. An error event has the gateway's own words, and ends the stream.\n\n### /v1/responses\n")
	p.head("event", "what becomes of it")
	for _, name := range eventTypes() {
		data := `{"type":"` + name + `","delta":"x","item":{"type":"message"},"response":{"id":"resp_1","model":"real","output":[]}}`
		p.row("`"+name+"`", p.event(openai.Responses{}, "event: "+name+"\ndata: "+data+"\n\n"))
	}
	p.row("any other", p.event(openai.Responses{}, "event: response.of_tomorrow\ndata: {\"type\":\"response.of_tomorrow\"}\n\n"))
	p.say("\n### /v1/chat/completions and /v1/completions\n")
	p.head("event", "what becomes of it")
	for _, e := range [][2]string{
		{"a comment", ": hi\n\n"},
		{"a chunk that says nothing yet, such as the role", `data: {"choices":[{"delta":{"role":"assistant","content":""}}]}` + "\n\n"},
		{"a chunk with text", `data: {"choices":[{"delta":{"content":"x"}}]}` + "\n\n"},
		{"a chunk with anything else in it: tool calls, reasoning, audio, unknown members", `data: {"choices":[{"delta":{"reasoning_content":"x"}}]}` + "\n\n"},
		{"a chunk with usage alone", `data: {"choices":[],"usage":{"total_tokens":1}}` + "\n\n"},
		{"an event of another type", "event: of_tomorrow\ndata: {\"x\":1}\n\n"},
		{"a member `error`", `data: {"error":{"message":"x"}}` + "\n\n"},
		{"the event `error`", "event: error\ndata: {\"message\":\"x\"}\n\n"},
		{"data that is not JSON", "data: x\n\n"},
		{"`[DONE]`, after a choice", "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: [DONE]\n\n"},
		{"`[DONE]`, before any choice", "data: [DONE]\n\n"},
	} {
		p.row(e[0], p.event(openai.Dialect{}, e[1]))
	}
}

// event is what becomes of the last event of a stream.
func (p *frontPages) event(of llm.Streamer, stream string) string {
	parser := wire.NewParser(1 << 16)
	if err := parser.Write([]byte(stream)); err != nil {
		p.Fatal(err)
	}
	tap := llm.NewTap(of, llm.TapOptions{Alias: "m"})
	var out []byte
	var kind relay.EventKind
	var raw string
	for frame, ok := parser.Next(); ok; frame, ok = parser.Next() {
		raw = string(frame.Raw)
		out, kind = tap.Frame(nil, &frame)
	}
	if kind != relay.Broken && string(out) != strings.Replace(raw, `"model":"real"`, `"model":"m"`, 1) {
		p.Errorf("%s passes as %s", raw, out)
	}
	return map[relay.EventKind]string{
		relay.Preamble: "passes, with the first content", relay.Content: "passes", relay.Done: "passes, and ends the stream",
		relay.Broken: "becomes an error event, or another upstream is asked",
	}[kind]
}

// eventTypes are those of the SDK.
func eventTypes() []string {
	var types []string
	for method := range reflect.TypeFor[responses.ResponseStreamEventUnion]().Methods() {
		if method.Name == "AsAny" || !strings.HasPrefix(method.Name, "As") {
			continue
		}
		field, _ := method.Type.Out(0).FieldByName("Type")
		constant, _ := field.Type.MethodByName("Default")
		types = append(types, constant.Func.Call([]reflect.Value{reflect.Zero(field.Type)})[0].String())
	}
	slices.Sort(types)
	return types
}

func (p *frontPages) refusals() {
	p.say("\n## What an upstream refuses\n\nWhat becomes of an upstream's status before the first content, if no other endpoint or upstream has answered. \"Its own\" are the upstream's `message`, `type`, `param`\n" +
		"and `code`, [without secrets](routes.md#a-clients-own-mistakes), if what the client sent was passed on; a translated request gets the gateway's words.\n")
	p.head("upstream's status", "client's status", "code", "words", "translated")
	type row struct{ status, code, words, translated string }
	rows := map[row][]string{}
	var order []row
	for status := 300; status < 600; status++ {
		if http.StatusText(status) == "" && status != 529 {
			continue
		}
		got, other := p.refused(modelFull, status), p.refused(modelChats, status)
		r := row{fmt.Sprint(got.status), "`" + got.code + "`", "the gateway's", other.refusal()}
		if strings.Contains(got.message, upstreamSays) {
			r.code, r.words = "its own", "its own"
		}
		if strings.Contains(other.message, upstreamSays) {
			p.Errorf("%d: a client is told %q of what it has not sent", status, other.message)
		}
		if rows[r] == nil {
			order = append(order, r)
		}
		rows[r] = append(rows[r], fmt.Sprint(status))
	}
	for _, r := range order {
		p.row(strings.Join(rows[r], ", "), r.status, r.code, r.words, r.translated)
	}
}
