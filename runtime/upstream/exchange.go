package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// MaxWhole bounds a whole answer of an upstream, in bytes.
const MaxWhole = 16 << 20

// Expect decides which answers are accepted.
type Expect struct {
	// Status accepts the status; nil accepts every 2xx.
	Status func(int) bool
	// MaxBytes bounds the body, in addition to MaxWhole; 0 means no further bound.
	MaxBytes int
	// Keep, if set, is called with the number of the body's bytes as they come; its error, a relay.Failure, ends the attempt.
	Keep func(bytes int) error
	// Drop, if set, is called with the number of those of an attempt that failed.
	Drop func(bytes int)
}

// Fetch makes attempts until one yields a whole answer that is accepted. The error is the relay.Failure of the last one.
// Observe, if set, is called at the end of every attempt.
func Fetch(ctx context.Context, c Doer, next Next, want Expect,
	observe func(upstream string, f relay.Failure),
) (*Fetched, error) {
	var failure relay.Failure
	for {
		attempt, final := next(ctx, failure)
		if attempt == nil {
			return nil, final
		}
		var answer *Fetched
		answer, failure = fetch(ctx, c, attempt, want)
		settled(ctx, attempt, failure, observe)
		switch {
		case failure.Kind == relay.NoFailure:
			return answer, nil
		case ctx.Err() != nil:
			return nil, failure
		}
	}
}

func fetch(ctx context.Context, c Doer, a *Attempt, want Expect) (*Fetched, relay.Failure) {
	defer a.Release()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	late := time.AfterFunc(a.Total, func() { end(relay.Failure{Kind: relay.FailedTotal}) })
	defer late.Stop()
	memory := awaited{Memory: memoryOf(a), since: time.Now()}
	answer, err := a.call(ctx, end, c)
	if err != nil {
		return nil, relay.FailureOf(ctx, err, relay.FailedConnect)
	}
	defer func() { _ = answer.Body.Close() }() // only the reuse of the connection is lost
	if !want.status(answer.Status) {
		return nil, rejected(ctx, a, answer)
	}
	if err := coded(answer.Header); err != nil {
		return nil, relay.Failure{Kind: relay.FailedMalformed, Err: err}
	}
	whole := &Fetched{Status: answer.Status, Header: answer.Header}
	failure := memory.blame(take(ctx, a, &memory, whole, answer, want))
	if failure.Kind != relay.NoFailure {
		return nil, failure
	}
	return whole, failure
}

// take reads the body, and passes it to Read. Nothing is kept of an answer that fails.
func take(
	ctx context.Context, attempt *Attempt, memory relay.Memory, f *Fetched, a *Answer, want Expect,
) relay.Failure {
	limit := want.limit()
	body := counted{InTurns: relay.InTurns{Reader: a.Body}, keep: want.Keep}
	text, err := relay.ReadAll(ctx, memory, &body, a.Length, limit)
	failure := relay.Failure{}
	switch {
	case errors.Is(err, relay.ErrTooLong):
		failure = relay.Failure{Kind: relay.FailedTooLarge, Err: fmt.Errorf("answer above %d bytes: %w", limit, err)}
	case err != nil:
		failure = relay.FailureOf(ctx, err, relay.FailedTruncated)
	}
	f.Body = text
	if failure.Kind == relay.NoFailure && attempt.Read != nil {
		if err := attempt.Read(f); err != nil {
			failure = relay.FailureOf(ctx, unread(f, err), relay.FailedMalformed)
			memory.Return(relay.Held(text))
		}
	}
	if failure.Kind != relay.NoFailure && want.Drop != nil {
		want.Drop(body.kept)
	}
	return failure
}

// counted reads what may be kept.
type counted struct {
	relay.InTurns

	keep func(bytes int) error
	kept int
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.InTurns.Read(p)
	if n == 0 || c.keep == nil {
		return n, err //nolint:wrapcheck // io.EOF is compared
	}
	if spent := c.keep(n); spent != nil {
		return 0, spent
	}
	c.kept += n
	return n, err //nolint:wrapcheck // likewise
}

// awaited is an attempt's memory, and how long the attempt has waited for it.
type awaited struct {
	relay.Memory

	since  time.Time
	waited time.Duration
}

// Reserve implements relay.Memory.
func (m *awaited) Reserve(ctx context.Context, bytes int) error {
	began := time.Now()
	defer func() { m.waited += time.Since(began) }()
	return m.Memory.Reserve(ctx, bytes) //nolint:wrapcheck // it is a Failure already
}

// blame returns why an attempt failed: if it ran out of time and had spent most of that waiting for memory, the upstream was
// not slow.
func (m *awaited) blame(f relay.Failure) relay.Failure {
	late := f.Kind == relay.FailedTotal || f.Kind == relay.FailedTimeout
	if late && m.waited > time.Since(m.since)/2 {
		return relay.Failure{Kind: relay.FailedMemory, Err: errWaited}
	}
	return f
}

var errWaited = errors.New("most of the call's time went into waiting for memory")

// memoryOf is the memory for an attempt's answer.
func memoryOf(a *Attempt) relay.Memory {
	if a.Memory == nil {
		return relay.Unlimited
	}
	return a.Memory
}

func (e *Expect) status(status int) bool {
	if e.Status == nil {
		return successful(status)
	}
	return e.Status(status)
}

func (e *Expect) limit() int {
	if e.MaxBytes > 0 {
		return min(e.MaxBytes, MaxWhole)
	}
	return MaxWhole
}

// StatusFailure describes an answer whose status was not accepted. The body is not read: it may repeat keys or prompts.
func StatusFailure(a *Answer) relay.Failure {
	f := relay.Failure{Kind: relay.FailedStatus, Status: a.Status}
	if s := a.Header.Get("Retry-After"); s != "" {
		f.RetryAfter = retryAfter(s)
	}
	return f
}

// maxRetryAfter keeps an upstream from sending clients away for longer than anyone would mean.
const maxRetryAfter = time.Hour

// retryAfter reads seconds or a date (RFC 9110, section 10.2.3); a date is compared with this machine's clock.
func retryAfter(s string) time.Duration {
	if seconds, err := strconv.Atoi(s); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(time.Until(at), 0), maxRetryAfter)
	}
	return 0
}
