package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/relay/enginetest"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// inVirtualTime answers one request by the verdict, and hands the connection of a client that has sent it to do.
func inVirtualTime(t *testing.T, e made, verdict relay.Verdict, do func(t *testing.T, conn net.Conn)) relay.Outcome {
	t.Helper()
	p := newPolicy(func(context.Context, *relay.Request) relay.Verdict { return verdict })
	l := enginetest.Listen()
	engine := e(nethttp.Options{
		Logger: slog.New(slog.DiscardHandler), AcceptLoops: 1, Connections: many, BodyTimeout: patience, WriteTimeout: 30 * time.Second,
		ReplyTimeout: patience,
		DrainTimeout: time.Second,
	})
	ctx, drain := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- engine.Serve(ctx, l, p) }()
	conn, err := l.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	do(t, conn)
	outcome := <-p.outcomes
	_ = conn.Close()
	drain()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return outcome
}

type clientFunc func(context.Context, *upstream.Call) (*upstream.Answer, error)

func (f clientFunc) Do(ctx context.Context, c *upstream.Call) (*upstream.Answer, error) {
	return f(ctx, c)
}

// timed reads an answer to its end: each event with the second in which it came.
func timed(t *testing.T, conn net.Conn) (status int, events []string) {
	t.Helper()
	began := time.Now()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if lines.Text() != "" {
			events = append(events, fmt.Sprintf("%vs %s", time.Since(began).Truncate(time.Second).Seconds(), lines.Text()))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, events
}

// script writes an event for each word that is a letter, and waits for each that is a duration.
func script(words string) upstreamFunc {
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
			if _, err := io.WriteString(w, "data: "+word+"\n\n"); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestKeepAlive(t *testing.T) { onEach(t, testKeepAlive) }

func testKeepAlive(t *testing.T, e made) {
	t.Helper()
	for name, tt := range map[string]struct {
		upstreams []string // scripts, each of one attempt
		timeout   time.Duration
		none      bool // no keep-alive
		want      []string
		status    int
		failure   relay.FailureKind
	}{
		"a silence gets a comment every ten seconds": {
			upstreams: []string{"25s c d"},
			want:      []string{"10s : keep-alive", "20s : keep-alive", "25s data: c", "25s data: d"},
		},
		"events are no silence": {
			upstreams: []string{"c 9s c 9s c 9s c 12s d"},
			want:      []string{"0s data: c", "9s data: c", "18s data: c", "27s data: c", "37s : keep-alive", "39s data: d"},
		},
		"what is held back is silence to the client": {
			upstreams: []string{"6s p 6s c d"}, want: []string{"10s : keep-alive", "12s data: p", "12s data: c", "12s data: d"},
		},
		"none is asked for": {
			upstreams: []string{"25s c 25s d"}, none: true, want: []string{"25s data: c", "50s data: d"},
		},
		"another upstream takes over after a comment": {
			upstreams: []string{"p 15s b", "p 40s c", "c d"},
			want:      []string{"10s : keep-alive", "20s : keep-alive", "30s : keep-alive", "40s : keep-alive", "45s data: c", "45s data: d"},
		},
		"a failure after a comment is an error event": {
			upstreams: []string{"15s b"}, want: []string{"10s : keep-alive", "15s data: abort error_event"}, failure: relay.FailedEvent,
		},
		"a failure before any is a status": {
			upstreams: []string{"5s b"}, want: []string{"5s reply"}, status: 502, failure: relay.FailedEvent,
		},
		"a comment is no content": {
			upstreams: []string{"29s c d"}, timeout: 15 * time.Second,
			want: []string{"10s : keep-alive", "15s data: abort timeout"}, failure: relay.FailedTimeout,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				model := clientFunc(func(ctx context.Context, c *upstream.Call) (*upstream.Answer, error) {
					return script(tt.upstreams[attempts-1]).Do(ctx, c)
				})
				stream := relayAll(model, func(_ context.Context, after relay.Failure) (*upstream.Attempt, relay.Failure) {
					if attempts == len(tt.upstreams) {
						return nil, after
					}
					attempts++
					return &upstream.Attempt{Call: &upstream.Call{}, Tap: letterTap{}, FirstToken: 30 * time.Second, Idle: time.Minute}, after
				})
				stream.MaxDuration, stream.Timeout = time.Hour, time.Hour
				if tt.timeout > 0 {
					stream.Timeout = tt.timeout
				}
				if !tt.none {
					stream.KeepAlive = 10 * time.Second
				}
				o := inVirtualTime(t, e, relay.Verdict{Stream: stream}, func(t *testing.T, conn net.Conn) {
					t.Helper()
					status, events := timed(t, conn)
					if want := max(tt.status, 200); status != want {
						t.Errorf("status %d, want %d", status, want)
					}
					if diff := cmp.Diff(tt.want, events); diff != "" {
						t.Errorf("events (-want +got):\n%s", diff)
					}
				})
				if relay.FailureKindOf(o.Err) != tt.failure || o.Result == relay.StreamDone != (tt.failure == relay.NoFailure) {
					t.Errorf("outcome %+v", o)
				}
			})
		})
	}
}

