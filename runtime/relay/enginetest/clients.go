package enginetest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

func clientChecks() []check {
	checks := []check{
		{"clients: one that reads slowly gets everything", readsSlowly},
		{"clients: one that stops reading is left", stopsReading},
		{"clients: a comment finds one that has stopped reading", commentFindsStalled},
		{"clients: one that reads no reply is left", readsNoReply},
	}
	for name, verdict := range map[string]func(context.Context) relay.Verdict{
		"of a reply that is worked out": func(context.Context) relay.Verdict {
			return relay.Verdict{Produce: func(ctx context.Context) *relay.Reply { <-ctx.Done(); return answer(http.StatusOK) }}
		},
		"before it is known what it gets": func(ctx context.Context) relay.Verdict {
			<-ctx.Done()
			return relay.Verdict{Reply: answer(http.StatusOK)}
		},
		"of a stream that has not begun": func(context.Context) relay.Verdict { return relay.Verdict{Stream: play("1h")} },
		"of a stream with progress":      func(context.Context) relay.Verdict { return relay.Verdict{Stream: play("p 1h")} },
		"of a stream with content":       func(context.Context) relay.Verdict { return relay.Verdict{Stream: play("c 1h")} },
	} {
		checks = append(checks, check{"clients: one that leaves, " + name, func(t *testing.T, s *stand) {
			t.Helper()
			leaves(t, s, verdict)
		}})
	}
	return checks
}

func leaves(t *testing.T, s *stand, verdict func(context.Context) relay.Verdict) {
	t.Helper()
	p := &script{decide: func(ctx context.Context, _ *relay.Request) relay.Verdict { return verdict(ctx) }}
	s.serve(p)
	for _, request := range []string{get, post("abc"), chunked("abc")} {
		conn := s.dial(request)
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		<-time.After(5 * time.Second)
		_ = conn.Close()
		o := <-p.outcomes
		if o.Result != relay.ClientLeft || o.Duration != 5*time.Second {
			t.Errorf("after %q: outcome %+v", request, o)
		}
	}
}

func readsSlowly(t *testing.T, s *stand) {
	t.Helper()
	stream := play("c d")
	stream.MaxDuration = 24 * time.Hour
	p := streaming(stream)
	s.serve(p)
	conn := s.dial(get)
	var text strings.Builder
	for one := make([]byte, 1); !strings.Contains(text.String(), "data: d\n\n"); {
		<-time.After(bounds.WriteTimeout - 5*time.Second)
		if _, err := conn.Read(one); err != nil {
			t.Fatalf("%v after %q", err, text.String())
		}
		text.Write(one)
	}
	if got := text.String(); !strings.Contains(got, "data: c\n\n") {
		t.Errorf("%q", got)
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	p.wants(t, relay.StreamDone, relay.NoFailure)
}

// stalled fails the test where an outcome is not that of a client that has stopped reading.
func (p *script) stalled(t *testing.T, after time.Duration) {
	t.Helper()
	o := p.wants(t, relay.ClientLeft, relay.FailedClient)
	if !errors.Is(o.Err, os.ErrDeadlineExceeded) || o.Duration != after {
		t.Errorf("outcome %+v, want a deadline after %s", o, after)
	}
}

func stopsReading(t *testing.T, s *stand) {
	t.Helper()
	p := streaming(play("5s c d"))
	s.serve(p)
	s.dial(get)
	p.stalled(t, 5*time.Second+bounds.WriteTimeout)
}

func commentFindsStalled(t *testing.T, s *stand) {
	t.Helper()
	stream := play("1h")
	stream.KeepAlive = 10 * time.Second
	p := streaming(stream)
	s.serve(p)
	s.dial(get)
	p.stalled(t, 10*time.Second+bounds.WriteTimeout)
}

func readsNoReply(t *testing.T, s *stand) {
	t.Helper()
	p := replying()
	s.serve(p)
	s.dial(get)
	p.wants(t, relay.Replied, relay.NoFailure)
	if took := s.drain(); took > bounds.DrainDelay+bounds.WriteTimeout+tidy {
		t.Errorf("drained after %s", took)
	}
}
