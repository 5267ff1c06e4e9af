package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// path is one that a client can take through the gateway.
type path struct {
	name   string
	stream bool
	// body asks for what a case's script answers with.
	body func(prefix, name string) (path, body string)
	// upstreams are asked, in order or at once.
	upstreams []string
	fallback  bool // the second is asked where the first fails
	tool      bool // it is not a model that is asked
}

func route(name string) func(prefix, c string) (string, string) {
	return func(prefix, c string) (string, string) {
		return "/" + prefix + name, fmt.Sprintf(`{"ask":%q}`, c)
	}
}

func model(name string, stream bool) func(prefix, c string) (string, string) {
	return func(prefix, c string) (string, string) {
		return "/v1/chat/completions", fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}],"stream":%v}`, prefix+name, c, stream)
	}
}

var paths = []path{
	{name: "v1 streamed", stream: true, body: model("one", true), upstreams: []string{first}},
	{name: "v1 streamed with a second upstream", stream: true, body: model("two", true), upstreams: []string{first, second}, fallback: true},
	{name: "v1 whole", body: model("one", false), upstreams: []string{first}},
	{name: "v1 whole with a second upstream", body: model("two", false), upstreams: []string{first, second}, fallback: true},
	{name: "chunks of a route", stream: true, body: route("stream"), upstreams: []string{first}},
	{name: "texts of a route", stream: true, body: route("json"), upstreams: []string{first}},
	{name: "named events", stream: true, body: route("events"), upstreams: []string{first}},
	{name: "fallback streamed", stream: true, body: route("fallback"), upstreams: []string{first, second}, fallback: true},
	{name: "whole chat of a route", body: route("whole"), upstreams: []string{first}},
	{name: "gather of two", body: route("all"), upstreams: []string{first, second}},
	{name: "HTTP call", body: route("tool"), upstreams: []string{tool}, tool: true},
}

// What a client saw at the end.
const (
	done   = "done"
	failed = "error event"
)

// outcome is what a client got.
type outcome struct {
	status int
	text   string
	ends   []string // done or failed
	after  bool     // something followed an end
}

// ask sends a request and reads its answer to the end. The error is that of an answer that was cut, or that is not what the
// path's answers are.
func ask(ctx context.Context, client *http.Client, address string, p *path, prefix, name string) (outcome, error) {
	to, body := p.body(prefix, name)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+to, strings.NewReader(body))
	if err != nil {
		return outcome{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return outcome{}, fmt.Errorf("no answer: %w", err)
	}
	defer answer.Body.Close()
	o := outcome{status: answer.StatusCode}
	raw, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return o, fmt.Errorf("cut after %d bytes: %w", len(raw), err)
	case o.status != http.StatusOK:
		if !json.Valid(raw) || len(raw) == 0 {
			return o, fmt.Errorf("%d without a reason: %q", o.status, raw)
		}
		return o, nil
	case p.stream:
		return o, o.events(string(raw))
	default:
		return o, o.document(raw)
	}
}

// message is what any of the formats may hold.
type message struct {
	Text    string          `json:"text"`
	Error   json.RawMessage `json:"error"`
	Choices []struct {
		Delta   content `json:"delta"`
		Message content `json:"message"`
	} `json:"choices"`
}

type content struct {
	Content string `json:"content"`
}

var errNotWhole = errors.New("an event is not whole")

func (o *outcome) events(raw string) error {
	if raw != "" && !strings.HasSuffix(raw, "\n\n") {
		return fmt.Errorf("%w: …%q", errNotWhole, raw[max(0, len(raw)-80):])
	}
	for event := range strings.SplitSeq(strings.TrimSuffix(raw, "\n\n"), "\n\n") {
		o.after = o.after || len(o.ends) > 0
		kind, data := "", ""
		for line := range strings.SplitSeq(event, "\n") {
			if value, ok := strings.CutPrefix(line, "event: "); ok {
				kind = value
			}
			if value, ok := strings.CutPrefix(line, "data: "); ok {
				data += value
			}
		}
		if err := o.event(kind, data); err != nil {
			return err
		}
	}
	return nil
}

func (o *outcome) event(kind, data string) error {
	if data == "[DONE]" {
		o.ends = append(o.ends, done)
		return nil
	}
	var m message
	if err := json.Unmarshal([]byte(data), &m); err != nil {
		return fmt.Errorf("an event is not JSON: %q", data)
	}
	switch {
	case len(m.Error) > 0:
		o.ends = append(o.ends, failed)
	case kind == "done":
		o.ends = append(o.ends, done)
	}
	o.text += m.Text
	for _, c := range m.Choices {
		o.text += c.Delta.Content
	}
	return nil
}

func (o *outcome) document(raw []byte) error {
	var m message
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("the answer is not JSON: %q", raw)
	}
	o.text, o.ends = m.Text, []string{done}
	for _, c := range m.Choices {
		o.text += c.Message.Content
	}
	return nil
}
