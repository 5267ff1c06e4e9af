package samples

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/llmservice/llmservice/test/mockllm"
	"github.com/llmservice/llmservice/test/scenario"
	"github.com/llmservice/llmservice/test/scenario/streams"
)

// within bounds one answer, and one wait for the mock's figures. Deadlines of the samples are far below.
const within = 30 * time.Second

// object is a JSON object.
type object = map[string]any

// scripted is a user's message that makes the mock follow a script.
func scripted(script, words string) string { return "[[mock " + script + "]] " + words }

// open makes a request; a body of nil is none.
func (p *Place) open(ctx context.Context, method, target string, body any) (*http.Response, error) {
	var sent io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, target, err)
		}
		sent = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.URL+target, sent)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, target, err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := streams.NewClient().Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	return res, nil
}

// ask returns the status and the JSON of an answer.
func (p *Place) ask(ctx context.Context, method, target string, body any) (int, object, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	res, err := p.open(ctx, method, target, body)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	var answer object
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return 0, nil, fmt.Errorf("%s %s: answered %s with what is no JSON object: %w", method, target, res.Status, err)
	}
	return res.StatusCode, answer, nil
}

// wants fails unless a POST of the body has this answer.
func (p *Place) wants(ctx context.Context, target string, body any, status int, want object) error {
	got, answer, err := p.ask(ctx, http.MethodPost, target, body)
	if err != nil {
		return err
	}
	if got != status || !reflect.DeepEqual(answer, want) {
		return fmt.Errorf("POST %s: answered %d %v, want %d %v", target, got, answer, status, want)
	}
	return nil
}

// event is a server-sent event; its name is empty if the stream gives it none.
type event struct{ name, data string }

// events are an open stream's.
type events struct {
	lines *bufio.Scanner
	body  io.Closer
	end   context.CancelFunc
}

// stream posts a body and returns the events of the answer. Close tells the service that nobody reads them any more.
func (p *Place) stream(ctx context.Context, target string, body any) (*events, error) {
	ctx, end := context.WithTimeout(ctx, within)
	res, err := p.open(ctx, http.MethodPost, target, body) //nolint:bodyclose // closed with the events
	if err != nil {
		end()
		return nil, err
	}
	s := &events{lines: bufio.NewScanner(res.Body), body: res.Body, end: end}
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/event-stream") {
		s.Close()
		return nil, fmt.Errorf("POST %s: answered %s with %s, want a stream of events", target, res.Status, kind)
	}
	return s, nil
}

// Close leaves the stream.
func (s *events) Close() {
	s.end()
	_ = s.body.Close() // nothing is asked of it any more
}

// next waits for an event. Comments are passed over. At the end of the stream the error is io.EOF.
func (s *events) next() (event, error) {
	var e event
	var data []string
	for s.lines.Scan() {
		line := s.lines.Text()
		switch name, value, _ := strings.Cut(line, ":"); {
		case line == "" && data != nil:
			e.data = strings.Join(data, "\n")
			return e, nil
		case name == "event":
			e.name = strings.TrimPrefix(value, " ")
		case name == "data":
			data = append(data, strings.TrimPrefix(value, " "))
		}
	}
	if err := s.lines.Err(); err != nil {
		return e, fmt.Errorf("read the stream: %w", err)
	}
	return e, io.EOF
}

// all are the events to the stream's end, the last of which has to be done.
func (s *events) all() ([]event, error) {
	defer s.Close()
	var seen []event
	for {
		e, err := s.next()
		switch {
		case err == nil:
			seen = append(seen, e)
		case !errors.Is(err, io.EOF):
			return seen, err
		case len(seen) == 0 || seen[len(seen)-1].name != "done":
			return seen, fmt.Errorf("the stream has %q, want done at its end", seen)
		default:
			return seen, nil
		}
	}
}

// events posts a body and returns the events of the whole answer.
func (p *Place) events(ctx context.Context, target string, body any) ([]event, error) {
	s, err := p.stream(ctx, target, body)
	if err != nil {
		return nil, err
	}
	return s.all()
}

// expect does something, and waits until the mock's figures have grown by what it should cause.
func (p *Place) expect(ctx context.Context, what string, grown func(before, after mockllm.Stats) bool, do func() error) error {
	before, err := p.Stats(ctx)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	_, err = scenario.Await(ctx, within, what, func(ctx context.Context) error {
		after, err := p.Stats(ctx)
		if err == nil && !grown(before, after) {
			err = fmt.Errorf("the upstreams' figures are %+v, and were %+v", after, before)
		}
		return err
	})
	return err //nolint:wrapcheck // it says what
}

// oneCancelled is what a call leaves behind that nobody waits for any more.
func oneCancelled(before, after mockllm.Stats) bool {
	return after.Cancelled == before.Cancelled+1 && after.Open == before.Open
}