// The upstream ends its answer late, and the comments are frequent: the done event is the last all the same.
func TestNothingFollowsDone(t *testing.T) { onEach(t, testNothingFollowsDone) }

func testNothingFollowsDone(t *testing.T, e made) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		stream := relayOf(letterTap{}, script("c d 1h"))
		stream.KeepAlive = time.Millisecond
		inVirtualTime(t, e, relay.Verdict{Stream: stream}, func(t *testing.T, conn net.Conn) {
			t.Helper()
			if _, events := timed(t, conn); !cmp.Equal(events, []string{"0s data: c", "0s data: d"}) {
				t.Errorf("events %q", events)
			}
		})
	})
}

// No comment stands in a reply that takes the stream's place, nor after it.
func TestNoCommentInAReply(t *testing.T) { onEach(t, testNoCommentInAReply) }

func testNoCommentInAReply(t *testing.T, e made) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		stream := produced(func(_ context.Context, out relay.Sink) error {
			defer func() { <-time.After(time.Second) }()
			return out.Reply(status(418))
		})
		stream.KeepAlive = 10 * time.Millisecond
		o := inVirtualTime(t, e, relay.Verdict{Stream: stream}, func(t *testing.T, conn net.Conn) {
			t.Helper()
			if status, got := timed(t, conn); status != 418 || !cmp.Equal(got, []string{"1s reply"}) {
				t.Errorf("%d %q", status, got)
			}
		})
		if o.Result != relay.Replied || o.FirstContent != 0 {
			t.Errorf("outcome %+v", o)
		}
	})
}

// A comment finds out that a client has stopped reading, and so ends the work that is done for it.
func TestCommentsFindStalledReaders(t *testing.T) { onEach(t, testCommentsFindStalledReaders) }

func testCommentsFindStalledReaders(t *testing.T, e made) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		stream := produced(func(ctx context.Context, _ relay.Sink) error {
			<-ctx.Done()
			if f := relay.FailureOf(ctx, ctx.Err(), relay.FailedEvent); f.Kind != relay.FailedClient {
				t.Errorf("ended by %v", f)
			}
			return nil
		})
		stream.KeepAlive, stream.Timeout, stream.MaxDuration = 10*time.Second, time.Hour, time.Hour
		o := inVirtualTime(t, e, relay.Verdict{Stream: stream}, func(t *testing.T, _ net.Conn) {
			t.Helper() // and reads nothing
		})
		// Ten seconds of silence, and the thirty that a write may take.
		if o.Result != relay.ClientLeft || !errors.Is(o.Err, os.ErrDeadlineExceeded) || o.Duration != 40*time.Second {
			t.Errorf("outcome %+v", o)
		}
	})
}
