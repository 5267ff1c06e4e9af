package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// paced answers with a head after a while, and then with a body that its function writes.
type paced struct {
	head time.Duration
	body func(context.Context, io.Writer) error
}

func (p *paced) Do(ctx context.Context, _ *Call) (*Answer, error) {
	select {
	case <-time.After(p.head):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	from, to := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = from.CloseWithError(context.Cause(ctx)) })
	go func() {
		defer stop()
		_ = to.CloseWithError(p.body(ctx, to))
	}()
	return &Answer{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: from}, nil
}

// Each timer ends an attempt with a failure of its own, at its own time; a timer whose phase is over ends nothing.
func TestEachTimerHasItsOwnFailure(t *testing.T) {
	const header, firstToken, idle, total = 2 * time.Second, 5 * time.Second, 7 * time.Second, 9 * time.Second
	for name, tt := range map[string]struct {
		head   time.Duration
		header time.Duration
		body   string
		whole  bool
		want   relay.FailureKind
		after  time.Duration
	}{
		"a late head of a stream":           {time.Hour, header, "c d", false, relay.FailedHeader, header},
		"a late head of a whole answer":     {time.Hour, header, "c", true, relay.FailedHeader, header},
		"a late head without a header time": {time.Hour, 0, "c d", false, relay.FailedFirstToken, firstToken},
		"… of a whole answer":               {time.Hour, 0, "c", true, relay.FailedTotal, total},
		"a head in time, and no content":    {time.Second, header, "1h c d", false, relay.FailedFirstToken, firstToken},
		"content, and then silence":         {time.Second, header, "c 1h d", false, relay.FailedIdle, time.Second + idle},
		"a whole answer that stalls":        {time.Second, header, "c 1h c", true, relay.FailedTotal, total},
		"all in time":                       {time.Second, header, "3s c 6s c 6s d", false, relay.NoFailure, 16 * time.Second},
		"a whole answer in time":            {time.Second, header, "c 7s c", true, relay.NoFailure, 8 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			var observed []relay.FailureKind
			next := func(_ context.Context, after relay.Failure) (*Attempt, relay.Failure) {
				if len(observed) > 0 {
					return nil, after
				}
				return &Attempt{
					Call: &Call{}, Header: tt.header, FirstToken: firstToken, Idle: idle, Total: total, Tap: letterTap{},
				}, after
			}
			observe := func(_ string, f relay.Failure) { observed = append(observed, f.Kind) }
			d, began := &paced{tt.head, frames(tt.body)}, time.Now()
			if tt.whole {
				_, _ = Fetch(t.Context(), d, next, Expect{}, observe)
			} else {
				_ = Stream(t.Context(), d, next, &run{}, observe)
			}
			if len(observed) != 1 || observed[0] != tt.want || time.Since(began) != tt.after {
				t.Errorf("%s: %v after %s, want %s after %s", name, observed, time.Since(began), tt.want, tt.after)
			}
		})
	}
}

// Clients get a message of its own for each timer.
func TestEachTimerHasItsOwnMessage(t *testing.T) {
	told := map[string]relay.FailureKind{}
	for _, timer := range []relay.FailureKind{
		relay.FailedDial, relay.FailedHeader, relay.FailedFirstToken, relay.FailedIdle, relay.FailedTotal,
	} {
		e := Problem(relay.Failure{Kind: timer})
		if other, taken := told[e.Message]; taken || e.Message == problem.New(problem.UpstreamUnreachable).Message {
			t.Errorf("%s and %s: %s", timer, other, e.Message)
		}
		told[e.Message] = timer
	}
}

// A host that accepts no connection in time is another failure than one that refuses it, and nothing was sent.
func TestDiallingThatTakesTooLong(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want relay.FailureKind
	}{
		"the bound of the call": {context.DeadlineExceeded, relay.FailedDial},
		"the machine's":         {&net.OpError{Op: "dial", Err: &net.DNSError{IsTimeout: true}}, relay.FailedDial},
		"TLS":                   {errHandshake, relay.FailedDial},
		"refused":               {&net.OpError{Op: "dial", Err: errors.New("connection refused")}, relay.FailedConnect},
		"no such host":          {&net.DNSError{IsNotFound: true}, relay.FailedConnect},
		"not allowed":           {addresses.ErrRefused, relay.FailedAddress},
	} {
		if got := unconnected(plainly(tt.err)); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// A call that ends while it is still dialling has sent nothing, no matter what ended it.
func TestACallThatEndsWhileItDials(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, end := context.WithCancelCause(t.Context())
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 1)) // the handshake has begun
		end(relay.Failure{Kind: relay.FailedHeader})
	}()
	c := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
	defer c.Close()
	_, err = c.Do(ctx, &Call{Method: "GET", URL: "https://" + l.Addr().String(), Header: http.Header{}, Connect: time.Minute})
	if f := relay.FailureOf(ctx, err, ""); f.Kind != relay.FailedHeader || !f.Unsent || strings.Contains(f.Error(), "127.0.0.1") {
		t.Errorf("%+v", f)
	}
}
