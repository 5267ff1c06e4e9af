package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
	"github.com/llmservice/llmservice/test/yields"
)

// letterTap reads frames of one letter: p, c, d and b for the four kinds.
type letterTap struct{}

func (letterTap) Frame(dst []byte, f *wire.Frame) ([]byte, relay.EventKind) {
	kind := map[byte]relay.EventKind{'p': relay.Preamble, 'c': relay.Content, 'd': relay.Done, 'b': relay.Broken}[f.Data[0]]
	if len(dst) == 0 && len(f.Data) > relay.Retained {
		return f.Data, kind
	}
	return append(dst, f.Data...), kind
}

func (letterTap) Failure() relay.Failure { return relay.Failure{Kind: relay.FailedEvent} }

// tapped gives the attempts a tap.
func tapped(next Next, tap FrameTap) Next {
	return func(ctx context.Context, after relay.Failure) (*Attempt, relay.Failure) {
		attempt, final := next(ctx, after)
		if attempt != nil {
			attempt.Tap = tap
		}
		return attempt, final
	}
}

// reading gives the attempts a function that reads their whole answers.
func reading(next Next, read func(*Fetched) error) Next {
	return func(ctx context.Context, after relay.Failure) (*Attempt, relay.Failure) {
		attempt, final := next(ctx, after)
		if attempt != nil {
			attempt.Read = read
		}
		return attempt, final
	}
}

// frames writes one event for each word, and waits for each word that is a duration.
func frames(words string) func(context.Context, io.Writer) error {
	return func(ctx context.Context, w io.Writer) error {
		for word := range strings.FieldsSeq(words) {
			if wait, err := time.ParseDuration(word); err == nil {
				select {
				case <-time.After(wait):
				case <-ctx.Done():
					return ctx.Err()
				}
				continue
			}
			if _, err := fmt.Fprintf(w, "data: %s\n\n", word); err != nil {
				return err
			}
		}
		return nil
	}
}

// run streams attempts, each of which answers with an event stream that its function writes.
type run struct {
	bodies   []func(context.Context, io.Writer) error
	firstTok time.Duration
	idle     time.Duration
	send     func(events []byte, kind relay.EventKind) error

	made, released, answered int
	sent                     []string // "KIND EVENTS" of each Send
	observed                 []relay.FailureKind
}

func (r *run) Do(ctx context.Context, _ *Call) (*Answer, error) {
	from, to := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = from.CloseWithError(context.Cause(ctx)) })
	write := r.bodies[r.made-1]
	go func() {
		defer stop()
		_ = to.CloseWithError(write(ctx, to))
	}()
	return &Answer{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: from}, nil
}

func (r *run) next(_ context.Context, after relay.Failure) (*Attempt, relay.Failure) {
	if r.made == len(r.bodies) || after.Kind != relay.NoFailure && !Retryable(after) {
		return nil, after
	}
	r.made++
	return &Attempt{
		Upstream: "fast", Call: &Call{}, FirstToken: r.firstTok, Idle: r.idle, Turn: toldOf{r},
	}, relay.Failure{}
}

// toldOf counts what attempts are told of.
type toldOf struct{ *run }

func (t toldOf) Answered() { t.answered++ }

func (t toldOf) Release() { t.released++ }

func (toldOf) Settle(context.Context, relay.Failure) {}

func (r *run) Send(events []byte, kind relay.EventKind) error {
	r.sent = append(r.sent, fmt.Sprintf("%s %s", []string{"preamble", "content", "done"}[kind], events))
	if r.send != nil {
		return r.send(events, kind)
	}
	return nil
}

func (r *run) stream(ctx context.Context) relay.Failure {
	return failureIn(Stream(ctx, r, tapped(r.next, letterTap{}), r, func(_ string, f relay.Failure) {
		r.observed = append(r.observed, f.Kind)
	}))
}

const patience = time.Minute

