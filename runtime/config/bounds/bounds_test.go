package bounds

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
)

// bounded is a config with a route of these steps; rest are the route's other members.
func bounded(t *testing.T, functions, steps, rest string) *config.Config {
	t.Helper()
	const timeouts = `"timeouts":{"connect":"1s","firstToken":"3s","idle":"4s","total":"10s"}`
	c := &config.Config{}
	if err := json.Unmarshal([]byte(`{"version":"v1","service":{"name":"a"},"runtime":{"maxInFlight":1},"upstreams":[
		{"name":"one","openAI":{"model":"m"},"endpoints":[{"url":"http://a"}],`+timeouts+`},
		{"name":"two","openAI":{"model":"m"},"endpoints":[{"url":"http://a"},{"url":"http://b"}],`+timeouts+`},
		{"name":"web","http":{},"endpoints":[{"url":"http://a"},{"url":"http://b"}],`+timeouts+`}],
		"functions":[`+functions+`],
		"routes":[{"path":"/a","method":"POST","timeout":"10m","budget":{"maxCalls":100,"maxBytes":1000},`+
		`"response":{"body":1},`+rest+`"steps":[`+steps+`]}]}`), c, json.RejectUnknownMembers(true), jsontext.AllowDuplicateNames(true)); err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	chatOne = `"chat":{"upstream":"one","messages":[{"role":"user","content":"x"}],"parameters":{"max_tokens":7}}`
	chatTwo = `"chat":{"upstream":"two","messages":[{"role":"user","content":"x"}],"parameters":{"max_tokens":7}}`
	getWeb  = `"http":{"upstream":"web","method":"GET","path":"/"}`
	silence = `"parameters":{}`
)

func gathered(strategy, more string, branches ...string) string {
	for i, b := range branches {
		branches[i] = fmt.Sprintf(`{"name":"%c",%s}`, 'a'+i, b)
	}
	return fmt.Sprintf(`{"name":"g","gather":{"strategy":%q%s,"branches":[%s]}}`, strategy, more, strings.Join(branches, ","))
}

func step(members string) string { return `{"name":"s",` + members + `}` }

