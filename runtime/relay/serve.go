package relay

import (
	"context"
	"time"
)

// Serve answers a request whose head has been read, on the connection that it came on. It returns when the request, and
// all that was begun for it, has ended. It reports whether its answer was sent to the end; an engine breaks the connection
// if it was not, so that what was sent is not taken for a whole answer.
func Serve(p Policy, h *Head, c Conn) (whole bool) {
	s := &answering{policy: p, conn: c}
	defer func() {
		if value := recover(); value != nil {
			s.reply(p.Panicked(s.exchange, value))
		}
		whole = s.ended
	}()
	s.exchange = p.Begin(h)
	defer s.exchange.Release()
	if !s.admit() {
		return s.ended
	}
	body, err := c.Body(s.exchange, s.exchange.BodyLimit())
	if err != nil {
		s.reply(s.exchange.Refuse(RefusalOf(err)))
		return s.ended
	}
	s.request = Request{Head: *h, Body: body, Memory: s.exchange}
	s.decide()
	return s.ended
}

// answering is a request on its way to its answer.
type answering struct {
	policy   Policy
	conn     Conn
	exchange Exchange
	request  Request
	status   int  // as sent; 0 while nothing was
	ended    bool // nothing may follow: a reply, or a stream's last event, was sent
}

// admit has the exchange admit the request, or answers it. A client that left while it waited gets no answer.
func (s *answering) admit() bool {
	patience := s.exchange.Patience()
	if patience <= 0 {
		return s.admitted(s.exchange.Admit(s.conn.Context()))
	}
	refused, gone := s.wait(patience)
	return !gone && s.admitted(refused)
}

// wait has the exchange admit the request within its patience. It reports whether the client has left meanwhile.
func (s *answering) wait(patience time.Duration) (refused *Reply, gone bool) {
	ctx, stop := s.conn.Await()
	defer stop()
	within, cancel := context.WithTimeoutCause(ctx, patience, Failure{Kind: FailedTimeout})
	defer cancel()
	refused = s.exchange.Admit(within)
	return refused, Left(ctx)
}

func (s *answering) admitted(refused *Reply) bool {
	if refused != nil {
		s.reply(refused)
	}
	return refused == nil
}

// decide answers a whole request. Only a client that leaves during the decision gets no answer: one that seems to have left before
// is sent one, as a request that needs no wait is.
func (s *answering) decide() {
	ctx, started := s.exchange.Within(s.conn.Context()), time.Now()
	here := !Left(ctx)
	verdict := s.exchange.Decide(ctx, &s.request)
	if here && Left(ctx) {
		verdict = Verdict{Produce: func(context.Context) *Reply { return nil }}
	}
	s.answer(ctx, started, verdict)
}

// Left reports whether a request's context has ended because the client has left.
func Left(ctx context.Context) bool {
	return ctx.Err() != nil && FailureOf(ctx, ctx.Err(), NoFailure).Kind == FailedClient
}

// answer answers a request whose decision began at a time, from which its duration counts.
func (s *answering) answer(ctx context.Context, started time.Time, v Verdict) {
	outcome := Outcome{Result: Replied}
	// A panic below becomes this verdict's outcome.
	defer func() {
		if value := recover(); value != nil {
			outcome = s.panicked(s.policy.Panicked(s.exchange, value), v.Stream)
		}
		outcome.Duration = time.Since(started)
		if outcome.Status == 0 {
			outcome.Status = s.status
		}
		s.exchange.Done(outcome)
	}()
	switch {
	case v.Reply != nil:
		s.reply(v.Reply)
	case v.Produce != nil:
		if reply := v.Produce(ctx); Left(ctx) {
			outcome.Result = ClientLeft
		} else {
			s.reply(reply)
		}
	case v.Stream != nil:
		outcome = s.serveStream(ctx, v.Stream, started)
	}
}

// reply sends a whole answer, unless something was sent before.
func (s *answering) reply(r *Reply) {
	if s.status != 0 {
		return
	}
	s.status = r.Status
	s.ended = s.conn.Reply(r) == nil
}

// panicked ends an answer that a panic interrupted: by the reply if nothing was sent yet, otherwise by the stream's
// error event.
func (s *answering) panicked(reply *Reply, stream *Stream) Outcome {
	failure := Failure{Kind: FailedPanic}
	switch {
	case stream == nil:
		s.reply(reply)
		return Outcome{Result: Replied, Err: failure}
	case s.status == 0:
		s.reply(reply)
	case !s.ended:
		s.ended = s.conn.Send(stream.Abort(failure)) == nil
	}
	return Outcome{Result: StreamFailed, Err: failure}
}
