package mockllm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
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

// chatRequest is the part of a chat request that the mock acts upon.
type chatRequest struct {
	Model         string    `json:"model"`
	Messages      []message `json:"messages"`
	Stream        bool      `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type message struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

// content is a message's text: a string, or a list of parts of which those
// with a text count.
type content string

func (c *content) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] != '[' {
		return json.Unmarshal(data, (*string)(c))
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	for _, p := range parts {
		*c += content(p.Text)
	}
	return nil
}

func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	ctx, leave, ok := s.enter(r.Context(), w)
	if !ok {
		s.reject(w, http.StatusServiceUnavailable, "closed", errClosed.Error())
		return
	}
	defer leave()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		s.reject(w, http.StatusBadRequest, "unreadable_body", "The body could not be read.")
		return
	}
	rep, problem := s.plan(r.Header, body)
	if problem != nil {
		s.reject(w, problem.status, problem.code, problem.message)
		return
	}
	c := &call{header: r.Header.Clone(), body: body, script: rep.script}
	s.opened(c)
	out := &sender{ResponseController: http.NewResponseController(w), w: w, rec: s.Recorder, call: c}
	err = out.answer(ctx, rep)
	s.ended(c, outcome(ctx, err))
	if err != nil && !errors.Is(err, errEnd) {
		// net/http's own way to close a connection in the middle of a reply.
		panic(http.ErrAbortHandler)
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

// refusal is an answer of the mock's own, before any script.
type refusal struct {
	status        int
	code, message string
}

// plan reads a request and settles how it is answered.
func (s *Server) plan(header http.Header, body []byte) (*reply, *refusal) {
	var req chatRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, &refusal{http.StatusBadRequest, "invalid_json", "The body is not a chat request: " + err.Error()}
	}
	if req.Model == "" || len(req.Messages) == 0 {
		return nil, &refusal{http.StatusBadRequest, "missing_field", "model and messages are required."}
	}
	if len(s.models) > 0 && !slices.Contains(s.models, req.Model) {
		return nil, &refusal{http.StatusNotFound, "model_not_found", fmt.Sprintf("The model %q does not exist.", req.Model)}
	}
	prompt := lastUserMessage(req.Messages)
	script, queued := s.nextFailure()
	if !queued {
		var err error
		if script, err = chooseScript(s.defaults, header, prompt); err != nil {
			return nil, &refusal{http.StatusBadRequest, "invalid_script", err.Error()}
		}
	}
	return newReply(req, script.withDefaults(), prompt, s.serial.Add(1)), nil
}

func lastUserMessage(messages []message) string {
	for _, m := range slices.Backward(messages) {
		if m.Role == "user" {
			return string(m.Content)
		}
	}
	return ""
}

// answer follows the script. Without an error the reply is complete.
func (out *sender) answer(ctx context.Context, rep *reply) error {
	switch rep.script.Fault {
	case FaultCloseBeforeHeaders:
		return errAbort
	case FaultHangBeforeHeaders:
		return hang(ctx)
	default: // within the reply, or none
	}
	if status := rep.script.Status; status != 0 && status != http.StatusOK {
		return out.refuse(rep.script)
	}
	if rep.request.Stream {
		return out.stream(ctx, rep)
	}
	return out.whole(ctx, rep)
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
