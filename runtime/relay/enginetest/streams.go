package enginetest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// play is a stream that does word by word what a line says: p, c and d send progress, content and the end; a duration waits,
// after a * also beyond the end of the context; fail, reply and panic are what they say.
func play(line string) *relay.Stream {
	return &relay.Stream{
		Run: func(ctx context.Context, out relay.Sink) error {
			for word := range strings.FieldsSeq(line) {
				if err := act(ctx, out, word); err != nil {
					return relay.FailureOf(ctx, err, relay.FailedEvent)
				}
			}
			return nil
		},
		Refuse:      func(error) *relay.Reply { return answer(http.StatusBadGateway) },
		Abort:       func(err error) []byte { return []byte("data: abort " + string(relay.FailureKindOf(err)) + "\n\n") },
		Timeout:     time.Hour,
		MaxDuration: time.Hour,
	}
}

func act(ctx context.Context, out relay.Sink, word string) error {
	kinds := map[string]relay.EventKind{"p": relay.Preamble, "c": relay.Content, "d": relay.Done}
	if kind, ok := kinds[word]; ok {
		return out.Send([]byte("data: "+word+"\n\n"), kind) //nolint:wrapcheck // it is a Failure
	}
	switch word {
	case "fail":
		return relay.Failure{Kind: relay.FailedEvent}
	case "reply":
		return out.Reply(answer(http.StatusTeapot)) //nolint:wrapcheck // it is a Failure
	case "panic":
		panic(word)
	}
	rest, stays := strings.CutPrefix(word, "*")
	wait, err := time.ParseDuration(rest)
	if err != nil {
		panic(err)
	}
	ended := ctx.Done()
	if stays {
		ended = nil
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ended:
		return ctx.Err() //nolint:wrapcheck // FailureOf looks at its cause
	}
}

// streamRow is a stream, and what becomes of it.
type streamRow struct {
	name, play                   string
	timeout, duration, keepAlive time.Duration
	status                       int    // 0 is 200
	want                         string // the events, each with its second
	untimed                      bool   // an engine may send it later
	result                       relay.Result
	failure                      relay.FailureKind
}

func streamChecks() []check {
	var checks []check
	for _, row := range slices.Concat(endings(), silences(), deadlines()) {
		checks = append(checks, check{"streams: " + row.name, row.run})
	}
	return checks
}

const (
	failed, done = relay.StreamFailed, relay.StreamDone
	broke        = relay.FailedEvent
)

// endings are how a stream may end by itself.
func endings() []streamRow {
	return []streamRow{
		{name: "done", play: "p c d", want: "0s p, 0s c, 0s d", result: done},
		{name: "events come as they are sent", play: "5s c 5s c 5s d", want: "5s c, 10s c, 15s d", result: done},
		{name: "nothing follows the end", play: "c d c", want: "0s c, 0s d", result: done, failure: relay.FailedPanic},
		{
			name: "a failure before anything", play: "5s fail", status: 502,
			want: "5s reply", result: failed, failure: broke,
		},
		{name: "a failure after progress", play: "p fail", want: "0s p, 0s abort error_event", result: failed, failure: broke},
		{name: "a failure after content", play: "c fail", want: "0s c, 0s abort error_event", result: failed, failure: broke},
		{name: "no end", play: "c", want: "0s c, 0s abort panic", result: failed, failure: relay.FailedPanic},
		{name: "nothing at all", play: "", status: 502, want: "0s reply", result: failed, failure: relay.FailedPanic},
		{name: "a reply instead", play: "reply", status: 418, want: "0s reply", result: relay.Replied},
		{name: "a reply too late", play: "c reply", want: "0s c, 0s abort panic", result: failed, failure: relay.FailedPanic},
		{name: "a panic before anything", play: "panic", status: 500, want: "0s reply", result: failed, failure: relay.FailedPanic},
		{name: "a panic after content", play: "c panic", want: "0s c, 0s abort panic", result: failed, failure: relay.FailedPanic},
		{name: "a panic after the end", play: "c d panic", want: "0s c, 0s d", result: failed, failure: relay.FailedPanic},
	}
}

// silences are filled with comments, if that is asked for.
func silences() []streamRow {
	return []streamRow{
		{
			name: "a silence is filled with comments", play: "25s c d", keepAlive: 10 * time.Second,
			want: "10s : keep-alive, 20s : keep-alive, 25s c, 25s d", result: done,
		},
		{
			name: "a failure after a comment", play: "15s fail", keepAlive: 10 * time.Second,
			want: "10s : keep-alive, 15s abort error_event", result: failed, failure: broke,
		},
		{name: "no comment after the end", play: "c d *1h", keepAlive: time.Second, want: "0s c, 0s d", result: done},
		{
			name: "no comment in a reply", play: "reply *10s", keepAlive: time.Second, status: 418, untimed: true,
			want: "reply", result: relay.Replied,
		},
	}
}

// deadlines end streams that are late.
func deadlines() []streamRow {
	return []streamRow{
		{
			name: "no content in time", play: "1m", timeout: 5 * time.Second, status: 502,
			want: "5s reply", result: failed, failure: relay.FailedTimeout,
		},
		{
			name: "progress is not content", play: "p 1m", timeout: 5 * time.Second,
			want: "0s p, 5s abort timeout", result: failed, failure: relay.FailedTimeout,
		},
		{
			name: "a comment is not content", play: "1m", timeout: 15 * time.Second, keepAlive: 10 * time.Second,
			want: "10s : keep-alive, 15s abort timeout", result: failed, failure: relay.FailedTimeout,
		},
		{name: "content in time", play: "c 1m d", timeout: 5 * time.Second, want: "0s c, 60s d", result: done},
		{
			name: "content too late", play: "*1m c d", timeout: 5 * time.Second, status: 502,
			want: "60s reply", result: failed, failure: relay.FailedTimeout,
		},
		{
			name: "a stream that lasts too long", play: "c 1m d", duration: 20 * time.Second,
			want: "0s c, 20s abort stream_duration", result: failed, failure: relay.FailedDuration,
		},
	}
}

func (row streamRow) run(t *testing.T, s *stand) {
	t.Helper()
	stream := play(row.play)
	stream.KeepAlive = row.keepAlive
	if row.timeout > 0 {
		stream.Timeout = row.timeout
	}
	if row.duration > 0 {
		stream.MaxDuration = row.duration
	}
	p := streaming(stream)
	s.serve(p)
	answer := read(t, s.dial(get))
	if want := max(row.status, http.StatusOK); answer.status != want || answer.cut {
		t.Errorf("status %d, cut %v, want %d", answer.status, answer.cut, want)
	}
	events := strings.ReplaceAll(strings.Join(answer.events, ", "), "data: ", "")
	if row.untimed {
		events = answer.text()
	}
	if events != row.want {
		t.Errorf("%q, want %q", events, row.want)
	}
	p.wants(t, row.result, row.failure)
}
