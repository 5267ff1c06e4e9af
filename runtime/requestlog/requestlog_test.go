package requestlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// logs are the lines that a record's life has left, without their times.
type logs struct{ bytes.Buffer }

func (l *logs) begin(level slog.Level, all bool) *Record {
	logger := slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: level}))
	r := &Record{}
	r.Begin(Options{Logger: logger, Revision: "r1", All: all}, http.Header{IDHeader: {"a"}, traceParent: {parent}})
	return r
}

func (l *logs) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	for text := range bytes.Lines(l.Bytes()) {
		line := map[string]any{}
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatal(err)
		}
		delete(line, "time")
		lines = append(lines, line)
	}
	return lines
}

var refused = relay.Failure{Kind: relay.FailedStatus, Status: 503}

// TestOneLineOfARequestThatFailed: it names the place and the call that the error is of, and not those of others that failed, too.
func TestOneLineOfARequestThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l logs
		r := l.begin(slog.LevelInfo, false)
		whole := r.In(t.Context())
		step := At(whole, "steps", "answer")
		big, small := At(step, "branches", "big"), At(step, "branches", "small")
		began := time.Now()
		time.Sleep(1500 * time.Millisecond)
		Attempted(small, Attempt{Upstream: "small", URL: "http://small.test:8000/v1?key=secret", Number: 1, Began: began, Failure: refused})
		Attempted(big, Attempt{Upstream: "big", URL: "http://user:word@big.test:8000/v1?key=secret", Number: 1, Began: began, Failure: refused})
		Attempted(big, Attempt{Upstream: "big", URL: "http://user:word@big.test:8000/v1?key=secret", Number: 2, Began: began, Failure: refused})
		Used(small, Usage{Input: 9, Output: 1})
		Used(big, Usage{Input: 2, Estimated: true})
		_ = Placed(small, refused) // which is made good
		err := Placed(step, Placed(big, refused))
		r.Failed(InPlaceOf(err, refused))
		r.End("POST", "/ask", relay.Outcome{Result: relay.Replied, Status: 502})
		want := []map[string]any{{
			"level": "WARN", "msg": MessageFailed, "request": "a", "trace": parent[3:35], "revision": "r1", "method": "POST", "route": "/ask",
			"result": "replied", "status": 502.0, "seconds": 1.5, "attempts": 3.0, "inputTokens": 11.0, "outputTokens": 1.0, "tokensEstimated": true, "at": "steps[answer].branches[big]",
			"upstream": "big", "endpoint": "big.test:8000", "attempt": 2.0, "attemptSeconds": 1.5, "upstreamStatus": 503.0,
			"cause": "upstream answered with status 503",
		}}
		if diff := cmp.Diff(want, l.lines(t)); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	})
}

// own is what a route has answered itself, in an error event.
func own(status int) error {
	e := problem.New(problem.InvalidRequest)
	e.Answer = &problem.Answer{Status: status}
	return e
}