func TestStream(t *testing.T) {
	superseded := relay.Failure{Kind: relay.FailedSuperseded}
	for name, tt := range map[string]struct {
		bodies   []string
		send     error
		want     relay.FailureKind
		sent     []string
		observed []relay.FailureKind
	}{
		"as the protocol says": {
			bodies: []string{"p c1 1s c2 1s d"}, sent: []string{"content pc1", "content c2", "done d"},
			observed: []relay.FailureKind{relay.NoFailure},
		},
		"without content": {
			bodies: []string{"p 1s p 1s d"}, sent: []string{"done ppd"}, observed: []relay.FailureKind{relay.NoFailure},
		},
		"what follows content is sent as it comes": {
			bodies: []string{"c 1s p 1s d"}, sent: []string{"content c", "content p", "done d"},
			observed: []relay.FailureKind{relay.NoFailure},
		},
		"another takes over before content, and nothing of the first is sent": {
			bodies: []string{"p1", "p2 b", "p3 1s c d"}, sent: []string{"content p3c", "done d"},
			observed: []relay.FailureKind{relay.FailedTruncated, relay.FailedEvent, relay.NoFailure},
		},
		"nobody takes over after content": {
			bodies: []string{"c", "c d"}, sent: []string{"content c"}, want: relay.FailedTruncated,
			observed: []relay.FailureKind{relay.FailedTruncated},
		},
		"all fail": {
			bodies: []string{"b", "p"}, want: relay.FailedTruncated,
			observed: []relay.FailureKind{relay.FailedEvent, relay.FailedTruncated},
		},
		"the first token is late": {
			bodies: []string{"p 11s c", "9s c 21s d"}, sent: []string{"content c"}, want: relay.FailedIdle,
			observed: []relay.FailureKind{relay.FailedFirstToken, relay.FailedIdle},
		},
		"any event breaks the silence": {
			bodies: []string{"c 19s p 19s p 19s d"}, sent: []string{"content c", "content p", "content p", "done d"},
			observed: []relay.FailureKind{relay.NoFailure},
		},
		"refused for a reason": {
			bodies: []string{"c d", "c d"}, send: fmt.Errorf("race: %w", superseded), want: relay.FailedSuperseded,
			sent: []string{"content c"}, observed: []relay.FailureKind{relay.FailedSuperseded},
		},
		"not taken": {
			bodies: []string{"c d", "c d"}, send: io.ErrClosedPipe, want: relay.FailedClient,
			sent: []string{"content c"}, observed: []relay.FailureKind{relay.FailedClient},
		},
		"too much without content": {
			bodies: []string{strings.Repeat("p"+strings.Repeat("x", 1<<10)+" ", 300), "c d"}, want: relay.FailedTooLarge,
			observed: []relay.FailureKind{relay.FailedTooLarge},
		},
		"an event that is too large": {
			bodies: []string{"c 1s c" + strings.Repeat("x", maxFrame)}, want: relay.FailedTooLarge,
			sent: []string{"content c"}, observed: []relay.FailureKind{relay.FailedTooLarge},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &run{firstTok: 10 * time.Second, idle: 20 * time.Second}
				for _, body := range tt.bodies {
					r.bodies = append(r.bodies, frames(body))
				}
				r.send = func([]byte, relay.EventKind) error { return tt.send }
				if got := r.stream(t.Context()); got.Kind != tt.want {
					t.Errorf("failure %v, want %s", got, tt.want)
				}
				if diff := cmp.Diff(tt.sent, r.sent); diff != "" {
					t.Errorf("sent (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.observed, r.observed); diff != "" {
					t.Errorf("observed (-want +got):\n%s", diff)
				}
				if r.released != r.made {
					t.Errorf("%d attempts, %d released", r.made, r.released)
				}
				if want := min(len(r.sent), 1); r.answered != want {
					t.Errorf("%d attempts were answered, want %d", r.answered, want)
				}
			})
		})
	}
}

// The mark of the end counts even without its blank line, because nothing of it is missing. Any other event without one is
// dropped.
func TestAnEndThatLacksItsBlankLine(t *testing.T) {
	for body, want := range map[string]relay.FailureKind{
		"data: c\n\ndata: d": relay.NoFailure, "data: c\n\ndata: d\n": relay.NoFailure, "data: c\n\ndata: d\r": relay.NoFailure,
		"data: c\n\ndata: c": relay.FailedTruncated, "data: c\n\ndata: b": relay.FailedTruncated, "data: c\n\nid: d": relay.FailedTruncated,
	} {
		r := &run{firstTok: patience, idle: patience, bodies: []func(context.Context, io.Writer) error{
			func(_ context.Context, w io.Writer) error {
				_, err := io.WriteString(w, body)
				return err
			},
		}}
		if got := r.stream(t.Context()); got.Kind != want {
			t.Errorf("%q: %v, want %s", body, got, want)
		}
		sent := []string{"content c"}
		if want == relay.NoFailure {
			sent = []string{"content c", "done d"}
		}
		if diff := cmp.Diff(sent, r.sent); diff != "" && len(r.sent) != 1 {
			t.Errorf("%q: sent (-want +got):\n%s", body, diff)
		}
	}
}

