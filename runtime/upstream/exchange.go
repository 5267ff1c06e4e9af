package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// MaxWhole bounds a whole answer of an upstream, in bytes.
const MaxWhole = 16 << 20

// Expect says what makes an answer one that is wanted.
type Expect struct {
	// Status accepts the status; nil accepts every 2xx.
	Status func(int) bool
	// Check accepts the answer; nil accepts all. What it returns is a relay.Failure, or makes the answer malformed.
	Check func(*Fetched) error
	// MaxBytes bounds the body, besides MaxWhole; 0 is no other bound.
	MaxBytes int
}

// Fetched is a whole answer.
type Fetched struct {
	Status int
	Header http.Header
	Body   []byte
}

// Whole makes attempts until one yields a whole answer of a status 2xx that check accepts, and returns its body.
// Observe, where set, is told of every attempt's end.
func Whole(ctx context.Context, c relay.Client, next relay.Next, check func([]byte) error,
	observe func(upstream string, f relay.Failure),
) ([]byte, relay.Failure) {
	want := Expect{Check: func(a *Fetched) error { return check(a.Body) }}
	answer, failure := Fetch(ctx, c, next, want, observe)
	if answer == nil {
		return nil, failure
	}
	return answer.Body, failure
}

// Fetch makes attempts until one yields a whole answer that is wanted. Observe, where set, is told of every attempt's
// end.
func Fetch(ctx context.Context, c relay.Client, next relay.Next, want Expect,
	observe func(upstream string, f relay.Failure),
) (*Fetched, relay.Failure) {
	var failure relay.Failure
	for {
		attempt, final := next(failure)
		if attempt == nil {
			return nil, final
		}
		var answer *Fetched
		answer, failure = fetch(ctx, c, attempt, want)
		settled(attempt, failure, observe)
		if failure.Kind == relay.NoFailure {
			return answer, failure
		}
		if ctx.Err() != nil {
			return nil, failure
		}
	}
}

func fetch(ctx context.Context, c relay.Client, a *relay.Attempt, want Expect) (*Fetched, relay.Failure) {
	defer a.Release()
	ctx, cancel := context.WithTimeoutCause(ctx, a.Total, relay.Failure{Kind: relay.FailedTotal})
	defer cancel()
	answer, err := c.Do(ctx, a.Call)
	if err != nil {
		return nil, relay.FailureOf(ctx, err, relay.FailedConnect)
	}
	defer func() { _ = answer.Body.Close() }() // what is lost by it is only the connection's reuse
	if !want.status(answer.Status) {
		return nil, rejected(a, answer)
	}
	if err := coded(answer.Header); err != nil {
		return nil, relay.Failure{Kind: relay.FailedMalformed, Err: err}
	}
	limit := want.limit()
	body, err := io.ReadAll(io.LimitReader(relay.Turns(answer.Body), int64(limit)+1))
	switch {
	case err != nil:
		return nil, relay.FailureOf(ctx, err, relay.FailedTruncated)
	case len(body) > limit:
		return nil, relay.Failure{Kind: relay.FailedTooLarge, Err: fmt.Errorf("answer above %d bytes", limit)}
	}
	whole := &Fetched{Status: answer.Status, Header: answer.Header, Body: body}
	if want.Check != nil {
		if err := want.Check(whole); err != nil {
			return nil, relay.FailureOf(ctx, unread(whole, err), relay.FailedMalformed)
		}
	}
	return whole, relay.Failure{}
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

// StatusFailure describes an answer of a status that was not wanted. The body is not read: it may
// echo keys or prompts.
func StatusFailure(a *relay.Answer) relay.Failure {
	f := relay.Failure{Kind: relay.FailedStatus, Status: a.Status}
	if s := a.Header.Get("Retry-After"); s != "" {
		f.RetryAfter = retryAfter(s)
	}
	return f
}

// maxRetryAfter keeps an upstream from sending clients away for longer than anyone would mean.
const maxRetryAfter = time.Hour

// RFC 9110, section 10.2.3: seconds, or a date; a date is read against this machine's clock.
func retryAfter(s string) time.Duration {
	if seconds, err := strconv.Atoi(s); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(time.Until(at), 0), maxRetryAfter)
	}
	return 0
}
