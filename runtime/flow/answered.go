package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// answeredError ends a route with an answer that a step made.
type answeredError struct {
	reply *relay.Reply
	// body is the reply's as JSON, which the reply may have as text or bytes; empty if it has none.
	body []byte
	// instead is the failure that the answer replaces; nil for none.
	instead error
}

func (*answeredError) Error() string { return "the route has been answered" }

// reason is why the answer was given.
func (e *answeredError) reason() error {
	if e.instead != nil {
		return loggable(e.instead)
	}
	return e
}

func answered(err error) (*answeredError, bool) { return errors.AsType[*answeredError](err) }

// isSuccess reports whether the answer has a status of success.
func (e *answeredError) isSuccess() bool { return e.reply.Status/100 == 2 } //nolint:mnd // the statuses of success

// late is a step's answer in the place of a stream that has begun: its end is an error event with the answer's status and body.
func (e *answeredError) late() error {
	refused := &refusedError{problem: problemOf(e), instead: e.instead}
	refused.problem.Answer = &problem.Answer{Status: e.reply.Status, Body: json.RawMessage("null")}
	if len(e.body) > 0 {
		refused.problem.Answer.Body = e.body
	}
	return refused
}

// finished returns how a stream ended; a step's own answer takes its place, or, once the stream has begun, becomes its end: success
// writes an answer of success. Of a step's own error it returns only what clients get, because it goes to logs.
func finished(ctx context.Context, out relay.Sink, err error, success func(*answeredError) error) error {
	if err == nil {
		return nil
	}
	was := err
	if ended, ok := answered(err); ok {
		switch err = out.Reply(ended.reply); {
		case err == nil:
			return nil
		case !errors.Is(err, relay.ErrBegun):
		case ended.isSuccess():
			if err = success(ended); err == nil {
				return nil
			}
		default:
			return requestlog.InPlaceOf(was, ended.late())
		}
	}
	err = because(ctx, err)
	if f, failed := relay.FaultOf(err).(relay.Failure); failed { //nolint:errorlint // not wrapped
		return requestlog.InPlaceOf(err, f)
	}
	return requestlog.InPlaceOf(err, fmt.Errorf("step: %w", upstream.Problem(err)))
}

// refusedError is a step's answer that is an error. Its text goes to logs, without the answer's words.
type refusedError struct {
	problem *problem.Error
	// instead is the failure that the answer replaces; nil for none.
	instead error
}

func (e *refusedError) Error() string {
	if e.instead != nil {
		return loggable(e.instead).Error()
	}
	return "the route has answered with an error"
}

func (e *refusedError) Unwrap() []error { return []error{e.problem, e.instead} }

// problemOf is a step's answer as an error that a protocol of models can write. Its message is the body's, which the route's author
// wrote for clients.
func problemOf(a *answeredError) *problem.Error {
	status, code := a.reply.Status, problem.UpstreamError
	switch {
	case status == http.StatusTooManyRequests:
		code = problem.Overloaded
	case status/100 == 4: //nolint:mnd // the statuses of a client's mistakes
		code = problem.InvalidRequest
	}
	e := problem.New(code)
	if status >= http.StatusBadRequest {
		e.Status = status
	}
	if text := sentenceOf(a.body); text != "" {
		return e.WithMessage(text)
	}
	return e.WithMessage(e.Message)
}

// sentenceOf is what a body says: its detail, in FastAPI's form of an error, or the whole of it.
func sentenceOf(body []byte) string {
	var said struct {
		Detail string `json:"detail"`
	}
	if jsontext.Value(body).Kind() == '{' && json.Unmarshal(body, &said) == nil && said.Detail != "" {
		return said.Detail
	}
	return textual(body).Text
}