// A large event is sent by itself, without a copy, and in its place.
func TestLargeEventsAreSentInOrder(t *testing.T) {
	large := strings.Repeat("x", 100<<10)
	for words, want := range map[string][]string{
		"p c1{} c2 d":       {"content p", "content c1{}", "done c2d"},
		"c1{} c2{} d3{}":    {"content c1{}", "content c2{}", "done d3{}"},
		"p1{} p2 c3 d":      {"done p1{}p2c3d"},
		"p1{} c2{} p3{} d4": {"content p1{}", "content c2{}", "content p3{}", "done d4"},
		"c1 c2{} b":         {"content c1", "content c2{}", "content b"},
	} {
		body := func(_ context.Context, w io.Writer) error {
			text := "data: " + strings.ReplaceAll(words, " ", "\n\ndata: ") + "\n\n"
			_, err := io.WriteString(w, strings.ReplaceAll(text, "{}", large))
			return err
		}
		r := &run{bodies: []func(context.Context, io.Writer) error{body}, firstTok: patience, idle: patience}
		failure := r.stream(t.Context())
		if broken := strings.HasSuffix(words, "b"); (failure.Kind != relay.NoFailure) != broken {
			t.Errorf("%s: %v", words, failure)
		}
		for i, sent := range r.sent {
			r.sent[i] = strings.ReplaceAll(sent, large, "{}")
		}
		if diff := cmp.Diff(want, r.sent); diff != "" {
			t.Errorf("%s: sent (-want +got):\n%s", words, diff)
		}
	}
}

// An event may be as large as a whole answer; its memory is not kept for the rest of the stream.
func TestLargeEventsAreLetGoOf(t *testing.T) {
	large := "c" + strings.Repeat("x", 8<<20)
	r := &run{bodies: []func(context.Context, io.Writer) error{frames(large + " c d")}, firstTok: patience, idle: patience}
	r.send = func(events []byte, _ relay.EventKind) error {
		if len(r.sent) > 1 && cap(events) > relay.Retained {
			t.Errorf("%d bytes are held for %d", cap(events), len(events))
		}
		return nil
	}
	if f := r.stream(t.Context()); f.Kind != relay.NoFailure || len(r.sent[0]) < len(large) {
		t.Errorf("failure %v after %d sends", f, len(r.sent))
	}
}

// While the events are being taken, only the one who takes them can be slow.
func TestASlowReaderIsNotTheUpstreamsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &run{bodies: []func(context.Context, io.Writer) error{frames("c 1s c 1s d")}, firstTok: time.Second, idle: 2 * time.Second}
		r.send = func([]byte, relay.EventKind) error {
			time.Sleep(time.Minute)
			return nil
		}
		if f := r.stream(t.Context()); f.Kind != relay.NoFailure {
			t.Errorf("failure %v", f)
		}
	})
}

// A silence counts from when the event before it has been taken, however long that took.
func TestASilenceAfterASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const taking, idle = time.Minute, 2 * time.Second
		r := &run{bodies: []func(context.Context, io.Writer) error{frames("c 1s c 2h d")}, firstTok: time.Second, idle: idle}
		r.send = func([]byte, relay.EventKind) error {
			time.Sleep(taking)
			return nil
		}
		began := time.Now()
		if f := r.stream(t.Context()); f.Kind != relay.FailedIdle || time.Since(began) != 2*taking+idle {
			t.Errorf("failure %v after %s, want %s after %s", f, time.Since(began), relay.FailedIdle, 2*taking+idle)
		}
	})
}

