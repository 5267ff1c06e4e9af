// Package requestlog follows a request: by which ID it is known on both sides, what it asks of upstreams, where in its route it
// fails, and which line is logged of it. Its lines hold names of the config, figures, and the gateway's own words for what went
// wrong: nothing that a client or an upstream has sent, except for the request's ID and its trace's.
package requestlog

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// The messages of the lines.
const (
	// MessageFailed is that of the one line of a request that failed.
	MessageFailed = "request failed"
	// MessageFault is that of a request that was answered although something in it failed that its route's author should know of.
	MessageFault = "request answered in spite of a fault"
	// MessageAnswered is that of any other request, if those are logged.
	MessageAnswered = "request answered"
	// MessageAttempt and MessageAttemptFailed are those of a call of an upstream, at the level debug.
	MessageAttempt       = "upstream attempt"
	MessageAttemptFailed = "upstream attempt failed"
)

// Record is what is known of one request. It may be used by many goroutines, and is not copied.
type Record struct {
	Identity

	logger   *slog.Logger
	revision string
	all      bool
	began    time.Time
	whole    place

	mu       sync.Mutex
	attempts int
	usage    Usage
	failed   error  // why it is answered as it is
	fault    error  // what was reported last
	placed   *place // of the last error that was given one
}

// Options say what is logged of requests, and where.
type Options struct {
	Logger *slog.Logger
	// Revision is that of the config which serves the request.
	Revision string
	// All has a line for each request, and not only for those that fail.
	All bool
}

// Begin begins the record, which is new, of a request, by its header.
func (r *Record) Begin(o Options, h http.Header) {
	r.Identity = IdentityOf(h)
	r.logger, r.revision, r.all, r.began = o.Logger, o.Revision, o.All, time.Now()
	r.whole.record = r
}

// Attempt is a call of an upstream that has ended.
type Attempt struct {
	Upstream string
	// URL is what was called; its host alone is logged.
	URL string
	// Number counts the calls of one question, from 1.
	Number  int
	Began   time.Time
	Failure relay.Failure

	took time.Duration
}

// Attempted takes in how a call ended that was made in ctx.
func Attempted(ctx context.Context, a Attempt) {
	at := placeOf(ctx)
	if at == nil {
		return
	}
	r := at.record
	a.took = time.Since(a.Began)
	r.mu.Lock()
	r.attempts++
	if at.last = (Attempt{}); a.Failure.Kind != relay.NoFailure {
		at.last = a
	}
	r.mu.Unlock()
	if !r.logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attributes := slices.Concat(r.identity(), at.attributes(), a.attributes())
	if a.Failure.Kind != relay.NoFailure {
		attributes = append(attributes, slog.String("failure", a.Failure.Error()))
	}
	if isUpstreams(a.Failure.Kind) {
		r.logger.LogAttrs(ctx, slog.LevelDebug, MessageAttemptFailed, attributes...)
		return
	}
	r.logger.LogAttrs(ctx, slog.LevelDebug, MessageAttempt, attributes...)
}

// Usage is what calls of models took, in tokens.
type Usage struct {
	Input, Output int64
	// Estimated says that an upstream did not report its tokens.
	Estimated bool
}

// Used takes in what a call took that was made in ctx.
func Used(ctx context.Context, u Usage) {
	r := Of(ctx)
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.usage.Input += u.Input
	r.usage.Output += u.Output
	r.usage.Estimated = r.usage.Estimated || u.Estimated
}

func (u Usage) attributes() []slog.Attr {
	if u == (Usage{}) {
		return nil
	}
	attributes := []slog.Attr{slog.Int64("inputTokens", u.Input), slog.Int64("outputTokens", u.Output)}
	if u.Estimated {
		attributes = append(attributes, slog.Bool("tokensEstimated", true))
	}
	return attributes
}

// isUpstreams reports whether a call failed for a reason of the upstream's: the route, the replica or the client ends calls, too.
func isUpstreams(kind relay.FailureKind) bool {
	switch kind {
	case relay.NoFailure, relay.FailedClient, relay.FailedSuperseded, relay.FailedBudget, relay.FailedMemory, relay.FailedSchema:
		return false
	default:
		return true
	}
}

// Failed says why the request is answered as it is; the last error counts. Its text is logged.
func (r *Record) Failed(err error) {
	if r == nil || err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = err
}

// Fault says what went wrong that the route's author should know of, whether the request is answered or not. Its text is logged.
func (r *Record) Fault(err error) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = err
}

func (r *Record) note(at *place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.placed = at
}