// Each want is latency, calls and tokens; a latency of a stream is that of the first content.
func TestBounds(t *testing.T) {
	const (
		lookup = `{"name":"lookup","steps":[{"name":"a",` + getWeb + `}],"output":1}`
		told   = `{"name":"told","stream":"b","steps":[{"name":"a",` + getWeb + `},{"name":"b",` + chatTwo + `}]}`
		brisk  = `{"name":"brisk","timeout":"5s","steps":[{"name":"a",` + getWeb + `},{"name":"b",` + chatOne + `}],"output":1}`
	)
	for name, tt := range map[string]struct{ functions, steps, rest, want string }{
		"a chat":                   {"", step(chatOne), "", "10s 1-1 7"},
		"each endpoint is tried":   {"", step(chatTwo), "", "20s 1-2 14"},
		"its own timeout":          {"", step(chatTwo + `,"timeout":"4s"`), "", "4s 1-2 14"},
		"steps add up":             {"", step(chatOne) + "," + step(chatTwo), "", "30s 2-3 21"},
		"the route's timeout":      {"", step(chatTwo), `"timeout":"5s",`, "5s 1-2 14"},
		"a budget of calls":        {"", step(chatTwo), `"budget":{"maxCalls":1,"maxBytes":1},`, "20s 1-1 14"},
		"skipped":                  {"", step(chatTwo + `,"when":"${true}"`), "", "20s 0-2 14"},
		"it may fail":              {"", step(chatTwo + `,"onError":{"continue":{}}`), "", "20s 0-2 14"},
		"another value":            {"", step(chatTwo + `,"onError":{"value":1}`), "", "20s 0-2 14"},
		"an answer instead":        {"", step(chatOne) + "," + step(chatTwo+`,"onError":{"respond":{"status":200}}`), "", "30s 1-3 21"},
		"a refusal instead":        {"", step(chatOne) + "," + step(chatTwo+`,"onError":{"respond":{"status":503}}`), "", "30s 2-3 21"},
		"an answer before":         {"", step(chatOne) + "," + step(`"when":"${true}","respond":{"status":204}`) + "," + step(chatOne), "", "20s 1-2 14"},
		"a refusal before":         {"", step(chatOne) + "," + step(`"when":"${true}","respond":{"status":400}`) + "," + step(chatOne), "", "20s 2-2 14"},
		"nothing after an answer":  {"", step(chatOne) + "," + step(`"respond":{"status":200}`) + "," + step(chatOne), "", "10s 1-1 7"},
		"set":                      {"", step(`"set":{"value":1}`), "", "0s 0-0 0"},
		"http":                     {"", step(getWeb), "", "20s 1-2 0"},
		"a post is sent once":      {"", step(`"http":{"upstream":"web","method":"POST","path":"/"}`), "", "12s 1-2 0"},
		"a patch is sent once":     {"", step(`"http":{"upstream":"web","method":"PATCH","path":"/"}`), "", "12s 1-2 0"},
		"a put is repeated":        {"", step(`"http":{"upstream":"web","method":"PUT","path":"/"}`), "", "20s 1-2 0"},
		"embeddings write nothing": {"", step(`"embeddings":{"upstream":"two","input":"x"}`), "", "20s 1-2 0"},
		"repairs": {
			"", step(`"chat":{"upstream":"two","messages":[],"parameters":{"max_tokens":7},"output":{"schema":{},"repairAttempts":2}}`),
			"", "1m0s 1-6 42",
		},
		// Whichever is chosen.
		"one of two upstreams": {
			"", step(`"chat":{"upstream":"${x}","upstreams":["one","two"],"messages":[],"parameters":{"max_tokens":7}}`), "", "20s 1-2 14",
		},
		"one of two upstreams, the first slower": {
			"", step(`"embeddings":{"upstream":"${x}","upstreams":["two","one"],"input":"x"}`), "", "20s 1-2 0",
		},
		"one of two upstreams of an agent": {
			`{"name":"f","steps":[{"name":"a","set":{"value":1}}],"output":1}`,
			step(`"agent":{"upstream":"${x}","upstreams":["one","two"],"messages":[],"tools":["f"],"maxTurns":2,"maxParallel":1,"parameters":{"max_tokens":7}}`), "", "40s 1-4 28",
		},
		"one of two services":      {"", step(`"http":{"upstream":"${x}","upstreams":["one","web"],"method":"POST","path":"/"}`), "", "12s 1-2 0"},
		"max_completion_tokens":    {"", step(strings.Replace(chatOne, "max_tokens", "max_completion_tokens", 1)), "", "10s 1-1 7"},
		"neither max_tokens":       {"", step(strings.Replace(chatOne, `"parameters":{"max_tokens":7}`, silence, 1)), "", "10s 1-1 unlimited"},
		"max_tokens by a template": {"", step(strings.Replace(chatOne, "7", `"${7}"`, 1)), "", "10s 1-1 unlimited"},
		"one of two without":       {"", step(chatOne) + "," + step(strings.Replace(chatOne, `"parameters":{"max_tokens":7}`, silence, 1)), "", "20s 2-2 unlimited"},
		"a budget of tokens":       {"", step(strings.Replace(chatTwo, `"parameters":{"max_tokens":7}`, silence, 1)), `"budget":{"maxCalls":9,"maxTokens":5,"maxBytes":1},`, "20s 1-2 5"},
		"a budget that is ample":   {"", step(chatOne), `"budget":{"maxCalls":9,"maxTokens":50,"maxBytes":1},`, "10s 1-1 7"},
		"a budget of tokens for calls at once": {
			"", gathered("All", "", chatOne, chatOne, getWeb), `"budget":{"maxCalls":9,"maxTokens":5,"maxBytes":1},`, "20s 3-4 5",
		},
		"a budget of tokens for one call after the other": {
			"", step(strings.Replace(chatOne, `"parameters":{"max_tokens":7}`, silence, 1)) + "," + step(chatOne),
			`"budget":{"maxCalls":9,"maxTokens":5,"maxBytes":1},`, "20s 2-2 5",
		},
		"a function":           {lookup, step(`"call":{"function":"lookup"}`), "", "20s 1-2 0"},
		"a function's timeout": {brisk, step(`"call":{"function":"brisk"}`), "", "5s 2-3 7"},
		"a function twice":     {brisk, step(`"call":{"function":"brisk"}`) + "," + step(`"call":{"function":"brisk"}`), "", "10s 4-6 14"},

		"a dependency": {
			brisk + "," + lookup, step(chatOne), `"dependencies":[{"name":"x","function":"brisk"},{"name":"y","function":"lookup"}],`, "35s 4-6 14",
		},
		"a dependency of the service": {
			brisk + "," + lookup + `],"dependencies":[{"name":"x","function":"brisk"}`, step(chatOne), `"dependencies":[{"name":"y","function":"lookup"}],`, "35s 4-6 14",
		},
		"a dependency that refuses": {
			`{"name":"f","steps":[{"name":"a",` + getWeb + `},{"name":"b","when":"${true}","respond":{"status":401}}],"output":1}`,
			step(chatOne), `"dependencies":[{"name":"x","function":"f"}],`, "30s 2-3 7",
		},
		"a budget of dependencies": {
			lookup, step(chatOne), `"timeout":"9s","budget":{"maxCalls":2,"maxBytes":1},"dependencies":[{"name":"x","function":"lookup"}],`, "9s 2-2 7",
		},

		"all":               {"", gathered("All", "", chatOne, getWeb, chatTwo), "", "20s 3-5 21"},
		"all but one":       {"", gathered("All", "", chatOne, getWeb+`,"required":false`, chatTwo+`,"when":"${true}"`), "", "20s 1-5 21"},
		"all within":        {"", gathered("All", "", chatOne+`,"timeout":"1s"`, getWeb+`,"timeout":"2s"`), "", "2s 2-3 7"},
		"settled":           {"", gathered("AllSettled", "", chatOne, getWeb), "", "20s 0-3 7"},
		"settled, required": {"", gathered("AllSettled", "", chatOne, getWeb+`,"required":true`), "", "20s 1-3 7"},
		"first":             {"", gathered("First", "", chatTwo, chatOne), "", "20s 1-3 21"},
		"a hedge":           {"", gathered("First", `,"first":{"hedgeDelay":"4s"}`, chatOne, chatOne, chatTwo), "", "28s 1-4 28"},
		"a hedge that is not waited for": {
			"", gathered("First", `,"first":{"hedgeDelay":"4s"}`, chatOne+`,"timeout":"1s"`, chatOne), "", "11s 1-2 14",
		},
		"one branch has to run": {"", gathered("First", "", `"when":"${true}",`+chatOne, chatOne), "", "10s 1-2 14"},
		"all may be skipped":    {"", gathered("First", "", `"when":"${true}",`+chatOne, `"when":"${true}",`+chatOne), "", "10s 0-2 14"},
		"fallback":              {"", gathered("Fallback", "", chatTwo, chatOne), "", "30s 1-3 21"},
		"fallback, first token": {"", gathered("Fallback", `,"fallback":{"firstToken":"2s"}`, chatTwo, chatOne, chatOne+`,"timeout":"1s"`), "", "5s 1-4 28"},
		"vote":                  {"", gathered("Vote", `,"vote":{"key":"${1}","ties":"Fail"}`, chatOne, chatOne, chatTwo, chatTwo), "", "20s 3-6 42"},
		"vote, quorum":          {"", gathered("Vote", `,"vote":{"key":"${1}","ties":"Fail","quorum":2}`, chatOne, chatOne, chatTwo, chatTwo), "", "20s 2-6 42"},
		"vote, most":            {"", gathered("Vote", `,"vote":{"key":"${1}","ties":"MostVotes","quorum":3}`, chatOne, chatOne, chatTwo), "", "20s 1-4 28"},
		"the cheapest functions vote": {
			lookup + "," + brisk, gathered("Vote", `,"vote":{"key":"${1}","ties":"Fail"}`, `"call":{"function":"brisk"}`, `"call":{"function":"lookup"}`, `"call":{"function":"lookup"}`),
			"", "20s 2-7 7",
		},
		"for each":         {"", step(`"forEach":{"items":"${[]}","maxItems":7,"maxParallel":3,"do":{` + chatOne + `}}`), "", "30s 0-7 49"},
		"for each, within": {"", step(`"forEach":{"items":"${[]}","maxItems":7,"maxParallel":3,"do":{"timeout":"1s",` + chatOne + `}}`), "", "3s 0-7 49"},
		"for each, at once": {
			"", step(`"forEach":{"items":"${[]}","maxItems":7,"maxParallel":3,"do":{` + chatOne + `}}`),
			`"budget":{"maxCalls":9,"maxTokens":5,"maxBytes":1},`, "30s 0-7 5",
		},

		"a stream":            {"", step(chatTwo), `"response":{"stream":"s"},`, "6s 1-2 14"},
		"a function's stream": {told, step(`"call":{"function":"told"}`), `"response":{"stream":"s"},`, "26s 2-4 14"},
		"a function's events": {told, step(`"call":{"function":"told"}`), `"maxStreamDuration":"40s","response":{"events":{"steps":["s"]}},`, "40s 2-4 14"},
		"a function, whole":   {told, step(`"call":{"function":"told"}`), "", "40s 2-4 14"},
		"a function within its time": {
			strings.Replace(told, `"stream"`, `"timeout":"9s","stream"`, 1), step(`"call":{"function":"told"}`), `"response":{"stream":"s"},`, "9s 2-4 14",
		},
		"a fallback to a function's stream": {
			told, gathered("Fallback", `,"fallback":{"firstToken":"2s"}`, `"call":{"function":"told"}`, chatOne), `"response":{"stream":"g"},`, "5s 1-5 21",
		},
		"a function whose race is streamed": {
			`{"name":"f","stream":"g","steps":[` + gathered("Fallback", `,"fallback":{"firstToken":"2s"}`, chatTwo, chatOne) + `]}`,
			step(`"call":{"function":"f"}`), `"response":{"stream":"s"},`, "5s 1-3 21",
		},
		"a stream held back":    {"", step(chatTwo), `"response":{"stream":"s","schema":{},"commit":"AfterValidation"},`, "10m0s 1-2 14"},
		"a stream after a step": {"", `{"name":"a",` + chatTwo + `},` + step(chatTwo), `"response":{"stream":"s"},`, "26s 2-4 28"},
		"a stream of checked output": {
			"", step(`"chat":{"upstream":"one","messages":[],"parameters":{"max_tokens":7},"output":{"schema":{},"repairAttempts":1}}`),
			`"response":{"stream":"s"},`, "20s 1-2 14",
		},
		"a streamed race":     {"", gathered("First", `,"first":{"hedgeDelay":"2s"}`, chatTwo, chatOne), `"response":{"stream":"g"},`, "6s 1-3 21"},
		"a streamed fallback": {"", gathered("Fallback", `,"fallback":{"firstToken":"2s"}`, chatTwo, chatOne), `"response":{"stream":"g"},`, "5s 1-3 21"},
		"a fallback of opposites": {
			"", gathered("Fallback", "", `"when":"${a.b}",`+chatTwo, `"when":"${!a.b}",`+chatTwo, chatOne), "", "30s 1-3 21",
		},
		"opposites alone": {"", gathered("Fallback", "", `"when":"${a > 1}",`+chatTwo, `"when":"${!(a > 1)}",`+chatOne), "", "20s 1-2 14"},
		"a fallback whose last may be skipped": {
			"", gathered("Fallback", `,"fallback":{"firstToken":"2s"}`, chatOne, `"when":"${a}",`+getWeb), "", "22s 1-3 7",
		},
		"a bounded stream":   {"", step(chatTwo), `"maxStreamDuration":"4s","response":{"stream":"s"},`, "4s 1-2 14"},
		"bounded events":     {"", step(chatOne), `"maxStreamDuration":"40s","response":{"events":{"steps":["s"]}},`, "40s 1-1 7"},
		"events":             {"", step(chatOne), `"response":{"events":{"steps":["s"]}},`, "10m0s 1-1 7"},
		"events of a branch": {"", gathered("All", "", chatOne, chatOne), `"response":{"events":{"steps":["g.b"]}},`, "10m0s 2-2 14"},
		"events of a gather": {"", gathered("All", "", chatOne, chatOne), `"response":{"events":{"steps":["g"]}},`, "10m0s 2-2 14"},
		"events of a winner": {"", gathered("Fallback", "", chatOne, getWeb+`,"timeout":"5s"`), `"response":{"events":{"steps":["g"]}},`, "10m0s 1-3 7"},
		"events of progress": {"", step(chatOne), `"response":{"events":{"progress":true}},`, "10s 1-1 7"},
		"events of a fallback's last branch": {
			"", gathered("Fallback", `,"fallback":{"firstToken":"2s"}`, chatTwo, chatOne+`,"timeout":"9s"`),
			`"response":{"events":{"steps":["g.b"]}},`, "11s 1-3 21",
		},

		"an agent without calls": {`{"name":"f","steps":[{"name":"a","set":{"value":1}}],"output":1}`, agent("one", 3, 2, "f"), "", "30s 1-3 21"},
		// 99 calls are left for tools, between four turns, two at once: 99 = 3 + 2 * 48, so 51 rounds; of 20s each.
		"an agent":              {lookup, agent("one", 4, 2, "lookup"), `"timeout":"10h",`, "17m40s 1-100 28"},
		"an agent, one by one":  {lookup, agent("one", 4, 1, "lookup"), `"timeout":"10h",`, "33m40s 1-100 28"},
		"an agent of two tools": {lookup + "," + brisk, agent("one", 2, 99, "lookup", "brisk"), `"timeout":"10h",`, "40s 1-100 707"},
		"an agent's answer":     {lookup, agent("two", 1, 1, "lookup"), `"response":{"stream":"s"},"budget":{"maxCalls":1,"maxBytes":1},`, "6s 1-1 14"},
		"an agent's last turn":  {lookup, agent("two", 2, 1, "lookup"), `"response":{"stream":"s"},"budget":{"maxCalls":1,"maxBytes":1},`, "10m0s 1-1 28"},
		"tools at once": {
			brisk, agent("one", 4, 3, "brisk"), `"budget":{"maxCalls":9,"maxTokens":5,"maxBytes":1},`, "1m0s 1-9 5",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := bounded(t, tt.functions, tt.steps, tt.rest)
			b := Of(c, &c.Routes[0], 0)
			got := fmt.Sprintf("%s %d-%d %d", b.Latency.Max.Std(), b.Calls.Min, b.Calls.Max, b.Tokens.Max)
			if b.Tokens.Unlimited {
				got = fmt.Sprintf("%s %d-%d unlimited", b.Latency.Max.Std(), b.Calls.Min, b.Calls.Max)
			}
			if got != tt.want || b.Latency.Unlimited {
				t.Errorf("got  %s (unlimited %v)\nwant %s", got, b.Latency.Unlimited, tt.want)
			}
		})
	}
}

