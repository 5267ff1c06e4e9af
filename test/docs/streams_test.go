package docs_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/format"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// TestErrorEvents compares the tables of what ends a stream with the events that the gateway makes.
func TestErrorEvents(t *testing.T) {
	const page = "docs/streams.md"
	always, early := map[string]string{}, map[string]string{}
	for _, failure := range failures(t) {
		e := eventError(t, abort(failure))
		if endsStream(failure) {
			always[e.Code] = e.Type
		} else if always[e.Code] == "" {
			early[e.Code] = e.Type
		}
	}
	for cause, want := range map[string]map[string]string{"cause": always, "cause, before content": early} {
		got := map[string]string{}
		for _, row := range table(t, page, "code", "type", cause) {
			got[codes(row[0])[0]] = codes(row[1])[0]
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s, %s (-code +page):\n%s", page, cause, diff)
		}
	}
}

// failures are the ways in which a call may fail, and in which a route's own steps may; those that end streams that have
// begun stand first.
func failures(t *testing.T) []error {
	t.Helper()
	var all []error
	for _, value := range valuesOf(t, "runtime/relay", "FailureKind") {
		all = append(all, relay.Failure{Kind: relay.FailureKind(value)})
	}
	for _, code := range []problem.Code{problem.OutputInvalid, problem.TurnsExceeded, problem.VoteUndecided} {
		all = append(all, problem.New(code))
	}
	for _, status := range []int{400, 401, 408, 422, 429, 500, 503, 504} {
		all = append(all, relay.Failure{Kind: relay.FailedStatus, Status: status})
	}
	// Nobody is told of these.
	all = slices.DeleteFunc(all, func(err error) bool {
		f, ok := errors.AsType[relay.Failure](err)
		return ok && slices.Contains([]relay.FailureKind{relay.NoFailure, relay.FailedClient, relay.FailedSuperseded}, f.Kind)
	})
	slices.SortStableFunc(all, func(a, b error) int {
		return cmp.Compare(btoi(endsStream(b)), btoi(endsStream(a)))
	})
	return all
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// endsStream reports whether a failure may end a stream of one upstream that has begun with its content. The others come
// before content, or are of whole answers: they end a stream that something else has begun.
func endsStream(err error) bool {
	return !slices.Contains([]relay.FailureKind{
		relay.FailedConnect, relay.FailedDial, relay.FailedHeader, relay.FailedAddress, relay.FailedStatus, relay.FailedCredential, relay.FailedFirstToken, relay.FailedTimeout,
		relay.FailedTotal,
	}, relay.FailureKindOf(err))
}

// abort is the event that ends a stream of chunks.
func abort(err error) []byte { return openai.Dialect{}.AppendError(nil, upstream.Problem(err)) }

type apiError struct {
	Type string `json:"type"`
	Code string `json:"code"`
}

func eventError(t *testing.T, event []byte) apiError {
	t.Helper()
	var body struct {
		Error apiError `json:"error"`
	}
	data, found := strings.CutPrefix(string(event), "data: ")
	if err := json.Unmarshal([]byte(data), &body); !found || err != nil {
		t.Fatalf("event %q: %v", event, err)
	}
	return body.Error
}

// TestFormats compares the bytes that the page has for each format with those that are written.
func TestFormats(t *testing.T) {
	const page = "docs/streams.md"
	broken := upstream.Problem(relay.Failure{Kind: relay.FailedTruncated})
	hello, usage := []byte("Hello"), jsontext.Value(`{"total_tokens":9}`)
	var events format.Events
	want := map[string][]string{ // text, done, error
		"OpenAI": {"", string(openai.Dialect{}.AppendDone(nil, "stop", usage)), string(openai.Dialect{}.AppendError(nil, broken))},
		"events": {
			string(format.NewStep("answer").Delta(nil, hello)), string(events.Done(nil, usage)), string(events.Error(nil, broken)),
		},
	}
	for _, f := range format.All {
		w := f.New()
		want[f.Name] = []string{string(w.Delta(nil, hello)), string(w.Done(nil, "stop", usage)), string(w.Error(nil, broken))}
	}
	got := map[string][]string{}
	for _, row := range table(t, page, "format", "where", "the text `Hello`") {
		text := ""
		if shown := codes(row[2]); len(shown) > 0 {
			text = unescaped(shown[0])
		}
		got[row[0]] = []string{text}
	}
	for _, row := range table(t, page, "format", "done", "error") {
		got[row[0]] = append(got[row[0]], unescaped(codes(row[1])[0]), unescaped(codes(row[2])[0]))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-code +page):\n%s", page, diff)
	}
}