func TestWhichRequestsAreLogged(t *testing.T) {
	wrong := problem.New(problem.InvalidRequest)
	for name, tt := range map[string]struct {
		outcome     relay.Outcome
		failed      error
		fault       error
		level, want string
		all         string
	}{
		"answered":                       {relay.Outcome{Result: relay.Replied, Status: 200}, nil, nil, "", "", MessageAnswered},
		"a client's mistake":             {relay.Outcome{Result: relay.Replied, Status: 422}, wrong, nil, "", "", MessageAnswered},
		"a full replica":                 {relay.Outcome{Result: relay.Replied, Status: 429}, problem.Busy(time.Second), nil, "", "", MessageAnswered},
		"a full upstream":                {relay.Outcome{Result: relay.Replied, Status: 429}, refused, nil, "WARN", MessageFailed, MessageFailed},
		"an upstream":                    {relay.Outcome{Result: relay.Replied, Status: 502}, refused, nil, "WARN", MessageFailed, MessageFailed},
		"a fault":                        {relay.Outcome{Result: relay.Replied, Status: 500}, errors.New("x"), errors.New("x"), "ERROR", MessageFailed, MessageFailed},
		"a stream":                       {relay.Outcome{Result: relay.StreamFailed, Status: 200, Err: refused}, nil, nil, "WARN", MessageFailed, MessageFailed},
		"a stream that a step refuses":   {relay.Outcome{Result: relay.StreamFailed, Status: 200, Err: own(410)}, nil, nil, "", "", MessageAnswered},
		"a stream that a step breaks":    {relay.Outcome{Result: relay.StreamFailed, Status: 200, Err: own(500)}, nil, nil, "WARN", MessageFailed, MessageFailed},
		"a stream refused for a failure": {relay.Outcome{Result: relay.StreamFailed, Status: 200, Err: errors.Join(own(410), refused)}, nil, nil, "WARN", MessageFailed, MessageFailed},
		"a stream that is done":          {relay.Outcome{Result: relay.StreamDone, Status: 200}, nil, nil, "", "", MessageAnswered},
		"a client that left":             {relay.Outcome{Result: relay.ClientLeft, Status: 200, Err: relay.Failure{Kind: relay.FailedClient}}, nil, nil, "", "", MessageAnswered},
		"a client that left early":       {relay.Outcome{Result: relay.ClientLeft, Status: 502}, refused, refused, "", "", MessageAnswered},
		"answered in spite of faults":    {relay.Outcome{Result: relay.Replied, Status: 200}, nil, errors.New("x"), "WARN", MessageFault, MessageFault},
	} {
		t.Run(name, func(t *testing.T) {
			for _, all := range []bool{false, true} {
				var l logs
				r := l.begin(slog.LevelInfo, all)
				r.Failed(tt.failed)
				if tt.fault != nil {
					r.Fault(tt.fault)
				}
				r.End("POST", "/ask", tt.outcome)
				want, level := tt.want, tt.level
				if all && want == "" {
					want, level = tt.all, "INFO"
				}
				lines := l.lines(t)
				if want == "" && len(lines) == 0 {
					continue
				}
				if len(lines) != 1 || lines[0]["msg"] != want || lines[0]["level"] != level {
					t.Errorf("all = %v: %v, want one %q of level %q", all, lines, want, level)
				}
			}
		})
	}
}

func TestEachAttemptAtTheLevelDebug(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelDebug} {
		var l logs
		at := At(l.begin(level, false).In(t.Context()), "steps", "s")
		for number, f := range []relay.Failure{refused, {Kind: relay.FailedSuperseded}, {}} {
			Attempted(at, Attempt{Upstream: "a", URL: "http://a.test", Number: number + 1, Began: time.Now(), Failure: f})
		}
		var got []string
		for _, line := range l.lines(t) {
			failure, _ := line["failure"].(string)
			got = append(got, line["msg"].(string)+"|"+line["at"].(string)+"|"+line["endpoint"].(string)+"|"+failure)
		}
		want := []string{
			"upstream attempt failed|steps[s]|a.test|upstream answered with status 503", "upstream attempt|steps[s]|a.test|superseded", "upstream attempt|steps[s]|a.test|",
		}
		if level == slog.LevelInfo {
			want = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", level, diff)
		}
	}
}

// TestTimeThatRanOutHasAPlace: what ended the work does not know where it was.
func TestTimeThatRanOutHasAPlace(t *testing.T) {
	for kind, want := range map[relay.FailureKind]any{relay.FailedTimeout: "steps[slow]", relay.FailedPanic: nil} {
		var l logs
		r := l.begin(slog.LevelInfo, false)
		_ = Placed(At(r.In(t.Context()), "steps", "slow"), relay.Failure{Kind: relay.FailedTimeout})
		r.Failed(relay.Failure{Kind: kind})
		r.End("POST", "/ask", relay.Outcome{Result: relay.Replied, Status: 504})
		if got := l.lines(t)[0]["at"]; got != want {
			t.Errorf("%s: at %v, want %v", kind, got, want)
		}
	}
}

// TestNobodyFollows: work that is done for no request, as in a test, leaves no trace.
func TestNobodyFollows(t *testing.T) {
	ctx := At(context.Background(), "steps", "s")
	Attempted(ctx, Attempt{Failure: refused})
	Used(ctx, Usage{Input: 1})
	if err := Placed(ctx, refused); !errors.Is(err, refused) || err.Error() != refused.Error() || Placed(ctx, nil) != nil {
		t.Errorf("Placed() = %v", err)
	}
	Of(ctx).Failed(refused)
	Of(ctx).Fault(refused)
	if IdentityIn(ctx) != nil {
		t.Error("it has an identity")
	}
}
