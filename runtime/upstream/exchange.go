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

// Whole makes attempts until one yields a whole answer of status 200 that check accepts, and returns its body.
// Observe, where set, is told of every attempt's end.
func Whole(ctx context.Context, c relay.Client, next relay.Next, check func([]byte) error,
	observe func(upstream string, f relay.Failure),
) ([]byte, relay.Failure) {
	var failure relay.Failure
	for {
		attempt, final := next(failure)
		if attempt == nil {
			return nil, final
		}
		var body []byte
		body, failure = whole(ctx, c, attempt, check)
		if observe != nil {
			observe(attempt.Upstream, failure)
		}
		if failure.Kind == relay.NoFailure {
			return body, failure
		}
		if ctx.Err() != nil {
			return nil, failure
		}
	}
}

func whole(ctx context.Context, c relay.Client, a *relay.Attempt, check func([]byte) error) ([]byte, relay.Failure) {
	defer a.Release()
	ctx, cancel := context.WithTimeoutCause(ctx, a.Total, relay.Failure{Kind: relay.FailedTotal})
	defer cancel()
	answer, err := c.Do(ctx, a.Call)
	if err != nil {
		return nil, relay.FailureOf(ctx, err, relay.FailedConnect)
	}
	defer func() { _ = answer.Body.Close() }() // what is lost by it is only the connection's reuse
	if answer.Status != http.StatusOK {
		return nil, StatusFailure(answer)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, MaxWhole+1))
	switch {
	case err != nil:
		return nil, relay.FailureOf(ctx, err, relay.FailedTruncated)
	case len(body) > MaxWhole:
		return nil, relay.Failure{Kind: relay.FailedTooLarge, Err: fmt.Errorf("answer above %d bytes", MaxWhole)}
	}
	if err := check(body); err != nil {
		return nil, relay.Failure{Kind: relay.FailedMalformed, Err: err}
	}
	return body, relay.Failure{}
}

// StatusFailure describes an answer of another status than 200. The body is not read: it may echo keys or prompts.
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