// End logs the request, if it is to be logged. Method and route are the route's, and not what the client has sent.
func (r *Record) End(method, route string, o relay.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o.Err != nil {
		r.failed = o.Err
	}
	failed := r.hasFailed(o)
	faulty := failed || r.fault != nil && o.Result != relay.ClientLeft
	if !faulty && !r.all {
		return
	}
	attributes := slices.Concat(r.identity(), []slog.Attr{
		slog.String("revision", r.revision), slog.String("method", method), slog.String("route", route),
	}, r.ended(o), []slog.Attr{slog.Int("attempts", r.attempts)}, r.usage.attributes())
	if faulty {
		attributes = append(attributes, r.cause()...)
	}
	logger := slog.New(r.logger.Handler().WithAttrs(attributes))
	switch {
	case failed && o.Status == http.StatusInternalServerError:
		logger.Error(MessageFailed)
	case failed:
		logger.Warn(MessageFailed)
	case faulty:
		logger.Warn(MessageFault)
	default:
		logger.Info(MessageAnswered)
	}
}

// hasFailed reports whether the request counts as failed: if the gateway answered that it cannot serve it, if its stream ended with
// an error, or if it was refused because of an upstream.
//
// An answer of the route's own in an error event counts as it would have as an answer.
func (r *Record) hasFailed(o relay.Outcome) bool {
	broken, status, kind := o.Result == relay.StreamFailed, o.Status, relay.FailureKindOf(r.failed)
	if own, ok := errors.AsType[*problem.Error](r.failed); ok && own.Answer != nil {
		broken, status = false, own.Answer.Status
		if f, replaced := errors.AsType[relay.Failure](r.failed); replaced {
			kind = f.Kind
		}
	}
	return o.Result != relay.ClientLeft && (broken || status >= http.StatusInternalServerError ||
		status >= http.StatusBadRequest && isUpstreams(kind))
}

func (r *Record) identity() []slog.Attr {
	attributes := []slog.Attr{slog.String("request", r.ID)}
	if r.TraceID != "" {
		attributes = append(attributes, slog.String("trace", r.TraceID))
	}
	return attributes
}

// ended are how a request ended. Its time is from its head on, and that of the first content from the verdict on.
func (r *Record) ended(o relay.Outcome) []slog.Attr {
	attributes := []slog.Attr{
		slog.String("result", string(o.Result)), slog.Int("status", o.Status), slog.Float64("seconds", seconds(time.Since(r.began))),
	}
	if o.FirstContent > 0 {
		attributes = append(attributes, slog.Float64("firstContentSeconds", seconds(o.FirstContent)))
	}
	return attributes
}

// cause are where and why the request failed, and the call of an upstream that it failed for.
func (r *Record) cause() []slog.Attr {
	at := r.place()
	attributes := at.attributes()
	if at.last.Number > 0 {
		attributes = append(attributes, at.last.attributes()...)
	}
	if r.failed != nil {
		attributes = append(attributes, slog.String("cause", r.failed.Error()))
	}
	if r.fault != nil {
		attributes = append(attributes, slog.String("fault", r.fault.Error()))
	}
	return attributes
}

// place is where the error has happened that the request failed for. Time that ran out is not said to have run out somewhere: then
// it is where work was interrupted.
func (r *Record) place() *place {
	if known, ok := errors.AsType[*placedError](r.failed); ok {
		return known.at
	}
	kind := relay.FailureKindOf(r.failed)
	late := kind == relay.FailedTimeout || kind == relay.FailedDuration || kind == relay.FailedDraining
	if late && r.placed != nil {
		return r.placed
	}
	return &r.whole
}

func (p *place) attributes() []slog.Attr {
	if at := p.String(); at != "" {
		return []slog.Attr{slog.String("at", at)}
	}
	return nil
}

func (a *Attempt) attributes() []slog.Attr {
	attributes := []slog.Attr{slog.String("upstream", a.Upstream)}
	if at, err := url.Parse(a.URL); err == nil && at.Host != "" {
		attributes = append(attributes, slog.String("endpoint", at.Host))
	}
	attributes = append(attributes, slog.Int("attempt", a.Number), slog.Float64("attemptSeconds", seconds(a.took)))
	if a.Failure.Status != 0 {
		attributes = append(attributes, slog.Int("upstreamStatus", a.Failure.Status))
	}
	return attributes
}

// seconds are rounded to microseconds, so that a line can be read.
func seconds(d time.Duration) float64 { return d.Round(time.Microsecond).Seconds() }
