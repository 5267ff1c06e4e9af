package flow

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/llmservice/llmservice/runtime/flow/gather"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// No matter what goes wrong, neither clients, nor logs, nor progress events show what was asked, what upstreams said about it,
// or what a model passed to its tools. A client gets a model's own tool calls if it gets the model's stream.
func TestNothingLeaksThroughFaults(t *testing.T) {
	const mark = "MARK"
	functions := `[{"name":"look","input":{"type":"object","required":["q"],"properties":{"q":{"type":"integer"}}},"output":"${steps.x.body.none}",
		"steps":[{"name":"x","http":{"upstream":"web","method":"POST","path":"/x/${string(input.q)}","body":{"q":"${input.q}"}}}]}]`
	prompt := `"messages":[{"role":"user","content":"${request.body.q}"}]`
	agent := `{"name":"s","agent":{"upstream":"a","tools":["look"],"maxTurns":2,"maxParallel":2,` + prompt + `}}`
	output := `{"name":"s","chat":{"upstream":"a","output":{"schema":{"type":"object","additionalProperties":false},"repairAttempts":1},` + prompt + `}}`
	plainChat := `{"name":"s",` + chatOf("a") + `}`
	web := `{"name":"s","http":{"upstream":"web","method":"GET","path":"/x","query":{"q":"${request.body.q}"},"headers":{"X-Q":"${request.body.q}"}}}`
	routes := map[string]string{
		"chat":                answering(`1`, plainChat),
		"chat, relayed":       streaming(`"stream":"s"`, plainChat),
		"chat, streamed":      streaming(`"stream":"s","format":"Text","schema":{"type":"integer"}`, plainChat),
		"embeddings":          answering(`1`, `{"name":"s","embeddings":{"upstream":"a","input":"${request.body.q}"}}`),
		"output":              answering(`1`, output),
		"http":                answering(`1`, web),
		"an agent":            answering(`1`, agent),
		"an agent's events":   streaming(`"events":{"steps":["s"],"progress":true}`, agent),
		"a vote":              answering(`1`, gatherOf("Vote", `"vote":{"key":"${result.text}","ties":"Fail"}`, "a", "a")),
		"a bad vote":          answering(`1`, gatherOf("Vote", `"vote":{"key":"${string(int(result.text))}","ties":"Fail"}`, "a", "a")),
		"a race":              answering(`1`, gatherOf("First", "", "a", "a")),
		"expressions":         answering(`1`, `{"name":"s","set":{"value":"${int(request.body.q)}"}}`),
		"a missing key":       answering(`1`, `{"name":"s","set":{"value":"${ {'x': 1}[request.body.q] }"}}`),
		"a call":              answering(`1`, `{"name":"s","call":{"function":"look","input":{"q":"${request.body.q}"}}}`),
		"a history":           answering(`1`, `{"name":"s","chat":{"upstream":"a","messages":[{"history":"${[request.body.q]}"}]}}`),
		"an answer's promise": `{"steps":[` + plainChat + `],"response":{"body":{"x":"${steps.s.text}"},"schema":{"properties":{"x":{"enum":["y"]}}}}}`,
	}
	scripts := map[string]upstreamFunc{
		"refuses":      fails(400),
		"fails":        fails(500),
		"errors":       func(*asked) canned { return canned{err: errors.New("dial 10.0.0.1: refused")} },
		"no JSON":      func(*asked) canned { return jsonOf(200, `{"choices":"`+mark) },
		"another type": func(*asked) canned { return jsonOf(200, `{"choices":"`+mark+`","data":"`+mark+`"}`) },
		"a bad member": func(*asked) canned {
			return jsonOf(200, `{"choices":[{"message":{"content":12`+"34"+`,"`+mark+`":1}}],"data":[{"embedding":["`+mark+`"]}]}`)
		},
		"a bad name": func(*asked) canned { return jsonOf(200, `{"`+mark+`":1,"`+mark+`":2,"choices":[],"data":[]}`) },
		"an error event": func(c *asked) canned {
			return streams(c, []part{{text: "data: {\"error\":{\"message\":\"" + mark + "\"}}\n\n"}})
		},
		"garbage": func(c *asked) canned { return streams(c, []part{{text: "data: {" + mark + "\n\n"}}) },
		"calls tools badly": func(c *asked) canned {
			return calls(c, "", toolCall{"1", "look", `{"q":"` + mark + `"}`}, toolCall{"2", "look", `{"` + mark})
		},
		"calls tools": func(c *asked) canned { return calls(c, "", toolCall{"1", "look", `{"q":7}`}) },
	}
	for name, route := range routes {
		for what, script := range scripts {
			t.Run(name+" "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, settings{functions: functions}, map[string]upstreamFunc{"a": script, "web": fails(418)}, route)
					g := w.do(t.Context(), "/", `{"q":"`+mark+`"}`, http.Header{"X-Secret": {mark}})
					seen := fmt.Sprint(g.body, g.header, w.noted(&w.reports), w.noted(&w.observed), w.noted(&w.panics))
					for _, o := range w.outcomes {
						seen += fmt.Sprint(o.Err)
					}
					if own := name == "chat, relayed" && what == "calls tools badly"; strings.Contains(seen, mark) != own {
						t.Errorf("leaked: %s", seen)
					}
				})
			})
		}
	}
}

// The codes that clients get, by kind of error.
func TestProblemsOfErrors(t *testing.T) {
	unavailable := relay.Failure{Kind: relay.FailedStatus, Status: 503}
	plainError := errors.New("no such thing")
	for name, tt := range map[string]struct {
		err  error
		code problem.Code
		kind relay.FailureKind
	}{
		"a failure":                     {unavailable, problem.UpstreamUnavailable, relay.FailedStatus},
		"a failure of a branch":         {fmt.Errorf("step x: %w", &gather.BranchError{Branch: "b", Err: unavailable}), problem.UpstreamUnavailable, relay.FailedStatus},
		"a problem":                     {fmt.Errorf("step x: %w", problem.New(problem.TurnsExceeded)), problem.TurnsExceeded, relay.NoFailure},
		"a problem caused by a failure": {problem.New(problem.VoteUndecided).WithCause(unavailable), problem.VoteUndecided, relay.NoFailure},
		"a failure caused by a problem": {relay.Failure{Kind: relay.FailedTruncated, Err: problem.New(problem.OutputInvalid)}, problem.UpstreamTruncated, relay.FailedTruncated},
		"the first of several":          {errors.Join(plainError, unavailable, problem.New(problem.TurnsExceeded)), problem.UpstreamUnavailable, relay.FailedStatus},
		"anything else":                 {plainError, problem.Internal, relay.NoFailure},
		"several of anything else":      {errors.Join(plainError, plainError), problem.Internal, relay.NoFailure},
	} {
		if e := upstream.Problem(tt.err); e.Code != tt.code {
			t.Errorf("%s: %s, want %s", name, e.Code, tt.code)
		}
		if kind := relay.FailureKindOf(tt.err); kind != tt.kind {
			t.Errorf("%s: %s, want %s", name, kind, tt.kind)
		}
	}
}

// Compile needs everything to which a program refers.
func TestCompileNamesWhatIsMissing(t *testing.T) {
	p := compiled(t, settings{}, answering(`1`, `{"name":"s",`+chatOf("a")+`}`))
	_, err := Compile(p, &Environment{})
	if err == nil || err.Error() != `routes[0] (POST /): steps[0] (s): there is no upstream "a"` {
		t.Error(err)
	}
}