// The one that ends the context gives the reason: losing a race is not the upstream's failure, and no other is asked.
func TestStreamEndsWithItsContext(t *testing.T) {
	for name, tt := range map[string]struct {
		cause error
		want  relay.FailureKind
	}{
		"superseded":      {relay.Failure{Kind: relay.FailedSuperseded}, relay.FailedSuperseded},
		"the client left": {nil, relay.FailedClient},
	} {
		for _, body := range []string{"1h", "p 1h", "c 1h"} {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancelCause(t.Context())
				r := &run{bodies: []func(context.Context, io.Writer) error{frames(body), frames("c d")}, firstTok: 2 * time.Hour, idle: 2 * time.Hour}
				time.AfterFunc(time.Minute, func() { end(tt.cause) })
				began := time.Now()
				if f := r.stream(ctx); f.Kind != tt.want || time.Since(began) != time.Minute || r.made != 1 {
					t.Errorf("%s in %q: %v after %s and %d attempts", name, body, f, time.Since(began), r.made)
				}
				if diff := cmp.Diff([]relay.FailureKind{tt.want}, r.observed); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestAnswersThatAreNoEventStream(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		media  string
		want   relay.FailureKind
	}{
		"a status":       {429, "text/event-stream", relay.FailedStatus},
		"a document":     {200, "application/json", relay.FailedMalformed},
		"nothing at all": {200, "", relay.FailedTruncated},
	} {
		r := &run{bodies: make([]func(context.Context, io.Writer) error, 1), firstTok: patience, idle: patience}
		client := clientFunc(func(context.Context, *Call) (*Answer, error) {
			return &Answer{Status: tt.status, Header: http.Header{"Content-Type": {tt.media}}, Body: http.NoBody}, nil
		})
		f := failureIn(Stream(t.Context(), client, tapped(r.next, letterTap{}), r, nil))
		if f.Kind != tt.want || len(r.sent) > 0 || r.released != 1 {
			t.Errorf("%s: %v, sent %q", name, f, r.sent)
		}
	}
}

// The connection of a stream that is done serves the next one, unless the upstream does not end its answer.
func TestConnectionsAreUsedAgainAfterDone(t *testing.T) {
	connections := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connections[r.RemoteAddr] = true
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: c\n\ndata: d\n\n: and some more\n\n")
		if r.URL.Path == "/endless" {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	client := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
	defer client.Close()
	for i, tt := range []struct {
		path string
		want int
	}{{"/", 1}, {"/", 1}, {"/endless", 1}, {"/", 2}} {
		r := &run{}
		next := func(context.Context, relay.Failure) (*Attempt, relay.Failure) {
			return &Attempt{
				Call:       &Call{Method: "POST", URL: server.URL + tt.path, Header: http.Header{}, Connect: patience},
				FirstToken: patience, Idle: patience,
			}, relay.Failure{}
		}
		f := failureIn(Stream(t.Context(), client, tapped(next, letterTap{}), r, nil))
		if f.Kind != relay.NoFailure || len(connections) != tt.want {
			t.Errorf("stream %d: %v over %d connections, want %d", i, f, len(connections), tt.want)
		}
	}
}

// chunks is a body that returns one chunk for each read.
type chunks struct {
	each []byte
	n    int
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.n == 0 {
		return 0, errors.New("over")
	}
	c.n--
	return copy(p, c.each), nil
}

func (c *chunks) Close() error { return nil }

type passTap struct{ letterTap }

func (passTap) Frame(dst []byte, f *wire.Frame) ([]byte, relay.EventKind) {
	return append(dst, f.Raw...), relay.Content
}

type discard struct{}

func (discard) Send([]byte, relay.EventKind) error { return nil }

// A stream allocates memory, its events do not.
func TestEventsAllocateNothing(t *testing.T) {
	event := append(bytes.Repeat([]byte("data: x"), 1), "\n\n"...)
	allocations := func(events int) float64 {
		return testing.AllocsPerRun(20, func() { relayChunks(t.Context(), &chunks{each: event, n: events}) })
	}
	// Pools may be emptied in between, so a few are tolerated; ten thousand events are not a few.
	if few, many := allocations(10), allocations(10_000); many > few+10 {
		t.Errorf("%v allocations for 10 events, %v for 10000", few, many)
	}
}

// An upstream that sends as fast as it can lets others use the only worker.
func TestAFastStreamTakesTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const reads = 64
	event := []byte("data: " + strings.Repeat("x", readBuffer-len("data: \n\n")) + "\n\n")
	had := yields.During(func() { relayChunks(t.Context(), &chunks{each: event, n: reads}) })
	if had < reads/2 {
		t.Errorf("another goroutine had %d turns while %d full buffers were passed on", had, reads)
	}
}

func relayChunks(ctx context.Context, body io.ReadCloser) {
	client := clientFunc(func(context.Context, *Call) (*Answer, error) {
		return &Answer{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: body}, nil
	})
	asked := false
	next := func(_ context.Context, after relay.Failure) (*Attempt, relay.Failure) {
		if asked {
			return nil, after
		}
		asked = true
		return &Attempt{Call: &Call{}, FirstToken: patience, Idle: patience}, after
	}
	_ = Stream(ctx, client, tapped(next, passTap{}), discard{}, nil)
}

func BenchmarkStreamEvent(b *testing.B) {
	event := []byte(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"token-17 "}}]}` + "\n\n")
	b.ReportAllocs()
	b.SetBytes(int64(len(event)))
	body := &chunks{each: event, n: b.N}
	relayChunks(b.Context(), body)
}