// TestTheAPIHasEachFormat looks for the formats of runtime/format in the API.
func TestTheAPIHasEachFormat(t *testing.T) {
	names := []string{config.FormatOpenAI}
	for _, f := range format.All {
		names = append(names, f.Name)
	}
	if want := "Enum: [" + strings.Join(names, " ") + "]"; !strings.Contains(read(t, "docs/reference/api.md"), want) {
		t.Errorf("no field of the API has %s", want)
	}
}

// unescaped are bytes of which the page writes line feeds as \n.
func unescaped(text string) string { return strings.ReplaceAll(text, `\n`, "\n") }

// TestNamedEvents writes the stream that the page shows anew.
func TestNamedEvents(t *testing.T) {
	var events format.Events
	draft, title := format.NewStep("draft"), format.NewStep("title")
	var want []byte
	for _, write := range []func([]byte) []byte{
		func(b []byte) []byte { return events.Progress(b, jsontext.Value(`{"step":"draft","state":"started"}`)) },
		func(b []byte) []byte { return draft.Delta(b, []byte("Tea is")) },
		func(b []byte) []byte { return draft.Delta(b, []byte(" a drink.")) },
		func(b []byte) []byte {
			return events.Progress(b, jsontext.Value(`{"step":"draft","state":"succeeded"}`))
		},
		func(b []byte) []byte { return events.Progress(b, jsontext.Value(`{"step":"title","state":"started"}`)) },
		func(b []byte) []byte { return title.Delta(b, []byte("Tea")) },
		func(b []byte) []byte {
			return events.Progress(b, jsontext.Value(`{"step":"title","state":"succeeded"}`))
		},
		func(b []byte) []byte { return events.Result(b, jsontext.Value(`{"title":"Tea","words":4}`)) },
		func(b []byte) []byte {
			return events.Done(b, jsontext.Value(`{"prompt_tokens":21,"completion_tokens":6,"total_tokens":27}`))
		},
	} {
		want = write(want)
	}
	if diff := gocmp.Diff(string(want), fenceAfter(t, read(t, "docs/streams.md"), "\nanswers\n")); diff != "" {
		t.Errorf("docs/streams.md (-gateway +page):\n%s", diff)
	}
}

// TestValuesAndMarks writes the events anew that the page shows of steps that are no models, and those with an id and the time to wait.
func TestValuesAndMarks(t *testing.T) {
	const page = "docs/streams.md"
	var events format.Events
	outline := events.Done(events.Value(nil, "outline", jsontext.Value(`{"parts":3,"title":"About tea"}`)), nil)
	if diff := gocmp.Diff(string(outline), fenceAfter(t, read(t, page), "response: {events: {steps: [outline]}}\n```\n\nanswers\n")); diff != "" {
		t.Errorf("%s (-gateway +page):\n%s", page, diff)
	}
	marks := format.Fields{IDs: true, Retry: 5 * time.Second}
	count, _ := marks.Add(nil, events.Done(events.Value(nil, "count", jsontext.Value(`1`)), nil))
	if diff := gocmp.Diff(string(count), fenceAfter(t, read(t, page), "as in FastAPI:\n")); diff != "" {
		t.Errorf("%s (-gateway +page):\n%s", page, diff)
	}
}

// TestErrorEventToItsLastByte compares the bytes that the page shows with those that the gateway sends.
func TestErrorEventToItsLastByte(t *testing.T) {
	shown := fenceAfter(t, read(t, "docs/streams.md"), "to its last byte")
	if diff := gocmp.Diff(string(abort(relay.Failure{Kind: relay.FailedTruncated})), shown); diff != "" {
		t.Errorf("docs/streams.md (-gateway +page):\n%s", diff)
	}
}
