package mockllm

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 64 << 20

// A reply that the script ends ahead of its end stops with one of these.
var (
	errAbort = errors.New("the script closes the connection")
	errEnd   = errors.New("the script ends the response")
)

// refusal is an answer of the mock's own, before any script.
type refusal struct {
	status        int
	code, message string
}

// exchange is a request that a script answers.
type exchange struct {
	script Script
	// answer is asked unless the script fails before it. Without an error
	// the reply is complete.
	answer func(ctx context.Context, out *sender) error
}

// scripted serves, and records, what plan makes of a request.
func (s *Server) scripted(plan func(r *http.Request, body []byte) (*exchange, *refusal)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, leave, ok := s.enter(r.Context(), w)
		if !ok {
			s.reject(w, r, refusal{http.StatusServiceUnavailable, "closed", errClosed.Error()})
			return
		}
		defer leave()
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			s.reject(w, r, refusal{http.StatusBadRequest, "unreadable_body", "The body could not be read."})
			return
		}
		ex, wrong := plan(r, body)
		if wrong != nil {
			s.reject(w, r, *wrong)
			return
		}
		c := &call{method: r.Method, url: r.URL, header: r.Header.Clone(), body: body, script: ex.script}
		s.opened(c)
		out := &sender{ResponseController: http.NewResponseController(w), w: w, rec: s.Recorder, call: c}
		err = out.follow(ctx, ex)
		s.ended(c, outcome(ctx, err))
		if err != nil && !errors.Is(err, errEnd) {
			// net/http's own way to close a connection in the middle of a reply.
			panic(http.ErrAbortHandler)
		}
	}
}

// outcome tells who ended a reply. A failed Write is the client's doing, too,
// even if the server has not noticed yet that it went.
func outcome(ctx context.Context, err error) Outcome {
	switch {
	case err == nil:
		return OutcomeFinished
	case errors.Is(err, errAbort), errors.Is(err, errEnd), errors.Is(context.Cause(ctx), errClosed):
		return OutcomeFailed
	}
	return OutcomeCancelled
}

// follow does what the script says. Without an error the reply is complete.
func (out *sender) follow(ctx context.Context, ex *exchange) error {
	switch ex.script.Fault {
	case FaultCloseBeforeHeaders:
		return errAbort
	case FaultHangBeforeHeaders:
		return hang(ctx)
	default: // within the reply, or none
	}
	if status := ex.script.Status; status != 0 && status != http.StatusOK {
		return out.refuse(ex.script)
	}
	return ex.answer(ctx, out)
}

func hang(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// refuse answers with the script's status.
func (out *sender) refuse(script Script) error {
	body, err := json.Marshal(scriptedError(script.Status))
	if err != nil {
		return err
	}
	if script.RetryAfter != "" {
		out.w.Header().Set("Retry-After", script.RetryAfter)
	}
	out.w.Header().Set("Content-Type", "application/json")
	out.w.WriteHeader(script.Status)
	if err := out.write(body); err != nil {
		return err
	}
	return errEnd
}

func scriptedError(status int) errorObject {
	code := strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
	if status == http.StatusTooManyRequests {
		code = "rate_limit_exceeded"
	}
	return newErrorObject(status, code, "Scripted status "+strconv.Itoa(status)+" of "+ErrorDetail)
}
