package enginetest

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

func drainChecks() []check {
	return []check{
		{"drain: what is open ends, and then the engine", drainsOpen},
		{"drain: connections are accepted for a while, and then no more", drainsAccepting},
		{"drain: at its deadline a stream ends with an error event", drainDeadlineOfAStream},
		{"drain: at its deadline a reply that is worked out is sent", drainDeadlineOfAReply},
		{"drain: connections without a request do not hold it up", drainsIdle},
	}
}

// reads makes a request and reads its answer in the background. The answer has to come to its end, and to be as wanted.
func (s *stand) reads(wanted func(got) bool) (wait func()) {
	s.t.Helper()
	conn := s.dial(get)
	var client sync.WaitGroup
	client.Go(func() {
		if g := read(s.t, conn); g.cut || !wanted(g) {
			s.t.Errorf("%+v", g)
		}
	})
	return client.Wait
}

func drainsOpen(t *testing.T, s *stand) {
	t.Helper()
	p := streaming(play("c 1m d"))
	s.serve(p)
	wait := s.reads(func(g got) bool { return g.text() == "data: c\ndata: d" })
	<-time.After(10 * time.Second)
	if took := s.drain(); took < 50*time.Second || took > 50*time.Second+tidy {
		t.Errorf("drained after %s", took)
	}
	wait()
	p.wants(t, relay.StreamDone, relay.NoFailure)
}

func drainsAccepting(t *testing.T, s *stand) {
	t.Helper()
	p := replying()
	s.serve(p)
	s.stop()
	<-time.After(bounds.DrainDelay / 2)
	if got := read(t, s.dial(get)); got.status != http.StatusOK || !got.close {
		t.Errorf("%+v, want a reply that asks for the connection's close", got)
	}
	p.wants(t, relay.Replied, relay.NoFailure)
	<-time.After(bounds.DrainDelay)
	select {
	case <-s.listener.closed:
	default:
		t.Error("the listener is open after the delay")
	}
}

func drainDeadlineOfAStream(t *testing.T, s *stand) {
	t.Helper()
	p := streaming(play("c 1h"))
	s.serve(p)
	wait := s.reads(func(g got) bool { return g.text() == "data: c\ndata: abort draining" })
	<-time.After(time.Second)
	limit := bounds.DrainDelay + bounds.DrainTimeout
	if took := s.drain(); took < limit || took > limit+relay.LastWords+tidy {
		t.Errorf("drained after %s", took)
	}
	wait()
	p.wants(t, relay.StreamFailed, relay.FailedDraining)
}

func drainDeadlineOfAReply(t *testing.T, s *stand) {
	t.Helper()
	p := producing(func(ctx context.Context) *relay.Reply {
		<-ctx.Done()
		return answer(http.StatusServiceUnavailable)
	})
	s.serve(p)
	wait := s.reads(func(g got) bool { return g.status == http.StatusServiceUnavailable })
	<-time.After(time.Second)
	s.drain()
	wait()
	p.wants(t, relay.Replied, relay.NoFailure)
}

func drainsIdle(t *testing.T, s *stand) {
	t.Helper()
	p := replying()
	s.serve(p)
	served := s.dial(get)
	read(t, served)
	p.wants(t, relay.Replied, relay.NoFailure)
	for _, text := range []string{"", "GET / HT", missing} {
		conn := s.dial(text)
		go read(t, conn)
	}
	<-time.After(time.Second)
	if took := s.drain(); took > bounds.DrainDelay+tidy {
		t.Errorf("drained after %s", took)
	}
}