func agent(upstream string, turns, parallel int, tools ...string) string {
	return step(fmt.Sprintf(`"agent":{"upstream":%q,"messages":[],"tools":["%s"],"maxTurns":%d,"maxParallel":%d,"parameters":{"max_tokens":7}}`,
		upstream, strings.Join(tools, `","`), turns, parallel))
}

// What a person reads to find the field to change.
func TestBoundsSayWhy(t *testing.T) {
	const (
		lookup = `{"name":"lookup","steps":[{"name":"a",` + getWeb + `}],"output":1}`
		idle   = `{"name":"idle","steps":[{"name":"a","set":{"value":1}}],"output":1}`
	)
	for want, tt := range map[string]struct{ steps, rest string }{
		"3 turns, with the 50 rounds of tools that budget.maxCalls leaves": {agent("one", 3, 2, "lookup", "idle"), ""},
		"3 turns, with the 0 rounds of tools that budget.maxCalls leaves":  {agent("one", 3, 2, "idle"), ""},
		"function lookup": {step(`"call":{"function":"lookup"}`), ""},
		"timeouts.total of two, 10s, at 2 endpoints in turn":  {step(chatTwo), ""},
		"timeouts.total of two, 10s, at 2 endpoints in turn ": {step(`"chat":{"upstream":"${x}","upstreams":["one","two"],"messages":[]}`), ""},
		"timeouts.firstToken of one, 3s":                      {step(chatOne), `"response":{"stream":"s"},`},
		"streamed: only timeouts.idle of one, 4s":             {step(chatOne), `"response":{"events":{"steps":["s"]}},`},
		"maxStreamDuration":                                   {step(chatOne), `"maxStreamDuration":"9s","response":{"events":{"steps":["s"]}},`},
		"timeout":                                             {step(chatOne + `,"timeout":"2s"`), ""},
		"its branch b":                                        {gathered("All", "", chatOne, chatTwo), ""},
		"its branch b, started after 4s":                      {gathered("First", `,"first":{"hedgeDelay":"4s"}`, chatOne, chatOne), ""},
		"its branch b, started after 2s":                      {gathered("Fallback", `,"fallback":{"firstToken":"2s"}`, chatOne, chatOne), ""},
		"7 items, 3 at once":                                  {step(`"forEach":{"items":"${[]}","maxItems":7,"maxParallel":3,"do":{` + chatOne + `}}`), ""},
	} {
		c := bounded(t, lookup+","+idle, tt.steps, tt.rest)
		if got := Of(c, &c.Routes[0], 0).Steps[0].Latency.By; got != strings.TrimSpace(want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The replicas' bound of all streams holds for a route that sets none of its own, and for no whole answer.
func TestBoundsOfAllStreams(t *testing.T) {
	const events = `"response":{"events":{"steps":["s"]}},`
	for name, tt := range map[string]struct{ steps, rest, whole, part, by string }{
		"events":           {step(chatOne), events, "50s", "50s", "runtime.maxStreamDuration"},
		"the route's own":  {step(chatOne), `"maxStreamDuration":"40s",` + events, "40s", "40s", "maxStreamDuration"},
		"the step's own":   {step(chatOne + `,"timeout":"9s"`), events, "9s", "9s", "timeout"},
		"until content":    {step(chatOne), `"response":{"stream":"s"},`, "3s", "3s", "timeouts.firstToken of one, 3s"},
		"held back":        {step(chatOne), `"timeout":"20s","response":{"stream":"s","schema":{},"commit":"AfterValidation"},`, "20s", "50s", "runtime.maxStreamDuration"},
		"an agent's turns": {agent("one", 2, 1, "f"), events, "50s", "50s", "runtime.maxStreamDuration"},
		"a whole answer":   {step(`"forEach":{"items":"${[]}","maxItems":9,"maxParallel":1,"do":{` + chatOne + `}}`), "", "1m30s", "1m30s", "9 items, 1 at once"},
	} {
		c := bounded(t, `{"name":"f","steps":[{"name":"a","set":{"value":1}}],"output":1}`, tt.steps, tt.rest)
		b := Of(c, &c.Routes[0], config.Duration(50*time.Second))
		part := b.Steps[0]
		if b.Latency.String() != tt.whole || part.Latency.String() != tt.part || part.Latency.By != tt.by {
			t.Errorf("%s: %s, of which the step %+v; want %s, %s by %s", name, b.Latency, part.Latency, tt.whole, tt.part, tt.by)
		}
		if len(part.Parts) > 0 && part.Kind == "agent" && part.Parts[0].Latency.String() != "50s" {
			t.Errorf("%s: a turn takes %s, want 50s", name, part.Parts[0].Latency)
		}
	}
}

// A part of a route has what its own fields leave, and no more than the budget.
func TestBoundsOfParts(t *testing.T) {
	c := bounded(t, "", step(chatTwo), `"budget":{"maxCalls":1,"maxTokens":5,"maxBytes":1},`)
	want := Part{Path: "routes[0].steps[0]", Name: "s", Kind: "chat", Of: "two", Cost: Cost{
		Latency: Latency{Max: config.Duration(20 * time.Second), By: "timeouts.total of two, 10s, at 2 endpoints in turn"},
		Calls:   Calls{Min: 1, Max: 2}, Tokens: TokenBound{Max: 10},
	}}
	if diff := cmp.Diff([]Part{want}, Of(c, &c.Routes[0], 0).Steps, cmp.AllowUnexported(Cost{})); diff != "" {
		t.Error(diff)
	}
}

// Retries are attempts that all count, with the longest pauses between them.
func TestBoundsOfRetries(t *testing.T) {
	const post = `"http":{"upstream":"web","method":"POST","path":"/"}`
	three := &config.Retries{Attempts: 3, Backoff: &config.Backoff{Max: config.Duration(2 * time.Second)}}
	for name, tt := range map[string]struct {
		action, want, by string
		retries          *config.Retries
	}{
		"one endpoint":      {chatOne, "34s 1-3 21", "timeouts.total of one, 10s, in 3 attempts", three},
		"two endpoints":     {chatTwo, "32s 1-3 21", "timeouts.total of two, 10s, in 3 attempts", three},
		"not again":         {chatTwo, "10s 1-1 7", "timeouts.total of two, 10s", &config.Retries{Attempts: 1}},
		"as by default":     {chatTwo, "20s 1-2 14", "timeouts.total of two, 10s, at 2 endpoints in turn", &config.Retries{BudgetPercent: 5}},
		"a post on Connect": {post, "16s 1-3 0", "", three},
		"a post if told so": {post, "32s 1-3 0", "", &config.Retries{RetryOn: []string{"Reset"}, Attempts: 3, Backoff: three.Backoff}},
		"a post, otherwise": {post, "20s 1-2 0", "", &config.Retries{RetryOn: []string{"Connect", "ServerError"}}},
	} {
		c := bounded(t, "", step(tt.action), "")
		for i := range c.Upstreams {
			c.Upstreams[i].Retries = tt.retries
		}
		got := Of(c, &c.Routes[0], 0).Steps[0]
		text := fmt.Sprintf("%s %d-%d %d", got.Latency.Max.Std(), got.Calls.Min, got.Calls.Max, got.Tokens.Max)
		if text != tt.want || tt.by != "" && got.Latency.By != tt.by {
			t.Errorf("%s: %s, by %q; want %s, by %q", name, text, got.Latency.By, tt.want, tt.by)
		}
	}
}

// A host of which each address is an endpoint counts as the few that a request asks, unless its retries say otherwise.
func TestBoundsOfAddresses(t *testing.T) {
	for retries, want := range map[int]string{0: "30s 1-3 21", 1: "10s 1-1 7"} {
		c := bounded(t, "", step(chatOne), "")
		for i := range c.Upstreams {
			u := &c.Upstreams[i]
			u.Retries = &config.Retries{Attempts: retries}
			u.Endpoints[0].URL, u.Endpoints[0].Resolution = "http://pods.models.svc", config.ResolutionEachAddress
		}
		got := Of(c, &c.Routes[0], 0).Steps[0]
		if text := fmt.Sprintf("%s %d-%d %d", got.Latency.Max.Std(), got.Calls.Min, got.Calls.Max, got.Tokens.Max); text != want {
			t.Errorf("%d attempts: %s, want %s", retries, text, want)
		}
	}
}

func TestCountsEnd(t *testing.T) {
	got := []int{times(many, many), times(3, many/2), times(0, many), plus(many, many), times(3, 4)}
	if diff := cmp.Diff([]int{many, many, 0, many, 12}, got); diff != "" {
		t.Error(diff)
	}
	hour := Latency{Max: config.Duration(time.Hour)}
	for _, l := range []Latency{hour.times(many), hour.times(1 << 30), Latency{Max: 1 << 62}.plus(Latency{Max: 1 << 62})} {
		if !l.Unlimited || l.Max != 0 {
			t.Errorf("got %+v, want no limit", l)
		}
	}
}

// Refused is what can never be met, warned of is what only has no effect: each a path and a part of the message.
func TestUnmeetable(t *testing.T) {
	for name, tt := range map[string]struct{ functions, steps, rest, refused, warned string }{
		"fine": {"", step(chatOne), "", "", ""},
		"too few calls": {
			"", step(chatOne) + `,` + step(chatOne), `"budget":{"maxCalls":1,"maxBytes":1},`,
			"routes[0].budget.maxCalls: is 1, but each successful answer needs at least 2 calls", "",
		},
		"just enough calls": {"", step(chatOne) + `,` + step(chatOne), `"budget":{"maxCalls":2,"maxBytes":1},`, "", ""},
		"calls that may not suffice": {
			"", step(chatTwo), `"budget":{"maxCalls":1,"maxBytes":1},`, "", "routes[0].budget.maxCalls: is 1, and the steps may make more calls",
		},
		"a hedge after the route's end": {
			"", gathered("First", `,"first":{"hedgeDelay":"9s"}`, chatOne, chatOne), `"timeout":"9s",`,
			"routes[0].steps[0].gather.first.hedgeDelay: is 9s, but routes[0].timeout ends it after 9s", "branches[1]: may never be tried",
		},
		"a hedge before the route's end": {"", gathered("First", `,"first":{"hedgeDelay":"8s"}`, chatOne, chatOne), `"timeout":"9s",`, "", ""},
		"a hedge after the step's end": {
			"", strings.Replace(gathered("First", `,"first":{"hedgeDelay":"3s"}`, chatOne, chatOne), `"gather"`, `"timeout":"2s","gather"`, 1), "",
			"hedgeDelay: is 3s, but routes[0].steps[0].timeout ends it after 2s", "branches[1]: may never be tried",
		},
		"a fallback after the route's end": {
			"", gathered("Fallback", `,"fallback":{"firstToken":"5s"}`, chatOne, chatOne), `"timeout":"4s",`,
			"routes[0].steps[0].gather.fallback.firstToken: is 5s, but routes[0].timeout ends it after 4s", "branches[1]: may never be tried: the branches before it may take 5s",
		},
		"the last fallback after the route's end": {
			"", gathered("Fallback", `,"fallback":{"firstToken":"3s"}`, chatOne, chatOne, chatOne), `"timeout":"6s",`,
			"", "routes[0].steps[0].gather.branches[2]: may never be tried: the branches before it may take 6s, and routes[0].timeout ends it after 6s",
		},
		"a hedge in a function": {
			`{"name":"f","timeout":"1s","steps":[` + gathered("First", `,"first":{"hedgeDelay":"2s"}`, chatOne, chatOne) + `],"output":1}`,
			step(`"call":{"function":"f"}`), "",
			"functions[0].steps[0].gather.first.hedgeDelay: is 2s, but functions[0].timeout ends it after 1s", "branches[1]: may never be tried",
		},
		"a function that others leave more time": {
			`{"name":"f","steps":[` + gathered("First", `,"first":{"hedgeDelay":"2s"}`, chatOne, chatOne) + `],"output":1}`,
			step(`"call":{"function":"f"},"timeout":"1s"`), "", "", "",
		},
		"a hedge that nothing outlasts": {
			"", gathered("First", `,"first":{"hedgeDelay":"10s"}`, chatOne, chatOne), "", "", "hedgeDelay: is 10s but has no effect: each branch ends before it",
		},
		"a first token that nothing outlasts": {
			"", gathered("Fallback", `,"fallback":{"firstToken":"10s"}`, chatOne, chatOne), "", "", "firstToken: is 10s but has no effect: each branch ends before it",
		},
		"a timeout after the route's": {
			"", step(chatTwo + `,"timeout":"9s"`), `"timeout":"9s",`, "", "routes[0].steps[0].timeout: is 9s but has no effect: routes[0].timeout ends it after 9s",
		},
		"a timeout after the work": {
			"", step(chatOne + `,"timeout":"11s"`), "", "", "routes[0].steps[0].timeout: is 11s but has no effect: everything inside it takes at most 10s",
		},
		"a timeout as long as the work": {"", step(chatOne + `,"timeout":"10s"`), "", "", ""},
		"a fallback that may stream for long": {
			"", gathered("Fallback", `,"fallback":{"firstToken":"2s"}`, chatOne, chatOne), `"response":{"events":{"steps":["g.a"]}},`, "", "",
		},
		"a fallback in a stream of events": {
			"", gathered("Fallback", "", chatTwo, chatOne, chatOne), `"timeout":"30s","response":{"events":{"steps":["g"]}},`, "", "",
		},
		"a fallback that content may keep from being tried": {
			"", gathered("Fallback", "", chatTwo, chatOne, chatOne), `"timeout":"9s","response":{"events":{"steps":["g"]}},`,
			"", "branches[2]: may never be tried: the branches before it may take 9s, and routes[0].timeout ends it after 9s",
		},
		"a fallback of opposites within its time": {
			"", gathered("Fallback", "", `"when":"${a}",`+chatTwo, `"when":"${!a}",`+chatTwo, chatOne), `"timeout":"21s",`, "", "",
		},
		"a last branch's timeout after the first token": {
			"", gathered("Fallback", `,"fallback":{"firstToken":"2s"}`, chatOne, chatOne+`,"timeout":"5s"`), "", "", "",
		},
		"a branch's timeout after the step's": {
			"", strings.Replace(gathered("All", "", chatTwo+`,"timeout":"5s"`, chatOne), `"gather"`, `"timeout":"5s","gather"`, 1), "",
			"", "routes[0].steps[0].gather.branches[0].timeout: is 5s but has no effect: routes[0].steps[0].timeout ends it after 5s",
		},
		"a branch's timeout after its turn": {
			"", gathered("Fallback", `,"fallback":{"firstToken":"2s"}`, chatTwo+`,"timeout":"2s"`, chatOne, chatOne), "",
			"", "routes[0].steps[0].gather.branches[0].timeout: is 2s but has no effect: routes[0].steps[0].gather.fallback.firstToken ends it after 2s",
		},
		"an item's timeout after the step's": {
			"", step(`"timeout":"1s","forEach":{"items":"${[]}","maxItems":2,"maxParallel":2,"do":{"timeout":"2s",` + chatOne + `}}`), "",
			"", "routes[0].steps[0].forEach.do.timeout: is 2s but has no effect: routes[0].steps[0].timeout",
		},
		"a function's timeout after its work": {
			`{"name":"f","timeout":"11s","steps":[` + step(chatOne) + `],"output":1}`, step(`"call":{"function":"f"}`), "",
			"", "functions[0].timeout: is 11s but has no effect: everything inside it takes at most 10s",
		},
		// The route's timeout ends with the first content.
		"a stream's timeout": {"", step(chatOne + `,"timeout":"1m"`), `"timeout":"9s","response":{"stream":"s"},`, "", ""},
		"a hedge after the first content": {
			"", step(chatOne) + "," + gathered("First", `,"first":{"hedgeDelay":"5s"}`, chatOne, chatOne),
			`"timeout":"4s","response":{"events":{"steps":["s"]}},`, "", "",
		},
		"a hedge after a value": {
			"", `{"name":"v","set":{"value":1}},` + gathered("First", `,"first":{"hedgeDelay":"5s"}`, chatOne, chatOne),
			`"timeout":"4s","response":{"events":{"steps":["v"]}},`, "", "",
		},
		"a branch beside a value": {
			`{"name":"f","steps":[{"name":"a","set":{"value":1}}],"output":1}`,
			gathered("All", "", `"call":{"function":"f"}`, chatTwo+`,"timeout":"15s"`), `"timeout":"4s","response":{"events":{"steps":["g.a"]}},`, "", "",
		},
		"a branch beside a value that is not sent": {
			`{"name":"f","steps":[{"name":"a","set":{"value":1}}],"output":1}`,
			gathered("All", "", `"call":{"function":"f"}`, chatTwo+`,"timeout":"15s"`), `"timeout":"4s","response":{"events":{"progress":true}},`,
			"", "branches[1].timeout: is 15s but has no effect: routes[0].timeout ends it after 4s",
		},
		"a hedge after the stream's end": {
			"", step(chatOne) + "," + gathered("First", `,"first":{"hedgeDelay":"5s"}`, chatOne, chatOne),
			`"maxStreamDuration":"5s","timeout":"4s","response":{"events":{"steps":["s"]}},`,
			"hedgeDelay: is 5s, but routes[0].maxStreamDuration ends it after 5s", "branches[1]: may never be tried",
		},
		"a hedge after a stream's end that comes before the timeout": {
			"", gathered("First", `,"first":{"hedgeDelay":"5s"}`, chatOne, chatOne),
			`"maxStreamDuration":"4s","response":{"stream":"g"},`,
			"hedgeDelay: is 5s, but routes[0].maxStreamDuration ends it after 4s", "",
		},
		"a branch beside a stream": {
			"", gathered("All", "", chatOne, chatTwo+`,"timeout":"15s"`), `"timeout":"4s","response":{"events":{"steps":["g.a"]}},`, "", "",
		},
		"a hedge before the first content": {
			"", gathered("First", `,"first":{"hedgeDelay":"5s"}`, chatOne, chatOne),
			`"timeout":"4s","response":{"events":{"steps":["g.a"]}},`, "hedgeDelay: is 5s, but routes[0].timeout", "branches[1]: may never be tried",
		},
		"unlimited tokens": {
			"", step(strings.Replace(chatOne, `"parameters":{"max_tokens":7}`, silence, 1)), "", "", "routes[0].steps[0].chat.parameters: sets neither max_tokens",
		},
		"unlimited tokens within a budget": {
			"", step(strings.Replace(chatOne, `"parameters":{"max_tokens":7}`, silence, 1)), `"budget":{"maxCalls":1,"maxTokens":1,"maxBytes":1},`, "", "",
		},
		"a step after an answer": {
			"", step(`"respond":{"status":200}`) + "," + step(chatOne), "", "", "routes[0].steps[1]: never runs: s has answered before",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := bounded(t, tt.functions, tt.steps, tt.rest)
			check(t, "refused", Unmeetable(c), tt.refused)
			check(t, "warned of", Of(c, &c.Routes[0], 0).Warnings, tt.warned)
		})
	}
}

func check(t *testing.T, what string, got config.Errors, want string) {
	t.Helper()
	switch {
	case want == "" && len(got) > 0, want != "" && (len(got) != 1 || !strings.Contains(got[0].Error(), want)):
		t.Errorf("%s:\ngot  %v\nwant %s", what, got, want)
	}
}

// Functions that call each other multiply beyond what can be counted, or printed.
func TestBoundsOfManyCalls(t *testing.T) {
	functions := []string{`{"name":"f0","steps":[{"name":"a",` + chatOne + `}],"output":1}`}
	for i := 1; i < 32; i++ {
		call := fmt.Sprintf(`{"name":"a","call":{"function":"f%d"}}`, i-1)
		functions = append(functions, fmt.Sprintf(`{"name":"f%d","steps":[%s],"output":1}`, i, strings.Repeat(call+",", 15)+call))
	}
	c := bounded(t, strings.Join(functions, ","), step(`"call":{"function":"f31"}`), "")
	b := Of(c, &c.Routes[0], 0)
	if b.Calls.Max != 100 || b.Calls.Min != many || b.Tokens.Max != many || b.Latency.Max.Std().String() != "10m0s" || len(b.Functions) != 32 {
		t.Errorf("got %+v with %d functions", b.Cost, len(b.Functions))
	}
	if last := b.Functions[31].Latency; !last.Unlimited || last.Max != 0 {
		t.Errorf("the last function takes %+v", last)
	}
	check(t, "refused", Unmeetable(c), "at least very many calls")
}

// What Validate refuses is nothing to fall over.
func TestBoundsOfWhatIsWrong(t *testing.T) {
	for _, steps := range []string{
		step(`"call":{"function":"f"}`), step(`"call":{"function":"none"}`), step(`"chat":{"upstream":"none","messages":[]}`),
		step(`"http":{"upstream":"none","method":"POST","path":"/"}`), `{"name":"s"}`, gathered("None", ""), gathered("Vote", ""),
		step(`"agent":{"upstream":"none","messages":[],"tools":[],"maxTurns":0,"maxParallel":0}`),
		step(`"forEach":{"items":"","maxItems":0,"maxParallel":0,"do":{}}`),
	} {
		c := bounded(t, `{"name":"f","steps":[{"name":"a","call":{"function":"f"}}],"output":1}`, steps, `"response":null,`)
		b := Of(c, &c.Routes[0], 0)
		if diff := cmp.Diff(Latency{By: "its steps"}, b.Latency); diff != "" {
			t.Errorf("%s: %s", steps, diff)
		}
	}
}

// Functions that stream and race each other multiply beyond what could be walked each time.
func TestBoundsOfManyStreams(t *testing.T) {
	functions := []string{`{"name":"f0","stream":"g","steps":[` + gathered("First", "", chatOne, chatOne) + `]}`}
	for i := 1; i < 32; i++ {
		call := fmt.Sprintf(`"call":{"function":"f%d"}`, i-1)
		functions = append(functions, fmt.Sprintf(`{"name":"f%d","stream":"g","steps":[%s]}`, i, gathered("First", "", call, call, call, call)))
	}
	c := bounded(t, strings.Join(functions, ","), step(`"call":{"function":"f31"}`), `"response":{"stream":"s"},`)
	b := Of(c, &c.Routes[0], 0)
	if b.Calls.Max != 100 || b.Latency.Max.Std() != 3*time.Second || len(b.Functions) != 32 {
		t.Errorf("got %+v with %d functions", b.Cost, len(b.Functions))
	}
}
